// The life of one actor, as functions on its cell: start and orders (life.cpp), failure (failure.cpp), the end (stop.cpp),
// and what its parent makes of that (supervision.cpp).
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "backstage/base/utf8.hpp"
#include "core.hpp"
#include "scopes.hpp"
#include "side_box.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// What a worker notes while it is in a hook, for reports of who does not give it back.
namespace hook_name {
inline constexpr std::string_view constructor = "constructor";
inline constexpr std::string_view init = "init";
inline constexpr std::string_view event_loop = "event_loop";
inline constexpr std::string_view terminating = "terminating";
inline constexpr std::string_view destructor = "destructor";
}  // namespace hook_name

/// The life of one actor: every function runs in the turn of the cell it is given, unless it says otherwise.
struct Lifecycle {
  static void begin(Cell& cell);
  static void obey(Cell& cell, std::uint32_t commands);
  /// What somebody with a Ref ordered (orders.cpp): all that was given before now, after all that its giver left before.
  static void obey_orders(Cell& cell);
  static void take_orders(Cell& cell, std::uint32_t seen);
  /// Moves on when what the phase waited for has happened. True: something changed.
  static bool advance(Cell& cell);
  /// To be called in a catch block: the incarnation ends by what is being handled.
  static void fail_by_exception(Cell& cell, Failure::Stage stage, std::string_view message);
  static void fail(Cell& cell, Failure& failure, bool by_wish);
  /// A failure that somebody else brought. Who is not up is not failed: its incarnation is over anyway.
  static void fail_from_outside(Cell& cell, Failure::Stage stage, const Error& why);
  static void tell_failure(Cell& cell, const Failure& failure) noexcept;
  /// It serves no more, but its place may live again: from here on the place counts as down, until note_up().
  static void note_down(Cell& cell) noexcept;
  static void note_up(Cell& cell) noexcept;
  static void child_notice(LaneItem& item, Cell* parent);
  static void end_late_init(Cell& cell);
  static void queue_is_empty(Cell& cell);
  /// A message is about to be handled by an actor that was told to stop: from now on there is a deadline.
  static void handling_while_draining(Cell& cell);
  [[nodiscard]] static bool accepts(const Cell& cell) noexcept;

  static void after_init(Cell& cell);
  [[nodiscard]] static bool ended_at_once(Cell& cell);
  static void order_stop(Cell& cell, bool keep, bool kill);
  static void begin_ending(Cell& cell);
  static bool stop_next_child(Cell& cell);
  static bool stop_children_in_order(Cell& cell, bool keeps);
  static void begin_terminating(Cell& cell);
  static void finish_incarnation(Cell& cell);
  static void close(Cell& cell);
  static void end_generation(Cell& cell);
  static void drop_coroutines(Cell& cell) noexcept;
  static void cancel_timers(Cell& cell) noexcept;
  static void destroy_actor(Cell& cell) noexcept;
  static void drain_as_dead(Cell& cell, Undelivered why) noexcept;
  static void reap(Cell& parent, Cell& child);
  /// A place that is begun for the first time, or by its parent's next incarnation.
  static void first_start(Cell& cell);
  static void begin_plainly(Cell& cell);
  /// The object in the place is gone, or goes on living in the next incarnation.
  static void make_actor(Cell& cell);
  [[nodiscard]] static bool is_init_over(Cell& cell);
  static void note_that_it_runs(Cell& cell);
  /// Throws when a simulated world wants the hook that comes next to fail. Never in the real world.
  static void maybe_fault(const Cell& cell, std::string_view point);
  static void end_of_time(Cell& cell);
  static void arm_stop_timer(Cell& cell, Duration within);
  static void disarm_stop_timer(Cell& cell) noexcept;
  static void request_stop(Cell& cell) noexcept;
  static void close_unclaimed(Cell& cell);
  static Result<> outcome(const Cell& cell) noexcept;
  /// Memory for the news of its end, while there is some.
  static void reserve_news(Cell& cell, const ChildPolicy& policy);
  static void free_extras(Cell& cell) noexcept;
  /// Nobody hears of its states, nor decides upon its end.
  [[nodiscard]] static bool is_unheard(const Cell& cell) noexcept {
    // Who has just asked for a board and is not seen yet looks at the status by itself.
    return cell.extras == nullptr && cell.body->has_policy == 0 && !cell.board_mark.is_asked() &&
           !cell.core().events.wanted();
  }
  /// What the runtime says of it.
  static void say(Cell& cell, Status next) {
    if (!is_unheard(cell)) return cell.set_status(next);
    cell.status.store(next, std::memory_order_relaxed);
  }
};

