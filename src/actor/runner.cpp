// The run loop: what a worker does with one cell in one turn, the short way that most turns are (run_at_length.cpp: all others). It
// and that file are the one boundary at which exceptions are caught.
#include <cassert>

#include "turn_parts.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

// So many messages that wait make a turn longer than it is by count: many senders, each with a turn of its own, would else
// fill the memory with what one receiver is sent.
constexpr std::uint32_t far_behind = 1'024;

/// The same object, of which the compiler knows nothing any more: it does not keep addresses of its members over calls, on the stack.
template <class T>
[[gnu::always_inline]] inline T* unknown(T* object) noexcept {
  asm("" : "+r"(object));
  return object;
}

}  // namespace

/// At the beginning of a turn: as is_calm(), by what the last one left. Only what others give may have changed since.
inline bool Cell::begins_calmly() const noexcept {
  // acquire: as in run_at_length().
  const std::uint32_t seen = signals.load(std::memory_order_acquire);
  if (!calm) return is_calm(seen);
  const bool is_left_alone = seen == signal::alive && !has_left_in_lane && lane.empty(std::memory_order_relaxed);
  assert(!is_left_alone || is_calm(seen) || !lane.empty(std::memory_order_relaxed));
  return is_left_alone;
}

/// What most turns are: one plain message after the other. True: the turn is over. False: there is something to look at.
[[gnu::always_inline]] inline bool Cell::run_calm(Worker& worker, Core& core, WorkerContext& context) {
  if (!calm) calm = true;  // until whoever called hears otherwise
  Cell* me = this;
  Envelope* last = queue.last;
  const MessageDescriptor* known = last != nullptr ? &last->descriptor() : nullptr;
  for (;;) {
    Envelope* const envelope = me->mailbox.take_behind(last, me->queue);
    if (envelope == nullptr) {
      if (!me->mailbox.try_idle_behind(last, me->queue)) return false;
      if (last != nullptr) context.cache->deallocate(last, known->size);
      // Dekker: who left word before finding us busy is found here.
      constexpr std::uint32_t word = signal::commands | signal::side_queue | signal::room;
      return ((me->signals.load(std::memory_order_seq_cst) & word) == 0 &&
              me->lane.empty(std::memory_order_seq_cst)) ||
             !me->mailbox.wake();
    }
    if (last != nullptr) context.cache->deallocate(last, known->size);
    last = envelope;
    known = &envelope->descriptor();
    Handled outcome = Handled::done;
    if (envelope->generation != me->place_generation) {
      drop_late(core, &context, *envelope);
    } else if (known->kind != SendKind::ask || !drop_expired(*me, core, &context, *envelope)) {
      count_handled(*me, context);
      worker.note(&known->message);
      outcome = known->handle(*me, *envelope);
    }
    end_outbox(core, context);
    me = unknown(me);
    // acquire: as in run_at_length().
    const std::uint32_t seen = me->signals.load(std::memory_order_acquire);
    const bool yields = (seen & signal::yield) != 0;
    if (worker.after_message() || yields) {
      if (yields || me->mailbox.depth(me->queue) < far_behind || !worker.goes_on()) {
        me->calm = false;  // not looked at
        worker.give_way(*me);
        return true;
      }
    }
    if (outcome == Handled::done) {
      if (!me->stays_calm(seen)) return false;
    } else if (!me->is_calm(seen)) {
      return me->parks_at_once();
    }
  }
}

/// A coroutine that waits keeps its turn, and nothing else is to be done: then it is parked, as at the end of the long way, and is
/// somebody else's when this has returned true.
bool Cell::parks_at_once() noexcept {
  const Extras* const more = extras;
  if (signals.load(std::memory_order_acquire) != signal::alive || phase != Phase::running || more == nullptr ||
      more->turn_root == nullptr || more->inbox != nullptr || more->loop_over || own_commands != 0 ||
      more->answered != nullptr || has_left_in_lane || !lane.empty(std::memory_order_relaxed)) {
    return false;
  }
  calm = false;
  // seq_cst: Dekker's pattern with signal_command() and post_lane().
  const std::uint32_t before = signals.fetch_or(signal::parked, std::memory_order_seq_cst);
  if ((before & signal::commands) == 0 && lane.empty(std::memory_order_seq_cst)) return true;
  // Whoever clears the bit owns the cell: us, or somebody who has scheduled it.
  return (signals.fetch_and(~signal::parked, std::memory_order_seq_cst) & signal::parked) == 0;
}

/// Its life begins in this turn, and nobody else has left word.
inline bool Cell::begins() const noexcept {
  // acquire: as in run_at_length(). Alive first: before that its commands are its parent's.
  return signals.load(std::memory_order_acquire) == signal::alive && own_commands == signal::start &&
         phase == Phase::starting;
}

