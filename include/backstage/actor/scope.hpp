// Scope: what is published and offered at a place, for whoever has its path. Readers wait for nobody.
//
//     Result<Scope> store = cx.scope("/chronicle/store");       runtime.scope("/chronicle/store")
//     store->lookup<Settings>();                                // the value as it is now
//     store->send(Reading{...});                                // by type: the store's own header is not needed
//     for (const auto& one : store->resources()) ...
//
// Of each actor a Ref and a Service are there from the start: lookup<Ref<Store>>(), lookup<Service>(). A Service that is looked
// up has the name, type and status (its own: nothing is rolled up), `suspended` and `handled` as they are now; the other
// figures stand in what a subscriber hears, and in inspect().
// A Scope is cheap to copy and may outlive the actor and the Runtime: then nothing is found any more (Errc::gone).
// Threads: any. Stability: settling (v0).
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "backstage/actor/path.hpp"
#include "backstage/actor/service.hpp"
#include "backstage/metrics/instruments.hpp"
#include "backstage/scope/board.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// A type of resource. A Ref and a Service are there without being published.
struct Wanted {
  enum class Kind : std::uint8_t { value, ref, service };
  Kind kind = Kind::value;
  const void* type = nullptr;
  std::string_view name;
  const void* actor = nullptr;  // of a Ref<A>: A
  std::string_view actor_name;
};
template <class T>
struct RefTraits {
  static constexpr bool is_ref = false;
};
template <class A>
struct RefTraits<Ref<A>> {
  static constexpr bool is_ref = true;
  using actor = A;
};
template <class T>
[[nodiscard]] constexpr Wanted wanted() {
  static_assert(std::same_as<T, std::remove_cvref_t<T>>, "a resource is found by its plain type");
  if constexpr (RefTraits<T>::is_ref) {
    using A = typename RefTraits<T>::actor;
    return {Wanted::Kind::ref, &type_tag<T>, type_name<T>(), &type_tag<A>, type_name<A>()};
  } else if constexpr (std::same_as<T, Service>) {
    return {Wanted::Kind::service, &type_tag<T>, type_name<T>(), nullptr, {}};
  } else {
    return {Wanted::Kind::value, &type_tag<T>, type_name<T>(), nullptr, {}};
  }
}

struct LookedUp {
  std::shared_ptr<const void> value;  // null: of a Ref
  std::uint64_t version = 0;
  Cell* cell = nullptr;
  std::uint32_t generation = 0;
};
template <class T>
[[nodiscard]] T value_of(const LookedUp& found) {
  if constexpr (RefTraits<T>::is_ref) {
    return RefAccess::make<typename RefTraits<T>::actor>(found.cell, found.generation);
  } else {
    static_assert(std::is_copy_constructible_v<T>, "lookup() copies: publish a shared_ptr to it, or use borrow<T>()");
    return *static_cast<const T*>(found.value.get());
  }
}

/// At one place. `what` of it for the error: its path as it was written.
[[nodiscard]] Result<LookedUp> look_up_at(const FoundPlace& place, const std::shared_ptr<Board>& board,
                                          const Wanted& wanted, const std::string& what);
[[nodiscard]] Result<LookedUp> look_up(CoreFace& core, Cell* from, const Path& where, const Wanted& wanted);
/// Of the running cell or the nearest above it that has one.
[[nodiscard]] Result<LookedUp> look_up_nearest(Cell& from, const Wanted& wanted);
/// False: it is over. Any thread; it may end at any time.
[[nodiscard]] bool is_there(const FoundPlace& place) noexcept;
/// The board of a living place; null: it is over. Made when there is none.
[[nodiscard]] std::shared_ptr<Board> need_board(Cell* cell, std::uint32_t generation);
[[nodiscard]] std::shared_ptr<Board> my_board(Cell& me);

