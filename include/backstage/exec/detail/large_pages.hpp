// Memory in large pages, where the system has them. On a virtual machine a first touch of a small page costs up to 13 us,
// and one of a large page, which is 512 of them, little more than to zero it.
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

/// Makes the large page around `touched` one again after some of it was given back. It must have been touched since.
/// Since Linux 6.1; others may read and write there meanwhile.
inline void rejoin_large_page(void* touched) noexcept {
  constexpr int collapse = 25;  // MADV_COLLAPSE, which the headers of older systems lack
  (void)madvise(reinterpret_cast<void*>(large_page_of(touched)), large_page_bytes, collapse);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