/// Takes a child out of its parent's list, its name aside; parent's turn.
void unlist_child(Cell& parent, Cell& child) noexcept;

/// What a supervisor decides, in its turn. (supervision.cpp: one child; groups.cpp: several)
struct Supervision {
  /// What comes of a child's end. Until settle() the child does not touch what is written here.
  static void decide(Cell& parent, Cell& child);
  static bool ask_for_verdict(Cell& parent, Cell& child);
  static void restart(Cell& parent, Cell& child);
  [[nodiscard]] static bool admits(Cell& parent, Cell& child, Instant now, std::string& why_not);
  static void give_up(Cell& parent, Cell& child, const std::string& why);
  static void escalate(Cell& parent, Cell& child, const std::string& text, Errc code = Errc::failed);
  /// The parent is done with the child's end: it may act on the order.
  static void settle(Cell& child, std::uint32_t order) noexcept;
  /// The child is significant, and its end the parent's.
  [[nodiscard]] static bool ends_with(const Cell& parent, const Cell& child);

  static void begin_group(Cell& parent, Cell& cause, Instant not_before);
  static void continue_group(Cell& parent);
  static void cancel_group(Cell& parent) noexcept;
  [[nodiscard]] static bool is_under_way(const Cell& parent) noexcept;
  /// Of the group, what was waited for: nothing any more.
  static void no_longer_awaited(Cell& parent, const Cell& child) noexcept;
  static void child_started(LaneNode& node, Cell* parent);
  static void verdict_given(LaneNode& node, Cell* parent);
  /// verdict_within is over.
  static void verdict_is_late(LaneNode& node, Cell* parent);
};

/// Messages that are handled again after they made their actor fail (retries.cpp).
struct Retries {
  /// Before a message is handled: keeps a copy, if there is to be one.
  static void before(Cell& cell, Core& core, WorkerContext* context, const Envelope& envelope) noexcept;
  /// It was handled.
  static void done(Cell& cell) noexcept;
  /// The incarnation failed: the message in hand is tried again, or set aside.
  static void failed(Cell& cell) noexcept;
  static void drop(Cell& cell) noexcept;
  /// The same for what an Interleaved handler has in hand.
  static void adopt(Cell& cell, Root& root) noexcept;
  static void failed_in(Cell& cell, Root& root) noexcept;
  static void drop(Cell& cell, Root& root) noexcept;
};

/// Runs the lane in order. A node that throws leaves the rest for the next round.
void run_lane(Cell& cell);

/// Cut to fit, always terminated.
template <std::size_t N>
void copy_cut(char (&into)[N], std::string_view text) noexcept {
  const std::string_view fits = cut_utf8(text, N - 1);
  std::memcpy(into, fits.data(), fits.size());
  into[fits.size()] = '\0';
}

/// Leaves the notice in the parent's lane. From here until the parent has seen it the place is the parent's.
inline void tell_parent(Cell& cell) noexcept {
  // relaxed: published by the lane.
  const auto told = static_cast<std::uint8_t>(cell.ends_told.load(std::memory_order_relaxed) + 1);
  cell.ends_told.store(told, std::memory_order_relaxed);
  cell.parent()->post_lane(cell.end_notice);
}

[[nodiscard]] inline bool is_with_parent(const Cell& cell) noexcept {
  // acquire: pairs with the parent's release when it is done with the notice.
  return cell.ends_seen.load(std::memory_order_acquire) != cell.ends_told.load(std::memory_order_relaxed);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
