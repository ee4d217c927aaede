#include "backstage/base/result.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace backstage {
namespace {

Result<std::vector<int>> numbers() { return std::vector<int>{1, 2, 3}; }
Result<int> refuse() { return Error(Errc::full, "no room"); }

TEST(Result, holds_a_value_or_an_error) {
  const Result<int> good = 5;
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 5);
  const Result<int> bad = refuse();
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error(), Error(Errc::full, "no room"));
}

TEST(Result, of_bool_is_no_condition_where_it_would_be_a_trap) {
  static_assert(!std::is_constructible_v<bool, Result<bool>>);
  static_assert(std::is_constructible_v<bool, Result<int>>);
  const Result<bool> no = false;
  EXPECT_TRUE(no.has_value());
  EXPECT_FALSE(*no);
}

TEST(Result, value_of_an_error_throws_it_as_bad_result) {
  try {
    static_cast<void>(refuse().value());
    FAIL() << "an error has no value";
  } catch (const BadResult& bad) {
    EXPECT_TRUE(bad.error().is(Errc::full));
    EXPECT_STREQ(bad.what(), "full: no room");
  }
  EXPECT_THROW(static_cast<void>(*refuse()), BadResult);
}

TEST(Result, or_fail_of_an_error_is_a_need_with_that_error) {
  EXPECT_EQ(Result<int>(3).or_fail(), 3);
  try {
    static_cast<void>(refuse().or_fail());
    FAIL() << "an error fails";
  } catch (const Need& need) {
    EXPECT_EQ(need.kind(), Need::Kind::fail);
    EXPECT_EQ(need.error(), Error(Errc::full, "no room"));
  }
}

TEST(Result, a_loop_over_a_temporarys_value_is_safe) {
  static_assert(std::is_same_v<decltype(numbers().value()), std::vector<int>>);
  int sum = 0;
  for (const int n : numbers().value()) sum += n;
  EXPECT_EQ(sum, 6);
}

TEST(Result, moves_what_can_only_be_moved_and_converts_what_converts) {
  Result<std::unique_ptr<int>> owned = std::make_unique<int>(4);
  const std::unique_ptr<int> taken = std::move(owned).value();
  EXPECT_EQ(*taken, 4);
  const Result<std::string> text = "literal";
  EXPECT_EQ(*text, "literal");
  EXPECT_EQ(text->size(), 7U);
  EXPECT_EQ(refuse().value_or(9), 9);
  EXPECT_EQ(Result<int>(1).value_or(9), 1);
}

TEST(Result, of_void_is_done_or_an_error) {
  const Result<> done;
  EXPECT_TRUE(done);
  EXPECT_NO_THROW(done.value());
  EXPECT_NO_THROW(Result<>().or_fail());
  const Result<> bad = Error("no");
  EXPECT_FALSE(bad);
  EXPECT_THROW(bad.value(), BadResult);
  EXPECT_THROW(Result<>(Error("no")).or_fail(), Need);
  EXPECT_EQ(bad.error().text(), "no");
}

}  // namespace
}  // namespace backstage
