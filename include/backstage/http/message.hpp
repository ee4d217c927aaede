// Requests and responses as plain data, and the small helpers around them.
// Stability: settling (v0).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backstage/base/result.hpp"
#include "backstage/base/time.hpp"
#include "backstage/net/network.hpp"

namespace backstage {
inline namespace v0 {
namespace http {

/// Header fields in order of arrival; names are compared without regard to case.
class Headers {
 public:
  struct Field {
    std::string name;
    std::string value;
  };

  void add(std::string_view name, std::string_view value) {
    fields_.push_back({std::string(name), std::string(value)});
  }
  /// Replaces every field of that name.
  void set(std::string_view name, std::string_view value);
  void erase(std::string_view name);
  /// The first of that name; empty when there is none (see has()).
  [[nodiscard]] std::string_view get(std::string_view name) const noexcept;
  [[nodiscard]] bool has(std::string_view name) const noexcept { return count(name) > 0; }
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return fields_.size(); }
  [[nodiscard]] auto begin() const noexcept { return fields_.begin(); }
  [[nodiscard]] auto end() const noexcept { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method = "GET";
  std::string target = "/";           ///< as it came: "/api/a%2Fb?limit=2"
  std::string path;                   ///< decoded: "/api/a/b"
  std::vector<std::string> segments;  ///< decoded one by one: "api", "a/b"; never "." or ".."
  Pairs query;                        ///< decoded, in order
  Pairs params;                       ///< what the Router matched: {name}
  Headers headers;
  std::string body;
  net::Address remote;

  /// The first value of that query key, if there is one.
  [[nodiscard]] std::optional<std::string_view> query_value(std::string_view key) const noexcept;
  /// What stood at {name} in the route's pattern; empty when the pattern has no such name.
  [[nodiscard]] std::string_view param(std::string_view name) const noexcept;
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;

  Response&& with(std::string_view name, std::string_view value) && {
    headers.set(name, value);
    return std::move(*this);
  }
};

/// "Not Found" for 404; "Unknown" where no name is registered.
[[nodiscard]] std::string_view reason_phrase(int status) noexcept;

[[nodiscard]] Response text_response(int status, std::string body);
/// `body` is JSON already.
[[nodiscard]] Response json_response(int status, std::string body);
/// {"error":{"code":"not_found","message":"..."}}
[[nodiscard]] Response error_response(int status, std::string_view code, std::string_view message);
/// 503 with Retry-After (whole seconds, at least 1).
[[nodiscard]] Response unavailable_response(Duration retry_after, std::string_view message);
/// The status that fits an Error: invalid 400, not_found 404, exists 409, timeout, gone, stopping, full, unavailable
/// 503 (with Retry-After), anything else 500.
[[nodiscard]] Response error_response(const Error& error);

/// Strict: "%zz", a cut "%4", an encoded NUL and what is not UTF-8 afterwards are errors.
[[nodiscard]] Result<std::string> percent_decode(std::string_view text);
/// Everything but letters, digits and -._~ becomes %XX.
[[nodiscard]] std::string percent_encode(std::string_view text);
/// "a=1&b=x%20y+z": + is a space; at most 100 pairs.
[[nodiscard]] Result<Pairs> parse_query(std::string_view text);

struct Target {
  std::string path;
  std::vector<std::string> segments;
  Pairs query;
};
/// The origin form "/path?query", decoded. Refuses "." and ".." segments however they are encoded.
[[nodiscard]] Result<Target> parse_target(std::string_view target);
/// "Sun, 22 Nov 2026 21:39:18 GMT".
[[nodiscard]] std::string http_date(WallTime at);

}  // namespace http
}  // namespace v0
}  // namespace backstage
