// Routes: messages by type, for whoever has an actor's place and not its type.
//
//     struct Store { using routes = Routes<Put, Get>; ... };             // declared: offered by every Store from the start
//     cx.add_route<Reading>(parser_);                                    // at run time: for oneself, or for anybody
//
//     Result<> sent = cx.send("/store", Put{...});                       // not_found: not offered, the message is as it was
//     auto got = co_await cx.ask<Get, std::string>("/store", "key").within(1s);
//     scope.send(Put{...});   scope.routes()                             // the same through a Scope
//
// A route that was added comes before a declared one of the same message; it ends with the incarnation that added it, or
// by remove_route. The answer's type has to be the actor's own (Errc::invalid names it). JSON: application/json_routes.hpp.
// Threads: Context's in the actor's turn, Scope's any. Stability: settling (v0).
#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "backstage/actor/resource.hpp"
#include "backstage/actor/scope.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

void add_extra_route(Cell& me, const RouteEntry& entry, const RouteKey& key, Cell* target, std::uint32_t generation);
bool remove_extra_route(Cell& me, const RouteKey& key);

[[nodiscard]] Error answers_otherwise(const RouteEntry& entry, std::string_view wanted);

/// An ask, or the reason why there is none.
template <class M, class R>
class RoutedAwait {
 public:
  RoutedAwait(std::optional<Error> why_not, RequestFor<M, R> request, Duration within)
      : why_not_(std::move(why_not)), ask_(std::move(request), within) {}
  bool await_ready() const noexcept { return why_not_.has_value(); }
  bool await_suspend(std::coroutine_handle<> handle) { return ask_.await_suspend(handle); }
  Result<R> await_resume() {
    if (why_not_) return *why_not_;
    return ask_.await_resume();
  }

 private:
  std::optional<Error> why_not_;
  AskAwait<M, R> ask_;
};

}  // namespace detail

/// A request by route, without its deadline yet.
template <class M, class R>
class [[nodiscard]] RoutedAsk {
 public:
  RoutedAsk(std::optional<Error> why_not, detail::RequestFor<M, R> request)
      : why_not_(std::move(why_not)), request_(std::move(request)) {}
  class [[nodiscard]] Within {
   public:
    Within(std::optional<Error> why_not, detail::RequestFor<M, R> request, Duration d)
        : why_not_(std::move(why_not)), request_(std::move(request)), within_(d) {}
    using value_type = Result<R>;
    detail::RoutedAwait<M, R> operator co_await() && {
      return detail::RoutedAwait<M, R>(std::move(why_not_), std::move(request_), within_);
    }

   private:
    std::optional<Error> why_not_;
    detail::RequestFor<M, R> request_;
    Duration within_;
  };
  [[nodiscard]] Within within(Duration d) && { return Within(std::move(why_not_), std::move(request_), d); }
  void operator co_await() && = delete;  // an ask always has a deadline: .within(500ms)

 private:
  std::optional<Error> why_not_;
  detail::RequestFor<M, R> request_;
};

namespace detail {
template <class M, class R, class... X>
[[nodiscard]] RoutedAsk<M, R> ask_by_route(const Result<FoundRoute>& route, X&&... parts) {
  static_assert((is_safe_in_await<X> && ...),
                "g++ 12 would destroy this argument twice inside co_await: name it and pass backstage::moved(name)");
  if (!route) return RoutedAsk<M, R>(route.error(), RequestFor<M, R>(nullptr, nullptr, 0, std::forward<X>(parts)...));
  if (route->entry.reply != &type_tag<R>) {
    return RoutedAsk<M, R>(answers_otherwise(route->entry, type_name<R>()),
                           RequestFor<M, R>(nullptr, nullptr, 0, std::forward<X>(parts)...));
  }
  return RoutedAsk<M, R>(
      std::nullopt, RequestFor<M, R>(route->entry.ask, route->cell, route->generation, std::forward<X>(parts)...));
}
}  // namespace detail

template <class M>
Result<> Context::send(const Path& where, M&& message) const {
  using Plain = std::remove_cvref_t<M>;
  auto& me = const_cast<detail::Cell&>(cell());
  const auto found = detail::find_route(detail::face_of(me), &me, where, detail::route_key<Plain>());
  if (!found) return found.error();
  Plain moved_here(std::forward<M>(message));
  found->entry.send(found->cell, found->generation, &moved_here);
  return {};
}
template <class M, class R, class... X>
auto Context::ask(const Path& where, X&&... parts) const {
  auto& me = const_cast<detail::Cell&>(cell());
  return detail::ask_by_route<M, R>(detail::find_route(detail::face_of(me), &me, where, detail::route_key<M>()),
                                    std::forward<X>(parts)...);
}
template <class M, class R, class... X>
auto Scope::ask(X&&... parts) const {
  return detail::ask_by_route<M, R>(detail::find_route(place_, board_, detail::route_key<M>(), where_),
                                    std::forward<X>(parts)...);
}
template <class M, class A>
void Context::add_route(const Ref<A>& target) {
  static_assert(Handles<A, M>, "the target has no handle() for exactly that message type");
  detail::add_extra_route(cell(), detail::route_entry<A, M>(), detail::route_key<M>(),
                          detail::RefAccess::cell(target), detail::RefAccess::generation(target));
}
template <class M>
bool Context::remove_route() {
  return detail::remove_extra_route(cell(), detail::route_key<M>());
}

}  // namespace v0
}  // namespace backstage
