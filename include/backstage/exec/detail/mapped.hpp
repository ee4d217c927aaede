// Memory for lists that a burst makes large: what is large has pages of its own, which are the system's again as soon as it is
// given back. On the heap it would stay resident in part: a thread's heap gives its end back to the system only when
// much of it is free (and the more of it the larger what was freed before), and whatever small thing is behind a hole keeps it.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>

namespace backstage {
inline namespace v0 {
namespace detail {

/// What is smaller is left to the heap: a mapping costs two calls of the system, and a fault for each page.
inline constexpr std::size_t mapped_from = std::size_t{64} * 1024;

[[nodiscard]] constexpr bool is_mapped(std::size_t bytes) noexcept {
#ifdef BACKSTAGE_SANITIZED
  return bytes == SIZE_MAX;  // nothing is, so that sanitizers see each use
#else
  return bytes >= mapped_from;
#endif
}

/// Throws std::bad_alloc. Aligned as operator new does it, at least.
[[nodiscard]] inline void* allocate_mapped(std::size_t bytes) {
  if (!is_mapped(bytes)) return ::operator new(bytes);
  void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  return at;
}
/// With the same `bytes`.
inline void deallocate_mapped(void* at, std::size_t bytes) noexcept {
  if (!is_mapped(bytes)) {
    ::operator delete(at);
  } else {
    munmap(at, bytes);
  }
}

/// The same for containers.
template <class T>
struct MappedAllocator {
  using value_type = T;
  static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);

  MappedAllocator() = default;
  template <class U>
  MappedAllocator(const MappedAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] T* allocate(std::size_t count) { return static_cast<T*>(allocate_mapped(count * sizeof(T))); }
  void deallocate(T* at, std::size_t count) noexcept { deallocate_mapped(at, count * sizeof(T)); }
  template <class U>
  bool operator==(const MappedAllocator<U>&) const noexcept {
    return true;
  }
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
