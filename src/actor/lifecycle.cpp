// The life of one actor: start, failure, stop, end. Each function runs in the turn of the cell it is given.
//
//   starting --begin--> initializing --after_init--> running --order_stop--> draining --queue_is_empty-->
//       \____________________\_________________________\______fail______________\___> ending (children first)
//   ending --begin_terminating--> terminating --finish_incarnation--> closing (for good)
//                                                                 \-> ended  --(parent decides)--> starting | closing
//                                                                 \-> kept   --(parent's next init)--> starting | closing
//
// Every state but running is left in bounded time: init by start_within, and once stopped stop_within; draining by
// stop_within; ending by its children's; terminating by the grace; ended and kept by the parent. A kill ends all at once.
#include <algorithm>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include <cxxabi.h>

#include "core.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

template <std::size_t N>
void copy_cut(char (&into)[N], std::string_view text) noexcept {
  const std::size_t bytes = std::min(text.size(), N - 1);
  std::memcpy(into, text.data(), bytes);
  into[bytes] = '\0';
}

/// Turns the exception in flight into plain data. Allocates nothing of its own. Returns its type's mangled name (static
/// data: demangling would allocate), or null when the type does not matter.
const char* record_exception(Failure& failure) noexcept {
  const char* mangled = nullptr;
  try {
    throw;
  } catch (const Need& need) {
    failure.need = need.kind();
    failure.code = need.error().code();
    failure.restart_after = need.after();
    // The code is kept apart: "not_found: no scope ..." without its first word.
    std::string_view text = need.what();
    const std::string_view code = to_string(failure.code);
    if (text.substr(0, code.size()) == code && text.substr(code.size(), 2) == ": ")
      text.remove_prefix(code.size() + 2);
    copy_cut(failure.text, text);
  } catch (const std::exception& error) {
    if (const std::type_info* type = abi::__cxa_current_exception_type()) mangled = type->name();
    copy_cut(failure.type, mangled != nullptr ? mangled : "");
    copy_cut(failure.text, error.what());
  } catch (const std::string& text) {
    copy_cut(failure.type, "std::string");
    copy_cut(failure.text, text);
  } catch (const char* text) {
    copy_cut(failure.type, "const char*");
    copy_cut(failure.text, text != nullptr ? text : "");
  } catch (...) {
    if (const std::type_info* type = abi::__cxa_current_exception_type()) mangled = type->name();
    copy_cut(failure.type, mangled != nullptr ? mangled : "unknown");
    copy_cut(failure.text, "thrown, and no std::exception");
  }
  return mangled;
}

/// Puts the readable name of its type into it, if there is memory for that.
void readable_type(Failure& failure, const char* mangled) noexcept {
  if (mangled == nullptr) return;
  int status = 0;
  char* const readable = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  if (status == 0 && readable != nullptr) copy_cut(failure.type, readable);
  std::free(readable);  // NOLINT(cppcoreguidelines-no-malloc): __cxa_demangle allocates with malloc
}

/// Leaves the notice in the parent's lane. From here until the parent has seen it the place is the parent's.
void tell_parent(Cell& cell) noexcept {
  // relaxed: published by the lane.
  cell.notices_posted.store(cell.notices_posted.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  cell.parent->post_lane(cell.end_notice);
}

[[nodiscard]] bool is_with_parent(const Cell& cell) noexcept {
  // acquire: pairs with the parent's release when it is done with the notice.
  return cell.notices_seen.load(std::memory_order_acquire) != cell.notices_posted.load(std::memory_order_relaxed);
}

void signal_by_timer(TimerEntry& timer) noexcept {
  auto& fired = static_cast<SignalTimer&>(timer);
  fired.owner->signal_command(fired.bits);
}

}  // namespace

Error describe_current_exception(Errc code) {
  Failure failure;
  readable_type(failure, record_exception(failure));
  const std::string type = failure.type[0] != '\0' ? std::string(failure.type) + ": " : std::string();
  return Error(code, type + failure.text);
}

Result<> Lifecycle::outcome(const Cell& cell) {
  if (cell.failure != nullptr && !cell.by_wish) return cell.failure->error();
  return {};
}

// -------------------------------------------------------------------------------------------------- status

