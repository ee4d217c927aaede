// From one line of a log to an observation. A line that is no JSON is kept as it is: a log line is no error.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "backstage/base/time.hpp"
#include "chronicle/intake/observation.hpp"

namespace chronicle {

/// The members of a JSON object that are asked for its time, in this order.
inline constexpr std::array<std::string_view, 4> time_members{"time", "timestamp", "ts", "@timestamp"};

/// What `line` says about its own time: RFC 3339 text, or a number (or text of digits) of s, ms, us or ns since 1970.
[[nodiscard]] std::optional<backstage::WallTime> time_of_json(std::string_view line);

/// The payload is the line, byte for byte. Its type: application/json for a JSON value, text/plain for other valid
/// UTF-8, application/octet-stream for everything else.
[[nodiscard]] Observation observe_line(std::string stream, std::string line, std::string idempotency_key);

}  // namespace chronicle
