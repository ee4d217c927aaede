// Who takes it again and again lets others through in between.
#include "backstage/exec/detail/yielding_mutex.hpp"

#include <atomic>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

namespace backstage {
namespace {

TEST(YieldingMutex, says_that_somebody_waits_and_no_longer_than_he_does) {
  detail::YieldingMutex mutex;
  EXPECT_FALSE(mutex.is_wanted());
  mutex.let_through();  // nobody: at once
  mutex.lock();
  std::thread other([&] { const std::lock_guard lock(mutex); });
  while (!mutex.is_wanted()) std::this_thread::yield();
  mutex.unlock();
  other.join();
  EXPECT_FALSE(mutex.is_wanted());
}

/// The count says how often the one was let in between two of the other's: each time that he waited, within a few.
TEST(YieldingMutex, who_waits_has_it_before_the_one_who_locks_in_a_row_is_done) {
  constexpr int times = 50;
  constexpr int row = 100'000;
  detail::YieldingMutex mutex;
  int got = 0;  // guarded by it
  std::atomic<bool> over{false};
  mutex.lock();
  std::thread other([&] {
    for (int i = 0; i < times; ++i) {
      const std::lock_guard lock(mutex);
      ++got;
    }
    over.store(true);
  });
  while (!mutex.is_wanted()) std::this_thread::yield();
  mutex.unlock();
  int locked = 0;
  for (; locked < row && !over.load(); ++locked) {
    mutex.let_through();
    const std::lock_guard lock(mutex);
  }
  EXPECT_LT(locked, row);
  other.join();
  EXPECT_EQ(got, times);
}

}  // namespace
}  // namespace backstage
