// Task<T>: starts when awaited, has one awaiter, passes on what escapes, and never grows the stack.
#include "backstage/exec/task.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace backstage {
namespace {

/// Runs a Task as a root on this thread.
template <class T>
T run(Task<T> task) {
  detail::Turn turn;
  const detail::TurnScope scope(turn);
  detail::drive(task.handle());
  EXPECT_TRUE(task.done());
  return task.take();
}

/// Suspends until the test resumes it.
struct Gate {
  std::coroutine_handle<> waiting{};
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { waiting = handle; }
  void await_resume() const noexcept {}
};

/// How deep the stack is now, and the deepest that was noted.
struct Depth {
  std::uintptr_t shallowest = UINTPTR_MAX;
  std::uintptr_t deepest = UINTPTR_MAX;
  [[gnu::noinline]] void note() {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    if (shallowest == UINTPTR_MAX) shallowest = here;
    deepest = std::min(deepest, here);
  }
  [[nodiscard]] std::uintptr_t grown() const { return shallowest - deepest; }
};
constexpr std::uintptr_t little = 16 * 1024;

Task<int> ready(int value, Depth* depth) {
  depth->note();
  co_return value;
}

Task<std::int64_t> sum(int count, Depth* depth) {
  std::int64_t total = 0;
  for (int i = 0; i < count; ++i) total += co_await ready(1, depth);
  co_return total;
}

TEST(Task, a_million_ready_awaits_in_a_loop_use_the_stack_of_one) {
  Depth depth;
  EXPECT_EQ(run(sum(1'000'000, &depth)), 1'000'000);
  EXPECT_LT(depth.grown(), little);
}

Task<int> down(int levels, Depth* depth) {
  depth->note();
  if (levels == 0) co_return 0;
  const int below = co_await down(levels - 1, depth);
  depth->note();
  co_return below + 1;
}

TEST(Task, a_recursion_of_a_hundred_thousand_tasks_uses_the_stack_of_one) {
  Depth depth;
  EXPECT_EQ(run(down(100'000, &depth)), 100'000);
  EXPECT_LT(depth.grown(), little);
}

Task<> step(int levels, Depth* depth) {
  depth->note();
  if (levels > 0) co_await step(levels - 1, depth);
  depth->note();
  if (levels % 2 == 0) throw std::runtime_error("at " + std::to_string(levels));
}

TEST(Task, what_escapes_goes_up_through_many_levels_without_using_the_stack) {
  Depth depth;
  const auto catching = [](Depth* d) -> Task<std::string> {
    try {
      co_await step(10'000, d);
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing";
  };
  EXPECT_EQ(run(catching(&depth)), "at 0");
  EXPECT_LT(depth.grown(), little);
}

TEST(Task, starts_when_it_is_awaited_and_not_before) {
  bool began = false;
  const auto body = [](bool* flag) -> Task<> {
    *flag = true;
    co_return;
  };
  {
    const Task<> never = body(&began);
    EXPECT_FALSE(began);
  }
  EXPECT_FALSE(began) << "a task that nobody awaited never runs";
  run(body(&began));
  EXPECT_TRUE(began);
}

TEST(Task, yields_values_that_can_only_be_moved) {
  const auto body = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  EXPECT_EQ(*run(body()), 7);
}

TEST(Task, throws_again_what_escaped_of_whatever_type) {
  const auto body = []() -> Task<int> {
    throw 42;
    co_return 0;
  };
  EXPECT_THROW(run(body()), int);
}

TEST(Task, M8_destroyed_where_it_waits_it_destroys_what_it_awaits_innermost_first) {
  struct Mark {
    std::string* log;
    char name;
    ~Mark() { *log += name; }
  };
  struct Body {
    static Task<> inner(std::string* log, Gate* gate) {
      const Mark mark{log, 'i'};
      co_await *gate;
    }
    static Task<> outer(std::string* log, Gate* gate) {
      const Mark mark{log, 'o'};
      co_await inner(log, gate);
      *log += '!';
    }
  };
  std::string log;
  Gate gate;
  detail::Turn turn;
  const detail::TurnScope scope(turn);
  {
    Task<> task = Body::outer(&log, &gate);
    detail::drive(task.handle());
    EXPECT_FALSE(task.done());
    EXPECT_TRUE(gate.waiting);
  }
  EXPECT_EQ(log, "io");
}

TEST(Task, goes_on_on_another_thread_than_it_began) {
  struct Body {
    static Task<int> inner(Gate* gate) {
      co_await *gate;
      co_return co_await last();
    }
    static Task<int> last() { co_return 5; }
  };
  Gate gate;
  Task<int> task = Body::inner(&gate);
  {
    detail::Turn turn;
    const detail::TurnScope scope(turn);
    detail::drive(task.handle());
  }
  std::thread([&gate] {
    detail::Turn turn;
    const detail::TurnScope scope(turn);
    detail::drive(gate.waiting);
  }).join();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take(), 5);
}

}  // namespace
}  // namespace backstage
