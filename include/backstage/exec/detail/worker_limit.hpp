// Some of the workers are left out for a while, and stand aside: the others do the work of all (worker_tuning.hpp says when).
//
// Promises
//   (1) While a limit is in force, worker 0 is awake, or is about to lift it: nothing has to be woken for what is pushed
//       meanwhile, and no timer is overslept. So those who stand aside need not look for anything.
//   (2) Who stands aside comes back when the limit is lifted or raised above it.
//   (3) Nor is any other worker below the limit parked, where nobody would wake it as long as the limit is in force.
// Why (1): nobody but worker 0 imposes one, between two messages, and it lifts the limit before it goes to park.
// Why (3): who goes to park lifts the limit first, then prepares its stay, then looks (seq_cst) whether there is one again, and
// does not sleep if so. impose() sets it and then looks (seq_cst) for a stay that nobody has notified, and lifts it again if there is
// one: Dekker. Who has been notified is awake, or nearly. Below a limit of one there is worker 0 alone: who is parked may stay so.
// Why (2): who stands aside reads the count of changes, then looks at the limit, then sleeps if the count is still the same;
// who changes it counts afterwards (all seq_cst). Not an EventCount: its permits name nobody; some other might take the news.
// Threads: impose() and raise() worker 0 only; all else any. Stability: internal.
#pragma once

#include <atomic>
#include <cstdint>

#include "backstage/exec/detail/atomics.hpp"
#include "backstage/exec/detail/event_count.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class Atomics = StdAtomics>
class WorkerLimit {
 public:
  /// `all`: above every worker's number.
  explicit WorkerLimit(unsigned all) : all_(all), limit_(all) {}
  WorkerLimit(const WorkerLimit&) = delete;
  WorkerLimit& operator=(const WorkerLimit&) = delete;

  /// relaxed, by default: seen late, it stands aside late. seq_cst: the look between prepare() and wait().
  [[nodiscard]] bool excludes(unsigned worker, std::memory_order order = std::memory_order_relaxed) const noexcept {
    return worker >= limit_.load(order);
  }
  [[nodiscard]] bool in_force(std::memory_order order = std::memory_order_relaxed) const noexcept {
    return limit_.load(order) < all_;
  }
  [[nodiscard]] unsigned now() const noexcept { return limit_.load(std::memory_order_relaxed); }

  /// Worker 0. False: somebody is parked, and all take part.
  bool impose(unsigned limit, const EventCount<Atomics>& parking) noexcept {
    limit_.store(limit, std::memory_order_seq_cst);
    if (limit == 1 || parking.waiting_count() == 0) return true;
    lift();
    return false;
  }
  /// To a higher one. Whoever lifts it meanwhile goes before.
  void raise(unsigned limit) noexcept {
    unsigned seen = now();
    if (seen < limit) (void)limit_.compare_exchange_strong(seen, limit, std::memory_order_seq_cst);
    wake_all();
  }
  void lift() noexcept {
    if (!in_force()) return;
    limit_.store(all_, std::memory_order_seq_cst);
    wake_all();
  }

  /// Sleeps until the limit is above it, or must_go() after wake_all(); or not so long: look again.
  template <class MustGo>
  void stand_aside(unsigned worker, MustGo must_go) noexcept {
    const std::uint32_t seen = changes_.load(std::memory_order_seq_cst);
    if (excludes(worker, std::memory_order_seq_cst) && !must_go()) Atomics::wait(changes_, seen);
  }
  void wake_all() noexcept {
    changes_.fetch_add(1, std::memory_order_seq_cst);
    Atomics::wake_all(changes_);
  }

 private:
  const unsigned all_;
  typename Atomics::template Atomic<unsigned> limit_;
  typename Atomics::template Atomic<std::uint32_t> changes_{0};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
