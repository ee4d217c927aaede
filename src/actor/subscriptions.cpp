// Subscriptions and links to resources, as their holder has them (promises R2, R4).
#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "backstage/actor/resource.hpp"
#include "lifecycle.hpp"
#include "scopes.hpp"
#include "waits.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// What has been heard and not handled yet. Heard by whoever publishes, handled in the owner's turn: one envelope in the
/// owner's mailbox for each piece of news that waits, and none with news of its own in it. So the news may be replaced
/// while the envelope is on its way; an envelope that finds nothing is skipped.
struct SubscriptionState final : Listener, std::enable_shared_from_this<SubscriptionState> {
  SubscriptionState(const Wanted& wanted, Cell& me, std::size_t every, const MessageDescriptor& how)
      : Listener(wanted.type),
        owner(&me),
        generation(me.generation()),
        incarnation(me.incarnation()),
        descriptor(how),
        feed(every) {}
  ~SubscriptionState() override = default;

  void hear(BoardNews news) noexcept override {
    BoardNews replaced;
    bool posts = false;
    {
      const std::lock_guard lock(mutex);
      if (cancelled) return;
      feed.give(std::move(news), replaced);
      posts = feed.size() > on_the_way;
      if (posts) ++on_the_way;
    }
    if (posts) post_one();
  }
  /// Counted in on_the_way already.
  void post_one() noexcept {
    const Visit visit(owner);
    if (visit.core() == nullptr) return;
    CoreFace& core = *visit.core();
    Envelope* envelope = nullptr;
    try {
      envelope = make(core, visit.context());
    } catch (...) {
      // Out of memory: the one that was set aside, if it still is. Else the next news brings this one with it.
      const std::lock_guard lock(mutex);
      envelope = std::exchange(reserve, nullptr);
      if (envelope == nullptr) --on_the_way;
    }
    if (envelope == nullptr) return;
    count_sent(core, visit.context());
    post(core, visit.context(), *owner, *envelope);
  }
  /// Own turn: the envelope for when there is no memory, if there is some now.
  void set_aside(Core& core) noexcept {
    if_memory([&] {
      Envelope* const envelope = make(core, context_for(&core));
      const std::lock_guard lock(mutex);  // nobody else sets one
      reserve = envelope;
    });
  }
  [[nodiscard]] Envelope* make(CoreFace& core, WorkerContext* context) {
    return &build<FeedEnvelope>(core, context, descriptor, generation, shared_from_this())->head;
  }

  Cell* const owner;
  const std::uint32_t generation;
  const std::uint32_t incarnation;
  const MessageDescriptor& descriptor;
  std::uint64_t id = 0;
  std::weak_ptr<Board> board;

  std::mutex mutex;
  Feed feed;
  std::size_t on_the_way = 0;  // envelopes
  Envelope* reserve = nullptr;
  bool cancelled = false;
};

std::uint32_t incarnation_of(const Cell& cell) noexcept { return cell.incarnation(); }

std::uint64_t id_of(const SubscriptionState& state) noexcept { return state.id; }
std::uint64_t missed_of(const SubscriptionState& state) noexcept {
  auto& it = const_cast<SubscriptionState&>(state);
  const std::lock_guard lock(it.mutex);
  return it.feed.missed();
}

std::optional<BoardNews> take_news(Cell& cell, SubscriptionState& state) noexcept {
  BoardNews news;
  bool posts = false;
  bool has_reserve = true;
  {
    const std::lock_guard lock(state.mutex);
    if (state.on_the_way != 0) --state.on_the_way;
    if (state.cancelled || state.incarnation != cell.incarnation() || state.feed.size() == 0) return std::nullopt;
    news = state.feed.take();
    // One that there was no memory for.
    posts = state.feed.size() > state.on_the_way;
    if (posts) ++state.on_the_way;
    has_reserve = state.reserve != nullptr;
  }
  if (!has_reserve && news.kind != BoardNews::Kind::over) state.set_aside(cell.core());
  if (posts) state.post_one();
  if (news.kind == BoardNews::Kind::over) (void)cancel_subscription(state);
  return news;
}

