#include "backstage/base/error.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>

namespace backstage {
namespace {

TEST(Error, a_sentence_alone_is_an_application_error) {
  const Error error = "insufficient funds";
  EXPECT_TRUE(error.is(Errc::application));
  EXPECT_EQ(error.text(), "insufficient funds");
  EXPECT_EQ(error.cause(), nullptr);
  EXPECT_EQ(error.describe(), "application: insufficient funds");
}

TEST(Error, a_code_alone_says_its_name) {
  const Error error{Errc::gone};
  EXPECT_EQ(error.text(), "gone");
  EXPECT_EQ(error.describe(), "gone");
}

TEST(Error, every_code_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Errc::configuration); ++code)
    names.insert(to_string(static_cast<Errc>(code)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Errc::configuration) + 1);
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(to_string(static_cast<Errc>(200)), "unknown");
}

TEST(Error, describes_every_cause_down_to_the_first) {
  const Error error(Errc::unavailable, "store", Error(Errc::failed, "open", Error(Errc::not_found, "no file '/x'")));
  EXPECT_EQ(error.describe(), "unavailable: store <- failed: open <- not_found: no file '/x'");
  ASSERT_NE(error.cause(), nullptr);
  EXPECT_TRUE(error.cause()->is(Errc::failed));
}

TEST(Error, copies_say_the_same_after_the_original_is_gone) {
  auto original = std::make_unique<Error>(Errc::timeout, std::string("no answer within 5s"));
  const Error copy = *original;
  EXPECT_EQ(copy, *original);
  original.reset();
  EXPECT_EQ(copy.text(), "no answer within 5s");
}

TEST(Error, tells_whether_the_request_may_have_had_its_effect) {
  EXPECT_FALSE(Error{Errc::timeout}.may_have_run());
  const Error error = Error(Errc::timeout, "late").and_may_have_run();
  EXPECT_TRUE(error.may_have_run());
  EXPECT_EQ(error.text(), "late");
}

TEST(Error, equal_means_the_same_code_and_text) {
  EXPECT_EQ(Error(Errc::full, "a"), Error(Errc::full, "a"));
  EXPECT_FALSE(Error(Errc::full, "a") == Error(Errc::full, "b"));
  EXPECT_FALSE(Error(Errc::full, "a") == Error(Errc::gone, "a"));
}

}  // namespace
}  // namespace backstage
