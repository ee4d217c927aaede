// The list under every mailbox, on one thread; its interleavings are tests/model's business. And what a Mailbox says of
// itself (M4).
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "backstage/mailbox/counters.hpp"
#include "backstage/mailbox/detail/message_list.hpp"
#include "backstage/mailbox/mailbox.hpp"

namespace {

using namespace backstage;

struct Node {
  std::atomic<Node*> next{nullptr};
  int value = 0;
};
using List = detail::MessageList<Node>;

TEST(M2, the_list_gives_nodes_in_the_order_pushed_and_each_back_once_it_is_no_longer_linked) {
  List list;
  List::Owned owned;
  std::array<Node, 3> nodes;
  std::uint32_t position = 0;
  EXPECT_TRUE(list.push(&nodes[0], &position));  // it was idle: the caller runs the owner
  EXPECT_EQ(List::distance(0, position), 1);
  EXPECT_FALSE(list.push(&nodes[1], &position));
  EXPECT_EQ(List::distance(0, position), 2);
  EXPECT_FALSE(list.push(&nodes[2]));
  EXPECT_EQ(list.depth(owned), 3U);
  Node* retired = nullptr;
  EXPECT_EQ(list.take(owned, retired), &nodes[0]);
  EXPECT_EQ(retired, nullptr);
  EXPECT_EQ(list.take(owned, retired), &nodes[1]);
  EXPECT_EQ(retired, &nodes[0]);
  EXPECT_EQ(list.take(owned, retired), &nodes[2]);
  EXPECT_EQ(retired, &nodes[1]);
  EXPECT_EQ(list.take(owned, retired), nullptr);
  EXPECT_EQ(list.depth(owned), 0U);
  EXPECT_EQ(owned.taken.load(), 3U);
  EXPECT_FALSE(list.is_idle());
  EXPECT_TRUE(list.try_idle(owned, retired));
  EXPECT_EQ(retired, &nodes[2]);
  EXPECT_TRUE(list.is_idle());
}

TEST(M3, an_idle_list_is_woken_once_and_a_busy_one_not_at_all) {
  List list;
  List::Owned owned;
  Node node;
  EXPECT_TRUE(list.wake());
  EXPECT_FALSE(list.wake());
  EXPECT_FALSE(list.push(&node));  // awake already
  Node* retired = nullptr;
  EXPECT_FALSE(list.try_idle(owned, retired));  // something is queued
  EXPECT_EQ(list.take(owned, retired), &node);
  EXPECT_FALSE(list.wake());
  EXPECT_TRUE(list.try_idle(owned, retired));
  EXPECT_EQ(retired, &node);
}

TEST(M2, a_node_may_be_pushed_again_after_it_was_given_back) {
  List list;
  List::Owned owned;
  Node node;
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_TRUE(list.push(&node));
    Node* retired = nullptr;
    EXPECT_EQ(list.take(owned, retired), &node);
    EXPECT_TRUE(list.try_idle(owned, retired));
    EXPECT_EQ(retired, &node);
  }
  EXPECT_EQ(owned.taken.load(), 1'000U);
  EXPECT_EQ(list.depth(owned), 0U);
}

TEST(M4, a_bounded_list_takes_so_many_and_says_when_there_is_no_room_as_far_as_it_knows) {
  List list;
  List::Owned owned;
  list.set_bound(owned, 2);
  std::array<Node, 4> nodes;
  EXPECT_EQ(list.try_push(&nodes[0]), detail::Push::idle);
  EXPECT_EQ(list.try_push(&nodes[1]), detail::Push::busy);
  EXPECT_EQ(list.try_push(&nodes[2]), detail::Push::full);
  EXPECT_EQ(list.depth(owned), 2U);
  Node* retired = nullptr;
  EXPECT_EQ(list.take(owned, retired), &nodes[0]);
  // The limit is news now and then; the depth knows at once.
  EXPECT_EQ(list.try_push(&nodes[2]), detail::Push::full);
  EXPECT_EQ(list.depth(owned), 1U);
  EXPECT_EQ(list.try_push_now(&nodes[2], owned), detail::Push::busy);
  EXPECT_EQ(list.depth(owned), 2U);
  EXPECT_EQ(list.try_push_now(&nodes[3], owned), detail::Push::full);
  EXPECT_FALSE(list.push(&nodes[3]));  // whatever the bound
  EXPECT_EQ(list.depth(owned), 3U);
  while (list.take(owned, retired) != nullptr) {
  }
  EXPECT_TRUE(list.empty(owned));
  EXPECT_TRUE(list.try_idle(owned, retired));
  EXPECT_EQ(list.try_push(&nodes[0]), detail::Push::idle);  // idle: the limit is news again
  EXPECT_EQ(list.try_push(&nodes[1]), detail::Push::busy);
  EXPECT_EQ(list.try_push(&nodes[2]), detail::Push::full);
}

TEST(M4, a_list_counts_right_beyond_what_its_word_can_tell_apart) {
  List list;
  List::Owned owned;
  list.set_bound(owned, List::unlimited);
  // More than the count in the word holds, so that it wraps while all of them wait.
  std::vector<Node> nodes(List::numbers + List::numbers / 4);
  for (Node& node : nodes) ASSERT_NE(list.try_push(&node), detail::Push::full);
  EXPECT_EQ(list.depth(owned), nodes.size());
  Node* retired = nullptr;
  for (Node& node : nodes) ASSERT_EQ(list.take(owned, retired), &node);
  EXPECT_EQ(list.depth(owned), 0U);
  EXPECT_TRUE(list.try_idle(owned, retired));
  // A bound wider than the word: the fast side says each time that the depth decides, also where the count began anew.
  list.set_bound(owned, static_cast<std::uint32_t>(nodes.size()));
  std::size_t in = 0;
  for (Node& node : nodes) {
    ASSERT_EQ(list.try_push(&node), detail::Push::full) << in;
    EXPECT_FALSE(list.has_room(1));
    if (list.depth(owned) == in) (void)list.push(&node);
    ++in;
  }
  EXPECT_EQ(list.depth(owned), nodes.size());
  // Half of what the word tells apart is the widest that the fast side takes.
  for (Node& node : nodes) ASSERT_EQ(list.take(owned, retired), &node);
  list.set_bound(owned, List::numbers / 2);
  in = 0;
  while (in < nodes.size() - 1 && list.try_push(&nodes[in]) != detail::Push::full) ++in;
  EXPECT_EQ(in, List::numbers / 2);
}

TEST(M7, numbers_of_pushes_are_compared_over_the_wrap) {
  EXPECT_EQ(List::distance(3, 5), 2U);
  EXPECT_EQ(List::distance(List::numbers - 1, List::numbers + 1), 2U);
  EXPECT_EQ(List::distance(0, List::numbers - 1), List::numbers - 1);
  EXPECT_EQ(List::distance(List::numbers + 7, 7 | List::numbers), 0U);
}

TEST(M4, a_mailbox_is_bounded_unless_it_says_that_it_is_not) {
  static_assert(Mailbox().count_limit() == 65'536 && Mailbox().when_full() == WhenFull::refuse);
  static_assert(Mailbox().is_bounded() && !unbounded().is_bounded());
  static_assert(bounded(0).count_limit() == 1);
  static_assert(bounded(5).drop_oldest().bytes(100).count_limit() == 5);
  static_assert(bounded(5).drop_oldest().bytes(100).when_full() == WhenFull::drop_oldest);
  static_assert(bounded(5).bytes(100).drop_newest().byte_limit() == 100);
  static_assert(unbounded().bytes(100).is_bounded());
  SUCCEED();
}

struct Sized {
  std::string text;
};
[[maybe_unused]] std::size_t payload_bytes(const Sized& sized) { return sized.text.size(); }
struct Unsized {
  std::int64_t number;
};

TEST(M4, a_message_weighs_what_it_says_or_else_its_size) {
  EXPECT_EQ(detail::weight_of(Sized{"12345"}), 5U);
  EXPECT_EQ(detail::weight_of(Unsized{}), sizeof(std::int64_t));
}

TEST(M6, the_counts_add_up_by_reason) {
  MessageCounts counts;
  counts.sent = 10;
  counts.handled = 3;
  counts.undelivered = {1, 1, 1, 0, 1, 1, 1};
  EXPECT_EQ(counts.dead_letters(), 4U);
  EXPECT_EQ(counts.dropped(), 2U);
  EXPECT_EQ(counts.in_flight(), 1U);
  EXPECT_EQ(to_string(Undelivered::drop_oldest), "drop_oldest");
  EXPECT_EQ(to_string(Undelivered::ended), "ended");
}

}  // namespace
