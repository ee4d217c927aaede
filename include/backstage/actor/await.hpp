// What an actor may await besides asks: sleep, yield, blocking work; and pipe, which does not wait.
// Threads: the actor's own turn. Stability: settling (v0).
#pragma once

#include <exception>
#include <utility>

#include "backstage/actor/detail/task_root.hpp"
#include "backstage/actor/spawn.hpp"
#include "backstage/actor/timer.hpp"

namespace backstage {
inline namespace v0 {

/// `co_await cx.sleep(1s)`.
class [[nodiscard]] SleepAwait final : public detail::Awaiter {
 public:
  explicit SleepAwait(Duration d) noexcept : for_(d) {}
  /// Before it is awaited only: for when_any and when_all.
  SleepAwait(SleepAwait&& other) noexcept : for_(other.for_) {}
  bool await_ready() const noexcept { return detail::current_cell() == nullptr; }
  void await_suspend(std::coroutine_handle<> handle) {
    enlist(*detail::current_cell(), handle,
           detail::this_turn->worker->fresh_now() + std::max(for_, Duration::zero()));
  }
  void await_resume() noexcept {}
  void expire(detail::Cell&) override {}
  [[nodiscard]] std::string describe_wait() const override { return "sleep of " + to_string(for_); }

 private:
  Duration for_;
};

/// `co_await cx.yield()`.
class [[nodiscard]] YieldAwait final : public detail::Awaiter {
 public:
  YieldAwait() = default;
  YieldAwait(YieldAwait&&) noexcept {}
  bool await_ready() const noexcept { return detail::current_cell() == nullptr; }
  void await_suspend(std::coroutine_handle<> handle);
  void await_resume() noexcept {}
  [[nodiscard]] std::string describe_wait() const override { return "its next turn: it gave way"; }
};

namespace detail {

/// Hands a job to the blocking pool of the running actor's runtime. False: the pool's queue is full.
bool submit_blocking(Cell& cell, MoveFunction<void()> job);
[[nodiscard]] Error describe_current_exception(Errc code);

template <class F>
class BlockingAwaitOf final : public ResultAwaiter<std::invoke_result_t<F&>> {
 public:
  using R = std::invoke_result_t<F&>;
  BlockingAwaitOf(F work, Duration within) : work_(std::move(work)), within_(within) {}
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> handle) {
    Cell& cell = *current_cell();
    Root* const root = static_cast<Root*>(this_turn->root);
    const Instant deadline =
        std::min(this_turn->worker->fresh_now() + within_, root != nullptr ? root->deadline : Instant::never());
    this->enlist(cell, handle, deadline);
    ReplyPort port(&cell, cell.generation(), this->number_, deadline);
    port.slot = allocate_frame(sizeof(ReplyNode<R>));
    const bool taken = submit_blocking(cell, [work = std::move(work_), p = std::move(port)]() mutable {
      Result<R> result = [&]() -> Result<R> {
        try {
          if constexpr (std::is_void_v<R>) {
            work();
            return {};
          } else {
            return Result<R>(work());
          }
        } catch (...) {
          return describe_current_exception(Errc::failed);
        }
      }();
      answer<R>(std::move(p), std::move(result));
    });
    if (taken) return true;
    this->delist();
    this->result_.emplace(Error(Errc::full, "the blocking pool's queue is full: the work was not begun"));
    return false;
  }
  Result<R> await_resume() { return std::move(*this->result_); }
  void expire(Cell&) override {
    this->result_.emplace(Error(Errc::timeout, "blocking work did not end within " + to_string(within_) +
                                                   "; it goes on, its result is dropped")
                              .and_may_have_run());
  }
  [[nodiscard]] std::string describe_wait() const override { return "blocking work"; }

 private:
  F work_;
  Duration within_;
};

template <class F>
class [[nodiscard]] Blocking {
 public:
  explicit Blocking(F work) : work_(std::move(work)) {}
  class [[nodiscard]] Within {
   public:
    Within(F work, Duration d) : work_(std::move(work)), within_(d) {}
    BlockingAwaitOf<F> operator co_await() && { return BlockingAwaitOf<F>(std::move(work_), within_); }
    using value_type = Result<std::invoke_result_t<F&>>;

   private:
    F work_;
    Duration within_;
  };
  [[nodiscard]] Within within(Duration d) && { return Within(std::move(work_), d); }
  void operator co_await() && = delete;  // a wait always has a deadline: .within(5s)

 private:
  F work_;
};

}  // namespace detail

/// `work` is a callable without arguments; inside a co_await expression pass a named one by `moved(name)`.
template <class F>
auto Context::blocking(F work) {
  if constexpr (detail::is_moved<F>) {
    return detail::Blocking(std::move(work).take());
  } else {
    static_assert(detail::is_closure_safe_in_await<F>,
                  "g++ 12 would destroy this closure twice inside co_await: name it and pass backstage::moved(name)");
    return detail::Blocking<F>(std::move(work));
  }
}

template <class T, class A>
void Context::pipe(Task<T> task, Ref<A> target) {
  static_assert(Handles<A, T>, "the target has no handle() for exactly the type that the task yields");
  detail::run_root(cell(), detail::RootKind::beside, std::move(task), Instant::never(), "pipe",
                   [target](detail::Cell&, Task<T>& done) { target.send(done.take()); });
  detail::this_turn->asked = nullptr;  // the handler goes on
}

}  // namespace v0
}  // namespace backstage
