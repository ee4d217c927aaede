// NewestFirst alone; its owner and a visitor at once are explored in tests/model.
#include "backstage/exec/detail/newest_first.hpp"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <span>
#include <vector>

namespace backstage {
namespace {

using Work = detail::NewestFirst<int, detail::StdAtomics, 8>;

struct NewestFirstTest : testing::Test {
  NewestFirstTest() { std::iota(numbers.begin(), numbers.end(), 0); }
  void fill(int count, int from = 0) {
    for (int i = from; i < from + count; ++i) ASSERT_TRUE(work.push(&numbers[static_cast<std::size_t>(i)]));
  }
  std::vector<int> oldest(std::size_t most) {
    std::array<int*, 8> out{};
    std::vector<int> taken;
    const std::uint32_t count = work.take_oldest(std::span(out).first(most));
    for (std::uint32_t i = 0; i < count; ++i) taken.push_back(*out[i]);
    return taken;
  }
  std::array<int, 64> numbers{};
  Work work;
};

TEST_F(NewestFirstTest, gives_its_owner_the_newest_first) {
  fill(3);
  EXPECT_EQ(*work.pop_newest(), 2);
  fill(1, 7);
  EXPECT_EQ(*work.pop_newest(), 7);
  EXPECT_EQ(*work.pop_newest(), 1);
  EXPECT_EQ(*work.pop_newest(), 0);
  EXPECT_EQ(work.pop_newest(), nullptr);
}
TEST_F(NewestFirstTest, gives_others_the_oldest_in_order) {
  fill(5);
  EXPECT_EQ(oldest(2), (std::vector{0, 1}));
  EXPECT_EQ(*work.pop_newest(), 4);
  EXPECT_EQ(oldest(8), (std::vector{2, 3}));
  EXPECT_EQ(oldest(8), std::vector<int>());
}
TEST_F(NewestFirstTest, refuses_when_full_also_round_the_end_of_the_ring) {
  for (int round = 0; round < 5; ++round) {
    fill(8);
    EXPECT_FALSE(work.push(numbers.data()));
    EXPECT_EQ(work.size(), 8U);
    EXPECT_EQ(oldest(3), (std::vector{0, 1, 2}));
    fill(3, 8);
    EXPECT_EQ(oldest(8), (std::vector{3, 4, 5, 6, 7, 8, 9, 10}));
    EXPECT_EQ(work.size(), 0U);
  }
}
TEST_F(NewestFirstTest, tells_whether_the_oldest_has_been_taken) {
  fill(3);
  const std::uint32_t before = work.oldest();
  (void)work.pop_newest();
  EXPECT_EQ(work.oldest(), before);
  (void)oldest(1);
  EXPECT_NE(work.oldest(), before);
}
TEST_F(NewestFirstTest, tells_that_too_when_it_was_the_newest) {
  fill(2);
  const std::uint32_t before = work.oldest();
  (void)work.pop_newest();
  (void)work.pop_newest();
  fill(2);
  EXPECT_NE(work.oldest(), before);
}

}  // namespace
}  // namespace backstage
