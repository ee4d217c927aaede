#include "head_rules.hpp"

#include "text.hpp"

namespace backstage {
inline namespace v0 {
namespace http {
namespace {

Fault bad(std::string message) { return Fault{400, "bad_request", std::move(message)}; }

/// Takes the text up to the CRLF, and both, off `rest`.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find("\r\n");
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
  return line;
}

std::optional<Fault> check_version(std::string_view version) {
  if (version == "HTTP/1.1" || version == "HTTP/1.0") return std::nullopt;
  const bool well_formed = version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) &&
                           version[6] == '.' && is_digit(version[7]);
  if (!well_formed) return bad("the request line must end with HTTP/1.1");
  return Fault{505, "version_not_supported", "only HTTP/1.1 and HTTP/1.0 are spoken here"};
}

std::optional<Fault> check_request_line(std::string_view line, std::size_t max_target) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return bad("the request line must be: METHOD target HTTP/1.1");
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (!is_token(method)) return bad("the method is no token");
  if (target.empty()) return bad("the target is empty");
  if (target.size() > max_target) {
    return Fault{414, "uri_too_long", "the target is longer than " + std::to_string(max_target) + " bytes"};
  }
  for (const char c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20U || byte >= 0x7fU || std::string_view("\"<>\\^`{|}#").find(c) != std::string_view::npos) {
      return bad("the target has a byte that must be percent-encoded");
    }
  }
  return check_version(line.substr(last + 1));
}

std::optional<Fault> check_content_length(std::string_view value) {
  // 18 digits: less than 2^63, so no arithmetic on it can wrap.
  if (value.empty() || value.size() > 18) return bad("Content-Length must be a decimal number of at most 18 digits");
  for (const char c : value) {
    if (!is_digit(c)) return bad("Content-Length must be a decimal number");
  }
  return std::nullopt;
}

}  // namespace

std::optional<Fault> check_bytes(std::string_view bytes, char previous) {
  for (const char c : bytes) {
    if (c == '\0') return bad("a NUL byte in the head");
    if (c == '\n' && previous != '\r') return bad("a line must end with CRLF, not with LF alone");
    if (c != '\n' && previous == '\r') return bad("a CR must be followed by LF");
    previous = c;
  }
  return std::nullopt;
}

std::optional<Fault> check_head(std::string_view head, std::size_t max_target, std::size_t max_headers) {
  const std::string_view request_line = take_line(head);
  if (auto fault = check_request_line(request_line, max_target)) return fault;
  const bool old = request_line.ends_with("HTTP/1.0");

  std::size_t headers = 0;
  std::size_t hosts = 0;
  std::size_t lengths = 0;
  std::size_t codings = 0;
  std::size_t origins = 0;
  std::size_t sites = 0;
  for (std::string_view line = take_line(head); !line.empty(); line = take_line(head)) {
    if (++headers > max_headers) {
      return Fault{431, "headers_too_large", "more than " + std::to_string(max_headers) + " header fields"};
    }
    if (line.front() == ' ' || line.front() == '\t') return bad("a folded header line");
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return bad("a header line without ':'");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (!is_token(name)) return bad("a header name that is no token (is there a space before the ':'?)");
    if (!is_field_value(value)) return bad("a control character in a header value");

    if (same_ignoring_case(name, "Host")) {
      ++hosts;
    } else if (same_ignoring_case(name, "Origin")) {
      ++origins;
    } else if (same_ignoring_case(name, "Sec-Fetch-Site")) {
      ++sites;
    } else if (same_ignoring_case(name, "Content-Length")) {
      ++lengths;
      if (auto fault = check_content_length(value)) return fault;
    } else if (same_ignoring_case(name, "Transfer-Encoding")) {
      ++codings;
      if (!same_ignoring_case(value, "chunked")) return bad("Transfer-Encoding must be 'chunked' and nothing else");
    }
  }
  if (hosts != 1) return bad("there must be exactly one Host");
  if (lengths > 1) return bad("more than one Content-Length");
  if (codings > 1) return bad("more than one Transfer-Encoding");
  if (origins > 1) return bad("more than one Origin");
  if (sites > 1) return bad("more than one Sec-Fetch-Site");
  if (codings > 0 && lengths > 0) return bad("Content-Length and Transfer-Encoding together");
  if (codings > 0 && old) return bad("Transfer-Encoding in an HTTP/1.0 request");
  return std::nullopt;
}

}  // namespace http
}  // namespace v0
}  // namespace backstage
