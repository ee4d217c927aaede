// The life of one actor: its start and the orders that it obeys (stop.cpp: how it ends). Each function runs in the turn of the cell it is given.
//
//   starting --begin--> initializing --after_init--> running --order_stop--> draining --queue_is_empty-->
//       \____________________\_________________________\______fail______________\___> ending (children first)
//   ending --begin_terminating--> terminating --finish_incarnation--> closing (for good)
//                                                                 \-> ended  --(parent decides)--> starting | closing
//                                                                 \-> kept   --(parent's next init)--> starting | closing
//
// Every state but running is left in bounded time: init by start_within, and once stopped stop_within; draining by
#include <array>
#include <string>
#include <utility>

#include "../base/planted.hpp"
#include "core.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

Result<> Lifecycle::outcome(const Cell& cell) noexcept {
  const bool failed = cell.failure() != nullptr && !cell.rest().by_wish;
  try {
    if (cell.rest().lived_out)
      return Error(Errc::timeout, "its time to live (" + to_string(cell.policy().live_for) + ") is over");
    if (failed) return cell.failure()->error();
    return {};
  } catch (...) {
    // Out of memory: the code alone needs none.
    return Error(cell.rest().lived_out ? Errc::timeout : cell.failure()->code);
  }
}

void Lifecycle::free_extras(Cell& cell) noexcept {
  if (cell.extras == nullptr) return;
  Core& core = cell.core();
  for (const Extras::Reserved& one : cell.extras->end_blocks) {
    if (one.block != nullptr) free_block(core, context_for(&core), one.block, one.bytes);
  }
  Extras* const old = cell.extras;
  cell.extras = nullptr;
  core.free_extras(old);
}

void Lifecycle::reserve_news(Cell& cell, const ChildPolicy& policy) {
  if (&policy == &default_policy) return;
  const EndTarget& end = static_cast<const OwnPolicy&>(policy).end;
  if (end.cell == nullptr) return;
  const std::array<std::uint32_t, 2> wanted{end.make_bytes, end.ask_bytes};
  std::array<Extras::Reserved, 2>& have = cell.need_extras().end_blocks;
  Core& core = cell.core();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (have[i].block != nullptr && have[i].bytes == wanted[i]) continue;
    if (have[i].block != nullptr) free_block(core, context_for(&core), have[i].block, have[i].bytes);
    have[i] = {};
    if (wanted[i] != 0) have[i] = {new_block(core, context_for(&core), wanted[i]), wanted[i]};
  }
}

void* take_end_block(Cell& child, CoreFace& core, WorkerContext* context, std::uint32_t bytes) {
  if (child.extras != nullptr) {
    for (Extras::Reserved& one : child.extras->end_blocks) {
      if (one.block != nullptr && one.bytes == bytes) return std::exchange(one.block, nullptr);
    }
  }
  return new_block(core, context, bytes);
}

// -------------------------------------------------------------------------------------------------- status

void Cell::set_status(Status next, std::string_view word) {
  const Status before = status.load(std::memory_order_relaxed);
  if (extras == nullptr && word.empty()) {
    if (before == next) return;
    status.store(next, std::memory_order_relaxed);
    if (Lifecycle::is_unheard(*this)) return;
    return tell_status(before, next, word);
  }
  const std::string_view word_before = extras != nullptr ? std::string_view(extras->status_word) : std::string_view();
  if (before == next && word_before == word) return;
  if (word_before != word) need_extras().status_word = word;
  status.store(next, std::memory_order_relaxed);
  tell_status(before, next, word);
}

void Cell::tell_status(Status before, Status next, std::string_view word) {
  if (board_mark.is_asked()) Scopes::status_changed(*this);
  Core& all = core();
  const ReportTarget* const report =
      body->has_policy != 0 ? &static_cast<const OwnPolicy&>(body->policy()).report : nullptr;
  const bool reported = report != nullptr && report->cell != nullptr;
  const bool watched = extras != nullptr && Watches::has_subscribers(*extras);
  if (!reported && !watched && !all.events.wanted()) return;
  // Out of memory: the change is not told, the next one says where it came from.
  if_memory([&] {
    StatusChanged change{full_path(), ops().type, before, next, incarnation(), std::string(word)};
    if (reported) {
      WorkerContext* const context = context_for(&all);
      if (Envelope* const envelope = report->make(all, context, report->generation, change)) {
        count_sent(all, context);
        post(all, context, *report->cell, *envelope);
      }
    }
    if (watched) Watches::status_changed(*this, change);
    if (all.events.wanted()) all.events.emit(std::move(change));
  });
}

