// Actors that have not run yet, of one worker: a bounded ring whose newest is run first, so that a tree of new actors is
// run leaf by leaf and its memory is used again at once, not built up whole before the first leaf is run.
//
// Newest first would starve the oldest (F1): whoever runs from here moves the oldest half to the ordinary queue
// when that has waited for too long.
// Threads: none of its own; behind an OwnerGate. Stability: internal.
#pragma once

#include <array>
#include <cassert>
#include <cstdint>

namespace backstage {
inline namespace v0 {
namespace detail {

template <class T, std::uint32_t Capacity = 512>
class Newborns {
  static_assert((Capacity & (Capacity - 1)) == 0, "a power of two");

 public:
  [[nodiscard]] std::uint32_t size() const noexcept { return newest_ - oldest_; }
  [[nodiscard]] bool full() const noexcept { return size() == Capacity; }

  void push(T* work) noexcept {
    assert(!full());
    ring_[newest_++ % Capacity] = work;
  }
  [[nodiscard]] T* pop_newest() noexcept { return size() == 0 ? nullptr : ring_[--newest_ % Capacity]; }
  [[nodiscard]] T* pop_oldest() noexcept { return size() == 0 ? nullptr : ring_[oldest_++ % Capacity]; }

 private:
  std::uint32_t oldest_ = 0;
  std::uint32_t newest_ = 0;
  std::array<T*, Capacity> ring_{};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
