// The run loop: what a worker does with one cell in one turn. It is the one boundary at which exceptions are caught.
#include <algorithm>
#include <cassert>
#include <utility>

#include "../base/planted.hpp"
#include "core.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::size_t ticks_in_a_row = 64;
// So many messages that wait make a turn longer than it is by count: many senders, each with a turn of its own, would else
// fill the memory with what one receiver is sent.
constexpr std::uint32_t far_behind = 1'024;
constexpr unsigned patience_with_a_push =
    64;  // looks at a sender between its exchange and its link, before requeueing

/// Of the running worker's own.
inline void retire(SlabCache& cache, Envelope* retired) noexcept {
  if (retired != nullptr) cache.deallocate(retired, retired->descriptor().size);
}
void retire(Core& core, WorkerContext* context, Envelope* retired) noexcept {
  if (retired != nullptr) free_envelope(core, context, *retired);
}

/// An awaiter that was ready while another coroutine kept the turn.
void resume_ready(Cell& cell) {
  for (Awaiter* awaiter = cell.awaiters; awaiter != nullptr; awaiter = awaiter->next_) {
    if (!awaiter->ready_) continue;
    awaiter->ready_ = false;
    --cell.ready;
    cell.wake_awaiter(*awaiter);
    return;
  }
  cell.ready = 0;
}

/// It was meant for somebody who had the place before.
[[gnu::noinline]] void drop_late(Core& core, WorkerContext* context, Envelope& envelope) {
  core.count(context, Undelivered::gone);
  core.report_dead_letter(Undelivered::gone, envelope.descriptor(), {});
  envelope.descriptor().abandon(envelope, Errc::gone);
}

/// Its asker waits no longer. False: it does.
bool drop_expired(Cell& cell, Core& core, WorkerContext* context, Envelope& envelope) {
  const auto& port = *reinterpret_cast<const ReplyPort*>(&envelope + 1);
  Instant now = this_turn->worker->recent_now();
  if (port.deadline <= now + Clock::recent_error) [[unlikely]]
    now = this_turn->worker->fresh_now();
  if (port.deadline <= now && !planted(Mistake::expired_request_handled)) {
    core.count(context, Undelivered::expired);
    core.report_dead_letter(Undelivered::expired, envelope.descriptor(), path_if_memory(cell));
    envelope.descriptor().abandon(envelope, Errc::timeout);
    return true;
  }
  // relaxed: read for the text of a timeout only.
  cell.request_began.store(now.ns, std::memory_order_relaxed);
  return false;
}

