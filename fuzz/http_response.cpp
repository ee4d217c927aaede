// Responses as the client reads them. However the bytes are cut, the same response comes out; and whatever a handler
// puts into a response, what is written is read back as that one response and nothing more.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../src/http/parser.hpp"
#include "../src/http/serialize.hpp"
#include "../src/http/text.hpp"
#include "phrases.hpp"

namespace {

namespace http = backstage::http;

constexpr std::uint64_t max_body = 1'024;

constexpr std::array<std::string_view, 16> phrases{"HTTP/1.1 200 OK\r\n",
                                                   "HTTP/1.1 100 Continue\r\n\r\n",
                                                   "HTTP/1.0 404 No\r\n",
                                                   "HTTP/1.1 204 \r\n",
                                                   "HTTP/1.1 304 \r\n",
                                                   "\r\n",
                                                   "\r\n\r\n",
                                                   "Content-Length: 3\r\n",
                                                   "Content-Length: 2000\r\n",
                                                   "Transfer-Encoding: chunked\r\n",
                                                   "3\r\nabc\r\n",
                                                   "3;x=y\r\n",
                                                   "0\r\n\r\n",
                                                   "0\r\nX: y\r\n\r\n",
                                                   "Connection: close\r\n",
                                                   "abc"};

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  bool failed = false;
  bool complete = false;
  bool keeps_alive = false;
  int status = 0;
  http::Pairs headers;
  std::string body;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome read(std::string_view bytes, std::size_t piece, bool answers_head) {
  http::ResponseParser parser(answers_head, max_body);
  Outcome outcome;
  while (!bytes.empty() && !outcome.failed && !parser.complete()) {
    outcome.failed = !parser.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  if (!outcome.failed && !parser.complete()) outcome.failed = !parser.feed({});
  if (outcome.failed) return outcome;
  outcome.complete = parser.complete();
  outcome.keeps_alive = parser.keep_alive();
  outcome.status = parser.response().status;
  for (const auto& [name, value] : parser.response().headers) outcome.headers.emplace_back(name, value);
  outcome.body = parser.response().body;
  require(outcome.body.size() <= max_body);
  require(!outcome.complete || outcome.status / 100 != 1);
  return outcome;
}

/// Status, field and body out of the input, as a careless handler might make them.
void reads_what_it_writes(std::string_view input) {
  if (input.size() < 4) return;
  http::Response response;
  response.status = 100 + static_cast<std::uint8_t>(input[0]) * 2;
  const std::size_t name = static_cast<std::uint8_t>(input[1]) % 16U;
  const std::size_t value = static_cast<std::uint8_t>(input[2]) % 32U;
  const bool last = input[3] % 2 != 0;
  input.remove_prefix(4);
  const auto take = [&](std::size_t count) {
    const std::string_view taken = input.substr(0, count);
    input.remove_prefix(taken.size());
    return taken;
  };
  const std::string_view field = take(name);
  const std::string_view text = take(value);
  response.headers.add(field, text);
  response.body = take(max_body);
  const std::string bytes = http::serialize(response, "Sun, 22 Nov 2026 21:39:18 GMT", false, last);
  const Outcome back = read(bytes, bytes.size(), false);
  require(back.complete && back.keeps_alive != last);
  const bool can_be_sent =
      response.status >= 200 && response.status <= 599 && http::is_token(field) && http::is_field_value(text);
  require(back.status == (can_be_sent ? response.status : 500));
  if (!can_be_sent) return;
  require(back.body == (response.status == 204 || response.status == 304 ? "" : response.body));
  // Date, at most the one field, Content-Length, Connection.
  require(back.headers.size() <= 4);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool answers_head = data[0] >= 128;
  const std::string bytes = backstage_fuzz::with_phrases(input, phrases);
  require(read(bytes, data[0] % 16U + 1, answers_head) == read(bytes, bytes.size(), answers_head));
  reads_what_it_writes(input);
  return 0;
}
