// The side box of a mailbox: queue, weights, those who wait for room.
#include "side_box.hpp"

#include <utility>

#include "../base/planted.hpp"
#include "backstage/actor/detail/post.hpp"
#include "backstage/actor/send_wait.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

void SideBox::Queue::push_back(Envelope& one) noexcept {
  // relaxed, here and below: the box's lock orders all of it.
  one.next.store(nullptr, std::memory_order_relaxed);
  if (last_ != nullptr) {
    last_->next.store(&one, std::memory_order_relaxed);
  } else {
    first_ = &one;
  }
  last_ = &one;
  ++size_;
}

void SideBox::Queue::push_front(Envelope& one) noexcept {
  one.next.store(first_, std::memory_order_relaxed);
  first_ = &one;
  if (last_ == nullptr) last_ = &one;
  ++size_;
}

Envelope& SideBox::Queue::remove_after(Envelope* before) noexcept {
  Envelope& one = before != nullptr ? *after(*before) : *first_;
  Envelope* const next = after(one);
  if (before != nullptr) {
    before->next.store(next, std::memory_order_relaxed);
  } else {
    first_ = next;
  }
  if (last_ == &one) last_ = before;
  --size_;
  return one;
}

SideBox& side_of(Cell& cell) {
  SideBox* side = side_if_any(cell);
  if (side != nullptr) return *side;
  auto fresh = std::make_unique<SideBox>();
  WaitNote* there = nullptr;
  // release: publishes the box; acquire: or takes another thread's.
  if (cell.side.compare_exchange_strong(there, fresh.get(), std::memory_order_acq_rel, std::memory_order_acquire))
    return *fresh.release();
  return *static_cast<SideBox*>(there);
}

namespace {

/// Sees to it that an idle cell looks at its signals. A busy one does so by itself.
void nudge(Cell& cell, std::uint32_t bit) noexcept {
  // seq_cst: Dekker's pattern with the run loop, which goes idle and then looks at the signals.
  cell.signals.fetch_or(bit, std::memory_order_seq_cst);
  if (cell.mailbox.wake()) cell.schedule();
}

[[nodiscard]] ReplyPort port_of(const SideBox::Waiting& waiting) noexcept {
  ReplyPort port(waiting.sender, waiting.generation, waiting.number, Instant::never());
  port.slot = waiting.slot;
  return port;
}

/// Those who wait for room in a box that takes no more: never sent, so nothing to count.
void turn_away(CoreFace& core, WorkerContext* context, std::list<SideBox::Waiting>& waiting, Admission why) noexcept {
  for (const SideBox::Waiting& one : waiting) {
    const MessageDescriptor& descriptor = one.envelope->descriptor();
    answer<void>(port_of(one), admission_error(why, descriptor.actor));
    descriptor.abandon(*one.envelope, why == Admission::stopping ? Errc::stopping : Errc::gone);
    free_envelope(core, context, *one.envelope);
  }
}

}  // namespace

bool is_full(const SideBox& side, std::size_t weight) noexcept {
  const std::size_t more = planted(Mistake::bound_off_by_one) ? 1 : 0;
  if (side.queue.size() >= side.kind.count_limit() + more) return true;
  return side.kind.byte_limit() != 0 && !side.queue.empty() && side.bytes + weight > side.kind.byte_limit();
}

void enqueue(Cell& cell, SideBox& side, Envelope& envelope, std::size_t weight, std::uint32_t* position) noexcept {
  if (planted(Mistake::fifo_broken_after_restart) && cell.incarnation() > 1) {
    side.queue.push_front(envelope);
  } else {
    side.queue.push_back(envelope);
  }
  side.bytes += weight;
  ++side.pushed;
  if (position != nullptr) *position = side.pushed;
  nudge(cell, signal::side_queue);
}

void let_in(CoreFace& core, WorkerContext* context, Cell& cell, SideBox& side) noexcept {
  // An actor that is being stopped takes no more: its own turn tells those who wait (grant_room).
  if ((cell.gate.load(std::memory_order_acquire) & gate_bit::refusing) != 0) return;
  while (!side.waiting.empty()) {
    const SideBox::Waiting first = side.waiting.front();
    if (side.queues ? is_full(side, first.weight) : is_full(cell)) return;
    side.waiting.pop_front();
    count_sent(core, context);
    if (side.queues) {
      enqueue(cell, side, *first.envelope, first.weight, nullptr);
    } else if (cell.mailbox.push(first.envelope)) {
      cell.schedule();
    }
    answer<void>(port_of(first), Result<>());
  }
}

SideBox::Queue make_room(SideBox& side, std::size_t weight) noexcept {
  SideBox::Queue out;
  Envelope* before = nullptr;
  for (Envelope* at = side.queue.front(); at != nullptr && is_full(side, weight);) {
    Envelope* const next = SideBox::Queue::after(*at);
    if (at->descriptor().kind == SendKind::system) {
      before = at;
    } else {
      side.bytes -= at->descriptor().weight(*at);
      ++side.taken;
      out.push_back(side.queue.remove_after(before));
    }
    at = next;
  }
  return out;
}

