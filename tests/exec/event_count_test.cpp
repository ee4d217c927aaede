// EventCount on real threads and the real futex. That no wake-up is lost is proved in tests/model.
#include "backstage/exec/detail/event_count.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace backstage {
namespace {

using detail::EventCount;

TEST(EventCount, a_notification_without_waiters_wakes_nobody_and_is_not_kept) {
  EventCount<> parked;
  EXPECT_FALSE(parked.notify_one());
  EXPECT_EQ(parked.notify_all(), 0U);
  EXPECT_FALSE(parked.wait(parked.prepare(), Duration(0)));
}
TEST(EventCount, a_notification_after_prepare_ends_the_wait_at_once) {
  EventCount<> parked;
  const auto key = parked.prepare();
  EXPECT_TRUE(parked.has_waiters());
  EXPECT_TRUE(parked.notify_one());
  EXPECT_FALSE(parked.has_waiters());
  EXPECT_FALSE(parked.notify_one()) << "the only stay has been notified already";
  EXPECT_TRUE(parked.wait(key));
}
TEST(EventCount, a_cancelled_stay_says_whether_it_had_been_notified) {
  EventCount<> parked;
  EXPECT_FALSE(parked.cancel(parked.prepare()));
  const auto key = parked.prepare();
  EXPECT_TRUE(parked.notify_one());
  EXPECT_TRUE(parked.cancel(key));
  EXPECT_FALSE(parked.notify_one());
}
TEST(EventCount, notify_all_ends_every_stay_begun_before) {
  EventCount<> parked;
  const auto first = parked.prepare();
  const auto second = parked.prepare();
  EXPECT_EQ(parked.waiting_count(), 2U);
  EXPECT_EQ(parked.notify_all(), 2U);
  EXPECT_TRUE(parked.wait(first));
  EXPECT_TRUE(parked.wait(second));
  EXPECT_FALSE(parked.wait(parked.prepare(), Duration(0)));
}
TEST(EventCount, threads_hand_work_over_through_parking) {
  constexpr int kPieces = 20'000;
  EventCount<> parked;
  std::atomic<int> work{0};
  std::atomic<int> done{0};
  std::atomic<bool> is_closed{false};
  const auto worker = [&] {
    for (;;) {
      int seen = work.load(std::memory_order_relaxed);
      while (seen > 0 && !work.compare_exchange_weak(seen, seen - 1)) {
      }
      if (seen > 0) {
        done.fetch_add(1);
        continue;
      }
      const auto key = parked.prepare();
      if (work.load() > 0) {
        parked.cancel(key);
      } else if (is_closed.load()) {
        parked.cancel(key);
        return;
      } else {
        parked.wait(key);
      }
    }
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) workers.emplace_back(worker);
  for (int i = 0; i < kPieces; ++i) {
    work.fetch_add(1);
    parked.notify_one();
  }
  is_closed.store(true);
  parked.notify_all();
  for (auto& thread : workers) thread.join();
  EXPECT_EQ(done.load(), kPieces);
  EXPECT_FALSE(parked.has_waiters());
}

}  // namespace
}  // namespace backstage
