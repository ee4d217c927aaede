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
  asm volatile("" : "+r"(object));
  return object;
}

}  // namespace

/// Nothing is to be seen to before what is left for it. `seen`: its signals.
[[gnu::always_inline]] inline bool Cell::is_free_for_word(std::uint32_t seen) const noexcept {
  // Alive first: before that nothing else is its own; the phase before what it has: the place of a kept actor is its parent's.
  return seen == signal::alive && by_itself(phase) == Phase::running && own_commands == 0 &&
         !planted(Mistake::command_behind_data);
}

/// Which of the short ways a turn may begin with. Of who was calm when the last one ended only what others give may have changed since.
[[gnu::always_inline]] inline Cell::Beginning Cell::begins_with() noexcept {
  // acquire: as in run_at_length().
  const std::uint32_t seen = signals.load(std::memory_order_acquire);
  if (!calm) {
    if (is_free_for_word(seen) && is_answered()) return Beginning::answer;
    if (!is_calm(seen)) return Beginning::other;
    calm = true;  // until whoever called hears otherwise
    return Beginning::message;
  }
  const bool is_left_alone = seen == signal::alive && !has_left_in_lane;
  assert(!is_left_alone || is_calm(seen) || !lane.empty(std::memory_order_relaxed));
  return is_left_alone ? Beginning::message : Beginning::other;
}

/// For nothing: there is no message, or a sender stands in the middle of its push. True: it is idle.
bool Cell::goes_idle(Worker& worker, Core& core, WorkerContext& context) noexcept {
  worker.after_empty_turn();
  Envelope* const last = queue.last;
  if (!mailbox.try_idle_behind(last, queue)) return false;
  if (last != nullptr) free_envelope(core, &context, *last);
  return !is_awake_again();
}

/// Its senders wait for room that they are given later in this turn.
inline bool Cell::owes_room(const WorkerContext& context) const noexcept {
  return context.owes_room.load(std::memory_order_relaxed) == this;  // relaxed: its own worker writes it
}

/// Has had its time, or its messages: whether it goes on all the same.
[[gnu::noinline]] bool Cell::goes_on(std::uint32_t seen, Worker& worker, const WorkerContext& context) noexcept {
  if ((seen & signal::yield) != 0) return false;
  const bool is_behind = owes_room(context) ? is_far_from_room(worker) : mailbox.depth(queue) >= far_behind;
  return is_behind && worker.goes_on();
}

/// The turn has had its time, or its messages. With nothing behind the last of them the place goes idle, and the line alone ends: there is
/// nobody who would have to go behind the others.
[[gnu::noinline]] bool Cell::ends_turn(bool is_calm, Worker& worker, Core& core, WorkerContext& context) noexcept {
  if (owes_room(context)) [[unlikely]] {
    give_owed_room(context);
    return gives_way(worker);
  }
  Envelope* const last = queue.last;
  if (!is_calm || mailbox.look_behind(last) != nullptr || !lane.empty(std::memory_order_relaxed) ||
      !mailbox.try_idle_behind(last, queue)) {
    return gives_way(worker);
  }
  worker.end_line();
  free_envelope(core, &context, *last);
  return !is_awake_again();
}

/// Behind what was handled last, which is retired. Null: there is none, or what was left in the lane before it was sent goes first.
Envelope* Cell::take_behind_last(Core& core, WorkerContext& context) noexcept {
  Envelope* const last = queue.last;
  Envelope* const envelope = mailbox.look_behind(last);
  if (envelope == nullptr || !lane.empty(std::memory_order_relaxed)) return nullptr;
  mailbox.take_in_hand(last, queue);
  queue.last = nullptr;
  free_envelope(core, &context, *last);
  return envelope;
}

/// In a catch block: what was thrown ends this incarnation.
void Cell::fails_by_exception(Worker& worker, Core& core, WorkerContext& context) noexcept {
  calm = false;
  end_outbox(core, context);
  Lifecycle::fail_by_exception(*this, Failure::Stage::handler, {});
  end_outbox(core, context);
  (void)worker.after_message();  // it counts; what is to be done now, commands first, is done in any case
}

