// New work of one worker, that nothing has run yet: its owner takes the newest first, whoever shares it the oldest.
//
// Newest first, a tree of actors grows in depth and not in breadth: what is made is run while it is in the cache, and ends
// before the next is made, in the same memory. The oldest is the largest piece there is to share.
//
// Promises
//   (1) Every pointer pushed is taken exactly once. Never allocates.
//   (2) What a taker reads through the pointer is what the pusher wrote before push().
// Threads: all but size() inside an OwnerGate (its owner's side or a visitor's), which orders everything here; size() is
// anybody's, and a hint. Pointers are not owned: empty it before it goes.
// Stability: internal.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class T, class Atomics = StdAtomics, std::uint32_t Capacity = 256>
class NewestFirst {
  static_assert(Capacity >= 2 && (Capacity & (Capacity - 1)) == 0,
                "NewestFirst: Capacity must be a power of two, >= 2");

 public:
  NewestFirst() = default;
  NewestFirst(const NewestFirst&) = delete;
  NewestFirst& operator=(const NewestFirst&) = delete;

  static constexpr std::uint32_t capacity() { return Capacity; }

  /// False: full.
  [[nodiscard]] bool push(T* work) noexcept {
    // relaxed, here and below: the gate orders it.
    const std::uint32_t end = end_.load(std::memory_order_relaxed);
    if (end - begin_.load(std::memory_order_relaxed) >= Capacity) return false;
    at(end).store(work, std::memory_order_relaxed);
    end_.store(end + 1, std::memory_order_relaxed);
    return true;
  }
  /// Or null.
  [[nodiscard]] T* pop_newest() noexcept {
    const std::uint32_t end = end_.load(std::memory_order_relaxed);
    const std::uint32_t begin = begin_.load(std::memory_order_relaxed);
    if (end == begin) return nullptr;
    // The newest of one is its oldest, too: what comes next has another position.
    if (end - begin == 1) {
      begin_.store(end, std::memory_order_relaxed);
    } else {
      end_.store(end - 1, std::memory_order_relaxed);
    }
    return at(end - 1).load(std::memory_order_relaxed);
  }
  /// As many as there are and find room, oldest first; how many.
  std::uint32_t take_oldest(std::span<T*> out) noexcept {
    const std::uint32_t begin = begin_.load(std::memory_order_relaxed);
    const std::uint32_t count =
        std::min(end_.load(std::memory_order_relaxed) - begin, static_cast<std::uint32_t>(out.size()));
    for (std::uint32_t i = 0; i < count; ++i) out[i] = at(begin + i).load(std::memory_order_relaxed);
    begin_.store(begin + count, std::memory_order_relaxed);
    return count;
  }

  /// Any thread: how many there were a moment ago. With seq_cst it is the look of somebody who is about to sleep.
  [[nodiscard]] std::uint32_t size(std::memory_order order = std::memory_order_relaxed) const noexcept {
    const std::uint32_t begin = begin_.load(order);
    const std::uint32_t end = end_.load(order);
    // Read one after the other, they may not belong together.
    return end - begin <= Capacity ? end - begin : 0;
  }
  /// Any thread: changes whenever the oldest is taken.
  [[nodiscard]] std::uint32_t oldest() const noexcept { return begin_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] auto& at(std::uint32_t index) noexcept { return slots_[index & (Capacity - 1)]; }

  // Positions wrap around; only their difference matters.
  typename Atomics::template Atomic<std::uint32_t> begin_{0};
  typename Atomics::template Atomic<std::uint32_t> end_{0};
  std::array<typename Atomics::template Atomic<T*>, Capacity> slots_{};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
