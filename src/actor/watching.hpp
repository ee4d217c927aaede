// Who watches whom, as the life of a cell sees it: five calls, each free for an actor that nobody watches and that
// watches nobody. The rest is in monitoring.cpp and links.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backstage/actor/inspect.hpp"
#include "backstage/actor/monitor.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

struct Extras;
/// The path of a place, from any turn or thread (ask.hpp).
[[nodiscard]] std::string place_name(const Cell* cell, std::uint32_t generation, std::string_view type);

/// Heads of lists that go through the records themselves. All in the cell's own turn; when its place is over, its
/// parent's takes them.
struct Watching {
  WatchRecord* set = nullptr;          // monitors and status watches of this incarnation
  WatchRecord* links = nullptr;        // made by this actor; also of an incarnation that has just ended
  WatchRecord* watchers = nullptr;     // who hears of our end: monitors, and links made by others
  WatchRecord* subscribers = nullptr;  // who hears of our status
  std::uint64_t last_id = 0;
};

/// What is told of a place that is over.
struct EndNews {
  WatchRecord* watchers = nullptr;
  WatchRecord* subscribers = nullptr;
  WatchRecord* links = nullptr;
  EndReason reason = EndReason::stopped;
  Result<> result{};
  std::uint32_t incarnation = 0;
};

struct Watches {
  [[nodiscard]] static bool has_subscribers(const Extras& extras) noexcept;
  /// Own turn: sends the change to each.
  static void status_changed(Cell& cell, const StatusChanged& change) noexcept;
  /// Own turn: whatever the incarnation watched is cancelled. Its links are kept until it is known what comes next.
  static void incarnation_ended(Cell& cell) noexcept;
  /// Own turn: the next incarnation begins, so the links of the one before are dropped. False: the cell has failed,
  /// because somebody who was linked with it ended before it began.
  [[nodiscard]] static bool begin(Cell& cell);
  /// Own turn: who watches whom, for an inspection.
  static void list(const Cell& cell, Inspection& seen);
  /// Parent's turn: takes what is to be told out of a child that is about to be reaped.
  [[nodiscard]] static EndNews take(Cell& child) noexcept;
  /// Parent's turn, when the place is nobody's any more.
  static void tell(EndNews& news) noexcept;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
