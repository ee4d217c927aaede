// Who is inside: counts the threads that use something which is about to be taken away.
//
// Promises
//   (1) After close() nobody gets in any more.
//   (2) When is_empty() says so after close(), whoever got in has left, and what it did inside happened before.
//   (3) The same while it is held, until go_on(): who comes meanwhile waits at the door. What was done in between is seen
//       by whoever gets in.
// Any thread, but one at a time holds. A word that reads as zero (memory that was given back) is open and empty, so it must not be asked then.
// Stability: internal.
#pragma once

#include <atomic>
#include <cstdint>

#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class Atomics = StdAtomics>
class PresenceOf {
 public:
  /// True: inside, until leave(). False: closed.
  [[nodiscard]] bool enter() noexcept {
    for (;;) {
      // seq_cst: against close() in another thread; whoever enters before is waited for. acquire would do for the word
      // alone: one read-modify-write order decides who was first.
      const std::uint64_t before = word_.fetch_add(1, std::memory_order_seq_cst);
      if ((before & (closed | held)) == 0) [[likely]]
        return true;
      word_.fetch_sub(1, std::memory_order_seq_cst);
      if ((before & closed) != 0) return false;
      // relaxed: the addition above decides. Held for milliseconds at most, and hardly ever.
      while ((word_.load(std::memory_order_relaxed) & held) != 0) Atomics::pause();
    }
  }
  // release: what was done inside happens before the end that waits for us.
  void leave() noexcept { word_.fetch_sub(1, std::memory_order_release); }
  void close() noexcept { word_.fetch_or(closed, std::memory_order_seq_cst); }
  void hold() noexcept { word_.fetch_or(held, std::memory_order_seq_cst); }
  // release: what was done while it was held happens before whoever gets in next.
  void go_on() noexcept { word_.fetch_and(~held, std::memory_order_release); }
  // acquire: pairs with the release in leave(); all changes are read-modify-writes, so it reads on from each of them.
  [[nodiscard]] bool is_empty() const noexcept {
    return (word_.load(std::memory_order_acquire) & ~(closed | held)) == 0;
  }

 private:
  static constexpr std::uint64_t closed = 1ULL << 63U;
  static constexpr std::uint64_t held = 1ULL << 62U;
  typename Atomics::template Atomic<std::uint64_t> word_{0};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