// --------------------------------------------------------------------------------------------------- start

bool Lifecycle::accepts(const Cell& cell) noexcept {
  if (cell.phase != Phase::running && cell.phase != Phase::draining) return false;
  // relaxed: its own turn writes it.
  if (cell.suspended.load(std::memory_order_relaxed)) return false;
  if (cell.turn_root() != nullptr) return cell.extras->inbox != nullptr;
  if (cell.rest().draining_waits) return false;
  if (cell.ops().has_loop) return false;
  return cell.interleaved() < cell.policy().interleaved + (planted(Mistake::interleaved_one_too_many) ? 1U : 0U);
}

/// What is left of begin(), make_actor() and after_init() for the first life of one that nobody has said anything of, nor hears of,
/// without an event loop. What reset() set is as it was.
void Lifecycle::begin_plainly(Cell& cell) {
  CellRest& rest = cell.rest();
  rest.incarnation = 1;
  rest.began = this_turn->worker->coarse_now();
  cell.phase = Phase::initializing;
  try {
    maybe_fault(cell, "actor.constructor");
    this_turn->worker->note(&hook_name::constructor);
    cell.ops().construct(cell);
  } catch (...) {
    return fail_by_exception(cell, Failure::Stage::constructor, "constructor");
  }
  rest.constructed = true;
  if (cell.ops().has_init && !is_init_over(cell)) return;
  if (!is_unheard(cell) || rest.stop_ordered) return after_init(cell);
  settle_turn();  // what the constructor sent, and init
  rest.init_succeeded = true;
  cell.phase = Phase::running;
  note_that_it_runs(cell);
}

/// Calls the hook. False: it failed, or waits.
bool Lifecycle::is_init_over(Cell& cell) {
  say(cell, Status::initializing);
  try {
    maybe_fault(cell, "actor.init");
    this_turn->worker->note(&hook_name::init);
    if (cell.ops().init(cell) == Handled::suspended) {
      arm_stop_timer(cell, cell.policy().start_within);
      return false;
    }
  } catch (...) {
    fail_by_exception(cell, Failure::Stage::init, "init");
    return false;
  }
  return cell.turn_root() == nullptr;
}

/// A status that init set (idle, outage ...) is kept.
void Lifecycle::note_that_it_runs(Cell& cell) {
  const Status now = cell.status.load(std::memory_order_relaxed);
  if (now == Status::initializing || now == Status::starting) say(cell, Status::running);
  cell.rest().began = this_turn->worker->coarse_now();
}

void Lifecycle::begin(Cell& cell) {
  if (cell.incarnation() == 0 && !cell.ops().has_loop && is_unheard(cell)) return begin_plainly(cell);
  ++cell.rest().incarnation;
  cell.phase = Phase::initializing;
  cell.rest().init_succeeded = false;
  cell.failed = false;
  cell.rest().by_wish = false;
  cell.rest().status_stated = false;
  cell.rest().draining_waits = false;
  cell.ruling = Ruling::none;
  cell.rest().cut_short = false;
  cell.rest().began = this_turn->worker->coarse_now();
  cell.rest().lived_out = false;
  if (Failure* const before = cell.failure()) {
    cell.set_failure(nullptr);
    cell.core().give_back(*before);
  }
  if (cell.extras != nullptr) {
    // What it said of its supervising was of the former incarnation; its init says it anew.
    cell.extras->supervising.reset();
    cell.extras->stop_source = std::stop_source(std::nostopstate);
    cell.extras->inbox_closed = false;
    cell.extras->say(Extras::loop_over, false);
  }
  say(cell, Status::starting);
  if (cell.incarnation() > 1 && cell.policy().on_restart == OnRestart::drop)
    drain_as_dead(cell, Undelivered::restarted);
  if (cell.extras != nullptr && !Watches::begin(cell)) return;
  try {
    reserve_news(cell, cell.policy());  // what the last incarnation used up
    make_actor(cell);
  } catch (...) {
    fail_by_exception(cell, Failure::Stage::constructor, "constructor");
    return;
  }
  if (!cell.ops().has_init || is_init_over(cell)) after_init(cell);
}

