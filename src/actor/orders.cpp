// Orders and commands from any thread: to stop, kill, restart, suspend, resume, inspect an actor, and the signals and
// nodes by which the runtime speaks to it (promise M3). Nothing here allocates.
#include "../base/planted.hpp"
#include "core.hpp"
#include "hand_over.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

void Cell::schedule() noexcept { region_of(this).core.load(std::memory_order_relaxed)->scheduler->schedule(*this); }

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

void Cell::post_lane(LaneItem& item) noexcept {
  if (leave_word(*this, item)) schedule();
}

bool order_cell(Cell* cell, std::uint32_t generation, std::uint32_t orders) noexcept {
  if (cell == nullptr) return false;
  // The Runtime's own errand, under a lock; all others are somebody's wish.
  if (orders != order::answered) settle_turn();
  const Visit visit(cell);
  if (visit.core() == nullptr) return false;
  if (planted(Mistake::generation_not_checked)) generation = cell->generation();
  std::uint32_t undone = 0;
  if ((orders & order::suspend) != 0) undone |= order::resume;
  if ((orders & order::resume) != 0) undone |= order::suspend;
  if (!cell->orders.give(generation, orders, undone)) return false;
  // The place may end from here on, and its cell be somebody else's: that one looks once, and finds no order.
  cell->signal_command(signal::ordered);
  return true;
}

void Lifecycle::obey_orders(Cell& cell) {
  // Before the look: an order that comes after it sets the signal anew (order_word.hpp). acq_rel: the look stays behind.
  cell.signals.fetch_and(~signal::ordered, std::memory_order_acq_rel);
  const std::uint32_t seen = cell.orders.waiting();
  try {
    // What the giver left in the lane before it gave the order comes before it: who monitors and then stops an actor is
    // told that it was stopped. The look came first, so all of that is there.
    run_lane(cell);
    take_orders(cell, seen);
  } catch (...) {
    // What is left is obeyed when the actor has dealt with that.
    cell.signals.fetch_or(signal::ordered, std::memory_order_relaxed);
    throw;
  }
}

void Lifecycle::take_orders(Cell& cell, std::uint32_t seen) {
  // Each is taken when its turn comes: one that throws leaves the others where they are.
  if ((cell.orders.take(seen & order::resume)) != 0) cell.suspended.store(false, std::memory_order_relaxed);
  // On its way out it is not held up any more.
  if (cell.orders.take(seen & order::suspend) != 0 && !cell.rest().stop_ordered && !cell.rest().stop_at_start) {
    cell.suspended.store(true, std::memory_order_relaxed);
  }
  if (cell.orders.take(seen & order::inspect) != 0) answer_inspections(cell, cell.generation(), false);
  bool acted = false;
  for (const std::uint32_t one : {order::restart, order::stop, order::kill}) {
    if (cell.orders.take(seen & one) == 0) continue;
    acted = true;
    obey(cell, one);
  }
  // Who waits for room hears of it now, not when the handler that is under way has ended.
  if (acted && (cell.signals.load(std::memory_order_relaxed) & signal::room) != 0) grant_room(cell);
  if (cell.orders.take(seen & order::answered) == 0) return;
  for (Awaiter* awaiter = cell.awaiters(); awaiter != nullptr;) {
    Awaiter* const next = awaiter->next_;
    if (awaiter->take_answer()) {
      // The list may be another afterwards: there may be more of them, so it is gone through once more.
      cell.signals.fetch_or(signal::ordered, std::memory_order_relaxed);
      (void)cell.orders.give(cell.generation(), order::answered);
      return cell.wake_awaiter(*awaiter);
    }
    awaiter = next;
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
