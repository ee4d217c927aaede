#include "serialize.hpp"

#include <algorithm>

#include "text.hpp"

namespace backstage {
inline namespace v0 {
namespace http {
namespace {

bool is_ours(std::string_view name) {
  for (const std::string_view own : {"Content-Length", "Transfer-Encoding", "Connection", "Date", "Keep-Alive"}) {
    if (same_ignoring_case(name, own)) return true;
  }
  return false;
}

bool can_be_sent(const Response& response) {
  return response.status >= 200 && response.status <= 599 &&
         std::all_of(response.headers.begin(), response.headers.end(),
                     [](const Headers::Field& field) { return is_token(field.name) && is_field_value(field.value); });
}

}  // namespace

std::string serialize(const Response& response, std::string_view date, bool head_only, bool last) {
  if (!can_be_sent(response)) {
    return serialize(error_response(500, "bad_response", "the handler's response cannot be put into HTTP"), date,
                     head_only, last);
  }
  const bool bodiless = response.status == 204 || response.status == 304;
  std::string out;
  out.reserve(256 + response.body.size());
  out += "HTTP/1.1 ";
  out += std::to_string(response.status);
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\nDate: ";
  out += date;
  out += "\r\n";
  for (const auto& field : response.headers) {
    if (is_ours(field.name)) continue;
    out += field.name;
    out += ": ";
    out += field.value;
    out += "\r\n";
  }
  if (!bodiless) {
    out += "Content-Length: ";
    out += std::to_string(response.body.size());
    out += "\r\n";
  }
  if (last) out += "Connection: close\r\n";
  out += "\r\n";
  if (!bodiless && !head_only) out += response.body;
  return out;
}

}  // namespace http
}  // namespace v0
}  // namespace backstage
