// F2 in real time: an idle runtime makes no wake-ups, and what comes to it is handled at once.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <gtest/gtest.h>

#include "backstage/actor/actor.hpp"
#include "backstage/actor/runtime.hpp"

namespace backstage {
namespace {

using namespace std::chrono_literals;

/// Voluntary context switches so far, by thread; without this one, which sleeps to measure.
std::map<std::string, std::uint64_t> switches_of_others() {
  std::map<std::string, std::uint64_t> all;
  const std::string me = std::to_string(gettid());
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const std::string id = task.path().filename().string();
    if (id == me) continue;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      const std::string key = "voluntary_ctxt_switches:";
      if (line.starts_with(key)) all[id] = std::stoull(line.substr(key.size()));
    }
  }
  return all;
}

struct Ping {};
struct Echo {
  bool handle(Ping) const { return true; }
};

void expect_no_switches(std::size_t actors) {
  RuntimeOptions options;
  options.workers = 4;
  options.log_level = Level::warn;
  Runtime runtime(options);
  Ref<Echo> last;
  for (std::size_t i = 0; i < actors; ++i) last = runtime.spawn(child<Echo>(unnamed));
  if (last) {
    EXPECT_TRUE(runtime.ask<Ping>(last).within(60s).value());
  }
  std::this_thread::sleep_for(2s);  // by then the watch has gone to sleep, too
  const auto before = switches_of_others();
  EXPECT_GE(before.size(), 5U) << "four workers and the watch";
  std::this_thread::sleep_for(10s);
  const auto after = switches_of_others();
  std::uint64_t sum = 0;
  for (const auto& [id, count] : after) sum += count - (before.contains(id) ? before.at(id) : 0);
  std::cout << "voluntary context switches in 10 s with " << actors << " idle actors: " << sum << '\n';
  EXPECT_EQ(before, after);
}

TEST(IdleDrill, F2_an_idle_runtime_makes_no_wake_ups) { expect_no_switches(0); }
TEST(IdleDrill, F2_nor_does_one_with_a_hundred_thousand_idle_actors) { expect_no_switches(100'000); }

TEST(IdleDrill, F2_a_message_to_an_idle_runtime_is_handled_at_once) {
  Runtime runtime;
  const auto echo = runtime.spawn<Echo>("echo");
  std::vector<Duration> took;
  for (int i = 0; i < 300; ++i) {
    std::this_thread::sleep_for(5ms);  // everybody is parked again
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(runtime.ask<Ping>(echo).within(10s).value());
    took.push_back(std::chrono::steady_clock::now() - began);
  }
  std::sort(took.begin(), took.end());
  std::cout << "ask of an idle runtime, there and back: p50 " << to_string(took[took.size() / 2]) << ", p99 "
            << to_string(took[took.size() * 99 / 100]) << '\n';
  // Far from what is usual (tens of microseconds), but below what a poll of any sensible period could do.
  EXPECT_LT(took[took.size() / 2], 5ms);
}

}  // namespace
}  // namespace backstage
