// Boards of places: publishing, looking up, routes, figures (promises R1, R5).
//
// A place's board is made when somebody first asks for it: its owner, or whoever wants to look or listen. Who makes it sets
// its mark and then, under the registry's lock, compares the generation; who ends the place changes the generation and
// then looks at the mark. So either no board is made, or it is found and closed (scope/detail/place_mark.hpp).
#include "scopes.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "backstage/actor/resource.hpp"
#include "lifecycle.hpp"
#include "watching.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

namespace {

/// What is known of an actor by whoever is not in its turn: the same whether anybody listens to its Service or not.
[[nodiscard]] std::shared_ptr<Service> seen_from_outside(const Cell& cell, const ActorOps& ops, std::string name) {
  auto service = std::make_shared<Service>();
  service->name = std::move(name);
  service->type = ops.type;
  service->status = cell.status.load(std::memory_order_relaxed);
  service->rolled_up = service->status;
  service->suspended = cell.suspended.load(std::memory_order_relaxed);
  service->handled = cell.handled.load(std::memory_order_relaxed);
  return service;
}

[[nodiscard]] bool is_alive(const void* place, std::uint32_t generation) {
  // seq_cst: behind the mark (place_mark.hpp).
  return static_cast<const Cell*>(place)->gate.load(std::memory_order_seq_cst) >> gate_bit::bits == generation;
}

void publish_service(Cell& cell, Board& board) {
  const Extras* const extras = cell.extras;
  auto service = std::make_shared<Service>();
  service->name = cell.step();
  service->type = cell.ops().type;
  service->status = cell.status.load(std::memory_order_relaxed);
  service->rolled_up = service->status;
  service->incarnation = cell.incarnation();
  service->restarts = cell.incarnation() > 1 ? cell.incarnation() - 1 : 0;
  service->suspended = cell.suspended.load(std::memory_order_relaxed);
  service->handled = cell.handled.load(std::memory_order_relaxed);
  if (extras != nullptr) {
    service->word = extras->status_word;
    service->last_error = extras->last_error;
    service->last_error_at = extras->last_error_at;
  }
  const Wanted kind = wanted<Service>();
  (void)board.publish({kind.type, kind.name, std::move(service), 0, true, 0});
}

struct ServiceNode : LaneNode {
  std::shared_ptr<Board> board;
};

/// From now on the place publishes its Service with each change, and once at once.
void want_service(Cell& cell, std::uint32_t generation, const std::shared_ptr<Board>& board) {
  if (board->wants_service()) return;
  auto node = std::make_unique<ServiceNode>();  // before it is said that somebody wants it: there may be no memory
  if (!board->want_service()) return;
  node->generation = generation;
  node->board = board;
  node->run = [](LaneNode& lane_node, Cell* at) {
    const std::unique_ptr<ServiceNode> it(static_cast<ServiceNode*>(&lane_node));
    if (at != nullptr) if_memory([&] { publish_service(*at, *it->board); });
  };
  cell.post_lane(*node.release());
}

[[nodiscard]] std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return "[" + text + "]";
}

[[nodiscard]] std::vector<std::string> published_on(const std::shared_ptr<Board>& board) {
  std::vector<std::string> names;
  if (board == nullptr) return names;
  for (const Board::Posted& one : board->all()) {
    if (!one.name.empty()) names.emplace_back(one.name);
  }
  return names;
}

}  // namespace

Error place_is_over(const std::string& what) { return Error(Errc::gone, "'" + what + "' has ended"); }

Scoped& need_scoped(Cell& cell) {
  Extras& extras = cell.need_extras();
  if (extras.scoped == nullptr) extras.scoped = std::make_shared<Scoped>();
  return *extras.scoped;
}

bool is_there(const FoundPlace& place) noexcept {
  const Visit visit(place.cell);
  return visit.core() != nullptr && is_alive(place.cell, place.generation);
}

// ------------------------------------------------------------------------------------------------ boards

std::shared_ptr<Board> need_board(Cell* cell, std::uint32_t generation) {
  if (cell == nullptr) return nullptr;
  const Visit visit(cell);
  if (visit.core() == nullptr) return nullptr;
  cell->board_mark.ask();
  return Core::of(*visit.core()).boards.need(cell, generation, &is_alive);
}

std::shared_ptr<Board> my_board(Cell& me) {
  Extras& extras = me.need_extras();
  if (extras.board == nullptr) {
    me.board_mark.ask();
    extras.board = me.core().boards.need(&me, place_generation_of(me), &is_alive);
  }
  return extras.board;
}

