// when_all and when_any: several awaitables of one actor at once, in its own turn.
//
//     auto [a, b] = co_await when_all(left.ask<Get>(1).within(1s), right.ask<Get>(2).within(1s));
//     auto first = co_await when_any(left.ask<Get>(1).within(1s), right.ask<Get>(1).within(1s));   // a variant
//
// when_all: the first exception is thrown when all have ended. when_any: the others are destroyed where they wait.
// A void outcome is a std::monostate. Threads: the actor's own turn. Stability: settling (v0).
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "backstage/exec/task.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class Awaitable>
decltype(auto) awaiter_of(Awaitable&& awaitable) {
  if constexpr (requires { std::forward<Awaitable>(awaitable).operator co_await(); }) {
    return std::forward<Awaitable>(awaitable).operator co_await();
  } else {
    return std::forward<Awaitable>(awaitable);
  }
}
template <class Awaitable>
using awaited_t = decltype(detail::awaiter_of(std::declval<Awaitable>()).await_resume());
template <class T>
using value_or_monostate_t = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
Task<T> as_task(Task<T> task) {
  return task;
}
template <class Awaitable>
Task<awaited_t<Awaitable>> as_task(Awaitable awaitable) {
  co_return co_await std::move(awaitable);
}

template <class T>
value_or_monostate_t<T> take_value(Task<T>& task) {
  if constexpr (std::is_void_v<T>) {
    task.take();
    return {};
  } else {
    return task.take();
  }
}

/// Starts each task and resumes the awaiting coroutine when `enough` of them are done.
template <class... T>
class WhenBase {
 public:
  WhenBase(std::size_t enough, Task<T>... tasks) : missing_(enough), tasks_(std::move(tasks)...) {}
  WhenBase(WhenBase&& other) noexcept : missing_(other.missing_), tasks_(std::move(other.tasks_)) {}

  bool await_ready() const noexcept { return sizeof...(T) == 0; }
  bool await_suspend(std::coroutine_handle<> awaiting) {
    start(std::index_sequence_for<T...>{});
    if (missing_ == 0) return false;
    awaiting_ = awaiting;
    return true;
  }

 protected:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::size_t missing_;
  std::size_t first_ = none;
  std::tuple<Task<T>...> tasks_;

 private:
  template <std::size_t I>
  void done() noexcept {
    if (first_ == none) first_ = I;
    if (missing_ == 0 || --missing_ != 0) return;
    if (awaiting_) this_turn->next = std::exchange(awaiting_, {});
  }
  template <std::size_t I>
  void start_one() {
    if (missing_ == 0) return;  // when_any: somebody was ready at once
    auto& task = std::get<I>(tasks_);
    task.on_done([](void* self) noexcept { static_cast<WhenBase*>(self)->template done<I>(); }, this);
    drive(task.handle());
  }
  template <std::size_t... I>
  void start(std::index_sequence<I...>) {
    (start_one<I>(), ...);
  }
  std::coroutine_handle<> awaiting_{};
};

template <class... T>
class [[nodiscard]] WhenAll final : public WhenBase<T...> {
 public:
  explicit WhenAll(Task<T>... tasks) : WhenBase<T...>(sizeof...(T), std::move(tasks)...) {}
  std::tuple<value_or_monostate_t<T>...> await_resume() {
    return std::apply([](auto&... task) { return std::tuple<value_or_monostate_t<T>...>{take_value(task)...}; },
                      this->tasks_);
  }
};

template <class... T>
class [[nodiscard]] WhenAny final : public WhenBase<T...> {
 public:
  explicit WhenAny(Task<T>... tasks) : WhenBase<T...>(1, std::move(tasks)...) {}
  std::variant<value_or_monostate_t<T>...> await_resume() { return take(std::index_sequence_for<T...>{}); }

 private:
  template <std::size_t... I>
  std::variant<value_or_monostate_t<T>...> take(std::index_sequence<I...>) {
    using Out = std::variant<value_or_monostate_t<T>...>;
    std::optional<Out> out;
    ((this->first_ == I ? (void)out.emplace(std::in_place_index<I>, take_value(std::get<I>(this->tasks_))) : (void)0),
     ...);
    // The losers are cancelled now, not when the whole expression ends.
    ((this->first_ == I ? (void)0 : (void)(std::get<I>(this->tasks_) = Task<T>())), ...);
    return std::move(*out);
  }
};

}  // namespace detail

template <class... Awaitables>
[[nodiscard]] auto when_all(Awaitables... awaitables) {
  return detail::WhenAll(detail::as_task(std::move(awaitables))...);
}
template <class... Awaitables>
[[nodiscard]] auto when_any(Awaitables... awaitables) {
  static_assert(sizeof...(Awaitables) > 0, "when_any of nothing would wait for ever");
  return detail::WhenAny(detail::as_task(std::move(awaitables))...);
}

}  // namespace v0
}  // namespace backstage
