#include "backstage/base/need.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace backstage {
namespace {

TEST(Need, says_what_is_asked_of_the_supervisor_and_why) {
  EXPECT_EQ(Need::fail("broken").kind(), Need::Kind::fail);
  EXPECT_EQ(Need::fail("broken").error().text(), "broken");
  EXPECT_EQ(Need::restart("stale").kind(), Need::Kind::restart);
  EXPECT_EQ(Need::restart("stale").after(), Duration::zero());
  EXPECT_EQ(Need::stop().kind(), Need::Kind::stop);
  EXPECT_EQ(Need::stop().error().text(), "done");
}

TEST(Need, keeps_the_cause_and_the_wait_of_a_restart) {
  const Need need = Need::restart("lost the disk", Error(Errc::unavailable, "EIO"));
  EXPECT_STREQ(need.what(), "failed: lost the disk <- unavailable: EIO");
  const Need later = Need::restart_after(std::chrono::seconds(2), "later");
  EXPECT_EQ(later.kind(), Need::Kind::restart);
  EXPECT_EQ(later.after(), std::chrono::seconds(2));
}

TEST(Need, is_caught_as_an_exception_and_survives_copying) {
  try {
    throw Need::fail(Error(Errc::timeout, "no answer"));
  } catch (const std::exception& caught) {
    EXPECT_STREQ(caught.what(), "timeout: no answer");
  }
}

}  // namespace
}  // namespace backstage