/// One message that a place offers.
struct FoundRoute {
  RouteEntry entry;
  Cell* cell = nullptr;
  std::uint32_t generation = 0;
};
/// Its address is the key of a route that was added, as type_tag's is that of a resource.
template <class M>
inline constexpr char route_tag = 0;
struct RouteKey {
  const void* message = nullptr;
  const void* added = nullptr;
  std::string_view name;
};
template <class M>
[[nodiscard]] constexpr RouteKey route_key() noexcept {
  return {&type_tag<M>, &route_tag<M>, type_name<M>()};
}
[[nodiscard]] Result<FoundRoute> find_route(const FoundPlace& place, const std::shared_ptr<Board>& board,
                                            const RouteKey& key, const std::string& what);
[[nodiscard]] Result<FoundRoute> find_route(CoreFace& core, Cell* from, const Path& where, const RouteKey& key);
/// By its name as text: its type's, with or without namespaces.
[[nodiscard]] Result<FoundRoute> find_route_named(const FoundPlace& place, const std::shared_ptr<Board>& board,
                                                  std::string_view name, const std::string& what);
[[nodiscard]] std::vector<FoundRoute> all_routes(const FoundPlace& place, const std::shared_ptr<Board>& board);

struct ScopeAccess;
}  // namespace detail

class Scope {
 public:
  /// The value as it is now, of this place only.
  template <class T>
  [[nodiscard]] Result<T> lookup() const {
    auto found = detail::look_up_at(place_, board(), detail::wanted<T>(), where_);
    if (!found) return found.error();
    return detail::value_of<T>(*found);
  }
  /// The same without a copy.
  template <class T>
  [[nodiscard]] Result<std::shared_ptr<const T>> borrow() const {
    static_assert(!detail::RefTraits<T>::is_ref, "a Ref is small: lookup<Ref<A>>()");
    auto found = detail::look_up_at(place_, board(), detail::wanted<T>(), where_);
    if (!found) return found.error();
    return std::static_pointer_cast<const T>(found->value);
  }
  /// Sends by type. Errc::not_found: not offered, and `message` is as it was.
  template <class M>
  Result<> send(M&& message) const {
    using Plain = std::remove_cvref_t<M>;
    const auto found = detail::find_route(place_, board(), detail::route_key<Plain>(), where_);
    if (!found) return found.error();
    Plain copy(std::forward<M>(message));
    found->entry.send(found->cell, found->generation, &copy);
    return {};
  }
  /// `co_await scope.ask<Get, std::string>("key").within(1s)` (route.hpp).
  template <class M, class R, class... X>
  [[nodiscard]] auto ask(X&&... parts) const;
  /// Names of the types that are published here now, in the order in which they came.
  [[nodiscard]] std::vector<std::string> resources() const;
  /// Names of the messages that are offered here now.
  [[nodiscard]] std::vector<std::string> routes() const;
  /// The figures of the actor's own (metrics.hpp).
  [[nodiscard]] std::vector<Metric> metrics() const;
  /// As it was written when it was looked for.
  [[nodiscard]] const std::string& where() const noexcept { return where_; }
  [[nodiscard]] bool is_over() const noexcept { return !detail::is_there(place_); }

 private:
  friend struct detail::ScopeAccess;
  Scope(detail::FoundPlace place, std::shared_ptr<detail::Board> board, std::string where)
      : place_(place), board_(std::move(board)), where_(std::move(where)) {}
  [[nodiscard]] std::shared_ptr<detail::Board> board() const;
  detail::FoundPlace place_;
  std::shared_ptr<detail::Board> board_;  // null: there was none when this was made, and there may be one now
  std::string where_;
};

/// The figures of one actor's own.
struct ActorMetrics {
  std::string path;
  std::vector<Metric> figures;
};

namespace detail {
struct ScopeAccess {
  [[nodiscard]] static Result<Scope> open(CoreFace& core, Cell* from, const Path& where);
  [[nodiscard]] static const FoundPlace& place(const Scope& scope) noexcept { return scope.place_; }
  [[nodiscard]] static std::shared_ptr<Board> board(const Scope& scope) { return scope.board(); }
};
}  // namespace detail

}  // namespace v0
}  // namespace backstage
