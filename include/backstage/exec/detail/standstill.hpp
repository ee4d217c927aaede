// A standstill of idle workers: somebody may make sure for a moment that all are parked, and stay so.
//
// Promises
//   (1) After try_hold() returned true no worker is past begin(), until go_on(); what each did before its end() happened
//       before, and what the holder does happens before whatever a worker does after its next begin().
//   (2) Who is busy is never waited for: then try_hold() says no at once.
// A worker says that it is busy and then looks whether it is held; the holder says that it holds and then looks whether
// anybody is busy (Dekker): at least one sees the other.
// Threads: one holder at a time; begin() and end() by the worker that owns `busy`. Stability: internal.
#pragma once

#include <atomic>

#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class Atomics = StdAtomics>
class Standstill {
 public:
  void begin(typename Atomics::template Atomic<bool>& busy) const noexcept {
    // seq_cst, both: the first half of the pattern. acquire comes with the load: what the holder did is seen.
    busy.store(true, std::memory_order_seq_cst);
    while (held_.load(std::memory_order_seq_cst)) Atomics::pause();
  }
  /// release: what the worker did happened before a hold that finds it so.
  static void end(typename Atomics::template Atomic<bool>& busy) noexcept {
    busy.store(false, std::memory_order_release);
  }

  /// `any_busy()` looks at all workers with seq_cst.
  template <class AnyBusy>
  [[nodiscard]] bool try_hold(AnyBusy any_busy) noexcept {
    held_.store(true, std::memory_order_seq_cst);
    if (!any_busy()) return true;
    go_on();
    return false;
  }
  /// release: pairs with the load in begin().
  void go_on() noexcept { held_.store(false, std::memory_order_release); }

 private:
  typename Atomics::template Atomic<bool> held_{false};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
