// W1: what an environment has not is not made up.
#include "backstage/exec/environment.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "backstage/base/need.hpp"

namespace {

struct Weather {
  int degrees = 0;
};

TEST(W1, a_door_that_is_not_open_is_named_with_how_to_open_it) {
  const auto environment = backstage::real_environment();
  EXPECT_FALSE(environment->has<Weather>());
  try {
    (void)environment->door<Weather>();
    FAIL() << "there is a door that nobody opened";
  } catch (const backstage::Need& need) {
    EXPECT_TRUE(need.error().is(backstage::Errc::not_found));
    const std::string text(need.error().text());
    EXPECT_NE(text.find("the environment has no door '"), std::string::npos) << text;
    EXPECT_NE(text.find("Weather>(...) before the Runtime is built"), std::string::npos) << text;
  }
  environment->open<Weather>(std::make_shared<Weather>(Weather{21}));
  EXPECT_EQ(environment->door<Weather>().degrees, 21);
}

// Between two readings of the clock itself, whatever happens to the thread in between. For long enough that most of it is reckoned.
TEST(M7, a_recent_reading_is_right_to_its_error) {
  using namespace std::chrono_literals;
  const auto environment = backstage::real_environment();
  const backstage::Clock& clock = environment->clock();
  backstage::Clock::Reading reading;
  const backstage::Instant end = clock.now() + 30ms;
  for (;;) {
    const backstage::Instant before = clock.now();
    const backstage::Instant recent = clock.recently(reading);
    const backstage::Instant after = clock.now();
    ASSERT_GE(recent + backstage::Clock::recent_error, before);
    ASSERT_LE(recent, after + backstage::Clock::recent_error);
    if (before > end) break;
  }
}
TEST(W1, a_clock_that_does_not_reckon_is_read) {
  struct Fixed final : backstage::Clock {
    [[nodiscard]] backstage::Instant now() const noexcept override { return at; }
    [[nodiscard]] backstage::WallTime wall() const noexcept override { return {}; }
    backstage::Instant at{};
  } clock;
  backstage::Clock::Reading reading;
  EXPECT_EQ(clock.recently(reading), clock.at);
  clock.at = clock.at + std::chrono::nanoseconds(1);
  EXPECT_EQ(clock.recently(reading), clock.at);
}

}  // namespace
