// Who is inside: counts the threads that use something which is about to be taken away.
//
// Promises
//   (1) After close() nobody gets in any more.
//   (2) When is_empty() says so after close(), whoever got in has left, and what it did inside happened before.
// Any thread; a word that reads as zero (memory that was given back) is open and empty, so it must not be asked then.
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
    // seq_cst: against close() in another thread; whoever enters before is waited for. acquire would do for the word
    // alone: one read-modify-write order decides who was first.
    if ((word_.fetch_add(1, std::memory_order_seq_cst) & closed) == 0) return true;
    word_.fetch_sub(1, std::memory_order_seq_cst);
    return false;
  }
  // release: what was done inside happens before the end that waits for us.
  void leave() noexcept { word_.fetch_sub(1, std::memory_order_release); }
  void close() noexcept { word_.fetch_or(closed, std::memory_order_seq_cst); }
  // acquire: pairs with the release in leave(); all changes are read-modify-writes, so it reads on from each of them.
  [[nodiscard]] bool is_empty() const noexcept { return (word_.load(std::memory_order_acquire) & ~closed) == 0; }

 private:
  static constexpr std::uint64_t closed = 1ULL << 63U;
  typename Atomics::template Atomic<std::uint64_t> word_{0};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
