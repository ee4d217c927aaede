// Bytes in, Request or Response out; no I/O. The only place that knows Boost.Beast (in parser.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "backstage/http/message.hpp"
#include "backstage/http/server.hpp"
#include "head_rules.hpp"

namespace backstage {
inline namespace v0 {
namespace http {

/// Parses one request. After a fault, and after the request is complete, it takes no more.
class RequestParser {
 public:
  explicit RequestParser(const ServerOptions& options);
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) noexcept;

  /// Takes from the front of `bytes` what belongs to this request, in pieces of any size: first all of the head (it
  /// returns when the head is complete, so that it can be judged before the body), then the body. Returns how many it
  /// took.
  std::size_t feed(std::string_view bytes);

  [[nodiscard]] bool started() const noexcept;
  [[nodiscard]] bool head_complete() const noexcept;
  [[nodiscard]] bool complete() const noexcept;
  [[nodiscard]] const std::optional<Fault>& fault() const noexcept;
  /// From head_complete() on: HTTP/1.1 and no "Connection: close".
  [[nodiscard]] bool keep_alive() const noexcept;
  /// From head_complete() on: HTTP/1.1, not 1.0.
  [[nodiscard]] bool is_http11() const noexcept;
  /// The Host field; equal to the authority of an absolute target.
  [[nodiscard]] std::string_view authority() const noexcept;
  [[nodiscard]] Request& request() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Parses one final response (1xx are passed over).
class ResponseParser {
 public:
  ResponseParser(bool answers_head, std::uint64_t max_bytes);
  ~ResponseParser();
  ResponseParser(ResponseParser&&) noexcept;
  ResponseParser& operator=(ResponseParser&&) noexcept;

  /// An empty view is the end of the connection.
  Result<> feed(std::string_view bytes);
  [[nodiscard]] bool complete() const noexcept;
  [[nodiscard]] bool keep_alive() const noexcept;
  [[nodiscard]] Response& response() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace http
}  // namespace v0
}  // namespace backstage
