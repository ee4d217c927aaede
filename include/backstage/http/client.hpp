// A small blocking HTTP/1.1 client for tests and tools. It keeps its connection between requests and has no thread of
// its own; on a network without a loop thread (net::memory_network) it drives the network while it waits.
//
//     http::Client client(network, server->local());
//     auto response = client.get("/healthz", 2s);
//
// One thread at a time, which is not the network's own I/O thread.
// Stability: settling (v0).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "backstage/base/result.hpp"
#include "backstage/base/time.hpp"
#include "backstage/http/message.hpp"
#include "backstage/net/network.hpp"

namespace backstage {
inline namespace v0 {
namespace http {

class Client {
 public:
  Client(net::Network& network, net::Address server);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// Sends method, target, headers and body (Host and Content-Length are added). A response may have at most
  /// `max_response_bytes`. After an Error the connection is given up; `may_have_run` tells that the request had left.
  [[nodiscard]] Result<Response> send(const Request& request, Duration within);
  [[nodiscard]] Result<Response> get(std::string target, Duration within);
  [[nodiscard]] Result<Response> post(std::string target, std::string body, std::string_view content_type,
                                      Duration within);

  static constexpr std::size_t max_response_bytes = std::size_t{64} * 1024 * 1024;

 private:
  struct Exchange;

  net::Network& network_;
  net::Address server_;
  std::shared_ptr<Exchange> exchange_;
};

}  // namespace http
}  // namespace v0
}  // namespace backstage