void Lifecycle::make_actor(Cell& cell) {
  const bool goes_on = cell.extras != nullptr && std::exchange(cell.extras->keep_state, false);
  if (goes_on && cell.rest().constructed) return;
  destroy_actor(cell);
  maybe_fault(cell, "actor.constructor");
  if (cell.extras != nullptr && cell.extras->given_state != nullptr) {
    const Verdict::State state = std::move(cell.extras->given_state);
    this_turn->worker->note(&hook_name::constructor);
    cell.ops().revive(cell, state.get());
  } else {
    this_turn->worker->note(&hook_name::constructor);
    cell.ops().construct(cell);
  }
  cell.rest().constructed = true;
}

void Lifecycle::maybe_fault(const Cell& cell, std::string_view point) {
  if (cell.core().environment->maybe_fault(point)) throw Need::fail(Error("a fault of the simulated world"));
}

/// live_for is over.
void Lifecycle::end_of_time(Cell& cell) {
  if (cell.phase != Phase::running || cell.rest().stop_ordered) return;
  cell.rest().lived_out = true;
  cell.own_end = true;
  order_stop(cell, false, false);
}

/// start_within has passed: an init that never ends is a failure like any other.
void Lifecycle::end_late_init(Cell& cell) {
  try {
    throw Need::fail(Error(Errc::timeout, "init did not end within " + to_string(cell.policy().start_within)));
  } catch (...) {
    fail_by_exception(cell, Failure::Stage::init, "init");
  }
}

void Lifecycle::after_init(Cell& cell) {
  settle_turn();  // what init sent, before anybody hears that it has ended
  cell.rest().init_succeeded = true;
  cell.phase = Phase::running;
  note_that_it_runs(cell);
  if (cell.extras != nullptr) {
    note_up(cell);
    // Ordered to stop meanwhile, it has what is left of stop_within.
    if (!cell.rest().stop_ordered) disarm_stop_timer(cell);
    if (std::exchange(cell.extras->tell_started, false)) {
      StartNotice& notice = cell.extras->start_notice;
      notice.run = &Supervision::child_started;
      notice.generation = cell.parent()->generation();
      notice.child = &cell;
      cell.parent()->post_lane(notice);
    }
    if (cell.extras->start_port) answer<void>(std::move(cell.extras->start_port), Result<>());
    close_unclaimed(cell);
  }
  if (cell.policy().live_for > Duration::zero()) {
    SignalTimer& timer = cell.need_extras().life_timer;
    timer.bits = signal::lifetime;
    Scheduler& scheduler = *cell.core().scheduler;
    scheduler.arm(timer, scheduler.now() + cell.policy().live_for);
  }
  // Also when it is to stop at once: only its loop can handle what is queued.
  if (cell.ops().has_loop && !(cell.rest().stop_ordered && cell.policy().on_stop == OnStop::drop)) {
    try {
      maybe_fault(cell, "actor.event_loop");
      this_turn->worker->note(&hook_name::event_loop);
      (void)cell.ops().loop(cell);
    } catch (...) {
      fail_by_exception(cell, Failure::Stage::loop, "event_loop");
    }
  }
  if (cell.rest().stop_ordered) order_stop(cell, cell.rest().keep_place, false);
}

/// Places that a failed incarnation left and that this init did not take over are over for good.
void Lifecycle::close_unclaimed(Cell& cell) {
  for (Cell* child = cell.extras->first_child; child != nullptr; child = child->next_sibling()) {
    if (child->rest().quiet && !child->rest().in_group) {
      if (planted(Mistake::unclaimed_place_forgotten)) continue;
      child->rest().quiet = false;
      child->signal_command(signal::close);
    }
  }
}