void Cell::set_status(Status next) {
  const Status before = status.load(std::memory_order_relaxed);
  if (before == next) return;
  status.store(next, std::memory_order_relaxed);
  Core& all = core();
  if (all.events.wanted()) all.events.emit(StatusChanged{full_path(), ops().type, before, next, incarnation});
}

// --------------------------------------------------------------------------------------------------- start

bool Lifecycle::accepts(const Cell& cell) noexcept {
  if (cell.phase != Phase::running && cell.phase != Phase::draining) return false;
  if (cell.turn_root != nullptr) return cell.extras->inbox != nullptr;
  if (cell.draining_waits) return false;
  if (cell.ops().has_loop) return false;
  return cell.interleaved < cell.policy().interleaved;
}

void Lifecycle::begin(Cell& cell) {
  ++cell.incarnation;
  cell.phase = Phase::initializing;
  cell.init_succeeded = false;
  cell.failed = false;
  cell.by_wish = false;
  cell.status_stated = false;
  cell.draining_waits = false;
  cell.began = this_turn->worker->fresh_now();
  if (cell.failure != nullptr) cell.core().give_back(*std::exchange(cell.failure, nullptr));
  if (cell.extras != nullptr) {
    cell.extras->stop_source = std::stop_source(std::nostopstate);
    cell.extras->inbox_closed = false;
    cell.extras->loop_over = false;
  }
  cell.set_status(Status::starting);
  try {
    cell.ops().construct(cell);
    cell.constructed = true;
  } catch (...) {
    fail_by_exception(cell, Failure::Stage::constructor, "constructor");
    return;
  }
  if (!cell.ops().has_init) {
    after_init(cell);
    return;
  }
  cell.set_status(Status::initializing);
  try {
    if (cell.ops().init(cell) == Handled::suspended) arm_stop_timer(cell, cell.policy().start_within);
  } catch (...) {
    fail_by_exception(cell, Failure::Stage::init, "init");
  }
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
  cell.init_succeeded = true;
  cell.phase = Phase::running;
  // A status that init set (idle, outage ...) is kept.
  const Status now = cell.status.load(std::memory_order_relaxed);
  if (now == Status::initializing || now == Status::starting) cell.set_status(Status::running);
  cell.began = this_turn->worker->coarse_now();
  if (cell.extras != nullptr) {
    // Ordered to stop meanwhile, it has what is left of stop_within.
    if (!cell.stop_ordered) disarm_stop_timer(cell);
    if (cell.extras->start_port) answer<void>(std::move(cell.extras->start_port), Result<>());
    close_unclaimed(cell);
  }
  // Also when it is to stop at once: only its loop can handle what is queued.
  if (cell.ops().has_loop && !(cell.stop_ordered && cell.policy().on_stop == OnStop::drop)) {
    try {
      (void)cell.ops().loop(cell);
    } catch (...) {
      fail_by_exception(cell, Failure::Stage::loop, "event_loop");
    }
  }
  if (cell.stop_ordered) order_stop(cell, cell.keep_place, false);
}

/// Places that a failed incarnation left and that this init did not take over are over for good.
void Lifecycle::close_unclaimed(Cell& cell) {
  for (Cell* child = cell.extras->first_child; child != nullptr; child = child->next_sibling) {
    if (child->quiet) {
      child->quiet = false;
      child->signal_command(signal::close);
    }
  }
}

