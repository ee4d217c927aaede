// How an actor ends (promise L4): told to stop, or failed. Children first, then the terminating hook, destruction, and
// word to the parent. Each function runs in the turn of the cell it is given.
#include <algorithm>
#include <string>
#include <utility>

#include "../base/planted.hpp"
#include "core.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

void Lifecycle::arm_stop_timer(Cell& cell, Duration within) {
  SignalTimer& timer = cell.need_extras().stop_timer;
  disarm_stop_timer(cell);
  cell.extras->stop_timer_armed = true;
  timer.bits = signal::expired;
  Scheduler& scheduler = *cell.core().scheduler;
  scheduler.arm(timer, scheduler.now() + within);
}

void Lifecycle::disarm_stop_timer(Cell& cell) noexcept {
  if (cell.extras == nullptr || !std::exchange(cell.extras->stop_timer_armed, false)) return;
  cell.core().scheduler->cancel(cell.extras->stop_timer);
  // Fired already: under its shard's lock, which cancel() took, so the bit is there by now.
  cell.signals.fetch_and(~signal::expired, std::memory_order_relaxed);
}

/// order_stop(), begin_ending(), begin_terminating() and close() by the short way from running to closing, that of nearly all who are made by the million. Nothing waits, nothing is under way, nothing lives
/// below it, and nobody hears of its states: those between are left out, and so is the bit that it refuses, since its generation is
/// over at once.
bool Lifecycle::ended_at_once(Cell& cell) {
  if (cell.phase != Phase::running || !is_unheard(cell) || !cell.mailbox.empty(cell.queue) || cell.ops().has_loop ||
      cell.ops().has_terminating) {
    return false;
  }
  // relaxed: what was left before the cause of the stop is seen. Who begins to watch it shall hear how it ended, not that it is gone.
  if (cell.has_left_in_lane || !cell.lane.empty(std::memory_order_relaxed) ||
      cell.signals.load(std::memory_order_relaxed) != signal::alive) {
    return false;
  }
  cell.rest().stop_ordered = true;
  cell.suspended.store(false, std::memory_order_relaxed);
  cell.rest().init_succeeded = false;
  cell.phase = Phase::closing;
  destroy_actor(cell);
  say(cell, Status::stopped);
  end_generation(cell);
  return true;
}

void Lifecycle::order_stop(Cell& cell, bool keep, bool kill) {
  if (cell.phase == Phase::closing || cell.phase == Phase::vacant) return;
  if (!keep && !kill && ended_at_once(cell)) return;
  if (cell.phase == Phase::kept) {
    // The place is the parent's until its next init, or its end. A stop is remembered: it was meant for the place.
    if (!keep) cell.rest().stop_at_start = true;
    // Taken over by the parent, and start_after is not over: it ends like one that was never begun.
    const bool waits = cell.extras != nullptr && cell.core().scheduler->cancel(cell.extras->restart_timer);
    const bool begun = keep && (cell.signals.load(std::memory_order_relaxed) & signal::start) != 0;
    if (!waits && !begun) return;
    cell.signals.fetch_and(~signal::start, std::memory_order_relaxed);
    cell.rest().stop_ordered = true;
    cell.rest().keep_place = keep && !cell.rest().stop_at_start;
    return begin_ending(cell);
  }
  const bool again = cell.rest().stop_ordered;
  cell.rest().stop_ordered = true;
  cell.rest().killed = cell.rest().killed || kill;
  // Who is to end drains what is queued, suspended or not. One whose place is kept stays suspended in it.
  if (!keep) cell.suspended.store(false, std::memory_order_relaxed);
  // A place that is to go for good, by order or by its own wish, is not kept, whichever came first: it refuses already.
  const bool refuses = (cell.gate.load(std::memory_order_relaxed) & gate_bit::refusing) != 0;
  cell.rest().keep_place = keep && (!again || cell.rest().keep_place) && !refuses;
  if (!cell.rest().keep_place) cell.gate.fetch_or(gate_bit::refusing, std::memory_order_seq_cst);
  request_stop(cell);
  switch (cell.phase) {
    case Phase::starting:
      if (cell.extras != nullptr) cell.core().scheduler->cancel(cell.extras->restart_timer);
      cell.signals.fetch_and(~signal::start, std::memory_order_relaxed);
      cell.own_commands &= static_cast<std::uint8_t>(~signal::start);
      begin_ending(cell);
      return;
    case Phase::initializing:
      // Init may finish within the deadline; then the stop goes on from after_init().
      if (kill || keep) {
        // The hook may have ended, and nobody have looked yet.
        cell.rest().init_succeeded = cell.turn_root() == nullptr;
        drop_coroutines(cell);
        begin_ending(cell);
      } else if (!again) {
        arm_stop_timer(cell, cell.policy().stop_within);
      }
      return;
    case Phase::running:
      cell.set_status(Status::stopping);
      if (keep || kill || (cell.policy().on_stop == OnStop::drop && !planted(Mistake::drained_although_dropped))) {
        drop_coroutines(cell);
        begin_ending(cell);
        return;
      }
      cell.phase = Phase::draining;
      // With nothing queued and nothing under way it ends at once: a timer would only cost. A message that comes in
      // meanwhile arms it (handling_while_draining).
      if (!again && (!cell.mailbox.empty(cell.queue) || cell.turn_root() != nullptr || cell.interleaved() != 0 ||
                     cell.ops().has_loop)) {
        arm_stop_timer(cell, cell.policy().stop_within);
      }
      return;
    case Phase::draining:
      if (kill) {
        drop_coroutines(cell);
        begin_ending(cell);
      }
      return;
    case Phase::ending:
      if (kill) {
        for (Cell* child = cell.extras != nullptr ? cell.extras->first_child : nullptr; child != nullptr;
             child = child->next_sibling()) {
          child->signal_command(signal::kill);
        }
      }
      return;
    case Phase::terminating:
      if (kill) {
        drop_coroutines(cell);
        finish_incarnation(cell);
      }
      return;
    case Phase::ended:
      // The parent is about to decide; when it has, `decided` brings us back here.
      if (is_with_parent(cell)) {
        if (planted(Mistake::late_failure_restarts_the_stopped)) cell.rest().stop_ordered = false;
        return;
      }
      // Waiting for a restart that shall not come.
      if (cell.extras != nullptr) cell.core().scheduler->cancel(cell.extras->restart_timer);
      cell.signals.fetch_and(~signal::start, std::memory_order_relaxed);
      begin_ending(cell);
      return;
    case Phase::kept:
    case Phase::closing:
    case Phase::vacant: return;
  }
}