void Lifecycle::obey(Cell& cell, std::uint32_t commands) {
  // Most lives know these two only.
  if (commands == signal::start && cell.phase == Phase::starting && !cell.rest().stop_ordered &&
      !cell.rest().stop_at_start) {
    return begin(cell);
  }
  if (commands == signal::stop) return order_stop(cell, false, false);
  if ((commands & signal::start) != 0 &&
      (cell.phase == Phase::starting || cell.phase == Phase::ended || cell.phase == Phase::kept)) {
    if (cell.rest().stop_ordered || cell.rest().stop_at_start) {
      // Children whose places were kept go first.
      cell.rest().stop_ordered = true;
      begin_ending(cell);
    } else {
      begin(cell);
    }
  }
  if ((commands & signal::group) != 0) Supervision::continue_group(cell);
  if ((commands & signal::yield) != 0) {
    for (Awaiter* awaiter = cell.awaiters(); awaiter != nullptr;) {
      Awaiter* const next = awaiter->next_;
      if (awaiter->yields_) {
        awaiter->yields_ = false;
        cell.wake_awaiter(*awaiter);
        break;  // the list may have changed; the others are found by the next signal
      }
      awaiter = next;
    }
    for (Awaiter* awaiter = cell.awaiters(); awaiter != nullptr; awaiter = awaiter->next_) {
      if (awaiter->yields_) cell.signals.fetch_or(signal::yield, std::memory_order_relaxed);
    }
  }
  if ((commands & signal::close) != 0) {
    if (cell.phase == Phase::ended || cell.phase == Phase::kept) {
      // Children whose places were kept go first.
      cell.rest().stop_ordered = true;
      begin_ending(cell);
    } else {
      order_stop(cell, false, true);
    }
  }
  if ((commands & signal::kill) != 0) order_stop(cell, false, true);
  if ((commands & signal::lifetime) != 0) end_of_time(cell);
  // The phase first: the policy of a kept place may be going, its parent takes it over.
  if ((commands & signal::restart) != 0 && (cell.phase == Phase::initializing || cell.phase == Phase::running) &&
      !cell.rest().stop_ordered && !cell.policy().once && cell.parent() != nullptr) {
    order_stop(cell, true, false);
  }
  if ((commands & signal::stop) != 0) order_stop(cell, false, false);
  if ((commands & signal::keep) != 0) order_stop(cell, true, false);
  if ((commands & signal::decided) != 0 && cell.phase == Phase::ended && cell.rest().stop_ordered &&
      !is_with_parent(cell)) {
    order_stop(cell, cell.rest().keep_place, cell.rest().killed);
  }
  if ((commands & signal::expired) != 0) {
    // The stop deadline: coroutines end where they wait, what is queued is dropped.
    if (cell.phase == Phase::initializing && !cell.rest().stop_ordered) {
      end_late_init(cell);
    } else if (cell.phase == Phase::initializing || cell.phase == Phase::draining ||
               cell.phase == Phase::terminating) {
      const bool was_terminating = cell.phase == Phase::terminating;
      const char* const what = was_terminating                     ? "terminating"
                               : cell.phase == Phase::initializing ? "init"
                                                                   : "draining";
      cell.rest().cut_short = true;
      drop_coroutines(cell);
      cell.core().logger(cell.full_path()).warn("stop deadline passed", {{"while", what}});
      if (was_terminating) {
        finish_incarnation(cell);
      } else {
        begin_ending(cell);
      }
    }
  }
}

bool Lifecycle::advance(Cell& cell) {
  if (cell.extras != nullptr && cell.extras->is(Extras::loop_over)) {
    cell.extras->say(Extras::loop_over, false);
    if (cell.phase == Phase::running || cell.phase == Phase::draining) {
      // The loop ended by itself, in order: so does the actor. One that is always restarted goes on taking messages.
      const Restart when = cell.policy().restart;
      if (when != Restart::always && when != Restart::ask) {
        cell.own_end = true;
        cell.gate.fetch_or(gate_bit::refusing, std::memory_order_seq_cst);
      }
      begin_ending(cell);
      return true;
    }
  }
  switch (cell.phase) {
    case Phase::initializing:
      if (cell.turn_root() != nullptr) return false;
      after_init(cell);
      return true;
    case Phase::terminating:
      if (cell.turn_root() != nullptr) return false;
      finish_incarnation(cell);
      return true;
    case Phase::draining:
      if (!cell.rest().draining_waits || cell.interleaved() != 0) return false;
      begin_ending(cell);
      return true;
    default: return false;
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
