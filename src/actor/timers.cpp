// Timers of actors (promise L10): never early, cancelled exactly, gone with the incarnation.
#include <algorithm>
#include <memory>
#include <utility>

#include "../base/planted.hpp"
#include "core.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {

bool Timer::cancel() {
  using namespace detail;
  if (owner_ == nullptr || current_cell() != owner_ || owner_->generation() != generation_ ||
      owner_->incarnation() != incarnation_ || owner_->extras == nullptr) {
    return false;
  }
  Extras& extras = *owner_->extras;
  TimerRecord* const timer = extras.timers.find(id_);
  if (timer == nullptr) return false;
  extras.timers.erase(id_);
  if (timer->queued) extras.due.remove(*timer);
  if (owner_->core().scheduler->cancel(*timer) || timer->settled) {
    delete timer;
  } else {
    timer->cancelled = true;  // fired: its node is in the lane, which frees it
  }
  return true;
}

namespace detail {

Timer set_timer(Cell& owner, TimerRecord* timer, Duration first, Duration period) {
  std::unique_ptr<TimerRecord> guard(timer);
  Extras& extras = owner.need_extras();
  Scheduler& scheduler = *owner.core().scheduler;
  timer->owner = &owner;
  timer->period = period;
  timer->LaneNode::run = &run_timer;
  timer->generation = owner.generation();
  timer->fire = [](TimerEntry& entry) noexcept {
    auto& fired = static_cast<TimerRecord&>(entry);
    fired.owner->post_lane(fired);
  };
  timer->id = extras.timers.insert(*timer);
  (void)guard.release();
  const Timer handle(&owner, owner.generation(), owner.incarnation(), timer->id);
  scheduler.arm(*timer, this_turn->worker->fresh_now() + std::max(first, Duration::zero()));
  return handle;
}

void run_timer(LaneNode& node, Cell* cell) {
  auto& timer = static_cast<TimerRecord&>(node);
  if (cell == nullptr || timer.cancelled) {
    delete &timer;
    return;
  }
  Extras& extras = *cell->extras;
  Scheduler& scheduler = *cell->core().scheduler;
  const bool once = timer.period == Duration::zero();
  if (!once) {
    // Missed ticks are skipped: the next one lies in the future, on the timer's own grid.
    const Instant now = this_turn->worker->fresh_now();
    const std::int64_t late = std::max<std::int64_t>(now.ns - timer.due_ns, 0);
    const std::int64_t steps = planted(Mistake::missed_ticks_made_up_for) ? 1 : late / timer.period.count() + 1;
    scheduler.arm(timer, Instant{timer.due_ns} + Duration(steps * timer.period.count()));
  }
  if (timer.to_self) {
    if (timer.queued) return;
    timer.settled = once;
    extras.due.push_back(timer);
    return;
  }
  if (once) {
    const std::unique_ptr<TimerRecord> guard(&timer);
    extras.timers.erase(timer.id);
    timer.send();
  } else {
    timer.send();
  }
}

void handle_tick(Cell& cell) {
  Extras& extras = *cell.extras;
  Core& core = cell.core();
  WorkerContext* const context = context_for(&core);
  if (cell.phase == Phase::draining) [[unlikely]]
    Lifecycle::handling_while_draining(cell);
  TimerRecord* const timer = &extras.due.front();
  extras.due.remove(*timer);
  Envelope* const envelope = timer->make(core, context, cell.generation());
  if (timer->period == Duration::zero()) {
    extras.timers.erase(timer->id);
    delete timer;
  }
  count_sent(core, context);
  core.count_handled(context);
  cell.handled.store(cell.handled.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  this_turn->worker->note(&envelope->descriptor().message);
  struct FreeAfter {
    Core& core;
    WorkerContext* context;
    Envelope* envelope;
    ~FreeAfter() { free_envelope(core, context, *envelope); }
  } const guard{core, context, envelope};
  (void)envelope->descriptor().handle(cell, *envelope);
}

bool submit_blocking(Cell& cell, MoveFunction<void()> job) {
  settle_turn();
  return cell.core().blocking->submit(std::move(job));
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
