// Memory in large pages, where the system has them. What a first touch costs, of a small page and of a large one, which is
// 512 of them, depends on the machine: fresh_pages.hpp measures it.
//
// Advice only: where it is not taken the memory is the same, in small pages. Who is small asks for none: one large page is
// 2 MiB resident.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace backstage {
inline namespace v0 {
namespace detail {

inline constexpr std::size_t large_page_bytes = std::size_t{2} * 1024 * 1024;

[[nodiscard]] inline std::uintptr_t large_page_of(const void* address) noexcept {
  return reinterpret_cast<std::uintptr_t>(address) & ~(large_page_bytes - 1);
}

/// What is touched there first from now on is a whole large page. `bytes` is a multiple of large_page_bytes, `begin` aligned.
inline void ask_for_large_pages(void* begin, std::size_t bytes) noexcept {
  (void)madvise(begin, bytes, MADV_HUGEPAGE);
}

/// What is touched there from now on comes in small pages, also where the system takes large ones unasked, or joins them in the background.
inline void refuse_large_pages(void* begin, std::size_t bytes) noexcept {
  (void)madvise(begin, bytes, MADV_NOHUGEPAGE);
}

/// Makes the large page around `touched` one again after some of it was given back. It must have been touched since.
/// Since Linux 6.1; others may read and write there meanwhile.
inline void rejoin_large_page(void* touched) noexcept {
  constexpr int collapse = 25;  // MADV_COLLAPSE, which the headers of older systems lack
  (void)madvise(reinterpret_cast<void*>(large_page_of(touched)), large_page_bytes, collapse);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
