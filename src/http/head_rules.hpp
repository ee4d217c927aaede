// What a request's head must look like before any other code sees it.
//
// Request smuggling lives where two readers of the same bytes disagree, so everything that RFC 9112 lets a reader
// repair or ignore is refused here instead: there is one way to write a request, or none.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace backstage {
inline namespace v0 {
namespace http {

/// Why a request is refused: becomes {"error":{"code","message"}} and the end of the connection.
struct Fault {
  int status = 400;
  std::string_view code = "bad_request";
  std::string message;
};

/// Finds bytes that no head may contain (NUL, a CR or LF that stands alone) while they arrive, so that a client that
/// sends them is not waited for. `previous` is the byte before `bytes` ('\0' at the start).
[[nodiscard]] std::optional<Fault> check_bytes(std::string_view bytes, char previous);

/// `head` is all from the request line to the empty line, both included.
[[nodiscard]] std::optional<Fault> check_head(std::string_view head, std::size_t max_target, std::size_t max_headers);

}  // namespace http
}  // namespace v0
}  // namespace backstage
