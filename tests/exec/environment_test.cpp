// W1: what an environment has not is not made up.
#include "backstage/exec/environment.hpp"

#include <gtest/gtest.h>

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

}  // namespace
