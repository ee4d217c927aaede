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

/// Of the running worker's own.
inline void retire(SlabCache& cache, Envelope* retired) noexcept {
  if (retired != nullptr) cache.deallocate(retired, retired->descriptor().size);
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
  SlabCache& cache = *worker.turn().cache;
  calm = true;  // until whoever called hears otherwise
  for (;;) {
    Envelope* retired = nullptr;
    Envelope* const envelope = mailbox.take(queue, retired);
    retire(cache, retired);
    if (envelope == nullptr) {
      if (!mailbox.try_idle(queue, retired)) return false;
      retire(cache, retired);
      // Dekker: who left word before finding us busy is found here.
      constexpr std::uint32_t word = signal::commands | signal::side_queue | signal::room;
      return ((signals.load(std::memory_order_seq_cst) & word) == 0 && lane.empty(std::memory_order_seq_cst)) ||
             !mailbox.wake();
    }
    Handled outcome = Handled::done;
    const MessageDescriptor& known = envelope->descriptor();
    if (envelope->generation != place_generation) {
      drop_late(core, &context, *envelope);
    } else if (known.kind != SendKind::ask || !drop_expired(*this, core, &context, *envelope)) {
      count_handled(*this, context);
      worker.note(&known.message);
      outcome = known.handle(*this, *envelope);
    }
    end_outbox(core, context);
    // acquire: as in run_at_length().
    const std::uint32_t seen = signals.load(std::memory_order_acquire);
    const bool yields = (seen & signal::yield) != 0;
    if (worker.after_message() || yields) {
      if (yields || mailbox.depth(queue) < far_behind || !worker.goes_on()) {
        calm = false;  // not looked at
        worker.give_way(*this);
        return true;
      }
    }
    if (outcome == Handled::done ? !stays_calm(seen) : !is_calm(seen)) return false;
  }
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

/// The first of a streak, and what stands in line behind it: as long as it does, nobody returns to the scheduler.
void RunLoop::run(Runnable& first, Worker& worker) {
  Turn& turn = worker.turn();
  auto& context = *static_cast<WorkerContext*>(turn.context);
  Core& core = Core::of(*context.core);
  Runnable* next = &first;
  do {
    Cell& cell = static_cast<Cell&>(*next);
    worker.note_cell(&cell);
    turn.root = nullptr;
    const bool is_over_calmly = cell.is_over_calmly(worker, core, context);
    if (!is_over_calmly && !(cell.begins() && cell.is_over_at_once(worker, core, context)))
      cell.run_at_length(worker, core, &context);
    turn.cell.store(nullptr, std::memory_order_relaxed);
    // Nothing is left in it, since another may be running this cell by now. But for what destructors of dead letters sent last.
    if (!is_over_calmly) end_outbox(core, context);
    next = worker.next_in_line();
  } while (next != nullptr);
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
    if (!is_calm(signals.load(std::memory_order_acquire))) return false;
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
