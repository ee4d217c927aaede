// The slow side of sending: full mailboxes, closed places, mailboxes with a lock, senders that wait.
#include "backstage/actor/detail/post.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "../base/planted.hpp"
#include "core.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

[[nodiscard]] Errc refusal_of(Undelivered why) noexcept {
  switch (why) {
    case Undelivered::stopping: return Errc::stopping;
    case Undelivered::full: return Errc::full;
    case Undelivered::expired: return Errc::timeout;
    case Undelivered::drop_newest:
    case Undelivered::drop_oldest:
    case Undelivered::cancelled: return Errc::dropped;
    case Undelivered::restarted: return Errc::failed;
    case Undelivered::gone:
    case Undelivered::ended: break;
  }
  return Errc::gone;
}

/// The side box of a cell, made on first need.
[[nodiscard]] SideBox& side_of(Cell& cell) {
  SideBox* side = cell.side.load(std::memory_order_acquire);
  if (side != nullptr) return *side;
  auto* const fresh = new SideBox();
  // release: publishes the box; acquire: or takes another thread's.
  if (cell.side.compare_exchange_strong(side, fresh, std::memory_order_acq_rel, std::memory_order_acquire))
    return *fresh;
  delete fresh;
  return *side;
}

/// Sees to it that an idle cell looks at its signals. A busy one does so by itself.
void nudge(Cell& cell, std::uint32_t bit) noexcept {
  // seq_cst: Dekker's pattern with the run loop, which goes idle and then looks at the signals.
  cell.signals.fetch_or(bit, std::memory_order_seq_cst);
  if (cell.mailbox.wake()) cell.schedule();
}

void drop(Core& core, WorkerContext* context, Cell* cell, Envelope& envelope, Undelivered why) noexcept {
  dead_letter(core, context, cell, envelope, why);
}

[[nodiscard]] bool is_full(const SideBox& side, std::size_t weight) noexcept {
  const std::size_t more = planted(Mistake::bound_off_by_one) ? 1 : 0;
  if (side.queue.size() >= side.kind.count_limit() + more) return true;
  return side.kind.byte_limit() != 0 && !side.queue.empty() && side.bytes + weight > side.kind.byte_limit();
}

void enqueue(Cell& cell, SideBox& side, Envelope& envelope, std::size_t weight, std::uint32_t* position) {
  if (planted(Mistake::fifo_broken_after_restart) && cell.incarnation > 1) {
    side.queue.push_front({&envelope, weight});
  } else {
    side.queue.push_back({&envelope, weight});
  }
  side.bytes += weight;
  ++side.pushed;
  if (position != nullptr) *position = side.pushed;
  nudge(cell, signal::side_queue);
}

/// To whoever waits for room. Without memory for the answer it hears at its deadline how it went.
void tell_waiting(const SideBox::Waiting& one, Result<> (*how)(Admission, std::string_view), Admission verdict,
                  std::string_view actor) noexcept {
  try {
    answer<void>(ReplyPort(one.sender, one.generation, one.number, Instant::never()), how(verdict, actor));
  } catch (...) {
    // Its deadline finds it no longer waiting in the box.
  }
}

/// Under the box's lock, on any thread: lets in those who wait, first come first served, as far as there is room.
void let_in(CoreFace& core, WorkerContext* context, Cell& cell, SideBox& side) {
  // An actor that is being stopped takes no more: its own turn tells those who wait (grant_room).
  if ((cell.gate.load(std::memory_order_acquire) & gate_bit::refusing) != 0) return;
  while (!side.waiting.empty()) {
    const SideBox::Waiting first = side.waiting.front();
    if (side.queues ? is_full(side, first.weight)
                    : is_full(cell))
      return;
    side.waiting.pop_front();
    count_sent(core, context);
    if (side.queues) {
      enqueue(cell, side, *first.envelope, first.weight, nullptr);
    } else if (cell.mailbox.push(first.envelope)) {
      cell.schedule();
    }
    tell_waiting(first, [](Admission, std::string_view) { return Result<>(); }, Admission::admitted, {});
  }
}

