// Decoding of targets and queries: strict, one pass, never twice.
#include <string>
#include <string_view>

#include "backstage/http/message.hpp"
#include "text.hpp"

namespace backstage {
inline namespace v0 {
namespace http {
namespace {

int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF.
bool is_utf8(std::string_view text) noexcept {
  std::size_t i = 0;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  while (i < text.size()) {
    const unsigned char first = byte(i);
    std::size_t more = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (first < 0x80U) {
      ++i;
      continue;
    }
    if (first >= 0xc2U && first <= 0xdfU) {
      more = 1;
    } else if (first >= 0xe0U && first <= 0xefU) {
      more = 2;
      if (first == 0xe0U) low = 0xa0;
      if (first == 0xedU) high = 0x9f;
    } else if (first >= 0xf0U && first <= 0xf4U) {
      more = 3;
      if (first == 0xf0U) low = 0x90;
      if (first == 0xf4U) high = 0x8f;
    } else {
      return false;
    }
    if (text.size() - i <= more) return false;
    if (byte(i + 1) < low || byte(i + 1) > high) return false;
    for (std::size_t k = 2; k <= more; ++k) {
      if (byte(i + k) < 0x80U || byte(i + k) > 0xbfU) return false;
    }
    i += more + 1;
  }
  return true;
}

Result<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] == '\0') {
      return Error(Errc::invalid, "a NUL byte is not allowed in a target");
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return Error(Errc::invalid, "'%' must be followed by two hex digits; write %25 for a percent sign");
      }
      if (high == 0 && low == 0) return Error(Errc::invalid, "%00 is not allowed in a target");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  if (!is_utf8(out)) return Error(Errc::invalid, "the target is not UTF-8 after decoding");
  return out;
}

}  // namespace

Result<std::string> percent_decode(std::string_view text) { return decode(text, false); }

std::string percent_encode(std::string_view text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_digit(c) || is_alpha(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4U];
      out += digits[byte & 15U];
    }
  }
  return out;
}

Result<Pairs> parse_query(std::string_view text) {
  constexpr std::size_t most = 100;
  Pairs pairs;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (pair.empty()) continue;
    if (pairs.size() == most) return Error(Errc::invalid, "more than 100 query parameters");
    const std::size_t equals = pair.find('=');
    auto key = decode(pair.substr(0, equals), true);
    if (!key) return key.error();
    auto value = decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
    if (!value) return value.error();
    pairs.emplace_back(std::move(*key), std::move(*value));
  }
  return pairs;
}

Result<Target> parse_target(std::string_view target) {
  if (target.empty() || target.front() != '/') return Error(Errc::invalid, "a target must begin with '/'");
  Target out;
  const std::size_t question = target.find('?');
  std::string_view path = target.substr(0, question);
  if (question != std::string_view::npos) {
    auto query = parse_query(target.substr(question + 1));
    if (!query) return query.error();
    out.query = std::move(*query);
  }
  // Split before decoding: an encoded slash is part of a name, not a step.
  path.remove_prefix(1);
  while (true) {
    const std::size_t slash = path.find('/');
    auto segment = decode(path.substr(0, slash), false);
    if (!segment) return segment.error();
    if (*segment == "." || *segment == "..") {
      return Error(Errc::invalid, "'.' and '..' are not allowed as path segments");
    }
    out.path += '/';
    out.path += *segment;
    out.segments.push_back(std::move(*segment));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return out;
}

}  // namespace http
}  // namespace v0
}  // namespace backstage
