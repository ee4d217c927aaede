// F3, the decision alone: when the watch says of a worker that it hogs, and when it says that this is over.
#include <chrono>
#include <cstdint>

#include <gtest/gtest.h>

#include "backstage/exec/detail/hog_watch.hpp"

namespace backstage {
namespace {

using namespace std::chrono_literals;
using detail::HogEpisode;
using detail::HogRules;
using News = HogEpisode::News;

constexpr HogRules rules{50ms, 20ms};

TEST(HogWatch, F3_a_worker_without_progress_hogs_after_exactly_so_long_and_is_told_once) {
  HogEpisode episode;
  EXPECT_EQ(episode.look(true, 7, 10ms, rules), News::none);  // first seen: since when is not known
  EXPECT_FALSE(episode.is_stuck());
  for (int look = 1; look <= 4; ++look) {
    EXPECT_EQ(episode.look(true, 7, 10ms, rules), News::none) << look;
    EXPECT_TRUE(episode.is_stuck());
  }
  EXPECT_EQ(episode.look(true, 7, 10ms, rules), News::began);
  for (int look = 0; look < 1'000; ++look) EXPECT_EQ(episode.look(true, 7, 10ms, rules), News::none);
  EXPECT_TRUE(episode.is_open());
  EXPECT_EQ(episode.look(true, 8, 10ms, rules), News::ended);
  EXPECT_EQ(episode.look(true, 8, 10ms, rules), News::none);
  EXPECT_FALSE(episode.is_open());
}

TEST(HogWatch, F3_is_found_within_100_ms_wherever_its_beginning_falls_between_two_looks) {
  // A look every 10 ms, at most 20 ms late each: the sixth after the beginning is the latest that can be the one.
  for (Duration offset = 0ms; offset < 10ms; offset += 1ms) {
    HogEpisode episode;
    EXPECT_EQ(episode.look(true, 1, 10ms, rules), News::none);
    Duration since_it_began = 10ms - offset;  // at the first look that sees the new turn
    EXPECT_EQ(episode.look(true, 2, 10ms, rules), News::none);
    while (episode.look(true, 2, 10ms, rules) != News::began) since_it_began += 10ms;
    since_it_began += 10ms;
    EXPECT_LE(since_it_began, 70ms);
    EXPECT_GE(since_it_began, rules.after);
  }
}

TEST(HogWatch, F3_progress_between_two_looks_starts_anew) {
  HogEpisode episode;
  for (std::uint32_t look = 0; look < 1'000; ++look) {
    EXPECT_EQ(episode.look(true, look / 5, 10ms, rules), News::none) << look;  // 40 ms a message
  }
}

TEST(HogWatch, F3_a_worker_that_is_parked_does_not_hog_however_long) {
  HogEpisode episode;
  for (int look = 0; look < 1'000; ++look) EXPECT_EQ(episode.look(false, 3, 10ms, rules), News::none);
  EXPECT_EQ(episode.look(true, 3, 10ms, rules), News::none);
}

TEST(HogWatch, F3_ends_when_the_worker_parks) {
  HogEpisode episode;
  while (episode.look(true, 3, 10ms, rules) != News::began) {
  }
  EXPECT_EQ(episode.look(false, 3, 10ms, rules), News::ended);
}

TEST(HogWatch, F3_who_has_just_come_back_from_a_rest_is_not_stuck) {
  HogEpisode episode;
  EXPECT_EQ(episode.look(false, 7, 10ms, rules), News::none);
  EXPECT_EQ(episode.look(true, 7, 10ms, rules), News::none);
  EXPECT_FALSE(episode.is_stuck());
  EXPECT_EQ(episode.look(true, 7, 10ms, rules), News::none);
  EXPECT_TRUE(episode.is_stuck());
}

TEST(HogWatch, C9_a_look_that_comes_late_blames_nobody) {
  // The process was stopped for a minute, or its one core was busy: neither was the worker let run.
  HogEpisode episode;
  EXPECT_EQ(episode.look(true, 3, 10ms, rules), News::none);
  EXPECT_EQ(episode.look(true, 3, 1min, rules), News::none);
  EXPECT_EQ(episode.look(true, 3, 1min, rules), News::none);
  EXPECT_EQ(episode.look(true, 3, 1min, rules), News::began);  // three times in a row, and no progress: 60 ms
  // A clock that goes back does not shorten it.
  EXPECT_EQ(episode.look(true, 3, -1min, rules), News::none);
  EXPECT_TRUE(episode.is_open());
}

TEST(HogWatch, F3_the_count_of_messages_may_wrap) {
  HogEpisode episode;
  EXPECT_EQ(episode.look(true, UINT32_MAX, 10ms, rules), News::none);
  EXPECT_EQ(episode.look(true, 0, 10ms, rules), News::none);
  EXPECT_FALSE(episode.is_stuck());
}

}  // namespace
}  // namespace backstage
