// Routes: messages by type, declared by an actor's type or added to its board.
#include "backstage/actor/route.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "lifecycle.hpp"
#include "scopes.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

// A route that was added lies on the board beside the resources, under a key of its own. It has no name, which tells it
// from them.
struct ExtraRoute {
  FoundRoute route;
};

[[nodiscard]] bool is_route(const Board::Posted& posted) noexcept { return posted.name.empty(); }

[[nodiscard]] Error not_offered(std::string_view message, const std::string& what,
                                const std::vector<FoundRoute>& there) {
  std::string names;
  for (const FoundRoute& one : there) names += (names.empty() ? "" : ", ") + std::string(one.entry.name);
  return Error(Errc::not_found, "'" + what + "' offers no " + std::string(message) + ": it offers [" + names + "]");
}

/// "Reading" for "weather::Reading".
[[nodiscard]] std::string_view short_name(std::string_view name) noexcept {
  const std::size_t at = name.rfind("::");
  return at == std::string_view::npos ? name : name.substr(at + 2);
}

}  // namespace

void add_extra_route(Cell& me, const RouteEntry& entry, const RouteKey& key, Cell* target, std::uint32_t generation) {
  const std::shared_ptr<Board> board = my_board(me);
  auto route = std::make_shared<const ExtraRoute>(ExtraRoute{{entry, target, generation}});
  (void)board->publish({key.added, {}, std::move(route), 0, false, 0});
}

bool remove_extra_route(Cell& me, const RouteKey& key) {
  if (me.extras == nullptr || me.extras->board == nullptr) return false;
  return me.extras->board->withdraw(key.added) != nullptr;
}

std::vector<FoundRoute> all_routes(const FoundPlace& place, const std::shared_ptr<Board>& board) {
  std::vector<FoundRoute> all;
  if (board != nullptr) {
    for (const Board::Posted& posted : board->all()) {
      if (is_route(posted)) all.push_back(static_cast<const ExtraRoute*>(posted.value.get())->route);
    }
  }
  for (std::size_t i = 0; i < place.ops->route_count; ++i) {
    const RouteEntry& entry = place.ops->routes[i];
    const bool shadowed = std::any_of(all.begin(), all.end(),
                                      [&](const FoundRoute& one) { return one.entry.message == entry.message; });
    if (!shadowed) all.push_back({entry, place.cell, place.generation});
  }
  return all;
}

Result<FoundRoute> find_route(const FoundPlace& place, const std::shared_ptr<Board>& board, const RouteKey& key,
                              const std::string& what) {
  if (board != nullptr) {
    if (const auto posted = board->find(key.added)) {
      return static_cast<const ExtraRoute*>(posted->value.get())->route;
    }
  }
  if (!is_there(place)) return Error(Errc::gone, "'" + what + "' has ended");
  for (std::size_t i = 0; i < place.ops->route_count; ++i) {
    if (place.ops->routes[i].message == key.message)
      return FoundRoute{place.ops->routes[i], place.cell, place.generation};
  }
  return not_offered(key.name, what, all_routes(place, board));
}

Result<FoundRoute> find_route(CoreFace& core, Cell* from, const Path& where, const RouteKey& key) {
  const Result<FoundPlace> place = find_place(core, from, where);
  if (!place) return place.error();
  return find_route(*place, find_board_of(*place), key, where.text());
}

Result<FoundRoute> find_route_named(const FoundPlace& place, const std::shared_ptr<Board>& board,
                                    std::string_view name, const std::string& what) {
  if (!is_there(place)) return Error(Errc::gone, "'" + what + "' has ended");
  const std::vector<FoundRoute> all = all_routes(place, board);
  const FoundRoute* found = nullptr;
  for (const FoundRoute& one : all) {
    if (one.entry.name == name) return one;
    if (short_name(one.entry.name) != name) continue;
    if (found != nullptr) {
      return Error(Errc::invalid, "'" + what + "': " + std::string(name) + " may be " +
                                      std::string(found->entry.name) + " or " + std::string(one.entry.name) +
                                      ": write it in full");
    }
    found = &one;
  }
  if (found != nullptr) return *found;
  return not_offered(name, what, all);
}

Error answers_otherwise(const RouteEntry& entry, std::string_view wanted) {
  return Error(Errc::invalid, std::string(entry.name) + " is answered by a " + std::string(entry.reply_name) +
                                  ", not by a " + std::string(wanted));
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
