// Resources: values that actors publish, and those that look them up, wait for them, hold on to them, and hear of them.
//
//     cx.publish(Settings{...});                                                    // one value per type and actor
//     auto settings = cx.lookup<Settings>();                                        // now, or not_found: nearest above
//     auto store = co_await cx.depends_on<Ref<Store>>(cx.sibling("store")).within(10s);
//     auto both = co_await cx.depends_on<Ref<Store>, Settings>(cx.sibling("store"), cx.parent()).within(10s);
//     auto held = co_await cx.link<Settings>(cx.parent()).hard().restart().within(10s);
//     cx.subscribe<Settings>(cx.parent(), cx.self(this));                           // void handle(Published<Settings>)
//                                                                                   // void handle(Dropped<Settings>)
// Promises
//   R1 One value per type and actor, published by the actor itself; until its incarnation ends, which withdraws it.
//   R2 Who waits, links or subscribes hears the present value, then after each publish the latest, then the drop, in
//      order, each once. A value not taken up is replaced by the next; by every(n) n of them wait.
//   R3 Every wait has a deadline. Actors that wait for each other's resources, keeping their turn, are named within 100 ms.
//   R4 A link or subscription to a Ref or a Service ends when that actor is over; a restart is no end.
//   And: what was looked up, or came, stays whole for as long as it is held, whatever its publisher does.
// Of each actor a Ref and a Service are there from the start, without being published. Service follows the status.
// All that an incarnation subscribed and linked to ends with it.
// Threads: the actor's own turn. Cost: publishing copies the list of what is published here (a pointer each), then tells
// each subscriber; looking up takes no lock but a share, and none at all through a Scope. Stability: settling (v0).
#pragma once

#include <array>
#include <coroutine>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "backstage/actor/ask.hpp"
#include "backstage/actor/monitor.hpp"
#include "backstage/actor/runtime.hpp"
#include "backstage/actor/scope.hpp"