namespace {

/// Null: nobody has asked for it so far, so nothing is on it; or the place is over.
[[nodiscard]] std::shared_ptr<Board> find_board(Core& core, const Cell& cell, std::uint32_t generation) {
  if (!cell.board_mark.is_asked()) return nullptr;
  return core.boards.find(&cell, generation);
}

}  // namespace

std::shared_ptr<Board> find_board_of(const FoundPlace& place) {
  const Visit visit(place.cell);
  if (visit.core() == nullptr) return nullptr;
  return find_board(Core::of(*visit.core()), *place.cell, place.generation);
}

std::shared_ptr<Board> Scopes::take(Core& core, Cell& child) noexcept {
  // The generation has changed before.
  if (!child.board_mark.taken()) return nullptr;
  return core.boards.take(&child);
}

void Scopes::status_changed(Cell& cell) noexcept {
  if_memory([&] {
    const std::shared_ptr<Board> board = find_board(cell.core(), cell, place_generation_of(cell));
    if (board != nullptr && board->wants_service()) publish_service(cell, *board);
  });
}

// -------------------------------------------------------------------------------------------- publishing

void publish_value(Cell& me, const Wanted& wanted, std::shared_ptr<const void> value, bool exposed) {
  const std::shared_ptr<Board> board = my_board(me);
  if (exposed) {
    Scoped& mine = need_scoped(me);
    if (std::find(mine.exposed.begin(), mine.exposed.end(), wanted.type) == mine.exposed.end()) {
      make_room(mine.exposed);
      std::uint32_t depth = 0;
      for (const Cell* at = me.parent(); at != nullptr; at = at->parent()) ++depth;
      me.core().boards.expose(wanted.type, {&me, place_generation_of(me), depth});
      mine.exposed.push_back(wanted.type);
    }
  }
  (void)board->publish({wanted.type, wanted.name, std::move(value), 0, false, 0});
}

std::shared_ptr<const void> withdraw_value(Cell& me, const Wanted& wanted) {
  if (me.extras == nullptr || me.extras->board == nullptr) return nullptr;
  std::shared_ptr<const void> was = me.extras->board->withdraw(wanted.type);  // the only one that may throw
  if (me.extras->scoped != nullptr && std::erase(me.extras->scoped->exposed, wanted.type) != 0) {
    me.core().boards.withdraw(wanted.type, &me);
  }
  return was;
}

void publish_at_root(CoreFace& face, const Wanted& wanted, std::shared_ptr<const void> value) {
  Core& core = Core::of(face);
  const std::shared_ptr<Board> board = need_board(core.root, core.root->generation());
  if (board == nullptr || !board->publish({wanted.type, wanted.name, std::move(value), 0, false, 0})) {
    throw Need::fail(Error(Errc::stopping, "the runtime has ended: nothing is published any more"));
  }
}

std::shared_ptr<const void> withdraw_at_root(CoreFace& face, const Wanted& wanted) {
  Core& core = Core::of(face);
  const std::shared_ptr<Board> board = find_board(core, *core.root, core.root->generation());
  return board != nullptr ? board->withdraw(wanted.type) : nullptr;
}

Result<Path> find_exposed(const Cell& me, const Wanted& wanted, bool highest) {
  const BoardRegistry& boards = me.core().boards;
  const auto found = highest ? boards.highest(wanted.type) : boards.lowest(wanted.type);
  if (!found) {
    return Error(Errc::not_found,
                 "nobody exposes a " + std::string(wanted.name) + ": publish it by cx.expose(value)");
  }
  return PathAccess::place(static_cast<Cell*>(const_cast<void*>(found->place)), found->generation);
}

// --------------------------------------------------------------------------------------------- looking up

Result<LookedUp> look_up_at(const FoundPlace& place, const std::shared_ptr<Board>& board, const Wanted& wanted,
                            const std::string& what) {
  const Visit visit(place.cell);
  if (visit.core() == nullptr) return place_is_over(what);
  LookedUp found;
  found.cell = place.cell;
  found.generation = place.generation;
  if (!is_alive(place.cell, place.generation)) return place_is_over(what);
  if (wanted.kind == Wanted::Kind::ref) {
    if (place.ops->type_id != wanted.actor) {
      return Error(Errc::invalid, "'" + what + "' is a " + std::string(place.ops->type) + ", not a " +
                                      std::string(wanted.actor_name));
    }
    return found;
  }
  if (wanted.kind == Wanted::Kind::service) {
    std::string path = place_name(place.cell, place.generation, place.ops->type);
    found.value = seen_from_outside(*place.cell, *place.ops, path.substr(path.rfind('/') + 1));
    return found;
  }
  if (board != nullptr) {
    if (auto posted = board->find(wanted.type)) {
      found.value = std::move(posted->value);
      found.version = posted->version;
      return found;
    }
  }
  return Error(Errc::not_found, "no " + std::string(wanted.name) + " is published at '" + what + "': there is " +
                                    listed(published_on(board)));
}

