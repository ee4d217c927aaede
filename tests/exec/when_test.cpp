// when_all and when_any: several at once in one turn; what they give, throw and cancel.
#include "backstage/exec/when.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace backstage {
namespace {

struct Gate {
  std::coroutine_handle<> waiting{};
  void open() { detail::drive(std::exchange(waiting, {})); }
};
struct Pass {
  Gate* gate;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) const noexcept { gate->waiting = handle; }
  void await_resume() const noexcept {}
};

Task<int> after(Gate* gate, int value, std::string* log = nullptr) {
  struct Mark {
    std::string* log;
    int value;
    ~Mark() {
      if (log != nullptr) *log += std::to_string(value);
    }
  };
  const Mark mark{log, value};
  Pass pass{gate};
  co_await pass;
  if (value < 0) throw std::runtime_error("negative " + std::to_string(value));
  co_return value;
}
Task<int> at_once(int value) { co_return value; }
Task<> nothing(Gate* gate) {
  Pass pass{gate};
  co_await pass;
}

struct When : ::testing::Test {
  template <class T>
  void start(Task<T>& task) {
    detail::drive(task.handle());
  }
  detail::Turn turn;
  detail::TurnScope scope{turn};
  Gate a;
  Gate b;
  Gate c;
};

Task<std::string> all_of(Gate* a, Gate* b, Gate* c) {
  auto [x, y, z] = co_await when_all(after(a, 1), nothing(b), after(c, 3));
  static_assert(std::is_same_v<decltype(y), std::monostate>);
  co_return std::to_string(x) + std::to_string(z);
}

TEST_F(When, all_ends_with_the_last_and_keeps_the_places_of_the_outcomes) {
  auto task = all_of(&a, &b, &c);
  start(task);
  c.open();
  b.open();
  EXPECT_FALSE(task.done());
  a.open();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take(), "13");
}

Task<int> all_ready() {
  auto [x, y] = co_await when_all(at_once(1), at_once(2));
  co_return x + y;
}
Task<int> all_of_none() {
  auto none = co_await when_all();
  co_return static_cast<int>(std::tuple_size_v<decltype(none)>);
}

TEST_F(When, all_that_are_ready_at_once_do_not_suspend) {
  auto task = all_ready();
  start(task);
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take(), 3);
  auto none = all_of_none();
  start(none);
  ASSERT_TRUE(none.done());
  EXPECT_EQ(none.take(), 0);
}

Task<std::string> all_throwing(Gate* a, Gate* b, Gate* c) {
  try {
    (void)co_await when_all(after(a, 1), after(b, -2), after(c, -3));
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
  co_return "none";
}

TEST_F(When, all_throws_the_first_of_its_exceptions_and_only_when_all_have_ended) {
  auto task = all_throwing(&a, &b, &c);
  start(task);
  c.open();
  b.open();
  EXPECT_FALSE(task.done()) << "the others still run: what they hold stays valid";
  a.open();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take(), "negative -2");
}

Task<std::string> any_of(Gate* a, Gate* b, std::string* log) {
  auto first = co_await when_any(after(a, 1, log), after(b, 2, log));
  *log += '|';
  co_return std::to_string(first.index()) + ":" +
      std::to_string(first.index() == 0 ? std::get<0>(first) : std::get<1>(first));
}

TEST_F(When, any_gives_the_first_and_destroys_the_others_where_they_wait) {
  std::string log;
  auto task = any_of(&a, &b, &log);
  start(task);
  b.open();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take(), "1:2");
  EXPECT_EQ(log, "21|") << "the loser is gone before the awaiting goes on";
}

Task<std::size_t> any_ready(Gate* never, std::string* log) {
  auto first = co_await when_any(at_once(1), after(never, 9, log));
  co_return first.index();
}

TEST_F(When, any_does_not_start_those_behind_one_that_was_ready_at_once) {
  std::string log;
  auto task = any_ready(&a, &log);
  start(task);
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take(), 0U);
  EXPECT_FALSE(a.waiting);
  EXPECT_EQ(log, "");
}

Task<std::string> any_throwing(Gate* a, Gate* b, std::string* log) {
  try {
    (void)co_await when_any(after(a, -1, log), after(b, 2, log));
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
  co_return "none";
}

TEST_F(When, any_throws_what_the_first_threw_and_destroys_the_others) {
  std::string log;
  auto task = any_throwing(&a, &b, &log);
  start(task);
  a.open();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take(), "negative -1");
  EXPECT_EQ(log, "-12");
}

Task<int> nested(Gate* a, Gate* b, Gate* c) {
  auto [left, right] = co_await when_all(when_all(after(a, 1), after(b, 2)), when_any(after(c, 3), at_once(4)));
  co_return std::get<0>(left) * 100 + std::get<1>(left) * 10 + std::get<1>(right);
}

TEST_F(When, they_nest) {
  auto task = nested(&a, &b, &c);
  start(task);
  b.open();
  a.open();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take(), 124);
}

TEST_F(When, M8_destroyed_while_it_waits_it_destroys_all_its_parts) {
  std::string log;
  {
    auto task = any_of(&a, &b, &log);
    start(task);
  }
  EXPECT_EQ(log.size(), 2U);
}

Task<int> many() {
  int total = 0;
  for (int i = 0; i < 100'000; ++i) {
    auto [x, y] = co_await when_all(at_once(1), at_once(1));
    total += x + y;
  }
  co_return total;
}

TEST_F(When, ready_ones_in_a_long_loop_do_not_grow_the_stack) {
  auto task = many();
  start(task);
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take(), 200'000);
}

}  // namespace
}  // namespace backstage
