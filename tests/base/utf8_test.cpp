#include "backstage/base/utf8.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace backstage {
namespace {

TEST(Utf8, a_text_that_fits_is_left_whole) {
  EXPECT_EQ(cut_utf8("", 0), "");
  EXPECT_EQ(cut_utf8("abc", 3), "abc");
  EXPECT_EQ(cut_utf8("aä€😀", 10), "aä€😀");
}

TEST(Utf8, a_text_is_cut_between_two_characters) {
  const std::string_view text = "aä€😀z";  // 1, 2, 3, 4 and 1 bytes
  EXPECT_EQ(cut_utf8(text, 0), "");
  EXPECT_EQ(cut_utf8(text, 1), "a");
  EXPECT_EQ(cut_utf8(text, 2), "a");
  EXPECT_EQ(cut_utf8(text, 3), "aä");
  EXPECT_EQ(cut_utf8(text, 5), "aä");
  EXPECT_EQ(cut_utf8(text, 6), "aä€");
  EXPECT_EQ(cut_utf8(text, 9), "aä€");
  EXPECT_EQ(cut_utf8(text, 10), "aä€😀");
}

TEST(Utf8, what_is_no_utf8_is_cut_where_it_is) {
  EXPECT_EQ(cut_utf8(std::string(10, '\x80'), 7).size(), 7U);
  EXPECT_EQ(cut_utf8(std::string(10, '\x80'), 2).size(), 2U);
}

}  // namespace
}  // namespace backstage