/// The short way through most turns. False: the turn goes on, the long way.
[[gnu::always_inline]] inline bool Cell::is_over_calmly(Worker& worker, Core& core, WorkerContext& context) {
  if (!begins_calmly()) {
    calm = false;
    return false;
  }
  try {
    if (run_calm(worker, core, context)) return true;
    calm = false;
    return false;
  } catch (...) {
    calm = false;
    end_outbox(core, context);
    Lifecycle::fail_by_exception(*this, Failure::Stage::handler, {});
    end_outbox(core, context);
    (void)worker.after_message();  // it counts; what is to be done now, commands first, is done in any case
    return false;
  }
}

/// What one of its coroutines waited for is there, and goes on before whatever is in the lane. False: the turn goes on, the long way.
bool Cell::is_over_answered(Worker& worker, Core& core, WorkerContext& context) {
  // acquire: as in run_at_length(). Alive first: before that nothing else is its own.
  if (signals.load(std::memory_order_acquire) != signal::alive || extras == nullptr || extras->answered == nullptr ||
      phase != Phase::running || own_commands != 0) {
    return false;
  }
  try {
    wake_answered();
    end_outbox(core, context);
    const std::uint32_t seen = signals.load(std::memory_order_acquire);
    if ((seen & signal::yield) != 0) {
      worker.give_way(*this);
      return true;
    }
    return is_calm(seen) ? run_calm_again(worker, core, context) : parks_at_once();
  } catch (...) {
    end_outbox(core, context);
    Lifecycle::fail_by_exception(*this, Failure::Stage::handler, {});
    end_outbox(core, context);
    (void)worker.after_message();  // it counts; what is to be done now, commands first, is done in any case
    return false;
  }
}

/// The first of a streak, and what stands in line behind it: as long as it does, nobody returns to the scheduler.
void RunLoop::run(Runnable& first, Worker& worker) {
  assert(worker.turn().root == nullptr);
  auto& context = *static_cast<WorkerContext*>(worker.turn().context);
  context.note(worker);
  Core& core = Core::of(*context.core);
  Runnable* next = &first;
  do {
    Cell& cell = static_cast<Cell&>(*next);
    worker.note_turn(&cell);
    if (!cell.is_over_calmly(worker, core, context)) cell.run_otherwise(worker, core, context);
    next = worker.next_in_line();
  } while (next != nullptr);
}

void Cell::run_otherwise(Worker& worker, Core& core, WorkerContext& context) {
  const Worker::Counts before = worker.counts();
  worker.note_cell(this);
  // Whatever is run in here may take its time; who goes on with an answer, and waits again, has done nothing since it asked.
  Turn& turn = worker.turn();
  turn.asked = nullptr;
  if (!is_over_answered(worker, core, context)) {
    if (!begins() || !is_over_at_once(worker, core, context)) run_at_length(worker, core, &context);
    turn.asked = nullptr;
  }
  // Another may be running this cell by now: nobody is named for what destructors of dead letters sent last.
  worker.note_cell(nullptr);
  end_outbox(core, context);
  worker.after_long_turn(before);
}

bool Cell::run_calm_again(Worker& worker, Core& core, WorkerContext& context) {
  try {
    const bool is_over = run_calm(worker, core, context);
    if (!is_over) calm = false;
    return is_over;
  } catch (...) {
    calm = false;
    throw;
  }
}

/// A life that begins in this turn, as those of most do that are made by the million: it begins, handles what is queued and, if it wants
/// so, ends. True: the turn is over. False: it goes on, the long way, wherever it has come to.
bool Cell::is_over_at_once(Worker& worker, Core& core, WorkerContext& context) {
  try {
    own_commands = 0;
    Lifecycle::begin(*this);  // a new place: who orders a stop from outside sets a signal
    end_outbox(core, context);
    const std::uint32_t seen = signals.load(std::memory_order_acquire);
    if ((seen & signal::yield) != 0) {
      worker.give_way(*this);
      return true;
    }
    if (!is_calm(seen)) return false;
    if (run_calm_again(worker, core, context)) return true;
    if (own_commands != signal::stop) return false;
    own_commands = 0;
    if (!Lifecycle::ended_at_once(*this)) Lifecycle::order_stop(*this, false, false);
    if (phase != Phase::closing) return false;
  } catch (...) {
    end_outbox(core, context);
    Lifecycle::fail_by_exception(*this, Failure::Stage::handler, {});
    end_outbox(core, context);
    (void)worker.after_message();  // it counts; what is to be done now is done in any case
    return false;
  }
  end_outbox(core, context);
  leave_place(core, &context);
  return true;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
