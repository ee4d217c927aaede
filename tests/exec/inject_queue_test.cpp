// InjectQueue alone and between threads. With parking it is explored in tests/model/run_queue_model_test.cpp.
#include "backstage/exec/detail/inject_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

namespace backstage {
namespace {

TEST(InjectQueue, gives_work_in_the_order_pushed_singly_and_in_batches) {
  std::array<int, 300> numbers{};
  std::iota(numbers.begin(), numbers.end(), 0);
  detail::InjectQueue<int> queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.pop(), nullptr);
  queue.push(numbers.data());
  std::vector<int*> batch;
  for (std::size_t i = 1; i < numbers.size(); ++i) batch.push_back(&numbers[i]);
  queue.push_batch(batch);
  queue.push_batch({});
  EXPECT_EQ(queue.size_hint(), 300U);
  EXPECT_EQ(*queue.pop(), 0);
  std::array<int*, 200> out{};
  ASSERT_EQ(queue.pop_batch(out), 200U);
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(*out[i], static_cast<int>(i) + 1);
  EXPECT_EQ(queue.pop_batch(out), 99U);
  EXPECT_EQ(*out[98], 299);
  EXPECT_TRUE(queue.empty());
}
TEST(InjectQueue, threads_push_and_pop_each_piece_once) {
  constexpr int kEach = 20'000;
  std::vector<int> pieces(2 * kEach, 0);
  detail::InjectQueue<int> queue;
  std::atomic<int> left{2 * kEach};
  const auto pusher = [&](int from) {
    for (int i = from; i < from + kEach; ++i) queue.push(&pieces[static_cast<std::size_t>(i)]);
  };
  const auto popper = [&] {
    while (left.load() > 0) {
      std::array<int*, 16> out{};
      const auto count = queue.pop_batch(out);
      for (std::size_t i = 0; i < count; ++i) ++*out[i];
      left.fetch_sub(static_cast<int>(count));
    }
  };
  std::vector<std::thread> threads;
  threads.emplace_back(pusher, 0);
  threads.emplace_back(pusher, kEach);
  threads.emplace_back(popper);
  threads.emplace_back(popper);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(pieces, std::vector<int>(2 * kEach, 1));
}

}  // namespace
}  // namespace backstage
