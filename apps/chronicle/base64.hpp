// Base64 (RFC 4648, with padding). Pure functions on any bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "backstage/base/result.hpp"

namespace chronicle {

inline constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

[[nodiscard]] inline std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t three = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      three = three << 8U | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out += at + i > bytes.size() ? '=' : base64_digits[three >> (18U - 6U * i) & 63U];
    }
  }
  return out;
}

/// Strict: padded, no line ends, and the unused bits zero, so that one text has one meaning and back.
[[nodiscard]] inline backstage::Result<std::string> from_base64(std::string_view text) {
  const backstage::Error wrong(backstage::Errc::invalid, "this is no base64 (RFC 4648, padded, on one line)");
  if (text.size() % 4 != 0) return wrong;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    std::string_view four = text.substr(at, 4);
    if (at + 4 == text.size()) {
      while (four.size() > 2 && four.back() == '=') four.remove_suffix(1);
    }
    std::uint32_t bits = 0;
    for (const char digit : four) {
      const std::size_t value = base64_digits.find(digit);
      if (value == std::string_view::npos) return wrong;
      bits = bits << 6U | static_cast<std::uint32_t>(value);
    }
    const std::size_t bytes = four.size() - 1;
    bits <<= 6U * (4 - four.size());
    if ((bits & ((1U << (8U * (3 - bytes))) - 1U)) != 0) return wrong;
    for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>(bits >> (16U - 8U * i) & 0xffU);
  }
  return out;
}

}  // namespace chronicle
