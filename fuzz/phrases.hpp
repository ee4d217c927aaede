// Text with whole words in it, made of a fuzzer's bytes: from an empty corpus, within seconds, bytes alone hardly ever
// become a request or an object, and what lies behind the first check would never be reached.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace backstage_fuzz {

/// Bytes from 0xC0 on stand for phrases; the others for themselves.
inline std::string with_phrases(std::string_view input, std::span<const std::string_view> phrases) {
  std::string out;
  for (const char c : input) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0xC0) {
      out += c;
    } else {
      out += phrases[(byte - 0xC0U) % phrases.size()];
    }
  }
  return out;
}

}  // namespace backstage_fuzz