void Lifecycle::obey(Cell& cell, std::uint32_t commands) {
  if ((commands & signal::start) != 0 &&
      (cell.phase == Phase::starting || cell.phase == Phase::ended || cell.phase == Phase::kept)) {
    if (cell.stop_ordered || cell.stop_at_start) {
      // Children whose places were kept go first.
      cell.stop_ordered = true;
      begin_ending(cell);
    } else {
      destroy_actor(cell);
      begin(cell);
    }
  }
  if ((commands & signal::yield) != 0) {
    for (Awaiter* awaiter = cell.awaiters; awaiter != nullptr;) {
      Awaiter* const next = awaiter->next_;
      if (awaiter->yields_) {
        awaiter->yields_ = false;
        cell.wake_awaiter(*awaiter);
        break;  // the list may have changed; the others are found by the next signal
      }
      awaiter = next;
    }
    for (Awaiter* awaiter = cell.awaiters; awaiter != nullptr; awaiter = awaiter->next_) {
      if (awaiter->yields_) cell.signals.fetch_or(signal::yield, std::memory_order_relaxed);
    }
  }
  if ((commands & signal::close) != 0) {
    if (cell.phase == Phase::ended || cell.phase == Phase::kept) {
      // Children whose places were kept go first.
      cell.stop_ordered = true;
      begin_ending(cell);
    } else {
      order_stop(cell, false, true);
    }
  }
  if ((commands & signal::kill) != 0) order_stop(cell, false, true);
  if ((commands & signal::stop) != 0) order_stop(cell, false, false);
  if ((commands & signal::keep) != 0) order_stop(cell, true, false);
  if ((commands & signal::decided) != 0 && cell.phase == Phase::ended && cell.stop_ordered && !is_with_parent(cell)) {
    order_stop(cell, cell.keep_place, cell.killed);
  }
  if ((commands & signal::expired) != 0) {
    // The stop deadline: coroutines end where they wait, what is queued is dropped.
    if (cell.phase == Phase::initializing && !cell.stop_ordered) {
      end_late_init(cell);
    } else if (cell.phase == Phase::initializing || cell.phase == Phase::draining ||
               cell.phase == Phase::terminating) {
      const bool was_terminating = cell.phase == Phase::terminating;
      const char* const what = was_terminating                     ? "terminating"
                               : cell.phase == Phase::initializing ? "init"
                                                                   : "draining";
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
  if (cell.extras != nullptr && cell.extras->loop_over) {
    cell.extras->loop_over = false;
    if (cell.phase == Phase::running || cell.phase == Phase::draining) {
      // The loop ended by itself, in order: so does the actor. One that is always restarted goes on taking messages.
      if (cell.policy().restart != Restart::always) cell.gate.fetch_or(gate_bit::refusing, std::memory_order_seq_cst);
      begin_ending(cell);
      return true;
    }
  }
  switch (cell.phase) {
    case Phase::initializing:
      if (cell.turn_root != nullptr) return false;
      after_init(cell);
      return true;
    case Phase::terminating:
      if (cell.turn_root != nullptr) return false;
      finish_incarnation(cell);
      return true;
    case Phase::draining:
      if (!cell.draining_waits || cell.interleaved != 0) return false;
      begin_ending(cell);
      return true;
    default: return false;
  }
}

// ------------------------------------------------------------------------------------------------- failure

void Lifecycle::fail_by_exception(Cell& cell, Failure::Stage stage, std::string_view message) {
  Core& core = cell.core();
  Failure& failure = core.take_failure();
  if (core.is_lost(failure)) {
    // Its text is nobody's, but what the actor needs is its own.
    Failure unkept;
    (void)record_exception(unkept);
    fail(cell, failure, unkept.need == Need::Kind::stop);
    return;
  }
  failure.stage = stage;
  failure.message = message;
  if (cell.extras != nullptr && !cell.extras->failed_in.empty()) {
    failure.message = std::exchange(cell.extras->failed_in, {});
  } else if (message.empty()) {
    if (const auto* noted = static_cast<const std::string_view*>(this_turn->worker->noted_message())) {
      failure.message = *noted;
    }
  }
  readable_type(failure, record_exception(failure));
  fail(cell, failure, failure.need == Need::Kind::stop);
}

void Lifecycle::fail(Cell& cell, Failure& failure, bool by_wish) {
  Core& core = cell.core();
  if (cell.phase == Phase::terminating) {
    // terminating() is the last that runs: what escapes from it is told, and the end goes on (A3).
    core.logger(cell.full_path()).error("terminating failed", {{"error", failure.text}, {"type", failure.type}});
    core.give_back(failure);
    drop_coroutines(cell);
    return;
  }
  if (cell.phase == Phase::ending || cell.phase == Phase::ended || cell.phase == Phase::kept ||
      cell.phase == Phase::closing) {
    core.give_back(failure);  // it is ending already, for a reason of its own
    return;
  }
  if (cell.failure != nullptr) core.give_back(*cell.failure);
  cell.failure = &failure;
  cell.failed = !by_wish;
  cell.by_wish = by_wish;
  if (!by_wish) {
    tell_failure(cell, failure);
  } else {
    cell.gate.fetch_or(gate_bit::refusing, std::memory_order_seq_cst);
  }
  drop_coroutines(cell);
  begin_ending(cell);
}

/// To log, tree and events. The incarnation ends also when there is no memory to say so.
void Lifecycle::tell_failure(Cell& cell, const Failure& failure) noexcept {
  Core& core = cell.core();
  try {
    const Error error = failure.error();
    const std::string path = cell.full_path();
    cell.need_extras().last_error = error.describe();
    core.logger(path).error("actor failed", {{"error", std::string_view(failure.text)},
                                             {"type", std::string_view(failure.type)},
                                             {"message", failure.message},
                                             {"incarnation", cell.incarnation}});
    if (core.events.wanted()) core.events.emit(ActorFailed{path, cell.ops().type, cell.incarnation, error});
  } catch (...) {
    // Out of memory: untold, not undone.
  }
}

// ---------------------------------------------------------------------------------------------------- stop

void Lifecycle::arm_stop_timer(Cell& cell, Duration within) {
  SignalTimer& timer = cell.need_extras().stop_timer;
  disarm_stop_timer(cell);
  cell.extras->stop_timer_armed = true;
  timer.bits = signal::expired;
  timer.fire = &signal_by_timer;
  Scheduler& scheduler = *cell.core().scheduler;
  scheduler.arm(timer, scheduler.now() + within);
}

void Lifecycle::disarm_stop_timer(Cell& cell) noexcept {
  if (cell.extras == nullptr || !std::exchange(cell.extras->stop_timer_armed, false)) return;
  cell.core().scheduler->cancel(cell.extras->stop_timer);
  // Fired already: under its shard's lock, which cancel() took, so the bit is there by now.
  cell.signals.fetch_and(~signal::expired, std::memory_order_relaxed);
}

void Lifecycle::order_stop(Cell& cell, bool keep, bool kill) {
  if (cell.phase == Phase::closing || cell.phase == Phase::vacant) return;
  if (cell.phase == Phase::kept) {
    // The place is the parent's until its next init, or its end. A stop is remembered: it was meant for the place.
    if (!keep) cell.stop_at_start = true;
    return;
  }
  const bool again = cell.stop_ordered;
  cell.stop_ordered = true;
  cell.killed = cell.killed || kill;
  // A place that is to go for good is not kept, whichever order came first.
  cell.keep_place = keep && (!again || cell.keep_place);
  if (!cell.keep_place) cell.gate.fetch_or(gate_bit::refusing, std::memory_order_seq_cst);
  request_stop(cell);
  switch (cell.phase) {
    case Phase::starting:
      cell.signals.fetch_and(~signal::start, std::memory_order_relaxed);
      begin_ending(cell);
      return;
    case Phase::initializing:
      // Init may finish within the deadline; then the stop goes on from after_init().
      if (kill || keep) {
        drop_coroutines(cell);
        begin_ending(cell);
      } else if (!again) {
        arm_stop_timer(cell, cell.policy().stop_within);
      }
      return;
    case Phase::running:
      cell.set_status(Status::stopping);
      if (keep || kill || cell.policy().on_stop == OnStop::drop) {
        drop_coroutines(cell);
        begin_ending(cell);
        return;
      }
      cell.phase = Phase::draining;
      // With nothing queued and nothing under way it ends at once: a timer would only cost. A message that comes in
      // meanwhile arms it (handling_while_draining).
      if (!again &&
          (cell.mailbox.depth() != 0 || cell.turn_root != nullptr || cell.interleaved != 0 || cell.ops().has_loop)) {
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
             child = child->next_sibling) {
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
      if (is_with_parent(cell)) return;
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
  if (cell.extras == nullptr || !cell.extras->stop_timer_armed) arm_stop_timer(cell, cell.policy().stop_within);
}

void Lifecycle::queue_is_empty(Cell& cell) {
  // Draining: nothing is queued any more. Interleaved handlers and a loop still have their time.
  if (cell.extras != nullptr && cell.extras->inbox != nullptr) {
    cell.extras->inbox_closed = true;
    (void)inbox_resume(*cell.extras->inbox);
    return;
  }
  if (cell.interleaved != 0) {
    // Parks until one of them ends: accepts() must say no.
    cell.draining_waits = true;
    return;
  }
  begin_ending(cell);
}

void Lifecycle::begin_ending(Cell& cell) {
  if (cell.phase == Phase::ending) return;
  disarm_stop_timer(cell);
  if (cell.phase != Phase::ended && cell.phase != Phase::kept) cell.set_status(Status::stopping);
  cell.phase = Phase::ending;
  // Work of its own elsewhere (the blocking pool) hears of the end, whatever the reason.
  request_stop(cell);
  drop_coroutines(cell);
  // Nothing more is handled and nothing comes in: whoever waits for an answer hears it now, not after the children.
  if ((cell.gate.load(std::memory_order_relaxed) & gate_bit::refusing) != 0) drain_as_dead(cell, Undelivered::ended);
  if (!stop_next_child(cell)) begin_terminating(cell);
}

/// Tells the youngest child that still lives to stop. False: there is none.
bool Lifecycle::stop_next_child(Cell& cell) {
  if (cell.extras == nullptr) return false;
  const bool keep = !cell.stop_ordered || cell.keep_place;
  const bool keeps = keep && cell.failed_or_kept();
  for (Cell* child = cell.extras->last_child; child != nullptr; child = child->previous_sibling) {
    if (child->quiet) {
      if (keeps) continue;
      child->quiet = false;
      cell.extras->stopping_child = child;
      child->signal_command(signal::close);
      return true;
    }
    cell.extras->stopping_child = child;
    child->signal_command(keeps ? signal::keep : cell.killed ? signal::kill : signal::stop);
    return true;
  }
  cell.extras->stopping_child = nullptr;
  return false;
}

void Lifecycle::begin_terminating(Cell& cell) {
  cell.phase = Phase::terminating;
  if (!cell.init_succeeded || !cell.constructed || !cell.ops().has_terminating) {
    finish_incarnation(cell);
    return;
  }
  // Once only, also when a place that has ended is closed later.
  cell.init_succeeded = false;
  arm_stop_timer(cell, cell.policy().grace);
  // Kept with the cell: a coroutine of the hook holds a reference to it.
  cell.need_extras().why = outcome(cell);
  try {
    (void)cell.ops().terminating(cell, *cell.extras->why);
  } catch (...) {
    fail_by_exception(cell, Failure::Stage::terminating, "terminating");
  }
  // advance() finds it finished, now or later. Who is killed has no time to wait for anything.
  if (cell.killed) drop_coroutines(cell);
}

void Lifecycle::drop_coroutines(Cell& cell) noexcept {
  if (cell.extras == nullptr) return;
  while (Root* const root = cell.extras->first_root) {
    cell.drop_root(*root);
    delete root;
  }
  cell.turn_root = nullptr;
  cell.interleaved = 0;
  cell.ready = 0;
  cell.extras->inbox = nullptr;
}

void Lifecycle::cancel_timers(Cell& cell) noexcept {
  if (cell.extras == nullptr) return;
  Extras& extras = *cell.extras;
  Scheduler& scheduler = *cell.core().scheduler;
  for (TimerRecord* timer : extras.due) {
    timer->queued = false;
  }
  extras.due.clear();
  for (auto& [id, timer] : extras.timers) {
    if (scheduler.cancel(*timer) || timer->settled) {
      delete timer;
    } else {
      timer->cancelled = true;  // fired: its node is in the lane, which frees it
    }
  }
  extras.timers.clear();
  if (extras.await_clock.set && scheduler.cancel(extras.await_clock)) extras.await_clock.set = false;
  extras.stop_timer_armed = false;
  scheduler.cancel(extras.stop_timer);
}

void Lifecycle::destroy_actor(Cell& cell) noexcept {
  if (!cell.constructed) return;
  cell.constructed = false;
  cell.ops().destroy(cell);
}

void Lifecycle::finish_incarnation(Cell& cell) {
  drop_coroutines(cell);
  cancel_timers(cell);
  cell.signals.fetch_and(~signal::expired, std::memory_order_relaxed);
  cell.init_succeeded = false;
  const bool ordered = cell.stop_ordered;
  if (ordered && cell.keep_place) {
    destroy_actor(cell);
    cell.stop_ordered = false;
    cell.keep_place = false;
    // Who started it has failed and asks no more; the next one starts it anew.
    if (cell.extras != nullptr) cell.extras->start_port = ReplyPort();
    cell.phase = Phase::kept;
    cell.set_status(Status::stopped);
    tell_parent(cell);
    return;
  }
  const bool over = ordered || cell.parent == nullptr ||
                    (!cell.failed && (cell.by_wish || cell.policy().restart != Restart::always));
  if (over) {
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
  Core& core = cell.core();
  WorkerContext* const context = context_for(&core);
  for (;;) {
    Envelope* retired = nullptr;
    Envelope* const envelope = cell.mailbox.take(retired);
    if (retired != nullptr) free_envelope(core, context, *retired);
    if (envelope == nullptr) return;
    core.count(context, why);
    core.report_dead_letter(why, *envelope->descriptor, cell.full_path());
    envelope->descriptor->abandon(*envelope, Errc::gone);
  }
}

void Lifecycle::close(Cell& cell) {
  Core& core = cell.core();
  WorkerContext* const context = context_for(&core);
  cell.phase = Phase::closing;
  const std::uint32_t next = std::max(1U, (cell.generation() + 1) & ((1U << (32 - gate_bit::bits)) - 1));
  if (cell.extras != nullptr) core.scheduler->cancel(cell.extras->restart_timer);
  const Result<> result = outcome(cell);
  if (cell.policy_has_end_target()) {
    const EndTarget& end = static_cast<const OwnPolicy&>(cell.policy()).end;
    if (end.cell != nullptr) cell.need_extras().eol = end.make(cell, core, context, end.generation, result);
  }
  destroy_actor(cell);
  cell.set_status(Status::stopped);
  if (core.events.wanted()) core.events.emit(Ended{cell.full_path(), cell.ops().type, result});
  // From here on nobody gets in: what was pushed before is drained here, what comes later finds another generation.
  // seq_cst: against senders that compare the gate and push.
  cell.gate.store(next << gate_bit::bits, std::memory_order_seq_cst);
  drain_as_dead(cell, Undelivered::ended);
  close_side(cell, next, core);
  // Nodes meant for the generation that ends are freed; the extras must not go while one of theirs is in the lane.
  for (;;) {
    if (cell.lane_rest == nullptr) cell.lane_rest = cell.lane.take_all();
    LaneNode* const node = cell.lane_rest;
    if (node == nullptr) break;
    cell.lane_rest = node->lane_next;
    node->run(*node, nullptr);
  }
}

// ------------------------------------------------------------------------------------- children, in the parent's turn

void Lifecycle::child_notice(LaneNode& node, Cell* parent) {
  Cell& child = *static_cast<EndNotice&>(node).child;
  if (parent == nullptr) return;  // cannot be: a parent outlives its children
  const std::uint32_t notice = child.notices_posted.load(std::memory_order_relaxed);
  if (parent->extras->stopping_child == &child) parent->extras->stopping_child = nullptr;
  if (child.phase == Phase::closing) {
    reap(*parent, child);
  } else if (child.phase == Phase::kept) {
    child.quiet = true;
    child.notices_seen.store(notice, std::memory_order_release);
  } else if (parent->phase == Phase::ending) {
    // It failed while we are ending: not restarted now.
    const bool keeps = parent->failed_or_kept() && (!parent->stop_ordered || parent->keep_place);
    parent->extras->stopping_child = &child;
    child.notices_seen.store(notice, std::memory_order_release);
    child.signal_command(keeps ? signal::keep : signal::close);
    return;
  } else {
    decide(*parent, child, notice);
    return;
  }
  if (parent->phase == Phase::ending && parent->extras->stopping_child == nullptr) {
    if (!stop_next_child(*parent)) begin_terminating(*parent);
  }
}

/// What comes of a child's end. Until notices_seen says so the child does not touch what is written here.
void Lifecycle::decide(Cell& parent, Cell& child, std::uint32_t notice) {
  const auto seen = [&](std::uint32_t order) {
    child.notices_seen.store(notice, std::memory_order_release);
    child.signal_command(order | signal::decided);
  };
  Core& core = parent.core();
  const ChildPolicy& policy = child.policy();
  Extras& extras = child.need_extras();
  const bool wanted =
      policy.restart != Restart::never && (child.failed || policy.restart == Restart::always) && !child.by_wish;
  const bool first_start = static_cast<bool>(extras.start_port);
  if (!wanted || first_start) return seen(signal::close);
  const Instant now = core.scheduler->now();
  extras.history.lived(now - child.began, policy.intensity, policy.backoff);
  if (extras.history.admit(policy.intensity, now)) {
    Duration after = policy.backoff.wait(extras.history.in_a_row(), core.environment->chance().next());
    if (child.failure != nullptr) after = std::max(after, child.failure->restart_after);
    ++extras.restarts;
    core.logger(child.full_path()).info("restarting", {{"restarts", extras.restarts}, {"after", to_string(after)}});
    if (core.events.wanted()) {
      core.events.emit(Restarting{child.full_path(), child.ops().type, extras.restarts, after});
    }
    extras.restart_timer.bits = signal::start;
    extras.restart_timer.fire = &signal_by_timer;
    core.scheduler->arm(extras.restart_timer, now + after);
    return seen(0);
  }
  // Over the limit: the supervisor fails.
  const std::string text =
      "child '" + child.step() + "' (" + std::string(child.ops().type) + ") failed more often than " +
      std::to_string(policy.intensity.restarts) + " times in " + to_string(policy.intensity.window) +
      "; the last time: " + (child.failure != nullptr ? std::string(child.failure->text) : std::string("normal end"));
  if (parent.parent == nullptr) {
    core.logger(child.full_path()).error("gave up", {{"error", text}});
    core.gave_up.store(true, std::memory_order_relaxed);
    if (core.events.wanted()) {
      core.events.emit(GaveUp{child.full_path(), child.ops().type, Error(Errc::failed, text)});
    }
    return seen(signal::close);
  }
  Failure& failure = core.take_failure();
  if (!core.is_lost(failure)) {
    failure.stage = Failure::Stage::child;
    copy_cut(failure.text, text);
  }
  // The child's place is kept, as its siblings' are: our next init may take it over.
  seen(0);
  fail(parent, failure, false);
}

void unlist_child(Cell& parent, Cell& child) noexcept {
  Extras& extras = *parent.extras;
  if (child.previous_sibling != nullptr) {
    child.previous_sibling->next_sibling = child.next_sibling;
  } else {
    extras.first_child = child.next_sibling;
  }
  if (child.next_sibling != nullptr) {
    child.next_sibling->previous_sibling = child.previous_sibling;
  } else {
    extras.last_child = child.previous_sibling;
  }
  child.previous_sibling = nullptr;
  child.next_sibling = nullptr;
  --extras.children;
}

void Lifecycle::reap(Cell& parent, Cell& child) {
  Core& core = parent.core();
  WorkerContext* const context = context_for(&core);
  Envelope* const eol = child.extras != nullptr ? std::exchange(child.extras->eol, nullptr) : nullptr;
  const EndTarget end = eol != nullptr ? static_cast<const OwnPolicy&>(child.policy()).end : EndTarget{};
  unlist_child(parent, child);
  {
    const std::lock_guard lock(parent.extras->names_mutex);
    parent.extras->names.erase(child);
  }
  // To be told when the name is free again.
  ReplyPort start_port = child.extras != nullptr ? std::move(child.extras->start_port) : ReplyPort();
  Result<> started;
  if (start_port) {
    started = child.failure != nullptr && !child.by_wish
                  ? Result<>(child.failure->own_error())
                  : Result<>(Error(Errc::cancelled, "'" + child.step() + "' ended before its init had"));
  }
  if (parent.parent == nullptr) {
    const std::lock_guard lock(core.root_mutex);
    const auto found = core.root_names.find(child.name());
    if (found != core.root_names.end() && found->second == &child) core.root_names.erase(found);
  }
  if (child.failure != nullptr) core.give_back(*std::exchange(child.failure, nullptr));
  delete std::exchange(child.extras, nullptr);
  Body* const body = std::exchange(child.body, nullptr);
  body->ops->release(*body, core.memory);
  child.phase = Phase::vacant;
  core.free_cell(child);
  if (start_port) answer<void>(std::move(start_port), std::move(started));
  if (eol != nullptr) {
    // The end comes last: everything the child sent was pushed before its notice.
    count_sent(core, context);
    post(core, context, *end.cell, *eol);
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
