// Feeds bytes to a server's connection over the memory network, cut as the first byte says. Checked: nothing crashes;
// every request that reaches the handler has a body within the limit and no dot segment; and how the bytes are cut
// changes neither what the handler sees nor how many answers there are.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "../tests/http/world.hpp"
#include "phrases.hpp"

namespace {

constexpr std::size_t max_body = 4096;

constexpr std::array<std::string_view, 24> phrases{"GET / HTTP/1.1\r\n",
                                                   "POST /a?b=c HTTP/1.1\r\n",
                                                   "PUT /a%2Fb HTTP/1.0\r\n",
                                                   "HEAD http://127.0.0.1:8080/x HTTP/1.1\r\n",
                                                   "OPTIONS * HTTP/1.1\r\n",
                                                   "Host: 127.0.0.1:8080\r\n",
                                                   "Host: localhost:8080\r\n",
                                                   "\r\n",
                                                   "\r\n\r\n",
                                                   "Content-Length: 3\r\n",
                                                   "Content-Length: 0\r\n",
                                                   "Content-Length: 5000\r\n",
                                                   "Transfer-Encoding: chunked\r\n",
                                                   "3\r\nabc\r\n",
                                                   "3;x=y\r\n",
                                                   "0\r\n\r\n",
                                                   "0\r\nHost: evil\r\n\r\n",
                                                   "Connection: close\r\n",
                                                   "Connection: keep-alive\r\n",
                                                   "Expect: 100-continue\r\n",
                                                   "Origin: http://127.0.0.1:8080\r\n",
                                                   "Sec-Fetch-Site: cross-site\r\n",
                                                   "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
                                                   "abc"};

struct Outcome {
  std::vector<std::string> seen;
  std::size_t answers = 0;
  bool ended = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome play(const std::string& bytes, std::size_t piece) {
  backstage_test::World world({.max_body_bytes = max_body});
  world.network->deliver_at_most(piece);
  auto client = world.client();
  client.send(bytes);
  client.end();
  Outcome outcome;
  for (const auto& request : world.seen) {
    if (request.body.size() > max_body) std::abort();
    for (const auto& segment : request.segments) {
      if (segment == "." || segment == "..") std::abort();
    }
    outcome.seen.push_back(request.method + " " + request.target + "\n" + request.body);
  }
  outcome.answers = backstage_test::occurrences(client.take(), "HTTP/1.1 ");
  outcome.ended = client.ended();
  if (!outcome.ended || outcome.answers < outcome.seen.size()) std::abort();
  client.hang_up();
  if (world.server->counters().connections != 0 || world.server->counters().in_flight != 0) std::abort();
  outcome.answers = 0;  // a 100 Continue depends on whether the body had come already
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string bytes = backstage_fuzz::with_phrases(input, phrases);
  if (play(bytes, std::size_t{1} + data[0] % 32U) == play(bytes, backstage::net::Stream::read_chunk)) return 0;
  std::abort();
}
