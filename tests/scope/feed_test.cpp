// R2: a value that was not taken up is replaced by the next; that one went and another came is never hidden.
#include "backstage/scope/feed.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "backstage/base/random.hpp"

namespace backstage::detail {
namespace {

BoardNews value(int number) {
  return {BoardNews::Kind::value, std::make_shared<const int>(number), static_cast<std::uint64_t>(number), 0};
}
BoardNews drop() { return {BoardNews::Kind::dropped, nullptr, 0, 0}; }

std::string rest(Feed& feed) {
  std::string all;
  while (feed.size() != 0) {
    const BoardNews one = feed.take();
    all += one.kind == BoardNews::Kind::value ? std::to_string(one.version) + " " : "- ";
  }
  return all;
}
/// Digits are values, '-' is a drop.
std::string after(std::string_view given, std::size_t every = 0) {
  Feed feed(every);
  BoardNews replaced;
  for (const char c : given) feed.give(c == '-' ? drop() : value(c - '0'), replaced);
  return rest(feed);
}

TEST(R2, a_value_not_taken_up_is_replaced) {
  EXPECT_EQ(after("1"), "1 ");
  EXPECT_EQ(after("123"), "3 ");
  EXPECT_EQ(after("12-"), "2 - ");
  EXPECT_EQ(after("1-2"), "1 - 2 ");
  EXPECT_EQ(after("-1-"), "- 1 - ");
  EXPECT_EQ(after("1-2-"), "1 - ");
  EXPECT_EQ(after("1-2-3"), "1 - 3 ");
  EXPECT_EQ(after("-1-2"), "- 2 ");
  EXPECT_EQ(after("--"), "- ");
}

TEST(R2, every_value_drops_the_oldest_when_n_wait_and_counts_it) {
  EXPECT_EQ(after("123-4", 5), "1 2 3 - 4 ");
  EXPECT_EQ(after("123-4", 3), "3 - 4 ");
  Feed feed(2);
  BoardNews replaced;
  for (int i = 1; i <= 5; ++i) feed.give(value(i), replaced);
  EXPECT_EQ(feed.missed(), 3U);
  EXPECT_EQ(replaced.version, 3U);
}

TEST(R2, whatever_is_given_the_last_that_waits_is_the_last_that_was_given) {
  Random random(7);
  for (int round = 0; round < 20'000; ++round) {
    Feed feed;
    BoardNews replaced;
    bool last_is_value = false;
    std::uint64_t last = 0;
    int number = 0;
    std::uint64_t heard = 0;
    for (int step = 0; step < 12; ++step) {
      if (random.below(3) == 0 && feed.size() != 0) {
        const BoardNews one = feed.take();
        if (one.kind == BoardNews::Kind::value) {
          ASSERT_GT(one.version, heard) << "in order, each once";
          heard = one.version;
        }
        continue;
      }
      last_is_value = random.below(2) == 0;
      if (last_is_value) last = static_cast<std::uint64_t>(++number);
      feed.give(last_is_value ? value(number) : drop(), replaced);
      ASSERT_LE(feed.size(), 3U);
    }
    BoardNews end{last_is_value ? BoardNews::Kind::value : BoardNews::Kind::dropped, nullptr, last, 0};
    bool any = false;
    while (feed.size() != 0) {
      end = feed.take();
      any = true;
    }
    if (!any) continue;
    ASSERT_EQ(end.kind == BoardNews::Kind::value, last_is_value);
    if (last_is_value) {
      ASSERT_EQ(end.version, last);
    }
  }
}

}  // namespace
}  // namespace backstage::detail
