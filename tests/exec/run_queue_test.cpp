// RunQueue alone and with real thieves. Its interleavings are explored in tests/model.
#include "backstage/exec/detail/run_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

namespace backstage {
namespace {

using Queue = detail::RunQueue<int, detail::StdAtomics, 8>;

struct RunQueueTest : testing::Test {
  RunQueueTest() { std::iota(numbers.begin(), numbers.end(), 0); }
  void fill(Queue& into, int count, int from = 0) {
    for (int i = from; i < from + count; ++i) ASSERT_TRUE(into.push(&numbers[static_cast<std::size_t>(i)]));
  }
  static std::vector<int> drained(Queue& from) {
    std::vector<int> out;
    while (const int* piece = from.pop()) out.push_back(*piece);
    return out;
  }
  std::array<int, 64> numbers{};
  Queue queue;
  Queue other;
};

TEST_F(RunQueueTest, gives_work_in_the_order_pushed_also_round_the_end_of_the_ring) {
  for (int round = 0; round < 5; ++round) {
    fill(queue, 5);
    EXPECT_EQ(drained(queue), (std::vector{0, 1, 2, 3, 4}));
  }
  EXPECT_TRUE(queue.empty());
}
TEST_F(RunQueueTest, refuses_when_full_and_take_half_makes_room) {
  fill(queue, 8);
  EXPECT_FALSE(queue.push(numbers.data()));
  std::array<int*, 8> out{};
  ASSERT_EQ(queue.take_half(out), 4U);
  EXPECT_EQ(*out[0], 0);
  EXPECT_EQ(*out[3], 3);
  fill(queue, 1, 8);
  EXPECT_EQ(drained(queue), (std::vector{4, 5, 6, 7, 8}));
}
TEST_F(RunQueueTest, take_half_takes_no_more_than_fits_into_its_span) {
  fill(queue, 8);
  std::array<int*, 2> out{};
  EXPECT_EQ(queue.take_half(out), 2U);
  EXPECT_EQ(queue.take_half({}), 0U);
  EXPECT_EQ(queue.size_hint(), 6U);
}
TEST_F(RunQueueTest, a_batch_is_pushed_as_far_as_there_is_room) {
  fill(queue, 5);
  const std::array<int*, 4> batch{&numbers[5], &numbers[6], &numbers[7], &numbers[8]};
  EXPECT_EQ(queue.push_batch(batch), 3U);
  EXPECT_EQ(drained(queue), (std::vector{0, 1, 2, 3, 4, 5, 6, 7}));
}
TEST_F(RunQueueTest, a_thief_gets_the_older_half_and_runs_the_oldest) {
  fill(queue, 5);
  EXPECT_EQ(*other.steal_from(queue), 0);
  EXPECT_EQ(drained(other), (std::vector{1, 2}));
  EXPECT_EQ(drained(queue), (std::vector{3, 4}));
  EXPECT_EQ(other.steal_from(queue), nullptr);
}
TEST_F(RunQueueTest, a_thief_takes_no_more_than_it_has_room_for) {
  fill(queue, 8);
  fill(other, 7, 10);
  EXPECT_EQ(*other.steal_from(queue), 0);
  EXPECT_EQ(drained(other), (std::vector{10, 11, 12, 13, 14, 15, 16, 1}));
  EXPECT_EQ(queue.size_hint(), 6U);
}
TEST_F(RunQueueTest, real_thieves_and_the_owner_take_each_piece_once) {
  constexpr std::size_t kPieces = 100'000;
  std::vector<int> taken(kPieces);  // by index; the test counts each piece, unsynchronised on purpose: once each
  std::vector<int> pieces(kPieces);
  std::iota(pieces.begin(), pieces.end(), 0);
  std::atomic<bool> is_over{false};
  const auto take = [&](const int* piece) { ++taken[static_cast<std::size_t>(*piece)]; };
  const auto thief = [&] {
    Queue mine;
    while (!is_over.load()) {
      if (const int* piece = mine.steal_from(queue)) take(piece);
      while (const int* piece = mine.pop()) take(piece);
    }
  };
  std::thread first(thief);
  std::thread second(thief);
  for (auto& piece : pieces) {
    while (!queue.push(&piece)) {
      std::array<int*, 4> out{};
      const auto count = queue.take_half(out);
      for (std::uint32_t i = 0; i < count; ++i) take(out[i]);
    }
  }
  while (const int* piece = queue.pop()) take(piece);
  is_over.store(true);
  first.join();
  second.join();
  EXPECT_EQ(taken, std::vector<int>(kPieces, 1));
}

}  // namespace
}  // namespace backstage
