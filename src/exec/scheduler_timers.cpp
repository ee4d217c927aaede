// Who sleeps, who keeps the time, and the timers themselves: arm, cancel, expire.
#include "backstage/exec/scheduler.hpp"

#include <algorithm>

namespace backstage {
inline namespace v0 {
namespace detail {

void Scheduler::park(Worker& worker) noexcept {
  const bool slept = detail::park(
      parking_, keeper_,
      [&] {
        return stopping_.load(std::memory_order_seq_cst) || worker.retire_.load(std::memory_order_seq_cst) ||
               has_visible_work();
      },
      [&] { return earliest(true); }, [&] { return worker.fresh_now(); },
      [&] {
        worker.marked_ = false;
        // Seen late, the watch looks once more for nothing.
        Standstill<>::end(worker.busy_);
      },
      // seq_cst, with the load in WatchSleep::wake(): Dekker's pattern with the watch, which says that it sleeps and
      // then looks whether anybody is busy. Weaker, it could sleep while this worker gets stuck.
      [&] { standstill_.begin(worker.busy_); });
  if (!slept) return;
  watch_sleep_.wake();
  worker.until_clock_ = 1;
  worker.fresh_now();
}

void Scheduler::arm(TimerEntry& timer, Instant due) noexcept {
  Worker* const worker = this_turn != nullptr ? this_turn->worker : nullptr;
  const bool inside = worker != nullptr && &worker->scheduler_ == this;
  timer.shard = inside ? worker->id_ : 0;
  workers_[timer.shard]->timers_.arm(timer, due);
  // A worker looks at its timers before it parks. From outside everybody may be asleep, or asleep for too long:
  // published before this look, so a worker that goes to sleep now either sees the timer or is seen here.
  if (!inside && keeper_.oversleeps(due)) parking_.notify_one();
}

bool Scheduler::cancel(TimerEntry& timer) noexcept { return workers_[timer.shard]->timers_.cancel(timer); }

void Scheduler::expire_due(Instant now) noexcept {
  // Everybody's: the one whose timers they are may be busy with one long message.
  for (const auto& worker : known()) {
    worker->timers_.expire(now, [](TimerNode& node) {
      auto& timer = static_cast<TimerEntry&>(node);
      timer.fire(timer);
    });
  }
}

Instant Scheduler::earliest(bool exact) noexcept {
  Instant due = Instant::never();
  for (const auto& worker : known()) {
    due = std::min(due, exact ? worker->timers_.exact_next() : worker->timers_.next());
  }
  return due;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
