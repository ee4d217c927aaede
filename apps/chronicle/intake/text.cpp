#include "chronicle/intake/text.hpp"

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>

namespace chronicle {
namespace {

constexpr std::int64_t ns_per_second = 1'000'000'000;
constexpr std::int64_t last_second = 9'214'646'400;  // 2262-01-01, the last new year that fits in nanoseconds

template <class Number>
std::optional<Number> parse_whole(std::string_view text) {
  Number number{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// The length of the valid UTF-8 sequence at the front of `bytes`, or 0.
std::size_t sequence_length(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                             : first >= 0xE0 && first <= 0xEF ? 3
                             : first >= 0xF0 && first <= 0xF4 ? 4
                                                              : 0;
  if (length == 0 || bytes.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0U) != 0x80U) return 0;
  }
  // No overlong forms, no surrogates, nothing beyond U+10FFFF.
  if (first == 0xE0 && at(1) < 0xA0) return 0;
  if (first == 0xED && at(1) > 0x9F) return 0;
  if (first == 0xF0 && at(1) < 0x90) return 0;
  if (first == 0xF4 && at(1) > 0x8F) return 0;
  return length;
}

/// Takes exactly `digits` digits and then, if it is not 0, the character `after`.
std::optional<int> take_digits(std::string_view& rest, std::size_t digits, char after) {
  const std::size_t length = digits + (after != 0 ? 1 : 0);
  if (rest.size() < length || (after != 0 && rest[digits] != after)) return std::nullopt;
  int value = 0;
  for (const char c : rest.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  rest.remove_prefix(length);
  return value;
}

std::optional<backstage::WallTime> wall_time(std::int64_t seconds, std::int64_t nanoseconds) {
  if (seconds < 0 || seconds >= last_second) return std::nullopt;
  return backstage::WallTime{seconds * ns_per_second + nanoseconds};
}

/// Nanoseconds of ".123"; digits beyond the ninth are dropped. Nothing when a point has no digit behind it.
std::optional<std::int64_t> take_fraction(std::string_view& rest) {
  if (rest.empty() || rest.front() != '.') return 0;
  rest.remove_prefix(1);
  std::int64_t value = 0;
  std::int64_t unit = ns_per_second;
  bool has_digit = false;
  while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
    unit /= 10;
    value += unit * (rest.front() - '0');
    has_digit = true;
    rest.remove_prefix(1);
  }
  if (!has_digit) return std::nullopt;
  return value;
}

/// Seconds east of UTC of "Z", "+01:00" or "-0530", with nothing behind.
std::optional<int> take_zone(std::string_view rest) {
  if (rest == "Z" || rest == "z") return 0;
  if (rest.empty() || (rest.front() != '+' && rest.front() != '-')) return std::nullopt;
  const int sign = rest.front() == '-' ? -1 : 1;
  rest.remove_prefix(1);
  const bool has_colon = rest.size() > 2 && rest[2] == ':';
  const auto hours = take_digits(rest, 2, has_colon ? ':' : '\0');
  const auto minutes = take_digits(rest, 2, '\0');
  if (!hours || !minutes || !rest.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 3600 + *minutes * 60);
}

}  // namespace

std::optional<std::uint64_t> to_number(std::string_view text) { return parse_whole<std::uint64_t>(text); }

std::optional<double> to_fraction(std::string_view text) {
  const auto number = parse_whole<double>(text);
  if (!number || !std::isfinite(*number)) return std::nullopt;
  return number;
}

std::string_view take_word(std::string_view& rest) {
  std::size_t begin = 0;
  while (begin < rest.size() && is_blank(rest[begin])) ++begin;
  std::size_t end = begin;
  while (end < rest.size() && !is_blank(rest[end])) ++end;
  const std::string_view word = rest.substr(begin, end - begin);
  rest.remove_prefix(end);
  return word;
}

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

std::string_view trim(std::string_view text) {
  const auto is_edge = [](char c) { return is_blank(c) || c == '\r'; };
  while (!text.empty() && is_edge(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_edge(text.back())) text.remove_suffix(1);
  return text;
}

std::string clean_utf8(std::string_view bytes) {
  std::string clean;
  clean.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = sequence_length(bytes);
    if (length == 0) {
      clean += "\xEF\xBF\xBD";
    } else {
      clean += bytes.substr(0, length);
    }
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return clean;
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = sequence_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::optional<backstage::WallTime> parse_rfc3339(std::string_view text) {
  const auto year = take_digits(text, 4, '-');
  const auto month = year ? take_digits(text, 2, '-') : std::nullopt;
  const auto day = month ? take_digits(text, 2, '\0') : std::nullopt;
  if (!day || text.empty() || (text.front() != 'T' && text.front() != 't' && text.front() != ' '))
    return std::nullopt;
  text.remove_prefix(1);
  const auto hour = take_digits(text, 2, ':');
  const auto minute = hour ? take_digits(text, 2, ':') : std::nullopt;
  const auto second = minute ? take_digits(text, 2, '\0') : std::nullopt;
  const auto fraction = second ? take_fraction(text) : std::nullopt;
  const auto zone = fraction ? take_zone(text) : std::nullopt;
  // 60 is a leap second: the calendar clock has none, it is the first second of the next minute.
  if (!zone || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return wall_time(days * 86'400 + *hour * 3600 + *minute * 60 + *second - *zone, *fraction);
}

std::optional<backstage::WallTime> epoch_time(double number) {
  if (!(number >= 1e8 && number < 9.2e18)) return std::nullopt;
  const double unit = number < 1e11 ? 1.0 : number < 1e14 ? 1e3 : number < 1e17 ? 1e6 : 1e9;
  const double whole = std::floor(number / unit);
  const double rest = (number - whole * unit) / unit * 1e9;
  return wall_time(static_cast<std::int64_t>(whole), static_cast<std::int64_t>(rest));
}

std::optional<backstage::WallTime> epoch_time(std::int64_t number) {
  if (number < 100'000'000) return std::nullopt;
  const std::int64_t unit = number < 100'000'000'000           ? 1
                            : number < 100'000'000'000'000     ? 1'000
                            : number < 100'000'000'000'000'000 ? 1'000'000
                                                               : ns_per_second;
  return wall_time(number / unit, number % unit * (ns_per_second / unit));
}

}  // namespace chronicle
