// What a burst took goes back to the system, in real time: actors that come and go, and messages that pile up.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <thread>
#include <utility>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/actor/runtime.hpp"

namespace backstage {
namespace {

using namespace std::chrono_literals;

std::size_t resident() {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0;
  std::size_t in_memory = 0;
  statm >> pages >> in_memory;
  return in_memory * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

struct Invite {
  using reply = bool;
  std::size_t guests;
};
struct SendAway {
  using reply = bool;
};
struct Hello {};
struct Guest {
  void handle(Hello) { ++hellos; }
  int hellos = 0;
};
class Host {
 public:
  bool handle(Invite invite, Context& cx) {
    for (std::size_t i = 0; i < invite.guests; ++i) {
      guests_.push_back(cx.spawn<Guest>(unnamed));
      guests_.back().send(Hello{});
    }
    return true;
  }
  bool handle(SendAway, Context& cx) {
    for (const auto& guest : guests_) cx.stop(guest);
    std::vector<Ref<Guest>>().swap(guests_);
    return true;
  }

 private:
  std::vector<Ref<Guest>> guests_;
};

struct Pile {
  using reply = bool;
  std::size_t items;
};
struct Item {
  std::uint64_t value;
};
struct Sum {
  using reply = std::uint64_t;
};
/// Sends to itself: nothing is handled before all have piled up.
class Piler {
 public:
  bool handle(Pile pile, Context& cx) {
    for (std::size_t i = 0; i < pile.items; ++i) cx.self(this).send(Item{1});
    return true;
  }
  void handle(Item item) { sum_ += item.value; }
  std::uint64_t handle(Sum) { return std::exchange(sum_, 0); }

 private:
  std::uint64_t sum_ = 0;
};

TEST(MemoryDrill, what_a_burst_took_is_given_back) {
  RuntimeOptions options;
  options.workers = 2;
  options.log_level = Level::warn;
  Runtime runtime(options);
  const auto host = runtime.spawn<Host>("host");
  const auto piler = runtime.spawn(child<Piler>("piler").mailbox(unbounded()));
  const std::size_t residents = runtime.actors();
  const auto burst = [&](std::size_t guests, std::size_t items) {
    EXPECT_TRUE(runtime.ask<Invite>(host, guests).within(60s).has_value());
    EXPECT_TRUE(runtime.ask<SendAway>(host).within(60s).has_value());
    while (runtime.actors() > residents) std::this_thread::sleep_for(5ms);
    EXPECT_TRUE(runtime.ask<Pile>(piler, items).within(60s).has_value());
    const std::size_t most = resident();
    EXPECT_EQ(runtime.ask<Sum>(piler).within(60s).value(), items);
    return most;
  };
  burst(3'000, 30'000);  // what is touched for the first time, and kept for good
  std::this_thread::sleep_for(2s);
  const std::size_t before = resident();
  const std::size_t most = burst(300'000, 3'000'000);
  std::this_thread::sleep_for(5s);
  const std::size_t after = resident();
  std::cout << "resident before a burst " << (before >> 10U) << " KiB, at its most " << (most >> 10U)
            << ", 5 s after " << (after >> 10U) << '\n';
  EXPECT_GT(most, 50U << 20U);
  // A tenth, and for what this small program has besides.
  EXPECT_LT(after, before + before / 10 + (1U << 20U));
}

}  // namespace
}  // namespace backstage
