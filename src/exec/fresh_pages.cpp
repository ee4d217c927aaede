#include "backstage/exec/fresh_pages.hpp"

#include <sys/mman.h>

#include "backstage/exec/detail/large_pages.hpp"
#include "backstage/exec/environment.hpp"

namespace backstage {
inline namespace v0 {
namespace {

constexpr std::size_t small_page_bytes = 4096;

/// In the order of their addresses, each by itself.
void touch(std::byte* begin, std::size_t bytes) noexcept {
  for (std::size_t at = 0; at < bytes; at += small_page_bytes) {
    *static_cast<volatile std::byte*>(begin + at) = std::byte{0};  // fresh memory is zero
  }
}

}  // namespace

Instant FreshPages::now() const noexcept { return clock_ != nullptr ? clock_->now() : Instant{}; }

void FreshPages::take_large(std::byte* begin) noexcept {
  const Instant before = now();
  detail::ask_for_large_pages(begin, detail::large_page_bytes);
  // Where the advice is not taken it is a small one that is touched here, and the others are when they are used.
  touch(begin, 1);
  if (clock_ != nullptr) costs_.note_large(now() - before);
}

void FreshPages::take_small(std::byte* begin, std::size_t bytes) noexcept {
  constexpr int populate_write = 23;  // MADV_POPULATE_WRITE, since Linux 5.14: half the cost of a fault a page
  const Instant before = now();
  if (madvise(begin, bytes, populate_write) != 0) touch(begin, bytes);
  if (clock_ != nullptr) costs_.note_small(now() - before, bytes, detail::large_page_bytes);
}

}  // namespace v0
}  // namespace backstage
