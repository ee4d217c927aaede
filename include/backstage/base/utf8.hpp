// Where a text may be cut. What an error or a log line quotes came from anybody and may be long; cut within a character
// it would be no UTF-8 any more, and what carries it on (JSON, a terminal) would refuse or garble the whole of it.
// Stability: settling (v0).
#pragma once

#include <cstddef>
#include <string_view>

namespace backstage {
inline namespace v0 {

/// The front of `text`, of at most `most` bytes, ending between two characters of UTF-8. What is no UTF-8 there is cut at
/// `most`. A view of the same bytes. Any thread.
[[nodiscard]] constexpr std::string_view cut_utf8(std::string_view text, std::size_t most) noexcept {
  if (text.size() <= most) return text;
  // No character has more than three bytes 10xxxxxx after its first.
  for (std::size_t back = 0; back < 4 && back <= most; ++back) {
    if ((static_cast<unsigned char>(text[most - back]) & 0xC0U) != 0x80U) return text.substr(0, most - back);
  }
  return text.substr(0, most);
}

}  // namespace v0
}  // namespace backstage
