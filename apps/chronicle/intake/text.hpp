// Small helpers for text of unknown quality: numbers, words, times, UTF-8. Pure functions; any bytes are fine input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backstage/base/time.hpp"

namespace chronicle {

/// The whole of `text` as a decimal number; nothing when it is empty, too large, or has anything else in it.
[[nodiscard]] std::optional<std::uint64_t> to_number(std::string_view text);
/// The same for a decimal fraction ("0.12").
[[nodiscard]] std::optional<double> to_fraction(std::string_view text);

/// Takes the next word (separated by spaces and tabs) off the front of `rest`; empty when there is none.
[[nodiscard]] std::string_view take_word(std::string_view& rest);
/// Takes the next line off the front of `rest`, without its line feed.
[[nodiscard]] std::string_view take_line(std::string_view& rest);
/// Without spaces, tabs and carriage returns at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);

/// Valid UTF-8 made of `bytes`: each byte that fits nowhere becomes U+FFFD.
[[nodiscard]] std::string clean_utf8(std::string_view bytes);
[[nodiscard]] bool is_utf8(std::string_view bytes);

/// "2026-11-22T21:30:29.5+01:00" (RFC 3339; a space or 't' for the T, too). A time without a zone is no instant and
/// gives nothing; so does what lies outside 1970 to 2261.
[[nodiscard]] std::optional<backstage::WallTime> parse_rfc3339(std::string_view text);
/// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size. Numbers too small to be
/// a time after March 1973 (uptimes, counters, zero for "unset") give nothing.
[[nodiscard]] std::optional<backstage::WallTime> epoch_time(double number);
[[nodiscard]] std::optional<backstage::WallTime> epoch_time(std::int64_t number);

}  // namespace chronicle