void Lifecycle::request_stop(Cell& cell) noexcept {
  if (cell.extras != nullptr && cell.extras->stop_source.stop_possible()) cell.extras->stop_source.request_stop();
}

void Lifecycle::handling_while_draining(Cell& cell) {
  if (planted(Mistake::stop_deadline_ignored)) return;
  if (cell.extras == nullptr || !cell.extras->stop_timer_armed) arm_stop_timer(cell, cell.policy().stop_within);
}

void Lifecycle::queue_is_empty(Cell& cell) {
  // Draining: nothing is queued any more. Interleaved handlers and a loop still have their time.
  if (cell.extras != nullptr && cell.extras->inbox != nullptr) {
    cell.extras->inbox_closed = true;
    (void)inbox_resume(*cell.extras->inbox);
    return;
  }
  if (cell.interleaved() != 0) {
    // Parks until one of them ends: accepts() must say no.
    cell.rest().draining_waits = true;
    return;
  }
  begin_ending(cell);
}

void Lifecycle::begin_ending(Cell& cell) {
  if (cell.phase == Phase::ending) return;
  if (cell.extras == nullptr && cell.rest().stop_ordered && !cell.rest().keep_place && cell.phase != Phase::ended &&
      cell.phase != Phase::kept) {
    // It has no children, timers, coroutines, nor anything to live again for.
    cell.set_status(Status::stopping);
    cell.phase = Phase::ending;
    if ((cell.gate.load(std::memory_order_relaxed) & gate_bit::refusing) != 0)
      drain_as_dead(cell, Undelivered::ended);
    begin_terminating(cell);
    return;
  }
  disarm_stop_timer(cell);
  Supervision::cancel_group(cell);
  note_down(cell);
  if (cell.phase != Phase::ended && cell.phase != Phase::kept) cell.set_status(Status::stopping);
  cell.phase = Phase::ending;
  // Work of its own elsewhere (the blocking pool) hears of the end, whatever the reason.
  request_stop(cell);
  drop_coroutines(cell);
  // Nothing more is handled and nothing comes in: whoever waits for an answer hears it now, not after the children.
  if ((cell.gate.load(std::memory_order_relaxed) & gate_bit::refusing) != 0) drain_as_dead(cell, Undelivered::ended);
  if (cell.extras != nullptr && cell.extras->child_order != nullptr) {
    cell.extras->child_order->tell(cell, nullptr, ChildOrder::News::ending);
  }
  if (!stop_next_child(cell)) begin_terminating(cell);
}

