// The words of a cell: what its bits and states mean.
// Stability: internal.
#pragma once

#include <cstdint>

namespace backstage {
inline namespace v0 {
namespace detail {

enum class Phase : std::uint8_t {
  vacant,        ///< nobody's place
  starting,      ///< spawned, not yet constructed
  initializing,  ///< the init hook is under way
  running,
  draining,     ///< told to stop: handles what is queued
  ending,       ///< children are being stopped
  terminating,  ///< the terminating hook is under way
  ended,        ///< the incarnation is over, the supervisor decides
  kept,         ///< ended because its parent failed: the place waits for the parent's next init
  closing,      ///< over for good
};

/// What the supervisor made of the last end, for those who are told why the place is over.
enum class Ruling : std::uint8_t {
  none,      ///< it was not asked
  restart,   ///< to be begun again
  over,      ///< its policy wants no restart
  given_up,  ///< it failed more often than allowed, or a Verdict escalated
};

/// Bits of Cell::signals. Set by anybody, cleared by the owner.
namespace signal {
inline constexpr std::uint32_t parked = 1U << 0;      // suspended or not accepting: who clears it schedules the cell
inline constexpr std::uint32_t start = 1U << 1;       // begin an incarnation
inline constexpr std::uint32_t stop = 1U << 2;        // end in order
inline constexpr std::uint32_t keep = 1U << 3;        // end, but keep the place
inline constexpr std::uint32_t close = 1U << 4;       // over for good
inline constexpr std::uint32_t yield = 1U << 5;       // a coroutine gave way
inline constexpr std::uint32_t side_queue = 1U << 6;  // the locked mailbox holds something
inline constexpr std::uint32_t room = 1U << 7;        // somebody waits for room in the mailbox
inline constexpr std::uint32_t kill = 1U << 8;        // end now: nothing is drained
inline constexpr std::uint32_t alive = 1U
                                       << 9;  // the place is somebody's: without it only the mailbox may be touched
inline constexpr std::uint32_t expired = 1U << 10;  // the stop deadline passed
inline constexpr std::uint32_t decided = 1U
                                         << 11;  // the parent has seen our end: an order that came meanwhile may act
inline constexpr std::uint32_t restart = 1U << 12;   // end in order and begin anew
inline constexpr std::uint32_t lifetime = 1U << 13;  // live_for is over
inline constexpr std::uint32_t group = 1U << 14;     // the back-off of a group of children is over
inline constexpr std::uint32_t ordered = 1U << 15;   // something stands in Cell::orders
inline constexpr std::uint32_t commands =
    start | stop | keep | close | yield | kill | expired | decided | restart | lifetime | group | ordered;
}  // namespace signal

/// Bits of Cell::orders: what anybody who has a Ref may order. Those of the same name mean the same as signals.
namespace order {
inline constexpr std::uint32_t stop = signal::stop;
inline constexpr std::uint32_t kill = signal::kill;
inline constexpr std::uint32_t restart = signal::restart;
inline constexpr std::uint32_t suspend = 1U << 16;
inline constexpr std::uint32_t resume = 1U << 17;
inline constexpr std::uint32_t inspect = 1U << 18;   // somebody waits in Core::inspections
inline constexpr std::uint32_t answered = 1U << 19;  // an inspection that this actor asked for has its answer
}  // namespace order

/// Bits of Cell::gate, below the generation.
namespace gate_bit {
inline constexpr std::uint32_t refusing = 1U;  // being stopped
inline constexpr std::uint32_t special = 2U;   // mailbox with a lock, or somebody waits for room: the slow path
inline constexpr unsigned bits = 3;
}  // namespace gate_bit

}  // namespace detail
}  // namespace v0
}  // namespace backstage
