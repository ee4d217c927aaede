#include "backstage/base/random.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace backstage {
namespace {

TEST(Random, split_mix_gives_the_published_numbers) {
  std::uint64_t state = 1234567;
  EXPECT_EQ(split_mix(state), 6457827717110365317U);
  EXPECT_EQ(split_mix(state), 3203168211198807973U);
  EXPECT_EQ(split_mix(state), 9817491932198370423U);
}

TEST(Random, xoshiro_gives_the_published_numbers) {
  Random random(Random::State{1, 2, 3, 4});
  for (const std::uint64_t expected : {11520U, 0U, 1509978240U}) EXPECT_EQ(random.next(), expected);
  EXPECT_EQ(random.next(), 1215971899390074240U);
}

TEST(Random, the_same_seed_gives_the_same_numbers_and_another_seed_others) {
  Random a(7);
  Random b(7);
  Random c(8);
  int equal = 0;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t drawn = a.next();
    EXPECT_EQ(drawn, b.next());
    equal += drawn == c.next() ? 1 : 0;
  }
  EXPECT_EQ(equal, 0);
}

TEST(Random, below_reaches_every_number_about_equally_often_and_no_other) {
  Random random(1);
  std::array<int, 7> seen{};
  for (int i = 0; i < 70'000; ++i) {
    const std::uint64_t drawn = random.below(7);
    ASSERT_LT(drawn, 7U);
    ++seen[drawn];
  }
  for (const int count : seen) EXPECT_NEAR(count, 10'000, 500);
  EXPECT_EQ(random.below(0), 0U);
  EXPECT_EQ(random.below(1), 0U);
  // Of 3 * 2^62 values a plain remainder would make the lowest third twice as likely.
  constexpr std::uint64_t n = 3U * (std::uint64_t{1} << 62U);
  int low = 0;
  for (int i = 0; i < 30'000; ++i) low += random.below(n) < n / 3 ? 1 : 0;
  EXPECT_NEAR(low, 10'000, 500);
}

TEST(Random, chance_is_never_at_zero_always_at_one_and_in_proportion_between) {
  Random random(2);
  int hits = 0;
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_FALSE(random.chance(0));
    ASSERT_TRUE(random.chance(1));
    hits += random.chance(0.25) ? 1 : 0;
  }
  EXPECT_NEAR(hits, 25'000, 700);
}

TEST(Random, split_streams_are_reproducible_and_share_nothing) {
  Random parent(3);
  Random again(3);
  Random left = parent.split();
  Random right = parent.split();
  EXPECT_EQ(again.split().next(), Random(left).next());
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(left.next());
    seen.insert(right.next());
    seen.insert(parent.next());
  }
  EXPECT_EQ(seen.size(), 3000U);
}

}  // namespace
}  // namespace backstage
