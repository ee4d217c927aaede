// Interleaved<T>: the return type of a handler that gives the turn back while it waits (promise M8).
//
//     Interleaved<std::string> handle(Get get) { co_return (co_await store_.ask<Lookup>(get.key).within(1s)).or_fail(); }
//
// Between two of its co_awaits other messages may be handled, so the actor's state may have changed. At most 64 of an
// actor wait at a time (its policy's `interleaved`); while they do, no further message is begun.
// Stability: settling (v0).
#pragma once

#include <utility>

#include "backstage/exec/task.hpp"

namespace backstage {
inline namespace v0 {

namespace detail {
template <class T>
class InterleavedPromise;
}

template <class T>
class [[nodiscard]] Interleaved {
 public:
  using promise_type = detail::InterleavedPromise<T>;
  using value_type = T;
  explicit Interleaved(Task<T> task) noexcept : task_(std::move(task)) {}
  [[nodiscard]] Task<T> release() && noexcept { return std::move(task_); }

 private:
  Task<T> task_;
};

namespace detail {
template <class T>
class InterleavedPromise : public TaskPromise<T> {
 public:
  Interleaved<T> get_return_object() noexcept { return Interleaved<T>(TaskPromise<T>::get_return_object()); }
};
template <class T, class... Parameters>
class CheckedInterleavedPromise : public InterleavedPromise<T> {
  static_assert((may_be_coroutine_parameter<Parameters> && ...),
                "a coroutine takes its parameters by value: a reference would dangle after the first co_await "
                "(Context&, Inbox<...>& and a hook's const Result<>& are the framework's and may stay)");
};
}  // namespace detail

}  // namespace v0
}  // namespace backstage

template <class T, class Self, class... Parameters>
  requires(sizeof...(Parameters) > 0)
struct std::coroutine_traits<backstage::Interleaved<T>, Self, Parameters...> {
  struct promise_type : backstage::detail::CheckedInterleavedPromise<T, Parameters...> {};
};
