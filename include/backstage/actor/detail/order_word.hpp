// Orders to one place: stop, kill, restart, suspend, resume, inspect, from any thread, each in a bit that is reserved in
// the place itself. Giving one never allocates, never waits and never fails while the place is there (promise M3).
//
// One word of 64 bits: the generation of the place, and the bits of orders that nobody has obeyed yet. Both change in
// one step, so
//   (1) an order reaches the place that it was given to, or give() says that this place is over: never its next owner.
//   (2) An order given twice before it was taken is one order. Of two that undo each other the later stands alone.
//   (3) What the giver did before give() is seen by whoever takes the order.
// The word wakes nobody: the giver goes on to signal_command(signal::ordered), and the owner clears that signal *before*
// it looks here. So an order that comes between the two is either seen by this look or has its signal still set.
// Threads: any may give; everything else belongs to the owner of the place.
// Stability: internal.
#pragma once

#include <cstdint>

#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class Atomics = StdAtomics>
class OrderWord {
 public:
  OrderWord() = default;
  OrderWord(const OrderWord&) = delete;
  OrderWord& operator=(const OrderWord&) = delete;

  /// Any thread. Leaves `bits` and takes `instead_of` back. False: the place of that generation is over.
  bool give(std::uint32_t generation, std::uint32_t bits, std::uint32_t instead_of = 0) noexcept {
    // relaxed: a guess, confirmed by the exchange.
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    for (;;) {
      if (static_cast<std::uint32_t>(seen >> generation_shift) != generation) return false;
      const std::uint64_t next = (seen & ~static_cast<std::uint64_t>(instead_of)) | bits;
      // release: publishes what the giver did before; pairs with the acquire in waiting() and close(). The generation is
      // compared and the bits are set in this one step: a place that ends meanwhile makes it fail.
      if (word_.compare_exchange_weak(seen, next, std::memory_order_release, std::memory_order_relaxed)) return true;
    }
  }

  /// Owner. The orders that nobody has taken.
  [[nodiscard]] std::uint32_t waiting() const noexcept {
    return static_cast<std::uint32_t>(word_.load(std::memory_order_acquire));
  }
  /// Owner. Takes those of `bits` that are (still) there.
  [[nodiscard]] std::uint32_t take(std::uint32_t bits) noexcept {
    // acquire: as waiting(). All giving is by read-modify-write, so this reads on from each giver.
    return bits &
           static_cast<std::uint32_t>(word_.fetch_and(~static_cast<std::uint64_t>(bits), std::memory_order_acquire));
  }
  /// Owner. The place is over: the orders that came too late. From here on only those of `next` can be given, and of that
  /// generation nobody knows yet.
  [[nodiscard]] std::uint32_t close(std::uint32_t next) noexcept {
    // acquire: as waiting().
    return static_cast<std::uint32_t>(
        word_.exchange(static_cast<std::uint64_t>(next) << generation_shift, std::memory_order_acquire));
  }

 private:
  static constexpr unsigned generation_shift = 32;
  typename Atomics::template Atomic<std::uint64_t> word_{0};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
