// Who sleeps, who keeps the time, and the timers themselves: arm, cancel, expire.
#include "backstage/exec/scheduler.hpp"

#include <algorithm>

namespace backstage {
inline namespace v0 {
namespace detail {

// Who sleeps, and who keeps the time. The invariant: if a timer is armed for d, then some worker is awake, or asleep
// until d at the latest, or has a permit waiting. keeper_due_ may say later than the truth (then somebody is woken, or
// sleeps with a time-out, for nothing), never earlier:
//   - it is lowered only by a worker that then sleeps until that very instant, or takes it back;
//   - that worker raises it again when it wakes, unless an earlier keeper's value stands there;
//   - a worker that wakes, for whatever reason, looks at all timers before it sleeps again.
// Timers armed from inside tell nobody: their worker is awake, and looks here. Timers armed from outside compare with
// keeper_due_ after they were published, and wake somebody: our prepare() came before our look at the timers, so we
// either see them or are woken. A keeper that is woken to run something long leaves the time to the watch.
void Scheduler::park(Worker& worker) noexcept {
  const auto key = parking_.prepare();
  // After prepare(): what is published from here on finds us waiting, what was published before we find now.
  if (stopping_.load(std::memory_order_seq_cst) || worker.retire_.load(std::memory_order_seq_cst) ||
      has_visible_work()) {
    parking_.cancel(key);
    return;
  }
  const Instant due = earliest(true);
  const Instant now = worker.fresh_now();
  if (due <= now) {
    parking_.cancel(key);
    return;
  }
  // One sleeper keeps the time. seq_cst: arm() from outside compares against it after publishing its timer.
  std::int64_t kept = keeper_due_.load(std::memory_order_seq_cst);
  bool keeper = false;
  while (due != Instant::never() && due.ns < kept && !keeper) {
    keeper = keeper_due_.compare_exchange_weak(kept, due.ns, std::memory_order_seq_cst);
  }
  worker.marked_ = false;
  worker.busy_.store(false, std::memory_order_relaxed);  // relaxed: seen late, the watch looks once more for nothing
  // A time-out is a relative one, so it is never cut short; the loop looks at the clock again.
  parking_.wait(key, keeper ? std::optional<Duration>(due - now) : std::nullopt);
  // seq_cst, with the load in wake_watch(): Dekker's pattern with the watch, which says that it sleeps and then looks
  // whether anybody is busy. Weaker, it could sleep while this worker gets stuck.
  worker.busy_.store(true, std::memory_order_seq_cst);
  if (keeper) {
    std::int64_t mine = due.ns;
    keeper_due_.compare_exchange_strong(mine, INT64_MAX, std::memory_order_seq_cst);
  }
  wake_watch();
  worker.until_clock_ = 1;
  worker.fresh_now();
}

void Scheduler::arm(TimerEntry& timer, Instant due) noexcept {
  Worker* const worker = this_turn != nullptr ? this_turn->worker : nullptr;
  const bool inside = worker != nullptr && &worker->scheduler_ == this;
  timer.shard = inside ? worker->id_ : 0;
  TimerShard& shard = workers_[timer.shard]->timers_;
  {
    const std::lock_guard lock(shard.mutex);
    shard.wheel.arm(timer, due);
    // seq_cst: read by a worker that is about to park; see below.
    if (due.ns < shard.next_due.load(std::memory_order_relaxed)) {
      shard.next_due.store(due.ns, std::memory_order_seq_cst);
    }
  }
  // A worker looks at its timers before it parks. From outside everybody may be asleep, or asleep for too long:
  // published before this look, so a worker that goes to sleep now either sees the timer or is seen here.
  if (!inside && due.ns < keeper_due_.load(std::memory_order_seq_cst)) parking_.notify_one();
}

bool Scheduler::cancel(TimerEntry& timer) noexcept {
  TimerShard& shard = workers_[timer.shard]->timers_;
  const std::lock_guard lock(shard.mutex);
  return shard.wheel.cancel(timer);
}

void Scheduler::expire(TimerShard& shard, Instant now) noexcept {
  const std::lock_guard lock(shard.mutex);
  shard.wheel.expire(now, [](TimerNode& node) {
    auto& timer = static_cast<TimerEntry&>(node);
    timer.fire(timer);
  });
  shard.next_due.store(shard.wheel.next_due().ns, std::memory_order_seq_cst);
}

void Scheduler::expire_due(Instant now) noexcept {
  // Everybody's: the one whose timers they are may be busy with one long message.
  for (const auto& worker : known()) {
    if (worker->timers_.next_due.load(std::memory_order_relaxed) <= now.ns) expire(worker->timers_, now);
  }
}

Instant Scheduler::earliest(bool exact) noexcept {
  std::int64_t due = INT64_MAX;
  for (const auto& worker : known()) {
    TimerShard& shard = worker->timers_;
    if (exact && shard.next_due.load(std::memory_order_seq_cst) != INT64_MAX) {
      // Cancelled timers leave it too early: a sleeper must not wake for nothing (F2).
      const std::lock_guard lock(shard.mutex);
      shard.next_due.store(shard.wheel.next_due().ns, std::memory_order_seq_cst);
    }
    due = std::min(due, shard.next_due.load(std::memory_order_seq_cst));
  }
  return Instant{due};
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