/// Before it runs: what fails has been handled, too.
inline void count_handled(Cell& cell, WorkerContext& context) noexcept {
  MessageCounters::bump(context.counters.handled);
  cell.handled.store(cell.handled.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void handle_message(Cell& cell, Core& core, WorkerContext* context, Envelope& envelope) {
  if (envelope.generation != cell.generation()) return drop_late(core, context, envelope);
  const MessageDescriptor& known = envelope.descriptor();
  if (known.kind == SendKind::ask && drop_expired(cell, core, context, envelope)) return;
  if (cell.phase == Phase::draining) [[unlikely]]
    Lifecycle::handling_while_draining(cell);
  count_handled(cell, *context);
  this_turn->worker->note(&known.message);
  if (cell.retries) [[unlikely]] {
    Retries::before(cell, core, context, envelope);
    if (known.handle(cell, envelope) == Handled::done) Retries::done(cell);
    return;
  }
  (void)known.handle(cell, envelope);
}

/// What made the last incarnation fail, once more. It was counted the first time.
void handle_again(Cell& cell, Core& core, WorkerContext* context) {
  Extras& extras = *cell.extras;
  extras.retry = false;
  struct FreeAfter {
    Core& core;
    WorkerContext* context;
    Envelope* envelope;
    ~FreeAfter() { free_envelope(core, context, *envelope); }
  } const guard{core, context, std::exchange(extras.in_hand, nullptr)};
  const std::uint32_t tries = extras.tries;
  const std::string_view* const message = &guard.envelope->descriptor().message;
  if (guard.envelope->descriptor().kind == SendKind::ask) {
    const auto& port = *reinterpret_cast<const ReplyPort*>(guard.envelope + 1);
    if (port.deadline <= this_turn->worker->fresh_now()) {
      extras.tries = 0;
      skip_request(cell, guard.envelope->descriptor());
      guard.envelope->descriptor().abandon(*guard.envelope, Errc::timeout);
      return;
    }
  }
  this_turn->worker->note(message);
  Retries::before(cell, core, context, *guard.envelope);
  extras.tries = tries;
  if (guard.envelope->descriptor().handle(cell, *guard.envelope) == Handled::done) Retries::done(cell);
}

/// Frees what late senders left in the lane of a place that is nobody's. It may become somebody's meanwhile.
void drop_late_nodes(Cell& cell) {
  LaneNode* node = cell.lane.take_all();
  // seq_cst: whoever posts for the new owner has its Ref, and so comes after `alive`. Not set yet: all nodes are old.
  if (node != nullptr && (cell.signals.load(std::memory_order_seq_cst) & signal::alive) != 0) {
    cell.lane_rest = node;
    return;
  }
  while (node != nullptr) {
    LaneNode* const next = node->lane_next;
    node->run(*node, nullptr);
    node = next;
  }
}

/// A place that is nobody's: whatever a late sender still pushed becomes a dead letter. True: the list is idle.
bool drain_vacant(Cell& cell, Core& core, WorkerContext* context) {
  drop_late_nodes(cell);
  if (cell.lane_rest != nullptr) return false;
  for (;;) {
    Envelope* retired = nullptr;
    Envelope* const envelope = cell.mailbox.take(cell.queue, retired);
    retire(core, context, retired);
    if (envelope == nullptr) break;
    core.count(context, Undelivered::gone);
    core.report_dead_letter(Undelivered::gone, envelope->descriptor(), {});
    envelope->descriptor().abandon(*envelope, Errc::gone);
  }
  Envelope* retired = nullptr;
  if (!cell.mailbox.try_idle(cell.queue, retired)) return false;
  retire(core, context, retired);
  return true;
}

[[nodiscard]] bool nothing_queued(const Cell& cell) noexcept {
  return cell.mailbox.empty(cell.queue) && (cell.signals.load(std::memory_order_relaxed) & signal::side_queue) == 0;
}

}  // namespace

void run_lane(Cell& cell) {
  for (;;) {
    if (cell.lane_rest == nullptr) cell.lane_rest = cell.lane.take_all();
    LaneNode* const node = cell.lane_rest;
    if (node == nullptr) return;
    cell.lane_rest = node->lane_next;
    const bool is_meant = planted(Mistake::generation_not_checked) || node->generation == cell.generation();
    node->run(*node, is_meant ? &cell : nullptr);
  }
}

/// Nothing is to be done but to take what is queued. What this looks at lies on one cache line, nearly.
inline bool Cell::is_calm(std::uint32_t seen) const noexcept {
  // Alive before anything: nobody's place may be becoming somebody's. The phase before `plain`: the place of a kept actor is its parent's, who may be writing that.
  return seen == signal::alive && phase == Phase::running && plain && turn_root == nullptr &&
         (interleaved | ready) == 0 && !suspended.load(std::memory_order_relaxed) && stays_calm(seen);
}

/// At the beginning of a turn: as is_calm(), by what the last one left. Only what others give may have changed since.
inline bool Cell::begins_calmly() const noexcept {
  // acquire: as in run_at_length().
  const std::uint32_t seen = signals.load(std::memory_order_acquire);
  if (!calm) return is_calm(seen);
  const bool is_left_alone = seen == signal::alive && lane_rest == nullptr && lane.empty(std::memory_order_relaxed);
  assert(!is_left_alone || is_calm(seen) || !lane.empty(std::memory_order_relaxed));
  return is_left_alone;
}

/// After a message that was handled to its end, by a place that was calm.
inline bool Cell::stays_calm(std::uint32_t seen) const noexcept {
  const Extras* const more = extras;
  return seen == signal::alive && own_commands == 0 && lane_rest == nullptr &&
         lane.empty(std::memory_order_relaxed) && !planted(Mistake::command_behind_data) &&
         (more == nullptr ||
          (more->due.empty() && !more->retry && !more->loop_over && !more->ticked && !more->await_clock.set));
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
    if (envelope->generation != generation()) {
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
    const bool is_over = cell.is_over_calmly(worker, core, context);
    if (!is_over) cell.run_at_length(worker, core, &context);
    turn.cell.store(nullptr, std::memory_order_relaxed);
    // Nothing is left in it, since another may be running this cell by now. But for what destructors of dead letters sent last.
    if (!is_over) end_outbox(core, context);
    next = worker.next_in_line();
  } while (next != nullptr);
}

bool Cell::run_calm_again(Worker& worker, Core& core, WorkerContext& context) {
  const bool is_over = run_calm(worker, core, context);
  if (!is_over) calm = false;
  return is_over;
}

void Cell::run_at_length(Worker& worker, Core& core, WorkerContext* context) {
  unsigned looks = 0;
  for (;;) {
    end_outbox(core, *context);
    // acquire: pairs with the release of whoever set a bit; `alive` publishes a new place's fields.
    const std::uint32_t seen = signals.load(std::memory_order_acquire);
    if ((seen & signal::alive) == 0) {
      if (drain_vacant(*this, core, context)) {
        // Dekker: a new owner's start signal either finds us idle, or we find it here.
        if (((signals.load(std::memory_order_seq_cst) & signal::alive) != 0 ||
             !lane.empty(std::memory_order_seq_cst)) &&
            mailbox.wake()) {
          continue;
        }
        return;
      }
      if (lane_rest != nullptr) continue;  // somebody's by now, and with word for the new owner
      worker.give_way(*this);
      return;
    }
    if (phase == Phase::closing) {
      Cell* const above = parent;
      // release: whoever runs the cell next finds it idle first, which publishes this. Bits that somebody sets late are
      // for nobody; the next place begins with its own.
      signals.store(0, std::memory_order_release);
      Envelope* retired = nullptr;
      // What was left in the lane after close() had looked is freed here; what comes once we are idle wakes the list.
      do {
        drop_late_nodes(*this);
        while (!mailbox.try_idle(queue, retired)) (void)drain_vacant_once(core, context);
        retire(core, context, std::exchange(retired, nullptr));
      } while (!lane.empty(std::memory_order_seq_cst) && mailbox.wake());
      // The very last act: the parent may give the place to somebody else at once.
      if (above != nullptr) {
        above->post_lane(end_notice);
      } else {
        core.root_stopped();
      }
      return;
    }
    try {
      if (looks == 0 && is_calm(seen)) {
        if (run_calm_again(worker, core, *context)) return;
        // Something came up; or a sender stands in the middle of a push.
        if (!is_calm(signals.load(std::memory_order_acquire))) continue;
      }
      // What was ordered from outside stays until it is looked at.
      constexpr std::uint32_t given = signal::commands & ~signal::ordered;
      std::uint32_t bits = seen;
      if ((seen & given) != 0) bits = signals.fetch_and(~given, std::memory_order_acq_rel);
      const std::uint32_t commands = (bits & given) | std::exchange(own_commands, std::uint8_t{0});
      if (commands != 0) {
        Lifecycle::obey(*this, commands);
        if (phase == Phase::closing || is_calm(signals.load(std::memory_order_acquire))) continue;
      }
      const bool later = planted(Mistake::command_behind_data) && phase == Phase::running &&
                         Lifecycle::accepts(*this) && !mailbox.empty(queue);
      if ((bits & signal::ordered) != 0 && !later) Lifecycle::obey_orders(*this);
      if (!later && (lane_rest != nullptr || !lane.empty(std::memory_order_relaxed))) run_lane(*this);
      if (phase != Phase::running || (extras != nullptr && extras->loop_over)) {
        while (Lifecycle::advance(*this)) {
        }
        // A loop or a hook that spawned looked into the lane: what it left goes first.
        if (phase == Phase::closing || lane_rest != nullptr) continue;
      }
      end_outbox(core, *context);
      if (own_commands != 0) continue;
      if (ready != 0 && (turn_root == nullptr)) {
        resume_ready(*this);
        continue;
      }
      if (!Lifecycle::accepts(*this)) {
        // A coroutine gave way: whatever waits on this worker goes first.
        if ((signals.load(std::memory_order_relaxed) & signal::yield) != 0) {
          worker.give_way(*this);
          return;
        }
        if ((signals.load(std::memory_order_relaxed) & signal::commands) != 0 || lane_rest != nullptr) continue;
        // seq_cst: Dekker's pattern with signal_command() and post_lane().
        signals.fetch_or(signal::parked, std::memory_order_seq_cst);
        if ((signals.load(std::memory_order_seq_cst) & signal::commands) != 0 ||
            !lane.empty(std::memory_order_seq_cst)) {
          // Whoever clears the bit owns the cell: us, or somebody who has scheduled it.
          if ((signals.fetch_and(~signal::parked, std::memory_order_seq_cst) & signal::parked) != 0) continue;
        }
        return;
      }
      if (extras != nullptr && extras->retry) [[unlikely]] {
        handle_again(*this, core, context);
        continue;
      }
      // Ticks come before what is queued: all that are due, but each once and so many at most, and then a message. Many timers
      // are not late for the sake of one message each, and fast ones do not starve the mailbox.
      if (extras != nullptr && !extras->due.empty() && (!extras->ticked || nothing_queued(*this))) {
        if (extras->ticks == 0)
          extras->ticks = static_cast<std::uint8_t>(std::min(extras->due.size(), ticks_in_a_row));
        extras->ticked = --extras->ticks == 0;
        handle_tick(*this);
      } else {
        if (extras != nullptr) {
          extras->ticked = false;
          extras->ticks = 0;
        }
        Envelope* retired = nullptr;
        Envelope* envelope = mailbox.take(queue, retired);
        retire(core, context, retired);
        if (envelope != nullptr) {
          looks = 0;
          handle_message(*this, core, context, *envelope);
        } else if ((signals.load(std::memory_order_relaxed) & signal::side_queue) != 0 &&
                   (envelope = take_from_side(*this)) != nullptr) {
          struct FreeAfter {
            Core& core;
            WorkerContext* context;
            Envelope* envelope;
            ~FreeAfter() { free_envelope(core, context, *envelope); }
          } const guard{core, context, envelope};
          handle_message(*this, core, context, *envelope);
        } else {
          if ((signals.load(std::memory_order_relaxed) & signal::room) != 0) {
            grant_room(*this);
            end_outbox(core, *context);
            if (!mailbox.empty(queue) || (signals.load(std::memory_order_relaxed) & signal::side_queue) != 0)
              continue;
          }
          if (extras != nullptr && !extras->due.empty()) {
            if (++looks < patience_with_a_push) continue;
            worker.give_way(*this);
            return;
          }
          if (phase == Phase::draining) {
            Lifecycle::queue_is_empty(*this);
            continue;
          }
          // An idle actor leaves no timer behind that would wake a worker for nothing (F2).
          if (extras != nullptr && awaiters == nullptr && extras->await_clock.set &&
              core.scheduler->cancel(extras->await_clock)) {
            extras->await_clock.set = false;
          }
          if (own_commands != 0) continue;  // of a destructor of what was dropped meanwhile
          if (mailbox.try_idle(queue, retired)) {
            retire(core, context, retired);
            // Dekker: who left word before finding us busy is found here.
            constexpr std::uint32_t word = signal::commands | signal::side_queue | signal::room;
            if (((signals.load(std::memory_order_seq_cst) & word) != 0 || !lane.empty(std::memory_order_seq_cst)) &&
                mailbox.wake()) {
              continue;
            }
            return;
          }
          // A sender stands between its exchange and its link (or is preempted there): not worth waiting for long.
          if (++looks < patience_with_a_push) {
            StdAtomics::pause();
            continue;
          }
          worker.give_way(*this);
          return;
        }
      }
      end_outbox(core, *context);
      if ((signals.load(std::memory_order_relaxed) & signal::room) != 0) grant_room(*this);
    } catch (...) {
      calm = false;
      end_outbox(core, *context);
      Lifecycle::fail_by_exception(*this, Failure::Stage::handler, {});
    }
    end_outbox(core, *context);
    if (worker.after_message() || (signals.load(std::memory_order_relaxed) & signal::yield) != 0) {
      worker.give_way(*this);
      return;
    }
  }
}

bool Cell::drain_vacant_once(Core& core, WorkerContext* context) noexcept {
  Envelope* retired = nullptr;
  Envelope* const envelope = mailbox.take(queue, retired);
  retire(core, context, retired);
  if (envelope == nullptr) {
    StdAtomics::pause();
    return false;
  }
  core.count(context, Undelivered::ended);
  core.report_dead_letter(Undelivered::ended, envelope->descriptor(), {});
  envelope->descriptor().abandon(*envelope, Errc::gone);
  return true;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