Result<LookedUp> look_up(CoreFace& face, Cell* from, const Path& where, const Wanted& wanted) {
  const Result<FoundPlace> place = find_place(face, from, where);
  if (!place) return place.error();
  return look_up_at(*place, find_board_of(*place), wanted, where.text());
}

Result<LookedUp> look_up_nearest(Cell& from, const Wanted& wanted) {
  Core& core = from.core();
  for (Cell* at = &from; at != nullptr; at = at->parent()) {
    const std::uint32_t generation = place_generation_of(*at);
    if (wanted.kind == Wanted::Kind::ref) {
      if (at->ops().type_id == wanted.actor) return LookedUp{nullptr, 0, at, generation};
      continue;
    }
    if (wanted.kind == Wanted::Kind::service) {
      return LookedUp{seen_from_outside(*at, at->ops(), at->step()), 0, at, generation};
    }
    const std::shared_ptr<Board> board = find_board(core, *at, generation);
    if (board != nullptr) {
      if (auto posted = board->find(wanted.type)) {
        return LookedUp{std::move(posted->value), posted->version, at, generation};
      }
    }
  }
  return Error(Errc::not_found,
               "no " + std::string(wanted.name) + " is published by " + from.full_path() + " or anybody above it");
}

Result<Scope> ScopeAccess::open(CoreFace& face, Cell* from, const Path& where) {
  const Result<FoundPlace> place = find_place(face, from, where);
  if (!place) return place.error();
  if (!is_there(*place)) return place_is_over(where.text());
  return Scope(*place, find_board_of(*place), where.text());
}

// ----------------------------------------------------------------------------------------------- incarnation

void listens_to_service(const FoundPlace& place, const std::shared_ptr<Board>& board, const Wanted& wanted) {
  if (wanted.kind == Wanted::Kind::service) want_service(*place.cell, place.generation, board);
}

}  // namespace detail

std::shared_ptr<detail::Board> Scope::board() const {
  return board_ != nullptr ? board_ : detail::find_board_of(place_);
}

std::vector<std::string> Scope::resources() const {
  return is_over() ? std::vector<std::string>() : detail::published_on(board());
}

std::vector<std::string> Scope::routes() const {
  std::vector<std::string> names;
  for (const detail::FoundRoute& one : detail::all_routes(place_, board())) names.emplace_back(one.entry.name);
  return names;
}

std::vector<Metric> Scope::metrics() const {
  const std::shared_ptr<detail::Board> there = is_over() ? nullptr : board();
  const std::shared_ptr<detail::MetricSet> set = there != nullptr ? there->metrics() : nullptr;
  return set != nullptr ? set->read() : std::vector<Metric>();
}

Result<Scope> Context::scope(const Path& where) const {
  auto& me = const_cast<detail::Cell&>(cell());
  return detail::ScopeAccess::open(me.core(), &me, where);
}
Result<Scope> Runtime::scope(const Path& where) const { return detail::ScopeAccess::open(*core_, nullptr, where); }
detail::CoreFace& Runtime::face() const noexcept { return *core_; }

namespace {

[[nodiscard]] detail::MetricSet& my_metrics(detail::Cell& me) {
  // In its own turn a place is alive, so there is a board, and it keeps them.
  return *detail::my_board(me)->metrics(
      [](const std::string& path) { return std::make_shared<detail::MetricSet>(path); }, me.full_path());
}

}  // namespace

Counter Context::counter(std::string_view figure) { return my_metrics(cell()).counter(figure).or_fail(); }
Gauge Context::gauge(std::string_view figure) { return my_metrics(cell()).gauge(figure).or_fail(); }
Histogram Context::histogram(std::string_view figure, std::span<const double> bounds) {
  return my_metrics(cell()).histogram(figure, bounds).or_fail();
}

std::vector<ActorMetrics> Runtime::metrics() const {
  std::vector<std::shared_ptr<detail::MetricSet>> sets;
  core_->boards.for_each([&](const void*, const detail::Board& board) {
    if (auto set = board.metrics()) sets.push_back(std::move(set));
  });
  std::vector<ActorMetrics> all;
  all.reserve(sets.size());
  for (const auto& set : sets) all.push_back({set->owner(), set->read()});
  std::sort(all.begin(), all.end(), [](const ActorMetrics& a, const ActorMetrics& b) { return a.path < b.path; });
  return all;
}

}  // namespace v0
}  // namespace backstage
