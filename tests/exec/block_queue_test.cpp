// BlockQueue: the order of what comes and goes in pieces of any size, and what memory it holds.
#include "backstage/exec/detail/block_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <vector>

namespace backstage {
namespace {

using Queue = detail::BlockQueue<int>;

std::vector<int> numbers(std::size_t count) {
  std::vector<int> all(count);
  std::iota(all.begin(), all.end(), 0);
  return all;
}
std::vector<int*> pointers_to(std::vector<int>& all) {
  std::vector<int*> out;
  for (int& each : all) out.push_back(&each);
  return out;
}

TEST(BlockQueue, a_few_take_no_memory_however_often_they_come_and_go) {
  auto all = numbers(64);
  const auto work = pointers_to(all);
  Queue queue;
  for (int round = 0; round < 3; ++round) {
    queue.push(work);
    EXPECT_EQ(queue.size(), 64U);
    EXPECT_EQ(queue.bytes_taken(), 0U);
    std::array<int*, 100> out{};
    ASSERT_EQ(queue.pop(out), 64U);
    EXPECT_EQ(*out[63], 63);
  }
}

TEST(BlockQueue, what_is_pushed_and_popped_in_pieces_of_any_size_stays_in_order) {
  constexpr std::size_t count = 100'000;
  auto all = numbers(count);
  const auto work = pointers_to(all);
  for (const std::size_t most : {std::size_t{1}, std::size_t{63}, std::size_t{500}, std::size_t{20'000}}) {
    Queue queue;
    std::vector<int*> out(most);
    std::size_t pushed = 0;
    std::size_t popped = 0;
    // Three steps forward, two back: it grows and shrinks, and is emptied at the end.
    for (std::size_t step = 0; popped < count; ++step) {
      const std::size_t size = step % most + 1;
      if (step % 5 < 3) {
        const std::size_t some = std::min(size, count - pushed);
        queue.push(std::span(work).subspan(pushed, some));
        pushed += some;
      } else {
        const std::size_t some = queue.pop(std::span(out).first(size));
        ASSERT_EQ(some, std::min(size, pushed - popped));
        for (std::size_t i = 0; i < some; ++i) ASSERT_EQ(*out[i], static_cast<int>(popped + i));
        popped += some;
      }
      ASSERT_EQ(queue.size(), pushed - popped);
    }
    EXPECT_EQ(queue.bytes_taken(), 0U);
  }
}

TEST(BlockQueue, what_a_million_took_is_freed_as_they_go) {
  int one = 0;
  int* const work = &one;
  constexpr std::size_t count = 1'000'000;
  Queue queue;
  for (std::size_t i = 0; i < count; ++i) queue.push(std::span(&work, 1));
  const std::size_t most = queue.bytes_taken();
  EXPECT_GE(most, (count - 64) * sizeof(int*));
  EXPECT_LE(most, count * sizeof(int*) + 2 * detail::mapped_from);
  std::vector<int*> out(count / 2);
  ASSERT_EQ(queue.pop(out), count / 2);
  EXPECT_LE(queue.bytes_taken(), most / 2 + 2 * detail::mapped_from);
  ASSERT_EQ(queue.pop(out), count / 2);
  EXPECT_EQ(queue.bytes_taken(), 0U);
}

TEST(BlockQueue, one_that_is_never_empty_holds_blocks_for_what_is_in_it_only) {
  auto all = numbers(10);
  const auto work = pointers_to(all);
  Queue queue;
  queue.push(work);
  std::array<int*, 10> out{};
  for (int round = 0; round < 10'000; ++round) {
    queue.push(work);
    ASSERT_EQ(queue.pop(out), 10U);
    ASSERT_LE(queue.bytes_taken(), 1'024U);
  }
}

}  // namespace
}  // namespace backstage
