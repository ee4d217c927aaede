// A Response as bytes.
#pragma once

#include <string>
#include <string_view>

#include "backstage/http/message.hpp"

namespace backstage {
inline namespace v0 {
namespace http {

/// Always with Content-Length (which 204 and 304 must not have), Date and, when `last`, Connection: close; the
/// response's own fields of these names, and Transfer-Encoding, are left out. A field with a byte that could split
/// the response, or a status that is no final one, makes it a 500.
[[nodiscard]] std::string serialize(const Response& response, std::string_view date, bool head_only, bool last);

}  // namespace http
}  // namespace v0
}  // namespace backstage