/// What most turns are: one plain message after the other. True: the turn is over. False: there is something to look at.
[[gnu::always_inline]] inline bool Cell::run_calm(Worker& worker, Core& core, WorkerContext& context) {
  Cell* me = this;
  Envelope* envelope = nullptr;
  if (me->queue.last != nullptr) [[unlikely]] {
    envelope = me->take_behind_last(core, context);
    if (envelope == nullptr) return me->lane.empty(std::memory_order_relaxed) && me->goes_idle(worker, core, context);
  } else {
    envelope = me->mailbox.look_behind(nullptr);
    // What was left there before a message was sent goes first.
    if (!me->lane.empty(std::memory_order_relaxed)) return false;
    if (envelope == nullptr) [[unlikely]]
      return me->goes_idle(worker, core, context);
    me->mailbox.take_in_hand(nullptr, me->queue);
  }
  // From here on what was taken last is known here alone: whoever returns, but idle, says it.
  for (;;) {
    const MessageDescriptor& known = envelope->descriptor_in(*unknown(&all_descriptors));
    Handled outcome = Handled::done;
    try {
      if (envelope->generation != me->place_generation) [[unlikely]] {
        drop_late(core, &context, *envelope);
      } else if (!envelope->is_ask() || !drop_expired(*me, worker, core, &context, *envelope)) [[likely]] {
        count_handled(*me, context);
        worker.note(&known.message);
        outcome = known.handle(*me, *envelope);
      }
    } catch (...) {
      me->queue.last = envelope;
      me->fails_by_exception(worker, core, context);
      return false;
    }
    end_outbox(core, context);
    me = unknown(me);
    // acquire: as in run_at_length().
    const std::uint32_t seen = me->signals.load(std::memory_order_acquire);
    const bool stays = outcome == Handled::done ? me->stays_calm(seen) : me->is_calm(seen);
    if (worker.after_message() && !me->goes_on(seen, worker, context)) [[unlikely]] {
      me->queue.last = envelope;
      return me->ends_turn(stays, worker, core, context);
    }
    if (!stays) {
      me->queue.last = envelope;
      if (me->owes_room(context)) [[unlikely]]
        me->give_owed_room(context);
      if ((seen & signal::yield) != 0) return me->gives_way(worker);
      return outcome != Handled::done && me->parks_at_once();
    }
    Envelope* const last = envelope;
    envelope = me->mailbox.look_behind(last);
    if (envelope == nullptr) {
      if (!me->mailbox.try_idle_in_hand(last, me->queue)) {
        me->queue.last = last;
        return false;
      }
      context.cache->deallocate(last, known.size);
      return !unknown(me)->is_awake_again();
    }
    // As above. (Where none is queued the lane is looked at in any case.)
    if (!me->lane.empty(std::memory_order_relaxed)) {
      me->queue.last = last;
      return false;
    }
    me->mailbox.take_in_hand(last, me->queue);
    context.cache->deallocate(last, known.size);
  }
}

/// True: the turn is over, and the next one begins by looking round.
bool Cell::gives_way(Worker& worker) noexcept {
  calm = false;
  worker.give_way(*this);
  return true;
}

/// A coroutine that waits keeps its turn, and nothing else is to be done: then it is parked, as at the end of the long way, and is
/// somebody else's when this has returned true.
[[gnu::noinline]] bool Cell::parks_at_once() noexcept {
  const Extras* const more = extras;
  if (signals.load(std::memory_order_acquire) != signal::alive || phase != Phase::running || more == nullptr ||
      more->turn_root == nullptr || more->inbox != nullptr || more->is(Extras::loop_over) || own_commands != 0 ||
      more->answered != nullptr || has_left_in_lane || !lane.empty(std::memory_order_relaxed)) {
    return false;
  }
  calm = false;
  // seq_cst: Dekker's pattern with signal_command() and post_lane().
  std::uint32_t seen = signal::alive;
  if (!signals.compare_exchange_strong(seen, signal::alive | signal::parked, std::memory_order_seq_cst)) return false;
  if (lane.empty(std::memory_order_seq_cst)) return true;
  // Whoever clears the bit owns the cell: us, or somebody who has scheduled it.
  return (signals.fetch_and(~signal::parked, std::memory_order_seq_cst) & signal::parked) == 0;
}

/// Its life begins in this turn, and nobody else has left word.
inline bool Cell::begins() const noexcept {
  // acquire: as in run_at_length(). Alive first: before that its commands are its parent's.
  return signals.load(std::memory_order_acquire) == signal::alive && by_itself(own_commands) == signal::start &&
         phase == Phase::starting;
}

/// Word was left for it: what one of its coroutines waited for, that goes on before whatever is in the lane; a child that has ended.
inline bool Cell::has_word() const noexcept {
  // acquire: as in run_at_length().
  return is_free_for_word(signals.load(std::memory_order_acquire)) && (is_answered() || is_word_in_lane());
}

/// Takes what was left for it, then what is queued. False: the turn goes on, the long way.
bool Cell::is_over_with_word(Worker& worker, Core& core, WorkerContext& context) {
  if (!has_word()) return false;
  try {
    if (is_answered()) {
      wake_answered();
      // An answer counts as a message does.
      if (worker.after_message()) worker.end_line();
    }
    if (is_word_in_lane()) {
      run_lane(*this);
      worker.turn().asked = nullptr;  // others' code ran behind whoever may have asked
    }
    end_outbox(core, context);
    const std::uint32_t seen = signals.load(std::memory_order_acquire);
    if ((seen & signal::yield) != 0) return gives_way(worker);
    return is_calm(seen) ? run_calm_again(worker, core, context) : parks_at_once();
  } catch (...) {
    fails_by_exception(worker, core, context);
    return false;
  }
}