namespace backstage {
inline namespace v0 {

/// A value of a resource that was subscribed to: the present one, or a later one.
template <class T>
struct Published {
  std::shared_ptr<const T> value;  ///< never null
  std::uint64_t version = 0;       ///< grows with each publish of that actor
  std::uint64_t subscription = 0;  ///< Subscription::id()
  const T& operator*() const noexcept { return *value; }
  const T* operator->() const noexcept { return value.get(); }
};
/// It is no more: withdrawn, or its publisher's incarnation has ended.
template <class T>
struct Dropped {
  std::uint64_t subscription = 0;
  bool over = false;  ///< the publisher is over for good: nothing comes after this
};
/// To an actor that asked its link to tell: what it holds on to is no more, or another.
template <class T>
struct LinkBroken {
  bool replaced = false;
  Error why{Errc::gone};  ///< in words: "Settings of .. was replaced"
};

namespace detail {

struct SubscriptionState;
struct FeedEnvelope {
  Envelope head;
  std::shared_ptr<SubscriptionState> state;
};
/// What is to be handled now; nothing when it was cancelled or replaced.
[[nodiscard]] std::optional<BoardNews> take_news(Cell& cell, SubscriptionState& state) noexcept;
[[nodiscard]] std::uint64_t id_of(const SubscriptionState& state) noexcept;

template <class A, class T>
Handled handle_feed(Cell& cell, Envelope& envelope) {
  auto& whole = reinterpret_cast<FeedEnvelope&>(envelope);
  const DestroyAfter<std::shared_ptr<SubscriptionState>> guard{whole.state};
  std::optional<BoardNews> news = take_news(cell, *whole.state);
  if (!news) {
    skip_message(cell, envelope.descriptor(), Undelivered::cancelled);
    return Handled::done;
  }
  if (news->kind == BoardNews::Kind::value) {
    Published<T> message{std::static_pointer_cast<const T>(std::move(news->value)), news->version,
                         id_of(*whole.state)};
    return dispatch<A, Published<T>>(cell, message, NoAnswer{});
  }
  Dropped<T> message{id_of(*whole.state), news->kind == BoardNews::Kind::over};
  return dispatch<A, Dropped<T>>(cell, message, NoAnswer{});
}
void abandon_feed(Envelope& envelope, Errc) noexcept;
template <class A, class T>
inline constexpr MessageDescriptor feed_descriptor{
    .message = type_name<Published<T>>(),
    .handle = &handle_feed<A, T>,
    .abandon = &abandon_feed,
    .actor = type_name<A>(),
    .size = sizeof(FeedEnvelope),
    .kind = SendKind::system,
    .weight = [](const Envelope&) noexcept -> std::size_t { return sizeof(Published<T>); }};

[[nodiscard]] std::shared_ptr<SubscriptionState> subscribe_to(
    Cell& me, const Path& where, const Wanted& wanted, std::size_t every, const MessageDescriptor& descriptor,
    std::shared_ptr<const void> (*present)(const LookedUp&));
bool cancel_subscription(SubscriptionState& state) noexcept;
[[nodiscard]] std::uint64_t missed_of(const SubscriptionState& state) noexcept;

void publish_value(Cell& me, const Wanted& wanted, std::shared_ptr<const void> value, bool exposed);
void publish_at_root(CoreFace& core, const Wanted& wanted, std::shared_ptr<const void> value);
[[nodiscard]] std::shared_ptr<const void> withdraw_value(Cell& me, const Wanted& wanted);
[[nodiscard]] std::shared_ptr<const void> withdraw_at_root(CoreFace& core, const Wanted& wanted);
[[nodiscard]] Result<Path> find_exposed(const Cell& me, const Wanted& wanted, bool highest);

template <class T>
void check_published() {
  static_assert(std::same_as<T, std::remove_cvref_t<T>> && !std::is_pointer_v<T>,
                "publish a value, or a smart pointer that owns one");
  static_assert(!RefTraits<T>::is_ref && !std::same_as<T, Service>,
                "a Ref and a Service of each actor are resources from the start: they are not published");
  static_assert(std::is_nothrow_destructible_v<T>, "a resource's destructor must not throw");
}
template <class T>
[[nodiscard]] std::optional<T> value_back(const std::shared_ptr<const void>& value) {
  if (value == nullptr) return std::nullopt;
  return *static_cast<const T*>(value.get());
}

// ---- waiting

struct WaitTicket;
struct WaitItem {
  WaitItem(const Wanted& what, bool is_optional, std::optional<Path> at)
      : wanted(what), optional(is_optional), where(std::move(at)) {}
  Wanted wanted;
  bool optional;
  std::optional<Path> where;  // none: the nearest above
  bool there = false;
  LookedUp got;
  std::vector<std::shared_ptr<WaitTicket>> tickets;
  AskRecord edge;  // whom it stands with
};

/// Waits for all of its items.
class WaitAwait : public Awaiter, public AskEdge {
 public:
  WaitAwait(std::vector<WaitItem> items, Duration within) : items_(std::move(items)), within_(within) {}
  bool await_ready();
  bool await_suspend(std::coroutine_handle<> handle);
  void expire(Cell& cell) override;
  void probe(Cell& cell) override { probe_for_cycle(cell, number_); }
  void fail(Error error) override { error_.emplace(std::move(error)); }
  [[nodiscard]] std::string describe_wait() const override;
  [[nodiscard]] const AskRecord* further_edge(std::size_t i) const noexcept override;
  /// Own turn: news of a ticket. True: it is over.
  bool hear(WaitTicket& ticket);

 protected:
  ~WaitAwait();
  [[nodiscard]] Result<> outcome();

  std::vector<WaitItem> items_;

 private:
  void look(Cell& me, WaitItem& item);
  void arm(Cell& me, WaitItem& item);
  void listen(Cell& me, WaitItem& item, const std::shared_ptr<Board>& board, const void* type,
              std::string_view child);
  void look_again(Cell& me, const WaitItem& last);
  void probe_soon(Cell& me);
  void forget(WaitItem& item) noexcept;
  [[nodiscard]] bool is_over() const noexcept;

  Duration within_;
  std::optional<Error> error_;
};

template <class T>
struct Dependency1 {
  static constexpr bool optional = false;
  using type = T;
  static T get(const WaitItem& item) { return value_of<T>(item.got); }
};
template <class T>
struct Dependency1<std::optional<T>> {
  static constexpr bool optional = true;
  using type = T;
  static std::optional<T> get(const WaitItem& item) {
    if (!item.there) return std::nullopt;
    return value_of<T>(item.got);
  }
};
template <class... T>
struct DependencyValue {
  using type = std::tuple<T...>;
};
template <class T>
struct DependencyValue<T> {
  using type = T;
};

template <class... T>
class DependsAwait final : public WaitAwait {
 public:
  using WaitAwait::WaitAwait;
  using Value = typename DependencyValue<T...>::type;
  Result<Value> await_resume() {
    if (Result<> all = outcome(); !all) return all.error();
    return values(std::index_sequence_for<T...>());
  }

 private:
  template <std::size_t... i>
  Value values(std::index_sequence<i...>) {
    return Value{Dependency1<T>::get(items_[i])...};
  }
};

// ---- links

struct LinkOrder {
  enum class Then : std::uint8_t { restart, stop, tell };
  bool hard = false;
  Then then = Then::restart;
  void (*tell)(Cell& me, bool replaced, Error why) = nullptr;
};
void set_resource_link(Cell& me, const Wanted& wanted, const LookedUp& held, const LinkOrder& order,
                       const std::string& where);
bool drop_resource_link(Cell& me, const Path& where, const Wanted& wanted);

/// Of one incarnation: the next one handles nothing of it.
template <class T>
struct BrokenEnvelope {
  Envelope head;
  LinkBroken<T> message;
  std::uint32_t incarnation;
};
[[nodiscard]] std::uint32_t incarnation_of(const Cell& cell) noexcept;

template <class A, class T>
Handled handle_broken(Cell& cell, Envelope& envelope) {
  auto& whole = reinterpret_cast<BrokenEnvelope<T>&>(envelope);
  const DestroyAfter<LinkBroken<T>> guard{whole.message};
  if (whole.incarnation != incarnation_of(cell)) {
    skip_message(cell, envelope.descriptor(), Undelivered::cancelled);
    return Handled::done;
  }
  return dispatch<A, LinkBroken<T>>(cell, whole.message, NoAnswer{});
}
template <class T>
void abandon_broken(Envelope& envelope, Errc) noexcept {
  reinterpret_cast<BrokenEnvelope<T>&>(envelope).message.~LinkBroken<T>();
}
template <class A, class T>
inline constexpr MessageDescriptor broken_descriptor{
    .message = type_name<LinkBroken<T>>(),
    .handle = &handle_broken<A, T>,
    .abandon = &abandon_broken<T>,
    .actor = type_name<A>(),
    .size = sizeof(BrokenEnvelope<T>),
    .kind = SendKind::system,
    .weight = [](const Envelope&) noexcept -> std::size_t { return sizeof(LinkBroken<T>); }};

template <class A, class T>
void tell_broken(Cell& me, bool replaced, Error why) {
  CoreFace& core = face_of(me);
  WorkerContext* const context = context_for(&core);
  auto* const block = build<BrokenEnvelope<T>>(core, context, broken_descriptor<A, T>, me.generation(),
                                               LinkBroken<T>{replaced, std::move(why)}, incarnation_of(me));
  count_sent(core, context);
  post(core, context, me, block->head);
}

template <class T>
class LinkAwait final : public WaitAwait {
 public:
  LinkAwait(std::vector<WaitItem> items, Duration within, LinkOrder order)
      : WaitAwait(std::move(items), within), order_(order) {}
  Result<T> await_resume() {
    if (Result<> all = outcome(); !all) return all.error();
    set_resource_link(*current_cell(), items_[0].wanted, items_[0].got, order_, items_[0].where->text());
    return value_of<T>(items_[0].got);
  }

 private:
  LinkOrder order_;
};

}  // namespace detail

/// Resources that are waited for, without the deadline yet.
template <class... T>
class [[nodiscard]] DependsOn {
 public:
  explicit DependsOn(std::vector<detail::WaitItem> items) : items_(std::move(items)) {}
  class [[nodiscard]] Within {
   public:
    Within(std::vector<detail::WaitItem> items, Duration d) : items_(std::move(items)), within_(d) {}
    using value_type = Result<typename detail::DependencyValue<T...>::type>;
    detail::DependsAwait<T...> operator co_await() && {
      return detail::DependsAwait<T...>(std::move(items_), within_);
    }

   private:
    std::vector<detail::WaitItem> items_;
    Duration within_;
  };
  [[nodiscard]] Within within(Duration d) && { return Within(std::move(items_), d); }
  void operator co_await() && = delete;  // a wait always has a deadline: .within(5s)

 private:
  std::vector<detail::WaitItem> items_;
};

/// A link to a resource, without its deadline yet. Unless it is said otherwise: soft, and it restarts its holder.
template <class T>
class [[nodiscard]] LinkTo {
 public:
  explicit LinkTo(Path where) { items_.emplace_back(detail::wanted<T>(), false, std::move(where)); }
  /// Breaks when the value is dropped.
  [[nodiscard]] LinkTo soft() && {
    order_.hard = false;
    return std::move(*this);
  }
  /// Breaks when it is dropped or replaced.
  [[nodiscard]] LinkTo hard() && {
    order_.hard = true;
    return std::move(*this);
  }
  /// Broken, it ends the holder's incarnation in order and begins the next (one made by once() is stopped).
  [[nodiscard]] LinkTo restart() && {
    order_.then = detail::LinkOrder::Then::restart;
    return std::move(*this);
  }
  /// Broken, it stops the holder in order.
  [[nodiscard]] LinkTo stop() && {
    order_.then = detail::LinkOrder::Then::stop;
    return std::move(*this);
  }
  /// Broken, it sends LinkBroken<T> to the holder: `.tell(cx.self(this))`.
  template <class A>
  [[nodiscard]] LinkTo tell(const Ref<A>&) && {
    static_assert(Handles<A, LinkBroken<T>>, "tell(self): add  void handle(backstage::LinkBroken<T>)");
    order_.then = detail::LinkOrder::Then::tell;
    order_.tell = &detail::tell_broken<A, T>;
    return std::move(*this);
  }
  class [[nodiscard]] Within {
   public:
    Within(std::vector<detail::WaitItem> items, Duration d, detail::LinkOrder order)
        : items_(std::move(items)), within_(d), order_(order) {}
    using value_type = Result<T>;
    detail::LinkAwait<T> operator co_await() && { return detail::LinkAwait<T>(std::move(items_), within_, order_); }

   private:
    std::vector<detail::WaitItem> items_;
    Duration within_;
    detail::LinkOrder order_;
  };
  [[nodiscard]] Within within(Duration d) && { return Within(std::move(items_), d, order_); }
  void operator co_await() && = delete;  // a wait always has a deadline: .within(5s)

 private:
  std::vector<detail::WaitItem> items_;
  detail::LinkOrder order_;
};

/// A subscription that was set. Copies speak of the same one. Forgetting it does not cancel it.
class Subscription {
 public:
  Subscription() = default;
  explicit Subscription(std::shared_ptr<detail::SubscriptionState> state) noexcept : state_(std::move(state)) {}
  /// Nothing of it is handled from now on. From within the turn of the incarnation that set it only; true when it was set.
  bool cancel() noexcept { return state_ != nullptr && detail::cancel_subscription(*state_); }
  /// Told apart within one actor; 0 of one that was never set.
  [[nodiscard]] std::uint64_t id() const noexcept { return state_ != nullptr ? detail::id_of(*state_) : 0; }
  /// Of every(n): values that were dropped because n waited.
  [[nodiscard]] std::uint64_t missed() const noexcept { return state_ != nullptr ? detail::missed_of(*state_) : 0; }

 private:
  std::shared_ptr<detail::SubscriptionState> state_;
};

/// How many values may wait: the latest only, or every one, up to n.
struct Every {
  std::size_t n;
};
[[nodiscard]] constexpr Every every_value(std::size_t up_to) noexcept { return {up_to}; }

template <class T>
void Context::publish(T value) {
  detail::settle_turn();
  detail::check_published<T>();
  detail::publish_value(cell(), detail::wanted<T>(), std::make_shared<const T>(std::move(value)), false);
}
template <class T>
void Context::expose(T value) {
  detail::settle_turn();
  detail::check_published<T>();
  detail::publish_value(cell(), detail::wanted<T>(), std::make_shared<const T>(std::move(value)), true);
}
template <class T>
auto Context::withdraw() {
  detail::settle_turn();
  detail::check_published<T>();
  return detail::value_back<T>(detail::withdraw_value(cell(), detail::wanted<T>()));
}
template <class T>
Result<T> Context::lookup() const {
  auto found = detail::look_up_nearest(const_cast<detail::Cell&>(cell()), detail::wanted<T>());
  if (!found) return found.error();
  return detail::value_of<T>(*found);
}
template <class T>
Result<T> Context::lookup(const Path& where) const {
  auto& me = const_cast<detail::Cell&>(cell());
  auto found = detail::look_up(detail::face_of(me), &me, where, detail::wanted<T>());
  if (!found) return found.error();
  return detail::value_of<T>(*found);
}
template <class T>
Result<std::shared_ptr<const T>> Context::borrow(const Path& where) const {
  static_assert(!detail::RefTraits<T>::is_ref, "a Ref is small: lookup<Ref<A>>(where)");
  auto& me = const_cast<detail::Cell&>(cell());
  auto found = detail::look_up(detail::face_of(me), &me, where, detail::wanted<T>());
  if (!found) return found.error();
  return std::static_pointer_cast<const T>(found->value);
}
template <class... T, class... Where>
auto Context::depends_on(const Where&... where) {
  static_assert(sizeof...(T) > 0, "depends_on<Config>(cx.parent()): say what is waited for");
  static_assert(sizeof...(Where) <= 1 || sizeof...(Where) == sizeof...(T),
                "depends_on: a place for each type, one for all, or none (the nearest above)");
  const std::array<std::optional<Path>, sizeof...(Where) + 1> places{std::optional<Path>(where)..., std::nullopt};
  std::vector<detail::WaitItem> items;
  items.reserve(sizeof...(T));
  std::size_t next = 0;
  (items.emplace_back(detail::wanted<typename detail::Dependency1<T>::type>(), detail::Dependency1<T>::optional,
                      places[sizeof...(Where) <= 1 ? 0 : next++]),
   ...);
  return DependsOn<T...>(std::move(items));
}
template <class T>
auto Context::link(const Path& where) {
  return LinkTo<T>(where);
}
template <class T>
bool Context::unlink(const Path& where) {
  return detail::drop_resource_link(cell(), where, detail::wanted<T>());
}
template <class T>
Result<Path> Context::highest() const {
  return detail::find_exposed(cell(), detail::wanted<T>(), true);
}
template <class T>
Result<Path> Context::lowest() const {
  return detail::find_exposed(cell(), detail::wanted<T>(), false);
}

template <class T, class A>
Subscription Context::subscribe(const Path& where, const Ref<A>& me) {
  return subscribe<T>(where, me, every_value(0));
}
template <class T, class A>
Subscription Context::subscribe(const Path& where, const Ref<A>& me, Every every) {
  static_assert(Handles<A, Published<T>> && Handles<A, Dropped<T>>,
                "subscribe(where, self): add  void handle(backstage::Published<T>)  and  "
                "void handle(backstage::Dropped<T>)");
  detail::check_watcher(cell(), detail::RefAccess::cell(me), detail::RefAccess::generation(me));
  return Subscription(detail::subscribe_to(cell(), where, detail::wanted<T>(), every.n, detail::feed_descriptor<A, T>,
                                           [](const detail::LookedUp& found) -> std::shared_ptr<const void> {
                                             if constexpr (detail::RefTraits<T>::is_ref) {
                                               return std::make_shared<const T>(detail::value_of<T>(found));
                                             } else {
                                               return found.value;
                                             }
                                           }));
}

template <class T>
void Runtime::publish(T value) {
  detail::check_published<T>();
  detail::publish_at_root(face(), detail::wanted<T>(), std::make_shared<const T>(std::move(value)));
}
template <class T>
auto Runtime::withdraw() {
  detail::check_published<T>();
  return detail::value_back<T>(detail::withdraw_at_root(face(), detail::wanted<T>()));
}
template <class A>
Result<Ref<A>> Runtime::find(const Path& where) const {
  auto found = detail::find_actor(face(), nullptr, where, &detail::type_tag<A>, detail::type_name<A>());
  if (!found) return found.error();
  return detail::RefAccess::make<A>(found->cell, found->generation);
}

}  // namespace v0
}  // namespace backstage
