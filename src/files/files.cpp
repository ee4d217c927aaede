#include "backstage/files/files.hpp"

#include <algorithm>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace files {

Result<std::string> Files::read_whole(const std::string& path, std::size_t limit) {
  auto opened = open(path);
  if (!opened) return opened.error();
  File& file = **opened;
  std::string content;
  std::size_t filled = 0;
  for (;;) {
    // One byte more than the limit is asked for: that is how "too long" is told from "just fits". Sizes that stat
    // gives are not believed, /proc says 0 for everything.
    const std::size_t room = limit >= SIZE_MAX - 1 ? SIZE_MAX : limit + 1;
    if (filled == content.size()) content.resize(std::min(room, std::max<std::size_t>(4096, filled * 2)));
    auto got = file.read_at(filled, std::span<char>(content.data() + filled, content.size() - filled));
    if (!got) return got.error();
    if (*got == 0) break;
    filled += *got;
    if (filled > limit) {
      return Error(Errc::full, "'" + path + "' is longer than the limit of " + std::to_string(limit) +
                                   " bytes: raise the limit or read it in pieces with open()");
    }
  }
  content.resize(filled);
  return content;
}

}  // namespace files
}  // namespace v0
}  // namespace backstage