Envelope* take_from_side(Cell& cell) noexcept {
  SideBox& side = *side_if_any(cell);
  const std::lock_guard lock(side.mutex);
  if (side.queue.empty()) {
    // Under the lock: whoever enqueues next sets it again.
    cell.signals.fetch_and(~signal::side_queue, std::memory_order_seq_cst);
    return nullptr;
  }
  Envelope& envelope = side.queue.remove_after(nullptr);
  side.bytes -= envelope.descriptor().weight(envelope);
  if (planted(Mistake::lost_wake_up) && side.queue.size() == 1) {
    cell.signals.fetch_and(~signal::side_queue, std::memory_order_seq_cst);
  }
  ++side.taken;
  return &envelope;
}

Enqueued send_or_wait(Cell& target, Envelope& envelope, Cell& sender, std::uint32_t number, void* slot) {
  CoreFace& core = *region_of(&target).core.load(std::memory_order_relaxed);
  WorkerContext* const context = context_for(&core);
  const std::uint32_t generation = envelope.generation;
  /// What is ours until it is handed over. Without memory to wait with, nothing is sent.
  struct Unsent {
    CoreFace& core;
    WorkerContext* context;
    Envelope* envelope;
    void* slot;
    ~Unsent() {
      if (slot != nullptr) deallocate_frame(slot);
      if (envelope == nullptr) return;
      envelope->descriptor().abandon(*envelope, Errc::dropped);
      free_envelope(core, context, *envelope);
    }
  } ours{core, context, &envelope, slot};
  Admission verdict = try_post(core, context, target, envelope);
  if (verdict == Admission::admitted) {
    ours.envelope = nullptr;
    return Enqueued::sent;
  }
  // All that waiting needs, while it may still fail.
  std::list<SideBox::Waiting> me{
      {&sender, sender.generation(), number, &envelope, envelope.descriptor().weight(envelope), slot}};
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
      side.waiting.splice(side.waiting.end(), me);
      ours.envelope = nullptr;
      ours.slot = nullptr;
      // Before we look for room once more: the owner that makes some finds the signal.
      nudge(target, signal::room);
      // Room that was made since the first look: nobody else might look for a long time.
      let_in(core, context, target, side);
      return Enqueued::waiting;
    }
  }
  // Not under the lock: this runs a destructor of the user's.
  ours.envelope = nullptr;
  ours.slot = nullptr;
  turn_away(core, context, me, verdict);
  return Enqueued::waiting;
}

bool withdraw_waiting(Cell& target, std::uint32_t generation, Cell& sender, std::uint32_t number,
                      bool if_full) noexcept {
  const Visit visit(&target);
  if (visit.core() == nullptr) return true;
  SideBox* const side = side_if_any(target);
  if (side == nullptr) return false;
  Envelope* mine = nullptr;
  void* slot = nullptr;
  {
    const std::lock_guard lock(side->mutex);
    if (side->generation != generation) return false;
    if (if_full) let_in(*visit.core(), visit.context(), target, *side);
    for (auto at = side->waiting.begin(); at != side->waiting.end(); ++at) {
      if (at->sender == &sender && at->number == number && at->generation == sender.generation()) {
        mine = at->envelope;
        slot = at->slot;
        side->waiting.erase(at);
        break;
      }
    }
    // There may be room for the next one, who needs less of it than we did.
    if (mine != nullptr) let_in(*visit.core(), visit.context(), target, *side);
  }
  if (mine == nullptr) return false;
  if (slot != nullptr) deallocate_frame(slot);
  // It was never sent: nothing to count.
  mine->descriptor().abandon(*mine, Errc::timeout);
  free_envelope(*visit.core(), visit.context(), *mine);
  return true;
}

void give_room_of_stuck(CoreFace& core, const WorkerContext& context) noexcept {
  // relaxed: a hint. A place stays a place, and its box its box; whose it is says the box, and there is room or not.
  Cell* const cell = context.owes_room.load(std::memory_order_relaxed);
  SideBox* const side = cell != nullptr ? side_if_any(*cell) : nullptr;
  if (side == nullptr) return;
  const std::lock_guard lock(side->mutex);
  let_in(core, nullptr, *cell, *side);
}

void grant_room(Cell& cell) noexcept {
  SideBox* const side = side_if_any(cell);
  if (side == nullptr) {
    cell.signals.fetch_and(~signal::room, std::memory_order_seq_cst);
    return;
  }
  Core& core = cell.core();
  WorkerContext* const context = context_for(&core);
  std::list<SideBox::Waiting> refused;
  {
    const std::lock_guard lock(side->mutex);
    if ((cell.gate.load(std::memory_order_relaxed) & gate_bit::refusing) != 0) {
      refused.swap(side->waiting);
    } else {
      let_in(core, context, cell, *side);
    }
    if (!side->waiting.empty()) return;
    cell.signals.fetch_and(~signal::room, std::memory_order_seq_cst);
    if (!side->queues) cell.gate.fetch_and(~gate_bit::special, std::memory_order_seq_cst);
  }
  turn_away(core, context, refused, Admission::stopping);
}

void close_side(Cell& cell, std::uint32_t next_generation, Core& core) noexcept {
  SideBox* const side = side_if_any(cell);
  if (side == nullptr) return;
  WorkerContext* const context = context_for(&core);
  SideBox::Queue queue;
  std::list<SideBox::Waiting> waiting;
  {
    const std::lock_guard lock(side->mutex);
    side->generation = next_generation;
    side->queues = false;
    side->bytes = 0;
    queue = side->queue.take_all();
    waiting.swap(side->waiting);
  }
  while (!queue.empty()) dead_letter(core, context, &cell, queue.remove_after(nullptr), Undelivered::ended);
  turn_away(core, context, waiting, Admission::gone);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
