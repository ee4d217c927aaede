// Whatever the bytes, stanzas are never empty, never over the limit, and the same however they are fed.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "chronicle/intake/apt_index.hpp"

namespace {

constexpr std::size_t limit = 64;

std::vector<std::string> split(std::string_view input, std::size_t chunk, std::uint64_t& skipped) {
  chronicle::StanzaSplitter splitter(limit);
  std::vector<std::string> all;
  while (!input.empty()) {
    splitter.feed(input.substr(0, chunk));
    input.remove_prefix(input.size() < chunk ? input.size() : chunk);
    while (auto stanza = splitter.next()) all.push_back(std::move(*stanza));
  }
  if (auto stanza = splitter.finish()) all.push_back(std::move(*stanza));
  skipped = splitter.skipped();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::uint64_t skipped_whole = 0;
  std::uint64_t skipped_pieces = 0;
  const auto whole = split(input, size, skipped_whole);
  if (split(input, data[0] % 16U + 1, skipped_pieces) != whole || skipped_whole != skipped_pieces) std::abort();
  for (const std::string& stanza : whole) {
    if (stanza.empty() || stanza.size() > limit) std::abort();
    static_cast<void>(chronicle::observe_package("debian/packages", stanza));
  }
  return 0;
}
