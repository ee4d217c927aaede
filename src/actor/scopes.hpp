// What an actor publishes and listens to, as the life of a cell sees it: each call is free for an actor that does neither.
// The rest is in scopes.cpp, waits.cpp, subscriptions.cpp.
#pragma once

#include <memory>
#include <vector>

#include "backstage/actor/path.hpp"
#include "backstage/scope/board.hpp"
#include "core.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

struct SubscriptionState;
struct LinkWatch;

/// Of one incarnation; its own turn.
struct Scoped {
  std::uint64_t last_id = 0;
  std::vector<std::shared_ptr<SubscriptionState>> subscriptions;
  std::vector<std::shared_ptr<LinkWatch>> links;
  std::vector<const void*> exposed;
};
[[nodiscard]] Scoped& need_scoped(Cell& cell);
/// Afterwards one more push_back() allocates nothing.
template <class T>
void make_room(std::vector<T>& list) {
  if (list.size() == list.capacity()) list.reserve(list.empty() ? 4 : 2 * list.size());
}
/// "'/a/b' has ended": found, and over before anything came of it.
[[nodiscard]] Error place_is_over(const std::string& what);
/// Of a place that was found, from any thread. Null: nothing was ever published or wanted there, or it is over.
[[nodiscard]] std::shared_ptr<Board> find_board_of(const FoundPlace& place);

/// The generation under which a place is known to others. The root's, which nobody spawned, is its cell's.
[[nodiscard]] inline std::uint32_t place_generation_of(const Cell& cell) noexcept {
  return cell.parent() == nullptr ? cell.generation() : cell.place_generation;
}

struct Scopes {
  /// Own turn: what this incarnation published is withdrawn, what it listened to is left.
  static void incarnation_ended(Cell& cell) noexcept;
  /// Own turn.
  static void status_changed(Cell& cell) noexcept;
  /// Parent's turn: the board of a child that is about to be reaped, to be closed when its name is free; or null.
  [[nodiscard]] static std::shared_ptr<Board> take(Core& core, Cell& child) noexcept;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
