// The long way through a turn: commands, the lane, hooks, coroutines, ticks, messages, one after the other, until nothing is left or
// the turn has had its time. And places that are nobody's.
#include <algorithm>
#include <cassert>
#include <utility>

#include "../base/planted.hpp"
#include "turn_parts.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

// Half of those that are due, within these bounds.
constexpr std::size_t least_ticks_in_a_row = 64;
constexpr std::size_t most_ticks_in_a_row = 4'096;
constexpr std::uint32_t least_room = 64;  // for so many messages it pays to let senders wait
constexpr unsigned patience_with_a_push =
    64;  // looks at a sender between its exchange and its link, before requeueing

std::uint32_t ticks_before_a_message(std::size_t due) noexcept {
  return static_cast<std::uint32_t>(std::min(due, std::clamp(due / 2, least_ticks_in_a_row, most_ticks_in_a_row)));
}

void retire(Core& core, WorkerContext* context, Envelope* retired) noexcept {
  if (retired != nullptr) free_envelope(core, context, *retired);
}

/// An awaiter that was ready while another coroutine kept the turn.
void resume_ready(Cell& cell) {
  Extras& more = *cell.extras;
  for (Awaiter* awaiter = more.awaiters; awaiter != nullptr; awaiter = awaiter->next_) {
    if (!awaiter->ready_) continue;
    awaiter->ready_ = false;
    --more.ready;
    cell.wake_awaiter(*awaiter);
    return;
  }
  more.ready = 0;
}

