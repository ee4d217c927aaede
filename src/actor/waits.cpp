// Waiting for resources (promises R2, R3): tickets on boards, which come back through the lane of whoever waits.
//
// A place that is not there yet is waited for at the deepest one on the way that is: its board is told when a child of the
// missing name appears, and then the whole way is looked for again.
#include "waits.hpp"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "lifecycle.hpp"
#include "scopes.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// One shot: the first news goes through the lane in a node of the ticket's own, so that telling needs no memory.
struct WaitTicket final : Listener, std::enable_shared_from_this<WaitTicket> {
  struct Node : LaneNode {
    std::shared_ptr<WaitTicket> ticket;
  };
  WaitTicket(const void* type, std::string_view child, Cell& me, std::uint32_t await_number, WaitItem& item_)
      : Listener(type, child), owner(&me), generation(me.generation()), number(await_number), item(&item_) {}

  void hear(BoardNews what) noexcept override {
    if (heard.exchange(true, std::memory_order_acq_rel)) return;
    const Visit visit(owner);
    if (visit.core() == nullptr) return;
    news = std::move(what);
    node.ticket = weak_from_this().lock();
    node.generation = generation;
    node.run = &run;
    owner->post_lane(node);
  }
  static void run(LaneNode& lane_node, Cell* cell) {
    const std::shared_ptr<WaitTicket> self = std::move(static_cast<Node&>(lane_node).ticket);
    // Numbers are one await's: it is ours, or nobody waits any more.
    Awaiter* const awaiter = cell != nullptr ? cell->find_awaiter(self->number) : nullptr;
    if (awaiter == nullptr) return;
    if (static_cast<WaitAwait*>(awaiter)->hear(*self)) cell->wake_awaiter(*awaiter);
  }

  Cell* const owner;
  const std::uint32_t generation;
  const std::uint32_t number;
  WaitItem* const item;  // the owner's turn, while the await is there
  std::weak_ptr<Board> board;
  Node node;
  std::atomic<bool> heard{false};  // whoever sets it owns the node and the news
  BoardNews news;
};

namespace {

constexpr int most_looks = 16;  // of one call: the names change while we look

[[nodiscard]] std::string describe_item(const WaitItem& item) {
  return std::string(item.wanted.name) + (item.where ? " of '" + item.where->text() + "'" : " (the nearest above)");
}

/// Errors that no waiting mends.
[[nodiscard]] bool is_final(const Error& error, const WaitItem& item) {
  if (error.is(Errc::invalid)) return true;
  return error.is(Errc::gone) && item.where && PathAccess::is_place(*item.where);
}

}  // namespace

bool WaitAwait::await_ready() {
  Cell* const me = current_cell();
  if (me == nullptr) {
    error_.emplace(Errc::invalid, "co_await of a resource outside an actor: use runtime.scope(path)");
    return true;
  }
  for (WaitItem& item : items_) look(*me, item);
  return is_over();
}

bool WaitAwait::await_suspend(std::coroutine_handle<> handle) {
  Cell& me = *current_cell();
  const Instant now = this_turn->worker->fresh_now();
  Root* const root = static_cast<Root*>(this_turn->root);
  if (root != nullptr && root->kind == RootKind::turn) probe_at_ = now + cycle_probe_after;
  enlist(me, handle, std::min(now + within_, root != nullptr ? root->deadline : Instant::never()));
  for (WaitItem& item : items_) {
    if (!item.there && !item.optional) arm(me, item);
  }
  if (!is_over()) return true;
  delist();
  return false;
}

WaitAwait::~WaitAwait() {
  for (WaitItem& item : items_) forget(item);
}

bool WaitAwait::is_over() const noexcept {
  return error_.has_value() ||
         std::all_of(items_.begin(), items_.end(), [](const WaitItem& item) { return item.there || item.optional; });
}

Result<> WaitAwait::outcome() {
  for (WaitItem& item : items_) forget(item);
  if (error_) return *error_;
  return {};
}

void WaitAwait::look(Cell& me, WaitItem& item) {
  Result<LookedUp> found =
      item.where ? look_up(me.core(), &me, *item.where, item.wanted) : look_up_nearest(me, item.wanted);
  if (found) {
    item.got = std::move(found).value();
    item.there = true;
  } else if (!item.optional && is_final(found.error(), item)) {
    error_ = found.error();
  }
}

void WaitAwait::listen(Cell& me, WaitItem& item, const std::shared_ptr<Board>& board, const void* type,
                       std::string_view child) {
  auto ticket = std::make_shared<WaitTicket>(type, child, me, number_, item);
  ticket->board = board;
  item.tickets.push_back(ticket);
  if (board->listen(ticket) == Board::Listening::closed) ticket->hear({BoardNews::Kind::over, nullptr, 0, 0});
}