void abandon_feed(Envelope& envelope, Errc) noexcept {
  reinterpret_cast<FeedEnvelope&>(envelope).state.~shared_ptr();
}

namespace {

/// Own turn, or where the incarnation ends: nothing of it is handled any more.
bool leave(SubscriptionState& state) noexcept {
  Envelope* reserve = nullptr;
  {
    const std::lock_guard lock(state.mutex);
    if (std::exchange(state.cancelled, true)) return false;
    reserve = std::exchange(state.reserve, nullptr);
  }
  if (reserve != nullptr) {
    Core& core = state.owner->core();
    abandon_feed(*reserve, Errc::cancelled);
    free_envelope(core, context_for(&core), *reserve);
  }
  if (const std::shared_ptr<Board> board = state.board.lock()) board->leave(state);
  return true;
}

}  // namespace

bool cancel_subscription(SubscriptionState& state) noexcept {
  Cell& owner = *state.owner;
  if (current_cell() != &owner || owner.generation() != state.generation ||
      owner.incarnation() != state.incarnation) {
    return false;
  }
  const std::shared_ptr<SubscriptionState> alive = state.shared_from_this();
  if (!leave(state)) return false;
  if (owner.extras != nullptr && owner.extras->scoped != nullptr) {
    std::erase(owner.extras->scoped->subscriptions, alive);
  }
  return true;
}

std::shared_ptr<SubscriptionState> subscribe_to(Cell& me, const Path& where, const Wanted& wanted, std::size_t every,
                                                const MessageDescriptor& descriptor,
                                                std::shared_ptr<const void> (*present)(const LookedUp&)) {
  Core& core = me.core();
  FoundPlace place = find_place(core, &me, where).or_fail();
  const std::shared_ptr<Board> board = need_board(place.cell, place.generation);
  if (board == nullptr) throw Need::fail(place_is_over(where.text()));
  Scoped& mine = need_scoped(me);
  make_room(mine.subscriptions);
  auto state = std::make_shared<SubscriptionState>(wanted, me, every, descriptor);
  state->id = ++mine.last_id;
  state->board = board;
  std::shared_ptr<const void> now;
  if (wanted.kind == Wanted::Kind::ref) {
    now = present(look_up_at(place, board, wanted, where.text()).or_fail());
  }
  state->reserve = state->make(core, context_for(&core));
  mine.subscriptions.push_back(state);
  if (now != nullptr) state->hear({BoardNews::Kind::value, std::move(now), 0, 0});
  try {
    // Over meanwhile: it hears that, as if it had been there at the end.
    if (board->listen(state) == Board::Listening::closed) state->hear({BoardNews::Kind::over, nullptr, 0, 0});
    listens_to_service(place, board, wanted);
  } catch (...) {
    (void)cancel_subscription(*state);
    throw;
  }
  return state;
}

// ------------------------------------------------------------------------------------------------- links

/// One shot: the first news that breaks it goes through the owner's lane, in a node of its own.
struct LinkWatch final : Listener, std::enable_shared_from_this<LinkWatch> {
  struct Node : LaneNode {
    std::shared_ptr<LinkWatch> watch;
  };
  LinkWatch(const Wanted& what, Cell& me, LinkOrder how, std::uint64_t held, std::string at)
      : Listener(what.type),
        owner(&me),
        generation(me.generation()),
        incarnation(me.incarnation()),
        wanted(what),
        order(how),
        version(held),
        where(std::move(at)) {}

  void hear(BoardNews news) noexcept override {
    // What is there may be another that came after a drop, between the value's coming and the listening.
    const bool gone = news.kind != BoardNews::Kind::value || news.since > version;
    // A Service changes with each status: only its end breaks a link.
    if (wanted.kind != Wanted::Kind::value && news.kind != BoardNews::Kind::over) return;
    if (!gone && (!order.hard || news.version == version)) return;
    if (broken.exchange(true, std::memory_order_acq_rel)) return;
    replaced = !gone;
    const Visit visit(owner);
    if (visit.core() == nullptr) return;
    node.watch = weak_from_this().lock();
    node.generation = generation;
    node.run = &run;
    owner->post_lane(node);
  }

