// L6 as pure functions: the window (t - w, t], the back-off and its spread.
#include "backstage/supervise/policy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace {

using namespace backstage;  // NOLINT(google-build-using-namespace)
using namespace std::chrono_literals;

constexpr Instant start{1'000'000'000};

TEST(L6, as_many_restarts_as_allowed_lie_in_the_window_and_not_one_more) {
  const Intensity limit{3, 10s};
  RestartHistory history;
  EXPECT_TRUE(history.admit(limit, start));
  EXPECT_TRUE(history.admit(limit, start));
  EXPECT_TRUE(history.admit(limit, start + (10s - Duration(1))));
  EXPECT_FALSE(history.admit(limit, start + (10s - Duration(1))));
  EXPECT_EQ(history.in_window(), 3U);
}

TEST(L6, the_window_is_open_at_its_beginning) {
  const Intensity limit{1, 10s};
  RestartHistory history;
  EXPECT_TRUE(history.admit(limit, start));
  EXPECT_FALSE(history.admit(limit, start + (10s - Duration(1))));
  EXPECT_TRUE(history.admit(limit, start + 10s));
  EXPECT_FALSE(history.admit(limit, start + (20s - Duration(1))));
}

TEST(L6, a_refused_restart_does_not_count) {
  const Intensity limit{1, 10s};
  RestartHistory history;
  EXPECT_TRUE(history.admit(limit, start));
  EXPECT_FALSE(history.admit(limit, start + 9s));
  EXPECT_TRUE(history.admit(limit, start + 10s)) << "the refusal at 9 s is no restart";
}

TEST(L6, a_long_history_says_what_one_says_that_forgets_nothing) {
  for (const std::uint32_t restarts : {1U, 2U, 7U, 50U}) {
    const Intensity limit{restarts, 10s};
    RestartHistory history;
    std::vector<Instant> all;
    std::uint64_t random = restarts;
    Instant now = start;
    for (int i = 0; i < 5'000; ++i) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      now = now + Duration(static_cast<std::int64_t>(random >> 33U) % (20'000'000'000 / restarts));
      const auto counts = std::count_if(all.begin(), all.end(), [&](Instant at) { return at + limit.window > now; });
      ASSERT_EQ(history.admit(limit, now), counts < restarts) << i << " with " << restarts;
      if (counts < restarts) all.push_back(now);
      ASSERT_EQ(history.in_window(), static_cast<std::size_t>(counts) + (counts < restarts ? 1U : 0U));
    }
  }
}

TEST(L6, none_may_be_allowed_and_any_number_too) {
  RestartHistory none;
  EXPECT_FALSE(none.admit(Intensity{0, 1h}, start));
  RestartHistory any;
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(any.admit(unlimited, start));
  EXPECT_EQ(any.in_window(), 0U) << "what has no limit needs no memory";
  EXPECT_EQ(any.in_a_row(), 99'999U);
}

TEST(L6, the_wait_doubles_from_the_first_to_the_cap) {
  const Backoff backoff{50ms, 30s};
  constexpr std::uint64_t middle = 1ULL << 63U;
  EXPECT_EQ(backoff.wait(0, middle), Duration(50ms));
  EXPECT_EQ(backoff.wait(1, middle), Duration(100ms));
  EXPECT_EQ(backoff.wait(9, middle), Duration(25'600ms));
  EXPECT_EQ(backoff.wait(10, middle), Duration(30s));
  EXPECT_EQ(backoff.wait(4'000'000'000, middle), Duration(30s));
}

TEST(L6, the_spread_is_a_fifth_up_and_down) {
  const Backoff backoff{100ms, 1s};
  EXPECT_EQ(backoff.wait(0, 0), Duration(80ms));
  EXPECT_LT(backoff.wait(0, ~0ULL), Duration(120ms));
  EXPECT_GT(backoff.wait(0, ~0ULL), Duration(119'990us));
  for (std::uint64_t chance = 0; chance < 1'000; ++chance) {
    const Duration wait = backoff.wait(3, chance * 0x9e3779b97f4a7c15ULL);
    EXPECT_GE(wait, Duration(640ms));
    EXPECT_LT(wait, Duration(960ms));
  }
}

TEST(L6, a_back_off_of_nothing_or_beyond_its_cap_is_taken_as_it_can_be_meant) {
  EXPECT_EQ((Backoff{0ms, 0ms}.wait(5, ~0ULL)), Duration(0));
  EXPECT_EQ((Backoff{0ms, 1s}.wait(50, ~0ULL)), Duration(0));
  EXPECT_EQ((Backoff{10s, 1s}.wait(0, 1ULL << 63U)), Duration(1s));
  constexpr Duration longest{std::numeric_limits<std::int64_t>::max() / 2};
  EXPECT_GT((Backoff{1ms, longest}.wait(100, 0)), Duration(0)) << "no overflow";
}

TEST(L6, the_back_off_resets_after_the_longer_of_window_and_cap) {
  for (const auto& [limit, backoff] :
       {std::pair{Intensity{9, 10s}, Backoff{1ms, 30s}}, std::pair{Intensity{9, 30s}, Backoff{1ms, 10s}}}) {
    RestartHistory history;
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(history.admit(limit, start));
    EXPECT_EQ(history.in_a_row(), 2U);
    history.lived(Duration(30s) - Duration(1), limit, backoff);
    EXPECT_TRUE(history.admit(limit, start));
    EXPECT_EQ(history.in_a_row(), 3U);
    history.lived(30s, limit, backoff);
    EXPECT_TRUE(history.admit(limit, start + 30s));
    EXPECT_EQ(history.in_a_row(), 0U);
  }
}

}  // namespace
