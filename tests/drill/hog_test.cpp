// F3 and C10 in real time, with figures: how soon a handler that keeps its worker is found, and that no wake-up is lost.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backstage/actor/actor.hpp"
#include "backstage/actor/runtime.hpp"

namespace backstage {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

struct Poke {};
struct Ping {};
struct Echo {
  bool handle(Ping) const { return true; }
};

std::atomic<bool> spin{true};
std::atomic<Steady::rep> began{0};
struct Spinner {
  bool handle(Poke) {
    began.store(Steady::now().time_since_epoch().count());
    while (spin.load(std::memory_order_relaxed)) {
    }
    return true;
  }
};

void expect_found_within_100_ms(unsigned workers) {
  RuntimeOptions options;
  options.workers = workers;
  options.log_level = Level::off;
  options.stacks = std::make_shared<StackSignal>();
  Runtime runtime(options);
  std::mutex mutex;
  std::condition_variable came;
  std::vector<std::pair<Hog, Steady::time_point>> hogs;
  const auto subscription = runtime.events().subscribe([&](const Event& event) {
    const auto* hog = std::get_if<Hog>(&event);
    if (hog == nullptr) return;
    const std::lock_guard lock(mutex);
    hogs.emplace_back(*hog, Steady::now());
    came.notify_all();
  });
  const auto spinner = runtime.spawn<Spinner>("spinner");
  const auto echo = runtime.spawn<Echo>("echo");
  std::vector<Duration> found;
  std::vector<Duration> others;
  std::size_t with_stack = 0;
  constexpr std::size_t episodes = 50;
  for (std::size_t i = 0; i < episodes; ++i) {
    spin.store(true);
    auto done = runtime.ask<Poke>(spinner).polled_within(60s);
    {
      std::unique_lock lock(mutex);
      ASSERT_TRUE(came.wait_for(lock, 10s, [&] { return hogs.size() >= 2 * i + 1; }));
      const auto& [hog, when] = hogs.back();
      ASSERT_FALSE(hog.over);
      EXPECT_EQ(hog.path, "/spinner");
      EXPECT_TRUE(hog.message.ends_with("Poke"));
      with_stack += hog.stack.empty() ? 0 : 1;
      found.push_back(when.time_since_epoch() - Steady::duration(began.load()));
    }
    const auto asked = Steady::now();
    EXPECT_TRUE(runtime.ask<Ping>(echo).within(10s).value());
    others.push_back(Steady::now() - asked);
    spin.store(false);
    std::unique_lock lock(mutex);
    ASSERT_TRUE(came.wait_for(lock, 10s, [&] { return hogs.size() >= 2 * i + 2; }));
    EXPECT_TRUE(hogs.back().first.over);
  }
  std::sort(found.begin(), found.end());
  std::sort(others.begin(), others.end());
  std::cout << workers << " workers: " << episodes << " hogs found after p50 " << to_string(found[episodes / 2])
            << ", most " << to_string(found.back()) << ", with their stack " << with_stack
            << "; asks of others meanwhile p50 " << to_string(others[episodes / 2]) << ", most "
            << to_string(others.back()) << '\n';
  EXPECT_LE(found.back(), 100ms);
  EXPECT_EQ(with_stack, episodes);
}

TEST(HogDrill, A6_F3_a_hog_is_found_within_100_ms_while_others_go_on) { expect_found_within_100_ms(2); }
TEST(HogDrill, A6_F3_also_when_it_is_the_only_worker) { expect_found_within_100_ms(1); }

TEST(ParkingDrill, C10_no_wake_up_is_lost_in_as_many_rounds_as_a_minute_holds) {
  RuntimeOptions options;
  options.workers = 2;
  Runtime runtime(options);
  const auto echo = runtime.spawn<Echo>("echo");
  // From outside, one at a time: for each round a worker parks and is woken. A lost wake-up would be a timeout.
  const auto until = Steady::now() + 60s;
  std::uint64_t rounds = 0;
  while (Steady::now() < until) {
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(runtime.ask<Ping>(echo).within(10s).has_value()) << "after " << rounds;
    rounds += 100;
  }
  std::cout << rounds << " rounds from outside, there and back, in 60 s: none was lost\n";
}

}  // namespace
}  // namespace backstage