/// Under the box's lock: takes out of the queue what has to go so that `weight` more fits. What the runtime sends to
/// user code (Eol) never goes.
[[nodiscard]] std::vector<Envelope*> make_room(SideBox& side, std::size_t weight) {
  std::vector<Envelope*> out;
  for (auto at = side.queue.begin(); at != side.queue.end() && is_full(side, weight);) {
    if (at->envelope->descriptor->kind == SendKind::system) {
      ++at;
      continue;
    }
    out.push_back(at->envelope);
    side.bytes -= at->weight;
    ++side.taken;
    at = side.queue.erase(at);
  }
  return out;
}

/// Who waits for room in a box that takes no more: never sent, so nothing to count.
void turn_away(CoreFace& core, WorkerContext* context, const SideBox::Waiting& one, Admission why) noexcept {
  const MessageDescriptor& descriptor = *one.envelope->descriptor;
  tell_waiting(
      one, [](Admission verdict, std::string_view actor) { return Result<>(admission_error(verdict, actor)); }, why,
      descriptor.actor);
  descriptor.abandon(*one.envelope, why == Admission::stopping ? Errc::stopping : Errc::gone);
  free_envelope(core, context, *one.envelope);
}

/// All of them, one by one: not under the lock, since this runs destructors of the user's, and in no list of its own, which
/// would need memory.
void turn_away_all(CoreFace& core, WorkerContext* context, SideBox& side, Admission why) noexcept {
  for (;;) {
    std::unique_lock lock(side.mutex);
    if (side.waiting.empty()) return;
    const SideBox::Waiting one = side.waiting.front();
    side.waiting.pop_front();
    lock.unlock();
    turn_away(core, context, one, why);
  }
}

}  // namespace

void dead_letter(CoreFace& face, WorkerContext* context, Cell* cell, Envelope& envelope, Undelivered why) noexcept {
  Core& core = Core::of(face);
  if (!(planted(Mistake::drop_not_counted) && why == Undelivered::drop_oldest)) core.count(context, why);
  const MessageDescriptor& descriptor = *envelope.descriptor;
  // Only a cell's own turn may name it: for anybody else it may be going away right now.
  std::string path;
  if (cell != nullptr && cell == current_cell()) path = cell->full_path();
  // An event that cannot be delivered to its subscriber is counted, but must not make another event.
  if (descriptor.message != type_name<Event>()) core.report_dead_letter(why, descriptor, std::move(path));
  descriptor.abandon(envelope, refusal_of(why));
  free_envelope(face, context, envelope);
}

std::string reason_of_refusal(Errc why, std::string_view actor) {
  const std::string who = "the actor (" + std::string(actor) + ") ";
  switch (why) {
    case Errc::gone: return who + "has ended for good, or the Ref is null";
    case Errc::stopping: return who + "is being stopped and takes no more";
    case Errc::full: return who + "has a full mailbox";
    case Errc::timeout: return "the request waited in the mailbox of " + who + "until its deadline: not handled";
    case Errc::dropped: return "the mailbox of " + who + "dropped the request by its policy";
    default: return who + "did not take the request";
  }
}

Error admission_error(Admission admission, std::string_view actor) {
  switch (admission) {
    case Admission::full: return Error(Errc::full, reason_of_refusal(Errc::full, actor));
    case Admission::stopping: return Error(Errc::stopping, reason_of_refusal(Errc::stopping, actor));
    case Admission::gone:
    case Admission::admitted: break;
  }
  return Error(Errc::gone, reason_of_refusal(Errc::gone, actor));
}

Admission admission(Cell& cell, std::uint32_t generation, std::size_t weight) noexcept {
  const std::uint32_t gate = cell.gate.load(std::memory_order_acquire);
  if (gate >> gate_bit::bits != generation) return Admission::gone;
  if ((gate & gate_bit::refusing) != 0) return Admission::stopping;
  if ((gate & gate_bit::special) != 0) {
    SideBox* const side = cell.side.load(std::memory_order_acquire);
    if (side != nullptr) {
      const std::lock_guard lock(side->mutex);
      if (side->generation != generation) return Admission::gone;
      // Those who wait come first.
      if (!side->waiting.empty()) return Admission::full;
      if (side->queues) return is_full(*side, weight) ? Admission::full : Admission::admitted;
    }
  }
  return is_full(cell) ? Admission::full : Admission::admitted;
}

