// Who takes it again and again lets others through in between.
#include "backstage/exec/detail/yielding_mutex.hpp"

#include <mutex>
#include <thread>

#include <gtest/gtest.h>

namespace backstage {
namespace {

TEST(YieldingMutex, says_that_somebody_waits_and_no_longer_than_he_does) {
  detail::YieldingMutex mutex;
  EXPECT_FALSE(mutex.is_wanted());
  mutex.lock();
  std::thread other([&] { const std::lock_guard lock(mutex); });
  while (!mutex.is_wanted()) std::this_thread::yield();
  mutex.unlock();
  other.join();
  EXPECT_FALSE(mutex.is_wanted());
}

/// Of rounds in which somebody waits when the holder releases it, nearly none passes without him.
TEST(YieldingMutex, who_waits_has_it_before_who_locks_in_a_row_has_it_again) {
  constexpr int times = 50;
  detail::YieldingMutex mutex;
  int got = 0;  // guarded by it
  std::thread other([&] {
    for (int i = 0; i < times; ++i) {
      const std::lock_guard lock(mutex);
      ++got;
    }
  });
  int in_vain = 0;
  for (bool over = false; !over;) {
    int before = 0;
    {
      const std::lock_guard lock(mutex);
      before = got;
      while (got != times && !mutex.is_wanted()) std::this_thread::yield();
      over = got == times;
    }
    int patience = 100'000;
    mutex.let_through(patience);
    const std::lock_guard lock(mutex);
    if (!over && got == before) ++in_vain;
  }
  other.join();
  EXPECT_EQ(got, times);
  EXPECT_LE(in_vain, times / 10);
}

TEST(YieldingMutex, patience_ends) {
  detail::YieldingMutex mutex;
  int patience = 3;
  mutex.let_through(patience);
  EXPECT_EQ(patience, 3) << "nobody waits";
  mutex.lock();
  std::thread other([&] { const std::lock_guard lock(mutex); });
  while (!mutex.is_wanted()) std::this_thread::yield();
  mutex.let_through(patience);  // held by us: he waits on
  EXPECT_EQ(patience, 0);
  mutex.unlock();
  other.join();
}

}  // namespace
}  // namespace backstage
