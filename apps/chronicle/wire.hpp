// Between the HTTP API's JSON and Chronicle's own words. Pure functions on untrusted text.
//
// One message in: {"stream":"app/log","payload":{...}}. `payload` is any JSON value and kept byte for byte as it was
// written, except that a string is kept as the text that it means; or `payload_base64` for raw bytes. Optional:
// `content_type`, `source_time` (RFC 3339, or a number of s, ms, us or ns since 1970), `key` (as Idempotency-Key),
// `identity` ("event" or "content"). Anything else is refused: a misspelt member must not be lost silently.
//
// One message out: {"id","stream","sequence","arrival","source_time","content_type","size","encoding","payload"}, where
// `encoding` is how the payload stands there: "json" as it is, "text" as a string, "base64".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backstage/actor/service.hpp"
#include "chronicle/message.hpp"
#include "chronicle/query.hpp"
#include "chronicle/storage.hpp"

namespace chronicle {

/// The text as a JSON string, with its quotes; what is no UTF-8 is replaced.
[[nodiscard]] std::string json_string(std::string_view text);
/// "2026-11-22T21:30:29.123456Z", with nine digits where the nanoseconds need them.
[[nodiscard]] std::string time_text(WallTime at);
/// RFC 3339, or a number of s, ms, us or ns since 1970.
[[nodiscard]] Result<WallTime> parse_time(std::string_view text);

/// A draft of one JSON object; arrival and nonce are left to the caller. Errc::invalid says what is wrong.
[[nodiscard]] Result<Draft> parse_draft(std::string_view json);

[[nodiscard]] std::string to_json(const Message& message);
[[nodiscard]] std::string to_json(const StreamInfo& stream);
[[nodiscard]] std::string to_json(std::string_view stream, const Page& page);
[[nodiscard]] std::string to_json(const backstage::Service& service);

/// An answer to one draft: status and body, both for a single message and for a line of a batch.
struct Verdict {
  int status = 0;
  std::string code;     ///< when it is an error
  std::string message;  ///< when it is an error
  std::string body;     ///< JSON: {"id":...} or {"error":...}
};
[[nodiscard]] Verdict verdict_on(const Outcome& outcome);
[[nodiscard]] Verdict verdict_on(const Error& error);

}  // namespace chronicle