void WaitAwait::arm(Cell& me, WaitItem& item) {
  item.edge = AskRecord();
  if (!item.where) {
    for (Cell* at = &me; at != nullptr; at = at->parent()) {
      if (const auto board = need_board(at, place_generation_of(*at))) listen(me, item, board, item.wanted.type, {});
    }
    return;
  }
  for (int looks = 0; looks < most_looks; ++looks) {
    MissingPlace missing;
    const Result<FoundPlace> place = find_place(me.core(), &me, *item.where, &missing);
    if (place) {
      if (const auto board = need_board(place->cell, place->generation)) {
        item.edge.target = place->cell;
        item.edge.generation = place->generation;
        if (item.wanted.kind == Wanted::Kind::ref) {
          look(me, item);
          if (item.there || error_) return;
          continue;  // it has ended between the two
        }
        listen(me, item, board, item.wanted.type, {});
        return listens_to_service(*place, board, item.wanted);
      }
      if (PathAccess::is_place(*item.where)) {
        error_.emplace(Errc::gone, describe_item(item) + ": that actor has ended");
        return;
      }
      // It has ended, and its name is not free yet: the next of that name is waited for.
    }
    if (missing.steps.empty()) {
      error_ = missing.error;
      return;
    }
    for (const MissingPlace::Step& step : missing.steps) {
      // Null: that one has ended meanwhile, and whoever comes in its place is waited for above it.
      if (const auto board = need_board(step.at, step.generation)) listen(me, item, board, &children_tag, step.name);
    }
    if (item.tickets.empty()) continue;
    // Whoever is to spawn it.
    item.edge.target = missing.deepest;
    item.edge.generation = missing.deepest_generation;
    // Between the look and the listening it may have come.
    const Result<FoundPlace> again = find_place(me.core(), &me, *item.where);
    if (!again || need_board(again->cell, again->generation) == nullptr) return;
    forget(item);
  }
  // The names change faster than we look: once more in a turn of its own, after what else there is to do.
  item.tickets.push_back(std::make_shared<WaitTicket>(item.wanted.type, std::string_view(), me, number_, item));
  item.tickets.back()->hear({BoardNews::Kind::over, nullptr, 0, 0});
}

/// All are there, `last` just now. Those that came before may be gone or replaced by now, and what is optional may have come.
void WaitAwait::look_again(Cell& me, const WaitItem& last) {
  for (WaitItem& item : items_) {
    if (&item == &last) continue;
    item.there = false;
    look(me, item);
    if (!item.there && !item.optional && !error_) arm(me, item);
  }
}

/// Whom it waits for has changed, so there may be another circle.
void WaitAwait::probe_soon(Cell& me) {
  if (root_ == nullptr || root_->kind != RootKind::turn) return;
  probe_at_ = this_turn->worker->fresh_now() + cycle_probe_after;
  me.arm_await_clock(probe_at_);
}

void WaitAwait::forget(WaitItem& item) noexcept {
  for (const auto& ticket : item.tickets) {
    if (const std::shared_ptr<Board> board = ticket->board.lock()) board->leave(*ticket);
  }
  item.tickets.clear();
}

bool WaitAwait::hear(WaitTicket& ticket) {
  WaitItem& item = *ticket.item;
  const bool known =
      std::any_of(item.tickets.begin(), item.tickets.end(), [&](const auto& one) { return one.get() == &ticket; });
  if (!known || item.there || error_) return false;
  Cell& me = *cell_;
  try {
    BoardNews news = std::move(ticket.news);
    if (news.kind == BoardNews::Kind::value) {
      // Of several above, the nearest that has one by now.
      if (!item.where) look(me, item);
      if (!item.there) {
        item.got = {std::move(news.value), news.version, nullptr, 0};
        if (item.edge.target != nullptr) {
          item.got.cell = item.edge.target;
          item.got.generation = item.edge.generation;
        }
        item.there = true;
      }
      forget(item);
    } else {
      forget(item);
      look(me, item);
      if (!item.there && !error_) arm(me, item);
    }
    if (!error_ && is_over()) look_again(me, item);
    if (!is_over()) probe_soon(me);
  } catch (...) {
    error_ = describe_current_exception(Errc::failed);
  }
  return is_over();
}

void WaitAwait::expire(Cell& cell) {
  std::string missing;
  for (WaitItem& item : items_) {
    item.there = false;  // one that was there may be gone
    look(cell, item);
    if (item.there || item.optional) continue;
    const Result<LookedUp> why =
        item.where ? look_up(cell.core(), &cell, *item.where, item.wanted) : look_up_nearest(cell, item.wanted);
    missing += (missing.empty() ? "" : "; ") + (why ? describe_item(item) : std::string(why.error().text()));
  }
  if (is_over()) return;
  error_.emplace(Errc::timeout, "waited for " + to_string(within_) + ": " + missing);
}

std::string WaitAwait::describe_wait() const {
  std::string text;
  for (const WaitItem& item : items_) {
    if (!item.there && !item.optional) text += (text.empty() ? "" : ", ") + describe_item(item);
  }
  return "resource " + text;
}

const AskRecord* WaitAwait::further_edge(std::size_t i) const noexcept {
  static const AskRecord nobody{};
  if (i >= items_.size()) return nullptr;
  return items_[i].there || items_[i].optional ? &nobody : &items_[i].edge;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
