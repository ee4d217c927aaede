#include "chronicle/encoding.hpp"

#include <limits>
#include <stdexcept>

namespace chronicle {

using backstage::Errc;
using backstage::Error;
using backstage::Result;

namespace {

int hex_value(char digit) noexcept {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

}  // namespace

Writer& Writer::bytes(std::string_view bytes) {
  if (bytes.size() > std::numeric_limits<std::uint32_t>::max()) throw std::length_error("Writer::bytes: above 4 GiB");
  u32(static_cast<std::uint32_t>(bytes.size()));
  return raw(bytes);
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    out.push_back(digits[value >> 4]);
    out.push_back(digits[value & 15]);
  }
  return out;
}

Result<std::string> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return Error(Errc::invalid, "an odd number of hex digits");
  std::string out;
  out.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_value(hex[i]);
    const int low = hex_value(hex[i + 1]);
    if (high < 0 || low < 0) return Error(Errc::invalid, "only the hex digits 0-9 and a-f are taken");
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return out;
}

}  // namespace chronicle