/// As wake_awaiter(), of the coroutine that keeps the turn; what it waits for next is nearly always all that is listed.
[[gnu::always_inline]] inline void Cell::wake_turn_root(Awaiter& awaiter, Worker& worker) {
  Root& root = *awaiter.root_;
  const std::coroutine_handle<> handle = awaiter.handle_;
  awaiter.delist();
  worker.note(&resumed_work);
  worker.turn().root = &root;
  drive(worker.turn(), handle);
  worker.turn().root = nullptr;
  const Awaiter* const next = extras->awaiters;
  if (root.done || next == nullptr || next->root_ != &root) (void)has_driven(root);
}

/// One that is free for word and answered: if it is who keeps the turn that goes on, it does, and waits again. False: the turn goes on, the long
/// way, wherever it has come to.
[[gnu::noinline]] bool Cell::is_over_answered(Worker& worker, WorkerContext& context) {
  Core& core = Core::of(*context.core);
  Awaiter& awaiter = *extras->answered;
  if (awaiter.root_ != extras->turn_root) return false;
  try {
    wake_turn_root(awaiter, worker);
  } catch (...) {
    fails_by_exception(worker, core, context);
    return false;
  }
  end_outbox(core, context);
  worker.count_turn();
  // An answer counts as a message does.
  if (worker.after_message()) worker.end_line();
  const std::uint32_t seen = signals.load(std::memory_order_acquire);
  if ((seen & signal::yield) != 0) [[unlikely]]
    return gives_way(worker);
  if (parks_at_once()) [[likely]]
    return true;
  return is_calm(seen) && run_calm_again(worker, core, context);
}

/// The first of a line, and what stands in line behind it: as long as it does, nobody returns to the scheduler.
void RunLoop::run(Runnable& first, Worker& worker) {
  assert(worker.turn().root == nullptr);
  auto& context = *static_cast<WorkerContext*>(worker.turn().context);
  context.note(worker);
  Core& core = Core::of(*context.core);
  Runnable* next = &first;
  do {
    Cell& cell = static_cast<Cell&>(*next);
    unknown(&worker)->note_turn(&cell);
    // The short ways through most turns.
    bool is_over = false;
    switch (cell.begins_with()) {
      case Cell::Beginning::message: is_over = cell.run_calm(worker, core, context); break;
      case Cell::Beginning::answer: is_over = cell.is_over_answered(worker, context); break;
      case Cell::Beginning::other: break;
    }
    if (!is_over) {
      cell.calm = false;
      cell.run_otherwise(worker, core, context);
    }
    next = worker.next_in_line();
  } while (next != nullptr);
}

void Cell::run_otherwise(Worker& worker, Core& core, WorkerContext& context) {
  const Worker::Counts before = worker.counts();
  worker.note_cell(this);
  // Whatever is run in here may take its time; who goes on with an answer, and waits again, has done nothing since it asked.
  Turn& turn = worker.turn();
  turn.asked = nullptr;
  if (!is_over_with_word(worker, core, context)) {
    if (!begins() || !is_over_at_once(worker, core, context)) run_at_length(worker, core, &context);
    turn.asked = nullptr;
  }
  // Another may be running this cell by now: nobody is named for what destructors of dead letters sent last.
  worker.note_cell(nullptr);
  end_outbox(core, context);
  worker.after_long_turn(before);
}

bool Cell::run_calm_again(Worker& worker, Core& core, WorkerContext& context) {
  calm = true;  // until we hear otherwise
  const bool is_over = run_calm(worker, core, context);
  if (!is_over) calm = false;
  return is_over;
}

/// A life that begins in this turn, as those of most do that are made by the million: it begins, handles what is queued and, if it wants
/// so, ends. True: the turn is over. False: it goes on, the long way, wherever it has come to.
bool Cell::is_over_at_once(Worker& worker, Core& core, WorkerContext& context) {
  try {
    own_commands = 0;
    Lifecycle::begin(*this);  // a new place: who orders a stop from outside sets a signal
    end_outbox(core, context);
    const std::uint32_t seen = signals.load(std::memory_order_acquire);
    if ((seen & signal::yield) != 0) return gives_way(worker);
    if (is_calm(seen) && run_calm_again(worker, core, context)) return true;
    // By its own wish, in its init or behind a message; and nobody else has ordered anything.
    if (by_itself(own_commands) != signal::stop || phase != Phase::running ||
        signals.load(std::memory_order_acquire) != signal::alive) {
      return false;
    }
    own_commands = 0;
    Lifecycle::order_stop(*this, false, false);
    if (phase != Phase::closing) return false;
  } catch (...) {
    fails_by_exception(worker, core, context);
    return false;
  }
  end_outbox(core, context);
  leave_place(core, &context);
  return true;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