Admission try_post(CoreFace& core, WorkerContext* context, Cell& cell, Envelope& envelope) {
  const std::uint32_t generation = envelope.generation;
  const std::uint32_t gate = cell.gate.load(std::memory_order_acquire);
  if (gate >> gate_bit::bits != generation) return Admission::gone;
  if ((gate & gate_bit::refusing) != 0) return Admission::stopping;
  SideBox* const side = (gate & gate_bit::special) != 0 ? cell.side.load(std::memory_order_acquire) : nullptr;
  if (side == nullptr) {
    if (is_full(cell)) return Admission::full;
    count_sent(core, context);
    if (cell.mailbox.push(&envelope)) core.scheduler->schedule(cell);
    return Admission::admitted;
  }
  const std::size_t weight = envelope.descriptor->weight(envelope);
  const std::lock_guard lock(side->mutex);
  if (side->generation != generation) return Admission::gone;
  let_in(core, context, cell, *side);
  if (!side->waiting.empty()) return Admission::full;
  if (side->queues ? is_full(*side, weight) : is_full(cell))
    return Admission::full;
  count_sent(core, context);
  if (side->queues) {
    enqueue(cell, *side, envelope, weight, nullptr);
  } else if (cell.mailbox.push(&envelope)) {
    core.scheduler->schedule(cell);
  }
  return Admission::admitted;
}

void sent_to_nobody(const MessageDescriptor& descriptor) noexcept {
  WorkerContext* const context = this_turn != nullptr ? static_cast<WorkerContext*>(this_turn->context) : nullptr;
  if (context == nullptr) return;
  Core& core = Core::of(*context->core);
  count_sent(core, context);
  core.count(context, Undelivered::gone);
  if (descriptor.message != type_name<Event>()) core.report_dead_letter(Undelivered::gone, descriptor, {});
}

void skip_request(Cell& cell, const MessageDescriptor& descriptor) noexcept {
  skip_message(cell, descriptor, Undelivered::expired);
}

