// The way of a request to its target, and of the answer to whoever waits for it, in turns of one Runtime. (What waits for long, and
// in circles: waiting.cpp.)
#include <new>
#include <utility>

#include "awaiting.hpp"
#include "core.hpp"
#include "hand_over.hpp"
#include "side_box.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

/// Without memory it is not noted: a circle is then found by its other members, or by the deadline.
[[gnu::noinline, gnu::cold]] WaitNote* make_note(Cell& cell) noexcept {
  WaitNote* made = nullptr;
  if_memory([&] { made = &side_of(cell); });
  return made;
}

[[nodiscard]] inline bool note_waiting(Cell& cell, const AskRecord& record, std::uint32_t number) noexcept {
  WaitNote* note = cell.side.load(std::memory_order_acquire);
  if (note == nullptr) [[unlikely]] {
    note = make_note(cell);
    if (note == nullptr) return false;
  }
  if (note->number.load(std::memory_order_relaxed) != 0) return false;
  // The number last: forward() corrects a note only if it finds its own number. release: pairs with its acquire.
  note->target.store(record.target, std::memory_order_relaxed);
  note->generation.store(record.generation, std::memory_order_relaxed);
  note->number.store(number, std::memory_order_release);
  return true;
}

[[nodiscard, gnu::always_inline]] inline bool begin_to_wait_in(Worker& worker, Awaiter& awaiter, AskRecord& record,
                                                               Cell& cell, std::coroutine_handle<> handle,
                                                               Duration within) {
  const Instant now = worker.recent_now();
  record.sent = now;
  Root* const root = static_cast<Root*>(worker.turn().root);
  Instant until = now + within;
  bool keeps_turn = false;
  if (root != nullptr) [[likely]] {
    until = std::min(until, root->deadline);
    keeps_turn = root->kind == RootKind::turn;
  }
  if (keeps_turn) awaiter.probe_at_ = now + cycle_probe_after;
  list(awaiter, cell, worker, root, handle, until);
  return keeps_turn && note_waiting(cell, record, awaiter.number_);
}

[[gnu::noinline]] std::uint32_t taken_from_side(Cell& target) noexcept {
  if (SideBox* const side = side_if_any(target)) {
    const std::lock_guard lock(side->mutex);
    if (side->queues) return side->taken;
  }
  return target.queue.taken.load(std::memory_order_relaxed);
}

}  // namespace

std::uint32_t taken_from(Cell& target) noexcept {
  // acquire: as in post().
  if ((target.gate.load(std::memory_order_acquire) & gate_bit::special) != 0) [[unlikely]]
    return taken_from_side(target);
  return target.queue.taken.load(std::memory_order_relaxed);
}

bool begin_to_wait(Awaiter& awaiter, AskRecord& record, Cell& cell, std::coroutine_handle<> handle, Duration within) {
  return begin_to_wait_in(*this_turn->worker, awaiter, record, cell, handle, within);
}

bool send_and_wait(WorkerContext& context, Awaiter& awaiter, AskRecord& record, Envelope& request, Duration within,
                   void* room) {
  Worker& worker = *context.worker;
  Cell& cell = *static_cast<Cell*>(worker.noted_cell());
  // Noted before it is sent: whoever gets the request may forward it at once, and corrects the note.
  const bool is_noted = begin_to_wait_in(worker, awaiter, record, cell, awaiter.handle_, within);
  auto* const port = ::new (static_cast<void*>(&request + 1))
      ReplyPort(&cell, cell.generation(), awaiter.number_, awaiter.deadline_, is_noted);
  port->slot = room;
  MessageCounters::bump(context.counters.sent);
  worker.turn().asked = &request;
  context.asked_at = record.sent;
  context.asked_after = context.counters.handled.load(std::memory_order_relaxed);
  Cell& target = *record.target;
  // acquire: as in post().
  if (target.gate.load(std::memory_order_acquire) == request.generation << gate_bit::bits) [[likely]] {
    record.taken_when_sent = target.queue.taken.load(std::memory_order_relaxed);
    const Push pushed = target.mailbox.try_push_new(&request, &record.position);
    if (pushed == Push::idle) worker.push(&target);
    if (pushed != Push::full) return is_noted;
  }
  record.taken_when_sent = taken_from(target);
  post_slowly(*context.core, &context, target, request, &record.position);
  return is_noted;
}

Awaiter* claim_asker(Cell& asker, std::uint32_t generation, std::uint32_t number) noexcept {
  // relaxed: a look that keeps late answers from waking strangers.
  if (asker.generation() != generation || !take_idle(asker)) return nullptr;
  if (has_no_word(asker) && asker.generation() == generation) [[likely]] {
    // Nearly always what was asked last.
    Awaiter* const last = asker.awaiters();
    if (last != nullptr && last->number_ == number) [[likely]]
      return last;
    if (Awaiter* const waiting = asker.find_awaiter(number)) return waiting;
  }
  // It is ours, and cannot be given back unseen.
  asker.schedule();
  return nullptr;
}

void let_asker_go_on(WorkerContext& context, Cell& asker, Awaiter& answered) noexcept {
  asker.calm = false;
  asker.extras->answered = &answered;
  context.worker->push(&asker);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
