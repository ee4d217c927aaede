// Task<T>: a coroutine that starts when it is awaited and has exactly one awaiter.
//
// Lifetime: destroying a Task that has not finished destroys its frame where it waits, and with it what it awaits
// (that is how an actor is cancelled). Errors: what escapes the coroutine is thrown again at the co_await.
// Parameters are taken by value: references would dangle after the first suspension. Context&, Inbox<...>& and a
// hook's const Result<>& are the framework's own and outlive the coroutine; any other reference does not compile.
// Threads: a Task lives in the turn of one actor; it is resumed by whichever worker runs that actor.
// Stability: settling (v0).
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "backstage/base/result.hpp"
#include "backstage/exec/detail/turn.hpp"

namespace backstage {
inline namespace v0 {

class Context;
template <class... Messages>
class Inbox;
template <class T = void>
class Task;

namespace detail {

template <class P>
inline constexpr bool is_inbox_reference = false;
template <class... M>
inline constexpr bool is_inbox_reference<Inbox<M...>&> = true;

/// What a coroutine may take as a parameter: values, and the framework's own references that outlive it.
template <class P>
inline constexpr bool may_be_coroutine_parameter =
    !std::is_reference_v<P> || std::same_as<P, Context&> || std::same_as<P, const Result<>&> || is_inbox_reference<P>;

class TaskPromiseBase {
 public:
  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* frame) noexcept { deallocate_frame(frame); }

  std::suspend_always initial_suspend() noexcept { return {}; }

  struct Final {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> handle) noexcept {
      TaskPromiseBase& self = handle.promise();
      // Left for the drive loop: nothing is resumed from here, so the stack does not grow.
      if (self.continuation_) {
        this_turn->next = self.continuation_;
      } else if (self.on_done_ != nullptr) {
        self.on_done_(self.done_argument_);
      }
    }
    void await_resume() noexcept {}
  };
  Final final_suspend() noexcept { return {}; }

  void set_continuation(std::coroutine_handle<> continuation) noexcept { continuation_ = continuation; }
  void set_on_done(void (*on_done)(void*) noexcept, void* argument) noexcept {
    on_done_ = on_done;
    done_argument_ = argument;
  }

 private:
  std::coroutine_handle<> continuation_{};
  void (*on_done_)(void*) noexcept = nullptr;
  void* done_argument_ = nullptr;
};

template <class T>
class TaskPromise : public TaskPromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  template <class U>
    requires std::convertible_to<U&&, T>
  void return_value(U&& value) {
    outcome_.template emplace<1>(std::forward<U>(value));
  }
  void return_value(T value) { outcome_.template emplace<1>(std::move(value)); }
  void unhandled_exception() noexcept { outcome_.template emplace<2>(std::current_exception()); }
  T take() {
    if (outcome_.index() == 2) std::rethrow_exception(std::exchange(std::get<2>(outcome_), nullptr));
    return std::move(std::get<1>(outcome_));
  }

 private:
  std::variant<std::monostate, T, std::exception_ptr> outcome_;
};

template <>
class TaskPromise<void> : public TaskPromiseBase {
 public:
  inline Task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void unhandled_exception() noexcept { failure_ = std::current_exception(); }
  void take() {
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  std::exception_ptr failure_;
};

template <class T, class... Parameters>
class CheckedTaskPromise : public TaskPromise<T> {
  static_assert((may_be_coroutine_parameter<Parameters> && ...),
                "a coroutine takes its parameters by value: a reference would dangle after the first co_await "
                "(Context&, Inbox<...>& and a hook's const Result<>& are the framework's and may stay)");
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using value_type = T;

  Task() = default;
  explicit Task(std::coroutine_handle<detail::TaskPromise<T>> handle) noexcept : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Task() { reset(); }

  bool await_ready() const noexcept { return !handle_ || handle_.done(); }
  void await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().set_continuation(awaiting);
    detail::this_turn->next = handle_;
  }
  T await_resume() { return handle_.promise().take(); }

  // For those who run a Task as a root (the actor runner, when_all, tests).
  [[nodiscard]] bool done() const noexcept { return handle_.done(); }
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  [[nodiscard]] std::coroutine_handle<> handle() const noexcept { return handle_; }
  void on_done(void (*callback)(void*) noexcept, void* argument) noexcept {
    handle_.promise().set_on_done(callback, argument);
  }
  T take() { return handle_.promise().take(); }

 private:
  void reset() noexcept {
    if (handle_) std::exchange(handle_, {}).destroy();
  }
  std::coroutine_handle<detail::TaskPromise<T>> handle_{};
};

namespace detail {
template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}
}  // namespace detail

}  // namespace v0
}  // namespace backstage

// The parameters are judged at the coroutine's definition. The first one is not: for a member function it is the
// object itself, which the framework keeps alive.
template <class T, class Self, class... Parameters>
  requires(sizeof...(Parameters) > 0)
struct std::coroutine_traits<backstage::Task<T>, Self, Parameters...> {
  // Derived from TaskPromise and adding nothing: a handle to it serves as a handle to its base.
  struct promise_type : backstage::detail::CheckedTaskPromise<T, Parameters...> {};
};