void skip_message(Cell& cell, const MessageDescriptor& descriptor, Undelivered why) noexcept {
  Core& core = cell.core();
  WorkerContext* const context = context_for(&core);
  // The run loop has counted it as handled. One writer each: this worker, and the cell's own turn.
  auto& handled = context->counters.handled;
  handled.store(handled.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  cell.handled.store(cell.handled.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  core.count(context, why);
  core.report_dead_letter(why, descriptor, cell.full_path());
}

std::uint32_t taken_from(Cell& target) noexcept {
  if (SideBox* const side = target.side.load(std::memory_order_acquire)) {
    const std::lock_guard lock(side->mutex);
    if (side->queues) return side->taken;
  }
  return target.queue.taken.load(std::memory_order_relaxed);
}

void post_slowly(CoreFace& face, WorkerContext* context, Cell& cell, Envelope& envelope, std::uint32_t* position) {
  Core& core = Core::of(face);
  const std::uint32_t generation = envelope.generation;
  const bool system = envelope.descriptor->kind == SendKind::system;
  const std::uint32_t gate = cell.gate.load(std::memory_order_acquire);
  if (gate >> gate_bit::bits != generation) return drop(core, context, &cell, envelope, Undelivered::gone);
  if ((gate & gate_bit::refusing) != 0 && !system) {
    return drop(core, context, &cell, envelope, Undelivered::stopping);
  }
  SideBox* const side = (gate & gate_bit::special) != 0 ? cell.side.load(std::memory_order_acquire) : nullptr;
  if (side == nullptr) {
    // Only the bound is in the way.
    if (system || !is_full(cell)) {
      if (cell.mailbox.push(&envelope, position)) core.scheduler->schedule(cell);
      return;
    }
    // A list cannot give up its oldest: such mailboxes have a side box.
    return drop(core, context, &cell, envelope,
                cell.drops_newest.load(std::memory_order_relaxed) ? Undelivered::drop_newest : Undelivered::full);
  }
  const std::size_t weight = envelope.descriptor->weight(envelope);
  std::vector<Envelope*> oldest;
  bool refused = false;
  Undelivered why = Undelivered::full;
  {
    const std::lock_guard lock(side->mutex);
    if (side->generation != generation) {
      refused = true;
      why = Undelivered::gone;
    } else {
      let_in(core, context, cell, *side);
      const bool full = !side->waiting.empty() ||
                        (side->queues ? is_full(*side, weight)
                                      : is_full(cell));
      const WhenFull policy =
          side->queues
              ? side->kind.when_full()
              : (cell.drops_newest.load(std::memory_order_relaxed) ? WhenFull::drop_newest : WhenFull::refuse);
      if (full && !system && policy != WhenFull::drop_oldest) {
        refused = true;
        why = policy == WhenFull::refuse ? Undelivered::full : Undelivered::drop_newest;
      } else if (side->queues) {
        if (full && !system) {
          oldest = make_room(*side, weight);
          // Nothing may go: the newest does, so that the bound holds.
          refused = is_full(*side, weight);
          why = Undelivered::drop_newest;
        }
        if (!refused) enqueue(cell, *side, envelope, weight, position);
      } else if (cell.mailbox.push(&envelope, position)) {
        core.scheduler->schedule(cell);
      }
    }
  }
  // Outside the lock: abandoning runs destructors and answers askers.
  for (Envelope* const one : oldest) drop(core, context, &cell, *one, Undelivered::drop_oldest);
  if (refused) drop(core, context, &cell, envelope, why);
}

Envelope* take_from_side(Cell& cell) noexcept {
  SideBox& side = *cell.side.load(std::memory_order_acquire);
  const std::lock_guard lock(side.mutex);
  if (side.queue.empty()) {
    // Under the lock: whoever enqueues next sets it again.
    cell.signals.fetch_and(~signal::side_queue, std::memory_order_seq_cst);
    return nullptr;
  }
  Envelope* const envelope = side.queue.front().envelope;
  side.bytes -= side.queue.front().weight;
  side.queue.pop_front();
  if (planted(Mistake::lost_wake_up) && side.queue.size() == 1) {
    cell.signals.fetch_and(~signal::side_queue, std::memory_order_seq_cst);
  }
  ++side.taken;
  return envelope;
}

Enqueued send_or_wait(Cell& target, Envelope& envelope, Cell& sender, std::uint32_t number) {
  CoreFace& core = *chunk_of(&target).core.load(std::memory_order_relaxed);
  WorkerContext* const context = context_for(&core);
  const std::uint32_t generation = envelope.generation;
  /// Without memory to wait with, nothing is sent.
  struct Unsent {
    CoreFace& core;
    WorkerContext* context;
    Envelope* envelope;
    ~Unsent() {
      if (envelope == nullptr) return;
      envelope->descriptor->abandon(*envelope, Errc::dropped);
      free_envelope(core, context, *envelope);
    }
  } unsent{core, context, &envelope};
  Admission verdict = try_post(core, context, target, envelope);
  if (verdict == Admission::admitted) {
    unsent.envelope = nullptr;
    return Enqueued::sent;
  }
  const SideBox::Waiting me{&sender, sender.generation(), number, &envelope, envelope.descriptor->weight(envelope)};
  if (verdict == Admission::full) {
    SideBox& side = side_of(target);
    const std::lock_guard lock(side.mutex);
    if (side.generation != generation && !side.queues) side.generation = generation;  // older, or new: adopted
    // Closing the place changes the gate first and then takes this lock: either we see it, or it sees us.
    std::uint32_t gate = target.gate.load(std::memory_order_seq_cst);
    do {
      if (gate >> gate_bit::bits != generation || side.generation != generation) {
        verdict = Admission::gone;
      } else if ((gate & gate_bit::refusing) != 0) {
        verdict = Admission::stopping;
      }
      // From here on every sender takes the slow side and finds us waiting.
    } while (verdict == Admission::full &&
             !target.gate.compare_exchange_weak(gate, gate | gate_bit::special, std::memory_order_seq_cst));
    if (verdict == Admission::full) {
      side.waiting.push_back(me);
      unsent.envelope = nullptr;
      // Before we look for room once more: the owner that makes some finds the signal.
      nudge(target, signal::room);
      // Room that was made since the first look: nobody else might look for a long time.
      let_in(core, context, target, side);
      return Enqueued::waiting;
    }
  }
  // Not under the lock: this runs a destructor of the user's.
  unsent.envelope = nullptr;
  turn_away(core, context, me, verdict);
  return Enqueued::waiting;
}

bool withdraw_waiting(Cell& target, std::uint32_t generation, Cell& sender, std::uint32_t number) noexcept {
  const Visit visit(&target);
  if (visit.core() == nullptr) return true;
  SideBox* const side = target.side.load(std::memory_order_acquire);
  if (side == nullptr) return false;
  Envelope* mine = nullptr;
  {
    const std::lock_guard lock(side->mutex);
    if (side->generation != generation) return false;
    for (auto at = side->waiting.begin(); at != side->waiting.end(); ++at) {
      if (at->sender == &sender && at->number == number && at->generation == sender.generation()) {
        mine = at->envelope;
        side->waiting.erase(at);
        break;
      }
    }
    // There may be room for the next one, who needs less of it than we did.
    if (mine != nullptr) let_in(*visit.core(), visit.context(), target, *side);
  }
  if (mine == nullptr) return false;
  // It was never sent: nothing to count.
  mine->descriptor->abandon(*mine, Errc::timeout);
  free_envelope(*visit.core(), visit.context(), *mine);
  return true;
}

void grant_room(Cell& cell) noexcept {
  SideBox* const side = cell.side.load(std::memory_order_acquire);
  if (side == nullptr) {
    cell.signals.fetch_and(~signal::room, std::memory_order_seq_cst);
    return;
  }
  Core& core = cell.core();
  WorkerContext* const context = context_for(&core);
  if ((cell.gate.load(std::memory_order_relaxed) & gate_bit::refusing) != 0) {
    turn_away_all(core, context, *side, Admission::stopping);
  }
  const std::lock_guard lock(side->mutex);
  let_in(core, context, cell, *side);
  if (!side->waiting.empty()) return;
  cell.signals.fetch_and(~signal::room, std::memory_order_seq_cst);
  if (!side->queues) cell.gate.fetch_and(~gate_bit::special, std::memory_order_seq_cst);
}

void close_side(Cell& cell, std::uint32_t next_generation, Core& core) noexcept {
  SideBox* const side = cell.side.load(std::memory_order_acquire);
  if (side == nullptr) return;
  WorkerContext* const context = context_for(&core);
  {
    const std::lock_guard lock(side->mutex);
    side->generation = next_generation;
    side->queues = false;
    side->bytes = 0;
  }
  // From here on nobody puts anything in. One by one, as in turn_away_all().
  for (;;) {
    std::unique_lock lock(side->mutex);
    if (side->queue.empty()) break;
    Envelope* const one = side->queue.front().envelope;
    side->queue.pop_front();
    lock.unlock();
    dead_letter(core, context, &cell, *one, Undelivered::ended);
  }
  turn_away_all(core, context, *side, Admission::gone);
}

// ---------------------------------------------------------------------------------------------- any thread

void Cell::schedule() noexcept { chunk_of(this).core.load(std::memory_order_relaxed)->scheduler->schedule(*this); }

void Cell::signal_command(std::uint32_t bits) noexcept {
  // seq_cst throughout: Dekker's pattern with the run loop, which parks (or goes idle) and then looks again.
  const std::uint32_t before = signals.fetch_or(bits, std::memory_order_seq_cst);
  if ((before & signal::parked) != 0) {
    // Whoever clears the bit schedules the cell.
    if ((signals.fetch_and(~signal::parked, std::memory_order_seq_cst) & signal::parked) != 0) schedule();
    return;
  }
  if (mailbox.wake()) schedule();
}

void Cell::post_lane(LaneNode& node) noexcept {
  lane.push(&node);
  if ((signals.load(std::memory_order_seq_cst) & signal::parked) != 0) {
    if ((signals.fetch_and(~signal::parked, std::memory_order_seq_cst) & signal::parked) != 0) schedule();
    return;
  }
  if (mailbox.wake()) schedule();
}

void order_cell(Cell* cell, std::uint32_t generation, std::uint32_t order) noexcept {
  if (cell == nullptr) return;
  const Visit visit(cell);
  if (visit.core() == nullptr) return;
  // A command for a place that is over must not reach its next owner: it goes through the lane, which checks.
  struct OrderNode : LaneNode {
    std::uint32_t order = 0;
  };
  auto* const node = ::new (allocate_frame_of(visit.core()->pool, sizeof(OrderNode))) OrderNode();
  node->generation = generation;
  node->order = order;
  node->run = [](LaneNode& self, Cell* target) {
    const std::uint32_t given = static_cast<OrderNode&>(self).order;
    deallocate_frame(&self);
    if (target == nullptr) return;
    Lifecycle::obey(*target, given);
    // Who waits for room hears of it now, not when the handler that is under way has ended.
    if ((target->signals.load(std::memory_order_relaxed) & signal::room) != 0) grant_room(*target);
  };
  cell->post_lane(*node);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
