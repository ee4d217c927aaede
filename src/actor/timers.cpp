// Timers of actors (promise L10): never early, cancelled exactly, gone with the incarnation.
#include <algorithm>
#include <cstddef>
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
  extras.timers.erase(*timer);
  drop_timer(extras, *timer);
  return true;
}

namespace detail {
namespace {

struct Destroy {
  void operator()(TimerRecord* timer) const noexcept { timer->destroy(); }
};
using TimerGuard = std::unique_ptr<TimerRecord, Destroy>;

/// Missed ticks are skipped: the next one lies in the future, on the timer's own grid.
void arm_again(PeriodicTimer& timer, Scheduler& scheduler) {
  const Instant now = this_turn->worker->fresh_now();
  const std::int64_t late = std::max<std::int64_t>(now.ns - timer.due_ns, 0);
  const std::int64_t steps = planted(Mistake::missed_ticks_made_up_for) ? 1 : late / timer.period.count() + 1;
  scheduler.arm(timer, Instant{timer.due_ns} + Duration(steps * timer.period.count()));
}

}  // namespace

void TimerRecord::fire() noexcept { owner->post_lane(*this); }

void TimerRecord::destroy() noexcept {
  // Also where nobody has a turn any more: what was left in a lane when the Runtime ends.
  SlabPool* const pool = owner->core().pool;
  const std::size_t size = bytes();
  this->~TimerRecord();
  deallocate_to(pool, this, size);
}

Timer set_timer(TimerRecord* timer, Duration first) {
  TimerGuard guard(timer);
  Cell& owner = *timer->owner;
  timer->run = &run_timer;
  timer->generation = owner.generation();
  const std::uint64_t number = owner.need_extras().timers.insert(*timer, owner.core().pool->pages());
  (void)guard.release();
  const Timer handle(&owner, owner.generation(), owner.incarnation(), number);
  owner.core().scheduler->arm(*timer, this_turn->worker->fresh_now() + std::max(first, Duration::zero()));
  return handle;
}

void drop_timer(Extras& extras, TimerRecord& timer) noexcept {
  if (timer.is_due) {
    extras.due.remove(timer);
    timer.destroy();
  } else if (timer.owner->core().scheduler->cancel(timer)) {
    timer.destroy();
  } else {
    timer.is_cancelled = true;
  }
}

void run_timer(LaneNode& node, Cell* cell) {
  auto& timer = static_cast<TimerRecord&>(node);
  if (cell == nullptr || timer.is_cancelled) return timer.destroy();
  Extras& extras = *cell->extras;
  if (timer.to_self) {
    if (!timer.periodic) extras.timers.prepare_to_erase(timer);
    return extras.due.push_back(timer);
  }
  if (timer.periodic) {
    arm_again(static_cast<PeriodicTimer&>(timer), *cell->core().scheduler);
    return timer.send();
  }
  const TimerGuard guard(&timer);
  extras.timers.erase(timer);
  timer.send();
}

void handle_tick(Cell& cell) {
  Extras& extras = *cell.extras;
  Core& core = cell.core();
  WorkerContext* const context = context_for(&core);
  if (cell.phase == Phase::draining) [[unlikely]]
    Lifecycle::handling_while_draining(cell);
  TimerRecord& timer = extras.due.front();
  extras.due.remove(timer);
  TimerGuard over;
  // Before the handler, which may cancel what comes next, and finds no more of what is over.
  if (timer.periodic) {
    arm_again(static_cast<PeriodicTimer&>(timer), *core.scheduler);
  } else {
    over.reset(&timer);
    extras.timers.erase(timer);
  }
  Envelope* const envelope = timer.make(core, context);
  over.reset();
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
