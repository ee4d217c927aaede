// The slow side of sending: full mailboxes, closed places, mailboxes with a lock, senders that wait.
#include "backstage/actor/detail/post.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "../base/planted.hpp"
#include "core.hpp"
#include "side_box.hpp"

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

void drop(Core& core, WorkerContext* context, Cell* cell, Envelope& envelope, Undelivered why) noexcept {
  dead_letter(core, context, cell, envelope, why);
}

}  // namespace

void dead_letter(CoreFace& face, WorkerContext* context, Cell* cell, Envelope& envelope, Undelivered why) noexcept {
  Core& core = Core::of(face);
  if (!(planted(Mistake::drop_not_counted) && why == Undelivered::drop_oldest)) core.count(context, why);
  const MessageDescriptor& descriptor = envelope.descriptor();
  // Only a cell's own turn may name it, and only while it is somebody's place: else it may be going away right now, or its parent.
  std::string path;
  if (cell != nullptr && cell == current_cell() &&
      (cell->signals.load(std::memory_order_acquire) & signal::alive) != 0) {
    path = path_if_memory(*cell);
  }
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

Error error_if_memory(Errc code, std::string_view text) noexcept {
  try {
    return Error(code, text);
  } catch (...) {
    return Error(code);
  }
}

Error refusal(Errc why, std::string_view actor) noexcept {
  try {
    return Error(why, reason_of_refusal(why, actor));
  } catch (...) {
    return Error(why);
  }
}

Error admission_error(Admission admission, std::string_view actor) noexcept {
  switch (admission) {
    case Admission::full: return refusal(Errc::full, actor);
    case Admission::stopping: return refusal(Errc::stopping, actor);
    case Admission::gone:
    case Admission::admitted: break;
  }
  return refusal(Errc::gone, actor);
}

Admission admission(Cell& cell, std::uint32_t generation, std::size_t weight) noexcept {
  settle_turn();
  const std::uint32_t gate = cell.gate.load(std::memory_order_acquire);
  if (gate >> gate_bit::bits != generation) return Admission::gone;
  if ((gate & gate_bit::refusing) != 0) return Admission::stopping;
  if ((gate & gate_bit::special) != 0) {
    SideBox* const side = side_if_any(cell);
    if (side != nullptr) {
      const std::lock_guard lock(side->mutex);
      if (side->generation != generation) return Admission::gone;
      CoreFace& core = *region_of(&cell).core.load(std::memory_order_acquire);
      let_in(core, context_for(&core), cell, *side);
      // Those who wait come first.
      if (!side->waiting.empty()) return Admission::full;
      if (side->queues) return is_full(*side, weight) ? Admission::full : Admission::admitted;
    }
  }
  return is_full(cell) ? Admission::full : Admission::admitted;
}

Admission try_post(CoreFace& core, WorkerContext* context, Cell& cell, Envelope& envelope) {
  settle(core, context);
  const std::uint32_t generation = envelope.generation;
  const std::uint32_t gate = cell.gate.load(std::memory_order_acquire);
  if (gate >> gate_bit::bits != generation) return Admission::gone;
  if ((gate & gate_bit::refusing) != 0) return Admission::stopping;
  SideBox* const side = (gate & gate_bit::special) != 0 ? side_if_any(cell) : nullptr;
  if (side == nullptr) {
    if (is_full(cell)) return Admission::full;
    count_sent(core, context);
    if (cell.mailbox.push(&envelope)) core.scheduler->schedule(cell);
    return Admission::admitted;
  }
  const std::size_t weight = envelope.descriptor().weight(envelope);
  const std::lock_guard lock(side->mutex);
  if (side->generation != generation) return Admission::gone;
  let_in(core, context, cell, *side);
  if (!side->waiting.empty()) return Admission::full;
  if (side->queues ? is_full(*side, weight) : is_full(cell)) return Admission::full;
  count_sent(core, context);
  if (side->queues) {
    enqueue(cell, *side, envelope, weight, nullptr);
  } else if (cell.mailbox.push(&envelope)) {
    core.scheduler->schedule(cell);
  }
  return Admission::admitted;
}

namespace {

/// All of them, if the place is open and has room for all. Runs nobody's code.
[[nodiscard]] bool hand_over_whole(CoreFace& core, Cell& cell, Envelope* first, Envelope* last, std::uint32_t count) {
  // acquire: as in post().
  if (cell.gate.load(std::memory_order_acquire) != first->generation << gate_bit::bits) return false;
  const Push pushed = cell.mailbox.try_push_chain(first, last, count);
  if (pushed == Push::idle) core.scheduler->schedule(cell);
  return pushed != Push::full;
}

/// One more for the same actor as the last.
[[gnu::noinline]] void post_in_a_row(CoreFace& core, WorkerContext& context, Cell& cell, Envelope& envelope) {
  Worker& worker = *context.worker;
  Outbox& outbox = context.outbox;
  // relaxed: a hint; what is held is decided upon when it is handed over.
  const bool plain = cell.gate.load(std::memory_order_relaxed) == envelope.generation << gate_bit::bits;
  // Looked at once a chain: the word is on the line that all who send to it write.
  const bool begins = outbox.empty();
  if (!plain || worker.is_stuck() || (begins && !cell.mailbox.has_room(Outbox::least_room))) {
    settle(core, &context);
    outbox.to = &cell;
    return post(core, &context, cell, envelope);
  }
  worker.gate().enter();
  // relaxed, here and below: the gate orders it.
  const std::uint32_t before = outbox.count.load(std::memory_order_relaxed);
  envelope.next.store(nullptr, std::memory_order_relaxed);
  if (before == 0) {
    outbox.first = outbox.last = &envelope;
  } else if (planted(Mistake::chain_reversed)) {
    envelope.next.store(outbox.first, std::memory_order_relaxed);
    outbox.first = &envelope;
  } else {
    outbox.last->next.store(&envelope, std::memory_order_relaxed);
    outbox.last = &envelope;
  }
  outbox.count.store(before + 1, std::memory_order_relaxed);
  worker.gate().leave();
  if (before + 1 == Outbox::most) empty_outbox(core, context);
}

/// The same. Nearly always there are others before it, and room behind it: that is done here, with nothing kept on the stack.
[[gnu::noinline]] void post_next(WorkerContext& context, Cell& cell, Envelope& envelope) {
  Worker& worker = *context.worker;
  Outbox& outbox = context.outbox;
  // relaxed: as in post_in_a_row().
  const bool plain = cell.gate.load(std::memory_order_relaxed) == envelope.generation << gate_bit::bits;
  if (plain && !worker.is_stuck() && !planted(Mistake::chain_reversed)) [[likely]] {
    const bool inside = worker.gate().announce();
    const std::uint32_t before = outbox.count.load(std::memory_order_relaxed);  // 0: none yet, or a visitor took them
    const bool fits = inside && before != 0 && before + 1 < Outbox::most;
    if (fits) [[likely]] {
      envelope.next.store(nullptr, std::memory_order_relaxed);
      outbox.last->next.store(&envelope, std::memory_order_relaxed);
      outbox.last = &envelope;
      outbox.count.store(before + 1, std::memory_order_relaxed);
    }
    worker.gate().leave();
    if (fits) return;
  }
  post_in_a_row(*context.core, context, cell, envelope);
}

/// What is held for another goes first.
[[gnu::noinline]] void post_behind(WorkerContext& context, Cell& cell, Envelope& envelope) {
  settle(*context.core, &context);
  context.outbox.to = &cell;
  post(*context.core, &context, cell, envelope);
}

}  // namespace

// Every message goes through here: whatever else may have to be done is a call in last place, so that nothing has to be kept
// over it.
void post_from_turn(WorkerContext& context, Cell& cell, Envelope& envelope) {
  MessageCounters::bump(context.counters.sent);
  Outbox& outbox = context.outbox;
  if (outbox.to != nullptr) {
    if (outbox.to == &cell) return post_next(context, cell, envelope);
    if (!outbox.empty()) [[unlikely]]
      return post_behind(context, cell, envelope);
  }
  outbox.to = &cell;
  // acquire: as in post().
  if (cell.gate.load(std::memory_order_acquire) == envelope.generation << gate_bit::bits) [[likely]] {
    const Push pushed = cell.mailbox.try_push_new(&envelope);
    if (pushed == Push::idle) return context.worker->push(&cell);
    if (pushed == Push::busy) return;
  }
  return post_slowly(*context.core, &context, cell, envelope, nullptr);
}

void post_sent(CoreFace& core, WorkerContext* context, Cell& cell, Envelope& envelope) {
  if (context != nullptr) return post_from_turn(*context, cell, envelope);
  settle_turn();  // of another Runtime
  count_sent(core, nullptr);
  post(core, nullptr, cell, envelope);
}

void empty_outbox(CoreFace& core, WorkerContext& context) noexcept {
  Outbox& outbox = context.outbox;
  OwnerGate<>& gate = context.worker->gate();
  gate.enter();
  const std::uint32_t count = outbox.count.load(std::memory_order_relaxed);  // 0: a visitor was quicker
  outbox.count.store(0, std::memory_order_relaxed);
  gate.leave();
  if (count == 0 || hand_over_whole(core, *outbox.to, outbox.first, outbox.last, count)) return;
  // Closed, or too little room: each for itself. That may run the user's code, which may send, and what it sends to the same
  // actor comes behind: so the others stay held meanwhile.
  gate.enter();
  outbox.count.store(count, std::memory_order_relaxed);
  gate.leave();
  while (!outbox.empty()) {
    gate.enter();
    Envelope* const first = outbox.first;
    const std::uint32_t left = outbox.count.load(std::memory_order_relaxed);
    if (left != 0) {
      outbox.first = first->next.load(std::memory_order_relaxed);
      outbox.count.store(left - 1, std::memory_order_relaxed);
    }
    gate.leave();
    if (left != 0) post_slowly(core, &context, *outbox.to, *first, nullptr);
  }
}

void settle_held(CoreFace& core, WorkerContext& context) noexcept {
  while (!context.outbox.empty()) empty_outbox(core, context);
}

void empty_outbox_of_stuck(CoreFace& core, WorkerContext& context, Worker& worker) noexcept {
  Outbox& outbox = context.outbox;
  // relaxed: a hint, and what is there stays until somebody hands it over.
  if (outbox.count.load(std::memory_order_relaxed) == 0 || !worker.gate().visit()) return;
  const std::uint32_t count = outbox.count.load(std::memory_order_relaxed);
  // Inside the gate: what the worker sends next comes behind it. What does not go in whole is the worker's own affair, since
  // dead letters are not to be made in here.
  // release: pairs with the worker's look from without.
  if (count != 0 && hand_over_whole(core, *outbox.to, outbox.first, outbox.last, count))
    outbox.count.store(0, std::memory_order_release);
  worker.gate().depart();
}

void sent_to_nobody(const MessageDescriptor& descriptor) noexcept {
  auto* const context = static_cast<WorkerContext*>(this_context);
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
  core.report_dead_letter(why, descriptor, path_if_memory(cell));
}

void post_slowly(CoreFace& face, WorkerContext* context, Cell& cell, Envelope& envelope, std::uint32_t* position) {
  Core& core = Core::of(face);
  const std::uint32_t generation = envelope.generation;
  const bool system = envelope.descriptor().kind == SendKind::system;
  const std::uint32_t gate = cell.gate.load(std::memory_order_acquire);
  if (gate >> gate_bit::bits != generation) return drop(core, context, &cell, envelope, Undelivered::gone);
  if ((gate & gate_bit::refusing) != 0 && !system) {
    return drop(core, context, &cell, envelope, Undelivered::stopping);
  }
  SideBox* const side = (gate & gate_bit::special) != 0 ? side_if_any(cell) : nullptr;
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
  const std::size_t weight = envelope.descriptor().weight(envelope);
  SideBox::Queue oldest;
  bool refused = false;
  Undelivered why = Undelivered::full;
  {
    const std::lock_guard lock(side->mutex);
    if (side->generation != generation) {
      refused = true;
      why = Undelivered::gone;
    } else {
      let_in(core, context, cell, *side);
      const bool full = !side->waiting.empty() || (side->queues ? is_full(*side, weight) : is_full(cell));
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
  while (!oldest.empty()) drop(core, context, &cell, oldest.remove_after(nullptr), Undelivered::drop_oldest);
  if (refused) drop(core, context, &cell, envelope, why);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