/// Tells the youngest child that still lives to stop. False: there is none.
bool Lifecycle::stop_next_child(Cell& cell) {
  if (cell.extras == nullptr) return false;
  const bool keep = !cell.rest().stop_ordered || cell.rest().keep_place;
  const bool keeps = keep && cell.failed_or_kept();
  if (cell.extras->child_order != nullptr) return stop_children_in_order(cell, keeps);
  const bool wrong_way = planted(Mistake::children_stopped_in_start_order);
  for (Cell* child = wrong_way ? cell.extras->first_child : cell.extras->last_child; child != nullptr;
       child = wrong_way ? child->next_sibling() : child->previous_sibling()) {
    if (child->rest().quiet) {
      if (keeps) continue;
      child->rest().quiet = false;
      cell.extras->stopping_child = child;
      child->signal_command(signal::close);
      return true;
    }
    cell.extras->stopping_child = child;
    const std::uint32_t order = keeps ? signal::keep : cell.rest().killed ? signal::kill : signal::stop;
    if (child->rest().take_asked()) {
      Supervision::settle(*child, order);  // the Verdict that was asked for comes too late
    } else if (!is_with_parent(*child)) {
      child->signal_command(order);
    }
    // Else it rests, and word of that is on its way to us: it might take the order for its next life.
    return true;
  }
  cell.extras->stopping_child = nullptr;
  return false;
}

void Lifecycle::begin_terminating(Cell& cell) {
  if (cell.extras == nullptr && cell.rest().stop_ordered && !cell.rest().keep_place && !cell.ops().has_terminating) {
    // It has no coroutines, timers, children, watchers: what finish_incarnation() would look for.
    cell.rest().init_succeeded = false;
    close(cell);
    return;
  }
  cell.phase = Phase::terminating;
  if (!cell.rest().init_succeeded || !cell.rest().constructed || !cell.ops().has_terminating) {
    finish_incarnation(cell);
    return;
  }
  // Once only, also when a place that has ended is closed later.
  cell.rest().init_succeeded = false;
  arm_stop_timer(cell, cell.policy().grace);
  // Kept with the cell: a coroutine of the hook holds a reference to it.
  cell.need_extras().why = outcome(cell);
  try {
    maybe_fault(cell, "actor.terminating");
    this_turn->worker->note(&hook_name::terminating);
    (void)cell.ops().terminating(cell, *cell.extras->why);
  } catch (...) {
    fail_by_exception(cell, Failure::Stage::terminating, "terminating");
  }
  // advance() finds it finished, now or later. Who is killed has no time to wait for anything.
  if (cell.rest().killed) drop_coroutines(cell);
}

void Lifecycle::drop_coroutines(Cell& cell) noexcept {
  if (cell.extras == nullptr) return;
  while (Root* const root = cell.extras->first_root) {
    cell.drop_root(*root);
    if (root->in_hand != nullptr) Retries::drop(cell, *root);
    delete root;
  }
  cell.extras->turn_root = nullptr;
  cell.extras->interleaved = 0;
  cell.extras->ready = 0;
  cell.extras->inbox = nullptr;
}

namespace {

[[nodiscard]] bool forgets_timers(const Cell& cell) noexcept {
  return planted(Mistake::forgotten_timer) && cell.rest().stop_ordered && cell.rest().keep_place;
}

void drop_timers(Cell& cell) noexcept {
  if (forgets_timers(cell)) return;
  Extras& extras = *cell.extras;
  // Of what goes with them a destructor may set more, which are of the same life.
  while (extras.timers.size() != 0) {
    extras.timers.for_each([&extras](TimerRecord& timer) {
      extras.timers.erase(timer);
      drop_timer(extras, timer);
    });
  }
}

}  // namespace

void Lifecycle::cancel_timers(Cell& cell) noexcept {
  if (cell.extras == nullptr || forgets_timers(cell)) return;
  Extras& extras = *cell.extras;
  Scheduler& scheduler = *cell.core().scheduler;
  drop_timers(cell);
  extras.timers.clear();
  if (extras.await_clock.set && scheduler.cancel(extras.await_clock)) extras.await_clock.set = false;
  extras.stop_timer_armed = false;
  scheduler.cancel(extras.stop_timer);
  scheduler.cancel(extras.life_timer);
}

void Lifecycle::destroy_actor(Cell& cell) noexcept {
  if (!cell.rest().constructed) return;
  cell.rest().constructed = false;
  this_turn->worker->note(&hook_name::destructor);
  cell.ops().destroy(cell);
  // What it set as it went, or what went with it.
  if (cell.extras != nullptr) drop_timers(cell);
}

