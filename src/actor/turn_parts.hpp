// What both ways through a turn need: the short one (runner.cpp) and the long one (run_at_length.cpp). Mistakes can be planted in
// here: whoever includes it is compiled anew for them (cmake/BackstageTrust.cmake).
#pragma once

#include "../base/planted.hpp"
#include "core.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// It was meant for somebody who had the place before.
void drop_late(Core& core, WorkerContext* context, Envelope& envelope);
/// Its asker waits no longer. False: it does.
[[nodiscard]] bool drop_expired_now(Cell& cell, Core& core, WorkerContext* context, Envelope& envelope);
/// One that was sent in the turn before, since when nobody's code has run on this worker, was sent just now: the clock need not be
/// read. (A handler that ran is counted; what is resumed, begun, run from the lane or at length clears Turn::asked.)
[[nodiscard]] inline bool drop_expired(Cell& cell, Worker& worker, Core& core, WorkerContext* context,
                                       Envelope& envelope) {
  const auto& port = *reinterpret_cast<const ReplyPort*>(&envelope + 1);
  const bool is_fresh = worker.turn().asked == &envelope &&
                        context->asked_after == context->counters.handled.load(std::memory_order_relaxed);
  const Instant now = is_fresh ? context->asked_at : worker.recent_now();
  if (port.deadline <= now + Clock::recent_error) [[unlikely]]
    return drop_expired_now(cell, core, context, envelope);
  // relaxed: read for the text of a timeout only.
  cell.request_began.store(now.ns, std::memory_order_relaxed);
  return false;
}

/// A byte, read by itself. Of two that are compared one after the other the compiler makes one load of eight bytes, and a load that is
/// wider than the store before it waits until that has gone to the cache (docs/explanation/speed.md).
template <class T>
[[nodiscard, gnu::always_inline]] inline T by_itself(const T& field) noexcept {
  static_assert(sizeof(T) == 1);
  T value = field;
  asm volatile("" : "+r"(value));
  return value;
}

/// Before it runs: what fails has been handled, too.
inline void count_handled(Cell& cell, WorkerContext& context) noexcept {
  MessageCounters::bump(context.counters.handled);
  cell.handled.store(cell.handled.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

/// The list has just been given up. True: somebody had left word before, and it is ours again.
inline bool Cell::is_awake_again() noexcept {
  // Dekker: who left word before finding us busy is found here.
  constexpr std::uint32_t word = signal::commands | signal::side_queue | signal::room;
  return ((signals.load(std::memory_order_seq_cst) & word) != 0 || !lane.empty(std::memory_order_seq_cst)) &&
         mailbox.wake();
}

/// One of its coroutines was given what it waited for.
inline bool Cell::is_answered() const noexcept { return extras != nullptr && extras->answered != nullptr; }

/// Nothing is to be done but to take what is queued. What this looks at lies on one cache line, nearly.
inline bool Cell::is_calm(std::uint32_t seen) const noexcept {
  // Alive before anything: nobody's place may be becoming somebody's. The phase before `plain`: the place of a kept actor is its parent's, who may be writing that.
  const Extras* const more = extras;
  return seen == signal::alive && phase == Phase::running && plain && !suspended.load(std::memory_order_relaxed) &&
         (more == nullptr ||
          (more->turn_root == nullptr && (more->interleaved | more->ready) == 0 && more->answered == nullptr)) &&
         lane.empty(std::memory_order_relaxed) && stays_calm(seen);
}

/// After a message that was handled to its end, by a place that was calm; the lane aside.
inline bool Cell::stays_calm(std::uint32_t seen) const noexcept {
  const Extras* const more = extras;
  return seen == signal::alive && own_commands == 0 && !has_left_in_lane && !planted(Mistake::command_behind_data) &&
         (more == nullptr || (more->due.empty() && more->odd == 0 && !more->await_clock.set));
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
