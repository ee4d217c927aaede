// Lane alone and between threads. Its interleavings are explored in tests/model.
#include "backstage/exec/detail/lane.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace backstage {
namespace {

struct Node {
  Node* lane_next = nullptr;
  int pusher = 0;
  int number = 0;
};

TEST(Lane, M3_gives_everything_in_the_order_pushed_and_says_who_filled_it) {
  detail::Lane<Node> lane;
  std::array<Node, 3> nodes{};
  EXPECT_TRUE(lane.empty());
  EXPECT_EQ(lane.take_all(), nullptr);
  EXPECT_TRUE(lane.push(&nodes[0]));
  EXPECT_FALSE(lane.push(&nodes[1]));
  EXPECT_FALSE(lane.empty());
  Node* const first = lane.take_all();
  ASSERT_EQ(first, &nodes[0]);
  EXPECT_EQ(first->lane_next, &nodes[1]);
  EXPECT_EQ(nodes[1].lane_next, nullptr);
  EXPECT_TRUE(lane.push(&nodes[2])) << "taken, so empty again";
  EXPECT_TRUE(lane.take_all() == &nodes[2] && nodes[2].lane_next == nullptr);
}
TEST(Lane, M3_threads_push_in_order_while_the_owner_takes) {
  constexpr int kEach = 20'000;
  constexpr int kPushers = 3;
  detail::Lane<Node> lane;
  std::vector<Node> nodes(kEach * kPushers);
  std::atomic<int> fillings{0};
  const auto pusher = [&](int who) {
    for (int i = 0; i < kEach; ++i) {
      auto& node = nodes[static_cast<std::size_t>(who * kEach + i)];
      node.pusher = who;
      node.number = i;
      if (lane.push(&node)) fillings.fetch_add(1);
    }
  };
  std::vector<std::thread> threads;
  for (int who = 0; who < kPushers; ++who) threads.emplace_back(pusher, who);
  std::array<int, kPushers> next{};
  int takings = 0;
  for (int total = 0; total < kEach * kPushers;) {
    Node* node = lane.take_all();
    if (node == nullptr) continue;
    ++takings;
    for (; node != nullptr; node = node->lane_next, ++total) {
      ASSERT_EQ(node->number, next[static_cast<std::size_t>(node->pusher)]++);
    }
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(fillings.load(), takings) << "one push between two takings finds the lane empty";
}

}  // namespace
}  // namespace backstage
