#include "backstage/base/function.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace backstage {
namespace {

int twice(int n) { return 2 * n; }

struct Throwing {  // small, but its move might throw: it has to live on the heap
  explicit Throwing(int n) : value(n) {}
  Throwing(Throwing&& other) noexcept(false) : value(other.value) {}
  int operator()() const { return value; }
  int value;
};

TEST(MoveFunction, calls_lambdas_function_pointers_and_members) {
  MoveFunction<int(int)> f = [base = 40](int n) { return base + n; };
  EXPECT_EQ(f(2), 42);
  f = twice;
  EXPECT_EQ(f(4), 8);
  MoveFunction<std::size_t(const std::string&)> size = &std::string::size;
  EXPECT_EQ(size("four"), 4U);
  MoveFunction<void(int)> drop = twice;  // the result is dropped
  drop(1);
}

TEST(MoveFunction, holds_what_can_only_be_moved_and_keeps_its_state) {
  MoveFunction<int()> f = [p = std::make_unique<int>(1)] { return (*p)++; };
  EXPECT_EQ(f(), 1);
  MoveFunction<int()> g = std::move(f);
  EXPECT_EQ(g(), 2);
  EXPECT_FALSE(f);  // NOLINT(bugprone-use-after-move): a moved-from function is empty
  EXPECT_TRUE(g);
}

TEST(MoveFunction, passes_references_and_move_only_arguments_through) {
  MoveFunction<std::unique_ptr<int>(std::unique_ptr<int>, int&)> f = [](std::unique_ptr<int> p, int& n) {
    n += *p;
    return p;
  };
  int n = 1;
  EXPECT_EQ(*f(std::make_unique<int>(5), n), 5);
  EXPECT_EQ(n, 6);
}

TEST(MoveFunction, an_empty_one_throws_when_called) {
  MoveFunction<int(int)> f;
  EXPECT_FALSE(f);
  EXPECT_THROW(f(1), std::bad_function_call);
  int (*none)(int) = nullptr;
  EXPECT_FALSE((MoveFunction<int(int)>(none)));
  f = twice;
  f = nullptr;
  EXPECT_FALSE(f);
}

TEST(MoveFunction, destroys_its_callable_exactly_once_wherever_it_lives) {
  const auto counter = std::make_shared<int>(0);
  {
    MoveFunction<long()> small = [counter] { return counter.use_count(); };
    MoveFunction<long()> large = [counter, room = std::array<char, 100>{}] { return counter.use_count() + room[0]; };
    EXPECT_EQ(small(), 3);
    MoveFunction<long()> moved = std::move(large);
    EXPECT_EQ(moved(), 3);
    moved = std::move(small);
    EXPECT_EQ(moved(), 2);
    auto& self = moved;
    moved = std::move(self);
    EXPECT_EQ(moved(), 2);
  }
  EXPECT_EQ(counter.use_count(), 1);
}

TEST(MoveFunction, moving_never_throws_even_when_the_callables_move_might) {
  static_assert(std::is_nothrow_move_constructible_v<MoveFunction<int()>>);
  static_assert(std::is_nothrow_move_assignable_v<MoveFunction<int()>>);
  static_assert(!std::is_copy_constructible_v<MoveFunction<int()>>);
  static_assert(sizeof(MoveFunction<int()>) == 64);
  std::vector<MoveFunction<int()>> all;
  for (int i = 0; i < 10; ++i) all.emplace_back(Throwing(i));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)](), i);
}

}  // namespace
}  // namespace backstage