void handle_message(Cell& cell, Core& core, WorkerContext* context, Envelope& envelope) {
  if (envelope.generation != cell.generation()) return drop_late(core, context, envelope);
  const MessageDescriptor& known = envelope.descriptor();
  if (envelope.is_ask() && drop_expired(cell, *this_turn->worker, core, context, envelope)) return;
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
  extras.say(Extras::retry, false);
  struct FreeAfter {
    Core& core;
    WorkerContext* context;
    Envelope* envelope;
    ~FreeAfter() { free_envelope(core, context, *envelope); }
  } const guard{core, context, std::exchange(extras.in_hand, nullptr)};
  const std::uint32_t tries = extras.tries;
  const std::string_view* const message = &guard.envelope->descriptor().message;
  if (guard.envelope->is_ask()) {
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
  LaneItem* item = cell.lane.take_all();
  // seq_cst: whoever posts for the new owner has its Ref, and so comes after `alive`. Not set yet: all items are old.
  if (item != nullptr && (cell.signals.load(std::memory_order_seq_cst) & signal::alive) != 0) {
    cell.leave_in_lane(item);
    return;
  }
  while (item != nullptr) {
    LaneItem* const next = item->lane_next;
    run_item(*item, nullptr);
    item = next;
  }
}

/// A place that is nobody's: whatever a late sender still pushed becomes a dead letter. True: the list is idle.
bool drain_vacant(Cell& cell, Core& core, WorkerContext* context) {
  drop_late_nodes(cell);
  if (cell.has_left_in_lane) return false;
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

/// Destructors of what is dropped may run for long, and ask nothing: no message of this turn has the word.
void note_dropping() noexcept {
  this_turn->worker->note(nullptr);
  this_turn->asked = nullptr;
}

[[nodiscard]] bool nothing_queued(const Cell& cell) noexcept {
  return cell.mailbox.empty(cell.queue) && (cell.signals.load(std::memory_order_relaxed) & signal::side_queue) == 0;
}

}  // namespace

void drop_late(Core& core, WorkerContext* context, Envelope& envelope) {
  note_dropping();
  core.count(context, Undelivered::gone);
  core.report_dead_letter(Undelivered::gone, envelope.descriptor(), {});
  envelope.descriptor().abandon(envelope, Errc::gone);
}

bool drop_expired_now(Cell& cell, Core& core, WorkerContext* context, Envelope& envelope) {
  const auto& port = *reinterpret_cast<const ReplyPort*>(&envelope + 1);
  const Instant now = this_turn->worker->fresh_now();
  if (port.deadline <= now && !planted(Mistake::expired_request_handled)) {
    note_dropping();
    core.count(context, Undelivered::expired);
    core.report_dead_letter(Undelivered::expired, envelope.descriptor(), path_if_memory(cell));
    envelope.descriptor().abandon(envelope, Errc::timeout);
    return true;
  }
  // relaxed: read for the text of a timeout only.
  cell.request_began.store(now.ns, std::memory_order_relaxed);
  return false;
}

void run_lane(Cell& cell) {
  cell.wake_answered();
  while (LaneItem* const item = cell.look_into_lane()) {
    cell.leave_in_lane(item->lane_next);
    if (item->lane_next.is_of_end()) {
      Lifecycle::child_notice(*item, &cell);
      continue;
    }
    auto& node = static_cast<LaneNode&>(*item);
    const bool is_meant = planted(Mistake::generation_not_checked) || node.generation == cell.generation();
    node.run(node, is_meant ? &cell : nullptr);
  }
}

/// The last that is done with a place that is over.
void Cell::leave_place(Core& core, WorkerContext* context) noexcept {
  Cell* const above = parent();
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
}

void Cell::run_at_length(Worker& worker, Core& core, WorkerContext* context) {
  unsigned looks = 0;
  for (;;) {
    end_outbox(core, *context);
    // acquire: pairs with the release of whoever set a bit; `alive` publishes a new place's fields.
    std::uint32_t seen = signals.load(std::memory_order_acquire);
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
      if (has_left_in_lane) continue;  // somebody's by now, and with word for the new owner
      worker.give_way(*this);
      return;
    }
    if (phase == Phase::closing) return leave_place(core, context);
    try {
      if (looks == 0 && is_calm(seen)) {
        if (run_calm_again(worker, core, *context)) return;
        // Something came up; or a sender stands in the middle of a push.
        if (!is_calm(signals.load(std::memory_order_acquire))) continue;
      }
      if (looks == 0 && seen == (signal::alive | signal::room) && is_calm(signal::alive) &&
          is_far_from_room(worker)) {
        if (run_for_room(worker, core, *context)) return;
        // As above.
        seen = signals.load(std::memory_order_acquire);
        if (!is_calm(seen & ~signal::room)) continue;
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
      if (!later && (is_answered() || is_word_in_lane())) run_lane(*this);
      if (phase != Phase::running || (extras != nullptr && extras->is(Extras::loop_over))) {
        while (Lifecycle::advance(*this)) {
        }
        // A loop or a hook that spawned looked into the lane: what it left goes first.
        if (phase == Phase::closing || has_left_in_lane) continue;
      }
      end_outbox(core, *context);
      if (own_commands != 0) continue;
      if (extras != nullptr && extras->ready != 0 && extras->turn_root == nullptr) {
        resume_ready(*this);
        continue;
      }
      if (!Lifecycle::accepts(*this)) {
        // A coroutine gave way: whatever waits on this worker goes first.
        if ((signals.load(std::memory_order_relaxed) & signal::yield) != 0) {
          worker.give_way(*this);
          return;
        }
        if ((signals.load(std::memory_order_relaxed) & signal::commands) != 0 || has_left_in_lane) continue;
        // seq_cst: Dekker's pattern with signal_command() and post_lane().
        signals.fetch_or(signal::parked, std::memory_order_seq_cst);
        if ((signals.load(std::memory_order_seq_cst) & signal::commands) != 0 ||
            !lane.empty(std::memory_order_seq_cst)) {
          // Whoever clears the bit owns the cell: us, or somebody who has scheduled it.
          if ((signals.fetch_and(~signal::parked, std::memory_order_seq_cst) & signal::parked) != 0) continue;
        }
        return;
      }
      if (extras != nullptr && extras->is(Extras::retry)) [[unlikely]] {
        handle_again(*this, core, context);
        continue;
      }
      // Ticks come before what is queued: all that are due, but each once and so many at most, and then a message. Many timers
      // are not late for the sake of one message each, and fast ones do not starve the mailbox. Of many half go: with 64 of them those
      // would be later and later of which more fall due while a message is handled.
      if (extras != nullptr && !extras->due.empty() && (!extras->is(Extras::ticked) || nothing_queued(*this))) {
        DueTimers& due = extras->due;
        if (due.in_row == 0) due.in_row = ticks_before_a_message(due.size());
        extras->say(Extras::ticked, --due.in_row == 0);
        handle_tick(*this);
      } else {
        if (extras != nullptr) {
          extras->say(Extras::ticked, false);
          extras->due.in_row = 0;
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
            if ((signals.load(std::memory_order_relaxed) & signal::side_queue) != 0) continue;
            // Somebody was let in; or a sender stands in the middle of its push.
            if (!mailbox.empty(queue) && ++looks < patience_with_a_push) continue;
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
          if (extras != nullptr && extras->awaiters == nullptr && extras->await_clock.set &&
              core.scheduler->cancel(extras->await_clock)) {
            extras->await_clock.set = false;
          }
          if (own_commands != 0) continue;  // of a destructor of what was dropped meanwhile
          if (mailbox.try_idle(queue, retired)) {
            retire(core, context, retired);
            if (is_awake_again()) continue;
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

/// Of a mailbox that senders wait for: whether they are let in later, many at a time.
/// Then more wait than are handled between two looks.
bool Cell::is_far_from_room(const Worker& worker) const noexcept {
  const std::uint32_t half = queue.bound.load(std::memory_order_relaxed) / 2;
  return half >= std::max(least_room, worker.most_messages()) && mailbox.depth(queue) > half;
}

/// Senders wait for room. Who is let in for one message has to wait again for the next, so they are let in when half of the mailbox is empty, or
/// when the turn ends; and as for somebody who is far behind, it goes on meanwhile. As run_calm().
bool Cell::run_for_room(Worker& worker, Core& core, WorkerContext& context) {
  // Whoever comes to wait from here on ends it.
  signals.fetch_and(~signal::room, std::memory_order_seq_cst);
  context.owes_room.store(this, std::memory_order_relaxed);
  const bool is_over = run_calm_again(worker, core, context);
  // Given when it is over: it does not go idle with so many waiting.
  const bool owes = context.owes_room.load(std::memory_order_relaxed) != nullptr;
  assert(!is_over || !owes);
  if (owes) give_owed_room(context);
  return is_over;
}

void Cell::give_owed_room(WorkerContext& context) noexcept {
  context.owes_room.store(nullptr, std::memory_order_relaxed);
  signals.fetch_or(signal::room, std::memory_order_seq_cst);
  grant_room(*this);
  end_outbox(*context.core, context);  // who is turned away runs destructors
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
