// A server on a memory network, and clients that say exactly which bytes they send.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../net/manual_clock.hpp"
#include "backstage/http/server.hpp"

namespace backstage_test {

namespace http = backstage::http;
namespace net = backstage::net;

/// One raw connection to the server: what it received, and whether the server has ended.
class RawClient {
 public:
  RawClient(net::MemoryNetwork& network, const net::Address& to) : network_(network) {
    network.connect(to, backstage::Instant::never(), [this](backstage::Result<std::unique_ptr<net::Stream>> stream) {
      if (!stream) return;
      stream_ = std::move(*stream);
      read();
    });
    network.pump();
  }
  /// False: nobody listens there.
  [[nodiscard]] bool connected() const { return stream_ != nullptr; }
  void send(std::string bytes) {
    stream_->write(std::move(bytes), backstage::Instant::never(), [](const backstage::Result<>&) {});
    network_.pump();
  }
  void end() {
    stream_->shutdown_write();
    network_.pump();
  }
  void hang_up() {
    stream_.reset();
    network_.pump();
  }
  /// What came since the last take().
  std::string take() { return std::exchange(received_, {}); }
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  void read() {
    stream_->read(backstage::Instant::never(), [this](const backstage::Result<std::string_view>& bytes) {
      if (!bytes || bytes->empty()) {
        ended_ = true;
        return;
      }
      received_ += *bytes;
      read();
    });
  }
  net::MemoryNetwork& network_;
  std::unique_ptr<net::Stream> stream_;
  std::string received_;
  bool ended_ = false;
};

/// The status of the first response in `bytes`, 0 when there is none.
inline int status_of(const std::string& bytes) {
  return bytes.starts_with("HTTP/1.1 ") ? std::stoi(bytes.substr(9, 3)) : 0;
}
inline std::size_t occurrences(const std::string& in, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = in.find(what); at != std::string::npos; at = in.find(what, at + what.size())) ++count;
  return count;
}

/// Listens at 127.0.0.1:8080; answers each request with its method, path and body's length, or lets the test do it.
struct World {
  explicit World(http::ServerOptions options = {}, bool answers = true) {
    options.listen = {"127.0.0.1", 8080};
    auto opened = http::Server::open(
        *network, std::move(options), [this, answers](http::Request request, http::Responder responder) {
          seen.push_back(request);
          if (!answers) {
            waiting.push_back(std::move(responder));
            return;
          }
          responder.answer(http::text_response(200, request.method + " " + request.path + " " +
                                                        std::to_string(request.body.size()) + " " + request.body));
        });
    server = std::move(*opened);
  }
  RawClient client() { return RawClient(*network, {"127.0.0.1", 8080}); }
  /// What a fresh client gets for these bytes.
  std::string exchange(const std::string& bytes) {
    RawClient raw(*network, {"127.0.0.1", 8080});
    raw.send(bytes);
    last_ended = raw.ended();
    return raw.take();
  }
  void run_for(backstage::Duration by) { backstage_test::run_for(clock, *network, by); }

  ManualClock clock;
  std::shared_ptr<net::MemoryNetwork> network = net::memory_network(clock);
  std::vector<http::Request> seen;
  std::vector<http::Responder> waiting;
  std::unique_ptr<http::Server> server;
  bool last_ended = false;
};

/// "GET target HTTP/1.1" with the right Host and these further header lines.
inline std::string get(const std::string& target, const std::string& headers = {}) {
  return "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + headers + "\r\n";
}
inline std::string post(const std::string& target, const std::string& body, const std::string& headers = {}) {
  return "POST " + target + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + headers + "\r\n" + body;
}

}  // namespace backstage_test
