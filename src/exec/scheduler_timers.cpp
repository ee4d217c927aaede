// Who sleeps, who stands aside, who keeps the time, and the timers themselves: arm, cancel, expire.
#include "backstage/exec/scheduler.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

constexpr Duration spare_nap = std::chrono::milliseconds(250);

}  // namespace

/// A spare worker is told to go, which is its own business: the others sleep until there is something for any of them (F2).
std::optional<Duration> Scheduler::nap_of(const Worker& worker) const noexcept {
  return worker.id_ >= regular_ ? std::optional<Duration>(spare_nap) : std::nullopt;
}

void Scheduler::park(Worker& worker) noexcept {
  if (limit_.in_force() && !limit_.excludes(worker.id_)) {
    if (worker.id_ == 0) {
      tuning_.work_ends();
      tune_at_ = Instant{};  // as soon as it has something again
    }
    limit_.lift();  // there is too little to do for it
  }
  const bool slept = detail::park(
      parking_, keeper_,
      [&] {
        return stopping_.load(std::memory_order_seq_cst) || worker.retire_.load(std::memory_order_seq_cst) ||
               limit_.in_force(std::memory_order_seq_cst) || has_visible_work();
      },
      [&] { return worker.wakes_for(earliest(true)); }, [&] { return worker.fresh_now(); },
      [&] {
        worker.marked_ = false;
        // Seen late, the watch looks once more for nothing.
        Standstill<>::end(worker.busy_);
      },
      // seq_cst, with the load in WatchSleep::wake(): Dekker's pattern with the watch, which says that it sleeps and
      // then looks whether anybody is busy. Weaker, it could sleep while this worker gets stuck.
      [&] { standstill_.begin(worker.busy_); }, nap_of(worker));
  if (!slept) return;
  watch_sleep_.wake();
  worker.clock_at_ = worker.handled_.load(std::memory_order_relaxed) + 1;
  worker.fresh_now();
}

/// Fewer workers do the work of all: this one is not among them.
void Scheduler::stand_aside(Worker& worker) noexcept {
  give_all_away(worker);
  worker.marked_ = false;
  Standstill<>::end(worker.busy_);
  limit_.stand_aside(worker.id_, [&] {
    return stopping_.load(std::memory_order_seq_cst) || worker.retire_.load(std::memory_order_seq_cst);
  });
  standstill_.begin(worker.busy_);
  watch_sleep_.wake();
  worker.clock_at_ = worker.handled_.load(std::memory_order_relaxed) + 1;
  worker.fresh_now();
}

/// Whether the present work is worth more workers, or fewer. The first worker, when it is time.
void Scheduler::tune(Instant now) noexcept {
  const unsigned in_force = taking_part();
  std::uint32_t messages = 0;
  bool all_worked = true;
  for (const auto& worker : known()) {
    const std::uint32_t progress = worker->progress();
    messages += worker->handled_.load(std::memory_order_relaxed);  // relaxed: a count
    const std::uint32_t before = std::exchange(progress_seen_[worker->id_], progress);
    if (worker->id_ < in_force) all_worked = all_worked && progress != before && !worker->is_stuck();
  }
  const auto step = tuning_.look(now, messages, all_worked, in_force);
  if (step.limit < in_force) {
    limit_.impose(step.limit, parking_);
  } else if (step.limit > in_force) {
    // Who is parked does not hear of a limit that is raised, and below one all are awake.
    const bool lifts = step.limit == regular_ || parking_.waiting_count() != 0;
    limit_.raise(lifts ? most_workers() : step.limit);
  }
  tune_at_ = step.next;
}

/// A limit is in force. (What waits of its own a worker sees to itself: share_if_late.)
void Scheduler::lift_if_much_waits(Duration since_last_clock) noexcept {
  if (since_last_clock >= options_.limit_until ||
      inject_.size_hint() + overflow_.size_hint() > 4 * RunQueue<Runnable>::capacity())
    limit_.lift();
}

void Scheduler::arm(TimerEntry& timer, Instant due) noexcept {
  Worker* const worker = this_turn != nullptr ? this_turn->worker : nullptr;
  const bool inside = worker != nullptr && &worker->scheduler_ == this;
  timer.shard = inside ? static_cast<std::uint16_t>(worker->id_) : std::uint16_t{0};
  workers_[timer.shard]->timers_.arm(timer, due);
  // A worker looks at its timers before it parks. From outside everybody may be asleep, or asleep for too long:
  // published before this look, so a worker that goes to sleep now either sees the timer or is seen here.
  if (!inside && keeper_.oversleeps(due)) parking_.notify_one();
}

bool Scheduler::cancel(TimerEntry& timer) noexcept { return workers_[timer.shard]->timers_.cancel(timer); }

std::size_t Scheduler::expire_due(Instant now) noexcept {
  std::size_t fired = 0;
  // Everybody's: the one whose timers they are may be busy with one long message.
  for (const auto& worker : known()) {
    fired += worker->timers_.expire(now, [](TimerNode& node) { static_cast<TimerEntry&>(node).fire(); });
  }
  return fired;
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
