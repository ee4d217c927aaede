// How word is left for an actor in its lane, and the actor made to look (promise M3).
//
// Place: `signals` (signal::parked, signal::alive), `mailbox` (MessageList), `lane` (Lane), and, its owner's,
// `has_left_in_lane` and leave_in_lane(): what was taken from the lane and has not been run yet.
//
// Promises
//   (1) The node is run once, in a turn that begins, or looks into the lane again, afterwards.
//   (2) Nodes of one poster are run in the order in which they were posted; so are those of two, the second of whom knows
//       that the first has posted.
//   (3) Nothing is allocated, nobody waits.
// Why: whoever finds the place idle (wake() says so) or takes its parked bit owns it until it has scheduled it, as the run
// loop's own turn does. So it may put the node where the owner keeps what it took from the lane, which saves a push here and
// an exchange there: most who are left word are waiting for it. But
//   - not while something is in the lane: a run loop that parks, or goes idle, looks there only afterwards, and it may be
//     this poster's (2). A push that happened before is seen by the look, whatever its order (coherence).
//   - not in a place that is nobody's: there the run loop takes from the lane what was meant for the former owner. Alive is
//     as good an answer as not: whoever makes it somebody's schedules it only if nobody else has woken it, and what the new
//     owner has written where this poster writes is acquired with the look.
// Else the node goes into the lane first, and then the place is looked at (seq_cst, both): Dekker's pattern with the run loop,
// which parks or goes idle and then looks into the lane.
// Checked: tests/model/hand_over_model_test.cpp.
#pragma once

#include <atomic>

#include "backstage/actor/detail/cell.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// Whether the caller owns the place now. The first look is a guess; the exchange decides, and acquires what the owner had
/// written when it parked. `look` is seq_cst for who has left word in the lane.
template <class Place>
[[nodiscard]] bool take_idle(Place& place, std::memory_order look = std::memory_order_relaxed) noexcept {
  if ((place.signals.load(look) & signal::parked) == 0) return place.mailbox.wake();
  return (place.signals.fetch_and(~signal::parked, std::memory_order_seq_cst) & signal::parked) != 0;
}

/// Of a place that the caller owns: somebody's, and no word is left for it. Then the caller may leave it where the owner keeps what
/// it took.
template <class Place>
[[nodiscard]] bool has_no_word(const Place& place) noexcept {
  // acquire: alive, the place is as its new owner has made it, what stands here included.
  const bool is_alive = (place.signals.load(std::memory_order_acquire) & signal::alive) != 0;
  return is_alive && !place.has_left_in_lane && place.lane.empty(std::memory_order_relaxed);
}

/// Any thread. True: the caller must schedule the place.
template <class Place, class Node>
[[nodiscard]] bool leave_word(Place& place, Node& node) noexcept {
  if (take_idle(place)) {
    if (has_no_word(place)) {
      node.lane_next = nullptr;
      place.leave_in_lane(&node);
    } else {
      place.lane.push(&node);
    }
    return true;
  }
  place.lane.push(&node);
  return take_idle(place, std::memory_order_seq_cst);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