void Lifecycle::finish_incarnation(Cell& cell) {
  settle_turn();  // M2: before anybody hears of the end
  drop_coroutines(cell);
  // What was under way when it was told to stop has not failed: it is not handled again.
  if (cell.extras != nullptr && !cell.extras->is(Extras::retry)) Retries::drop(cell);
  cancel_timers(cell);
  if (cell.extras != nullptr) Watches::incarnation_ended(cell);
  Scopes::incarnation_ended(cell);
  cell.signals.fetch_and(~(signal::expired | signal::lifetime), std::memory_order_relaxed);
  cell.rest().init_succeeded = false;
  const bool ordered = cell.rest().stop_ordered;
  if (ordered && cell.rest().keep_place) {
    if (cell.policy().with_state) {
      cell.need_extras().keep_state = true;
    } else {
      destroy_actor(cell);
    }
    cell.rest().stop_ordered = false;
    cell.rest().keep_place = false;
    // The parent writes in there when it takes the place over; until then we may look.
    (void)cell.need_extras();
    cell.phase = Phase::kept;
    cell.set_status(Status::stopped);
    tell_parent(cell);
    return;
  }
  const Restart when = cell.policy().restart;
  const bool asks = when == Restart::ask;
  const bool over = ordered || cell.parent() == nullptr ||
                    (!cell.failed && !asks && (cell.rest().by_wish || when != Restart::always));
  if (over) {
    if (!ordered) cell.own_end = true;
    // It failed first and was told to stop while it ended: the places that it kept for its next life go with it.
    if (stop_next_child(cell)) {
      cell.phase = Phase::ending;
      return;
    }
    close(cell);
    return;
  }
  (void)cell.need_extras();  // the parent writes the history in there
  // The supervisor decides. The actor object stays as it is until then: its state may be wanted.
  cell.phase = Phase::ended;
  cell.set_status(Status::stopped);
  tell_parent(cell);
}

void Lifecycle::drain_as_dead(Cell& cell, Undelivered why) noexcept {
  // Exact: what is just being pushed counts.
  if (cell.mailbox.empty(cell.queue) && why != Undelivered::restarted) return;
  Core& core = cell.core();
  WorkerContext* const context = context_for(&core);
  for (;;) {
    Envelope* retired = nullptr;
    Envelope* const envelope = cell.mailbox.take(cell.queue, retired);
    if (retired != nullptr) free_envelope(core, context, *retired);
    if (envelope == nullptr) break;
    core.count(context, why);
    core.report_dead_letter(why, envelope->descriptor(), path_if_memory(cell));
    if (planted(Mistake::ask_unanswered_on_end) && cell.rest().killed) continue;
    envelope->descriptor().abandon(*envelope, why == Undelivered::restarted ? Errc::failed : Errc::gone);
  }
  if (why != Undelivered::restarted) return;  // who closes the place closes its side box
  while ((cell.signals.load(std::memory_order_relaxed) & signal::side_queue) != 0) {
    if (Envelope* const envelope = take_from_side(cell)) dead_letter(core, context, &cell, *envelope, why);
  }
}

void Lifecycle::close(Cell& cell) {
  Core& core = cell.core();
  WorkerContext* const context = context_for(&core);
  cell.phase = Phase::closing;
  if (cell.extras != nullptr) core.scheduler->cancel(cell.extras->restart_timer);
  const bool told_to_all = core.events.wanted();
  const Result<> result = told_to_all || cell.policy_has_end_target() ? outcome(cell) : Result<>();
  if (cell.policy_has_end_target()) {
    const EndTarget& end = static_cast<const OwnPolicy&>(cell.policy()).end;
    const bool told = cell.extras != nullptr && cell.extras->eol_told;
    const bool forgets = planted(Mistake::eol_lost) && cell.rest().cut_short;
    if (end.cell != nullptr && !told && !forgets)
      cell.need_extras().eol = end.make(cell, core, context, end.generation, result);
  }
  destroy_actor(cell);
  Retries::drop(cell);
  say(cell, Status::stopped);
  if (told_to_all) {
    if_memory([&] { core.events.emit(Ended{cell.full_path(), cell.ops().type, result}); });
  }
  end_generation(cell);
}

void Lifecycle::end_generation(Cell& cell) {
  Core& core = cell.core();
  const std::uint32_t ended = cell.generation();
  const std::uint32_t next = std::max(1U, (ended + 1) & ((1U << (32 - gate_bit::bits)) - 1));
  // From here on nobody gets in: what was pushed before is drained here, what comes later finds another generation.
  // seq_cst: against senders that compare the gate and push.
  cell.gate.store(next << gate_bit::bits, std::memory_order_seq_cst);
  // Orders that came too late: the place is over, which is all that most of them wanted. Who inspects is told.
  if ((cell.orders.close(next) & order::inspect) != 0) answer_inspections(cell, ended, true);
  if (!cell.mailbox.empty(cell.queue)) drain_as_dead(cell, Undelivered::ended);
  if (cell.side.load(std::memory_order_acquire) != nullptr) close_side(cell, next, core);
  // Nodes meant for the generation that ends are freed; the extras must not go while one of theirs is in the lane.
  while (LaneItem* const item = cell.look_into_lane()) {
    cell.leave_in_lane(item->lane_next);
    run_item(*item, nullptr);
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
