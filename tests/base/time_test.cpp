#include "backstage/base/time.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace backstage {
namespace {

using namespace std::chrono_literals;

TEST(Time, an_instant_beyond_the_end_is_never) {
  EXPECT_EQ(Instant{5} + 3ns, Instant{8});
  EXPECT_EQ(Instant{INT64_MAX - 2} + 3ns, Instant::never());
  EXPECT_EQ(Instant::never() + (-5ns), Instant::never());
  EXPECT_EQ(Instant{5} + Duration::max(), Instant::never());
  EXPECT_EQ(Instant{8} - Instant{5}, 3ns);
  EXPECT_LT(Instant{5}, Instant::never());
}

TEST(Time, durations_are_written_for_people) {
  EXPECT_EQ(to_string(Duration(500ms)), "500ms");
  EXPECT_EQ(to_string(Duration(1500ms)), "1.5s");
  EXPECT_EQ(to_string(Duration(2min)), "2min");
  EXPECT_EQ(to_string(Duration(17us)), "17us");
  EXPECT_EQ(to_string(Duration(48h)), "48h");
  EXPECT_EQ(to_string(Duration(0)), "0s");
  EXPECT_EQ(to_string(Duration(1ns)), "1ns");
  EXPECT_EQ(to_string(Duration(1'234'567ns)), "1.23ms");
  EXPECT_EQ(to_string(Duration(-250ms)), "-250ms");
}

TEST(Time, wall_times_are_rfc_3339_in_utc_with_microseconds) {
  EXPECT_EQ(to_string(WallTime{0}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_string(WallTime{1'795'383'029'123'456'789}), "2026-11-22T21:30:29.123456Z");
  EXPECT_EQ(to_string(WallTime{951'782'400'000'000'000}), "2000-02-29T00:00:00.000000Z");
  EXPECT_EQ(to_string(WallTime{-1}), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
}  // namespace backstage