  static void run(LaneNode& lane_node, Cell* cell) {
    const std::shared_ptr<LinkWatch> self = std::move(static_cast<Node&>(lane_node).watch);
    if (cell == nullptr || cell->incarnation() != self->incarnation || self->left) return;
    self->left = true;
    if (const std::shared_ptr<Board> board = self->board.lock()) board->leave(*self);
    if (cell->extras->scoped != nullptr) std::erase(cell->extras->scoped->links, self);
    const bool stops = self->order.then == LinkOrder::Then::stop || cell->policy().once;
    if (self->order.then == LinkOrder::Then::tell) {
      try {
        return self->order.tell(*cell, self->replaced,
                                Error(self->replaced ? Errc::cancelled : Errc::gone, self->describe()));
      } catch (...) {
        // No memory to tell it: it begins anew rather than go on with what is no more.
      }
    }
    if_memory([&] {
      cell->core()
          .logger(cell->full_path())
          .info(stops ? "stops with what it is linked to" : "restarts with what it is linked to",
                {{"why", self->describe()}});
    });
    if (stops && !cell->rest().stop_ordered) cell->own_end = true;
    cell->signal_command(stops ? signal::stop : signal::restart);
  }

  [[nodiscard]] std::string describe() const {
    return std::string(wanted.kind == Wanted::Kind::ref ? wanted.actor_name : wanted.name) + " of '" + where +
           "' was " + (replaced ? "replaced" : "dropped");
  }

  Cell* const owner;
  const std::uint32_t generation;
  const std::uint32_t incarnation;
  const Wanted wanted;
  const LinkOrder order;
  const std::uint64_t version;
  const std::string where;
  std::weak_ptr<Board> board;
  Node node;
  std::atomic<bool> broken{false};  // whoever sets it owns the node
  bool replaced = false;            // written before the node is posted
  bool left = false;                // own turn
};

namespace {

/// Own turn: those to that value that are not broken yet.
bool drop_links(Cell& me, Board& board, const void* type) noexcept {
  return std::erase_if(me.extras->scoped->links, [&](const std::shared_ptr<LinkWatch>& one) {
           if (one->wanted.type != type || one->board.lock().get() != &board) return false;
           one->left = true;
           board.leave(*one);
           return true;
         }) != 0;
}

}  // namespace

bool drop_resource_link(Cell& me, const Path& where, const Wanted& wanted) {
  if (me.extras == nullptr || me.extras->scoped == nullptr) return false;
  const Result<FoundPlace> place = find_place(me.core(), &me, where);
  if (!place) return false;
  const std::shared_ptr<Board> board = find_board_of(*place);
  return board != nullptr && drop_links(me, *board, wanted.type);
}

void set_resource_link(Cell& me, const Wanted& wanted, const LookedUp& held, const LinkOrder& order,
                       const std::string& where) {
  Scoped& mine = need_scoped(me);
  make_room(mine.links);
  auto watch = std::make_shared<LinkWatch>(wanted, me, order, held.version, where);
  const std::shared_ptr<Board> board = need_board(held.cell, held.generation);
  watch->board = board;
  // A link that is made again takes the place of the former: an actor that links in a handler keeps one.
  if (board != nullptr) (void)drop_links(me, *board, wanted.type);
  mine.links.push_back(watch);
  const auto now = board != nullptr ? board->listen(watch) : Board::Listening::closed;
  if (now == Board::Listening::closed) return watch->hear({BoardNews::Kind::over, nullptr, 0, 0});
  // Dropped between its coming and now.
  if (now == Board::Listening::nothing_yet) watch->hear({BoardNews::Kind::dropped, nullptr, 0, 0});
}

void Scopes::incarnation_ended(Cell& cell) noexcept {
  if (cell.extras == nullptr) return;
  Extras& extras = *cell.extras;
  if (const std::shared_ptr<Scoped> mine = std::move(extras.scoped)) {
    for (const auto& state : mine->subscriptions) (void)leave(*state);
    for (const auto& watch : mine->links) {
      watch->left = true;
      if (const std::shared_ptr<Board> board = watch->board.lock()) board->leave(*watch);
    }
    for (const void* const type : mine->exposed) cell.core().boards.withdraw(type, &cell);
  }
  if (extras.board != nullptr) extras.board->clear();
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
