// F1 in real time: how long others wait while a handler keeps its worker.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "backstage/actor/actor.hpp"
#include "backstage/actor/runtime.hpp"

namespace backstage {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

struct Knock {
  Steady::time_point at;
};
struct Longest {};
struct Hog {};

struct Door {
  explicit Door(std::latch* opened) : opened_(opened) {}
  void handle(Knock knock) {
    longest_ = std::max<Duration>(longest_, Steady::now() - knock.at);
    opened_->count_down();
  }
  Duration handle(Longest) const { return longest_; }
  std::latch* opened_;
  Duration longest_{0};
};

struct Hogger {
  explicit Hogger(std::vector<Ref<Door>> doors) : doors_(std::move(doors)) {}
  bool handle(Hog) {
    for (const auto& door : doors_) door.send(Knock{Steady::now()});
    std::this_thread::sleep_for(500ms);
    return true;
  }
  std::vector<Ref<Door>> doors_;
};

TEST(FairnessDrill, F1_who_stands_behind_a_hog_is_taken_over_within_a_few_looks_of_the_watch) {
  constexpr int doors = 20;
  constexpr int rounds = 5;
  std::latch opened(doors * rounds);
  RuntimeOptions options;
  options.workers = 2;
  options.log_level = Level::warn;
  Runtime runtime(options);
  std::vector<Ref<Door>> to;
  for (int i = 0; i < doors; ++i) to.push_back(runtime.spawn<Door>("door-" + std::to_string(i), &opened));
  const auto hog = runtime.spawn<Hogger>("hog", to);
  for (int i = 0; i < rounds; ++i) EXPECT_TRUE(runtime.ask<Hog>(hog).within(30s).value());
  opened.wait();
  Duration longest{0};
  for (const auto& door : to) longest = std::max(longest, runtime.ask<Longest>(door).within(10s).value());
  std::cout << "longest wait behind a handler of 500 ms: " << to_string(longest) << '\n';
  EXPECT_LT(longest, 400ms) << "they waited for the hog";
}

}  // namespace
}  // namespace backstage
