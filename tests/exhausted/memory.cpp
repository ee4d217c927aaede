#include "memory.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace exhausted {
namespace {

thread_local bool refuses = false;  // a test's, not the framework's
thread_local std::uint64_t left = 0;
thread_local bool refused = false;
std::atomic<std::int64_t> held{0};

#ifndef BACKSTAGE_SANITIZED
bool may_allocate() noexcept {
  if (refuses) return false;
  if (left != 0 && --left == 0) {
    refused = true;
    return false;
  }
  return true;
}
#endif

}  // namespace

void refuse_all(bool refuse) noexcept { refuses = refuse; }
bool refuses_all() noexcept { return refuses; }
void refuse_at(std::uint64_t n) noexcept {
  left = n;
  refused = false;
}
bool has_refused() noexcept { return refused; }
std::int64_t blocks_held() noexcept { return held.load(std::memory_order_relaxed); }

#ifndef BACKSTAGE_SANITIZED
namespace {
void* allocate(std::size_t bytes, std::size_t align) {
  if (!may_allocate()) throw std::bad_alloc();
  bytes = bytes != 0 ? bytes : 1;
  void* const block = align <= 16 ? std::malloc(bytes)  // NOLINT(cppcoreguidelines-no-malloc)
                                  : std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (block == nullptr) throw std::bad_alloc();
  held.fetch_add(1, std::memory_order_relaxed);
  return block;
}
void release(void* block) noexcept {
  if (block == nullptr) return;
  held.fetch_sub(1, std::memory_order_relaxed);
  std::free(block);  // NOLINT
}
}  // namespace
#endif

}  // namespace exhausted

#ifndef BACKSTAGE_SANITIZED
void* operator new(std::size_t bytes) { return exhausted::allocate(bytes, 16); }
void* operator new[](std::size_t bytes) { return exhausted::allocate(bytes, 16); }
void* operator new(std::size_t bytes, std::align_val_t align) {
  return exhausted::allocate(bytes, static_cast<std::size_t>(align));
}
void operator delete(void* block) noexcept { exhausted::release(block); }
void operator delete[](void* block) noexcept { exhausted::release(block); }
void operator delete(void* block, std::size_t) noexcept { exhausted::release(block); }
void operator delete[](void* block, std::size_t) noexcept { exhausted::release(block); }
void operator delete(void* block, std::align_val_t) noexcept { exhausted::release(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { exhausted::release(block); }
#endif
