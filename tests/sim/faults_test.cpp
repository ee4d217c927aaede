// L2, L4, W1: what goes wrong in a simulated world, only there, and that all comes right afterwards.
#include <set>

#include <gtest/gtest.h>

#include "backstage/sim/explore.hpp"
#include "storm.hpp"

namespace {

using namespace storm;

TEST(L4, storms_with_all_faults_end_and_leave_nothing_behind_the_same_each_time) {
  std::uint64_t faults = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const Outcome first = run_storm(seed, {}, sim::Faults::all());
    const Outcome second = run_storm(seed, {}, sim::Faults::all());
    ASSERT_EQ(first.hash, second.hash) << "seed " << seed;
    ASSERT_EQ(first.trail, second.trail) << "seed " << seed;
    EXPECT_EQ(first.left, 1U) << "seed " << seed;
    faults += first.faults;

    sim::WorldOptions replayed;
    replayed.replay = first.choices;
    ASSERT_EQ(run_storm(seed, std::move(replayed), sim::Faults::all()).hash, first.hash) << "seed " << seed;
  }
  EXPECT_GT(faults, 300U);
}

struct Tick {};
struct Count {
  using reply = int;
};

/// Ticks for ever, and looks at its clocks.
class Clockwork {
 public:
  void init(Context& cx) { next(cx); }
  Task<> handle(Tick, Context& cx) {
    cx.environment().always(cx.now() >= due_, "no timer is early");
    cx.environment().sometimes(cx.now() > due_ + 1ms, "a timer is late");
    const Instant before = cx.now();
    const WallTime wall = cx.environment().clock().wall();
    co_await cx.sleep(7ms);
    cx.environment().always(cx.now() - before >= 7ms, "no sleep is short");
    cx.environment().sometimes(cx.environment().clock().wall() < wall, "the calendar goes back");
    if (cx.environment().maybe_fault("clockwork.tick")) throw std::runtime_error("the fault point struck");
    ++ticks_;
    next(cx);
  }
  int handle(Count) const { return ticks_; }

 private:
  void next(Context& cx) {
    due_ = cx.now() + 20ms;
    (void)cx.send_after(20ms, cx.self(this), Tick{});
  }
  Instant due_{};
  int ticks_ = 0;
};

TEST(L2, under_faults_all_is_safe_and_after_them_all_comes_right) {
  const sim::Report report = sim::explore(sim::seeds(200), [](sim::World& world) {
    // Told to stop, or killed, they would not come back: here only what supervision has to mend.
    sim::Faults faults = sim::Faults::all();
    faults.kill_every = 0;
    faults.stop_every = 0;
    std::vector<Ref<Clockwork>> works;
    for (int i = 0; i < 3; ++i) {
      works.push_back(
          world.spawn(child<Clockwork>("work-" + std::to_string(i)).backoff(10ms, 1s).at_most(1'000'000, per(1s))));
    }
    world.inject(faults);
    world.run_for(5s);
    world.sometimes(world.faults_injected() > 20, "many faults");
    world.heal();
    const std::uint64_t injected = world.faults_injected();
    world.run_for(2s);
    EXPECT_EQ(world.faults_injected(), injected);
    for (const auto& one : works) {
      const auto before = world.ask<Count>(one);
      ASSERT_TRUE(before.has_value());
      world.run_for(1s);
      EXPECT_GT(world.ask<Count>(one).value(), before.value() + 30);
    }
  });
  EXPECT_GT(report.faults, 1'000U);
}

TEST(W1, a_kind_of_fault_that_is_not_asked_for_does_not_happen) {
  sim::ExploreOptions options;
  options.heed_environment = false;
  const auto report = sim::Explorer(options, &sim::listen_to_gtest).run(sim::seeds(20), [](sim::World& world) {
    sim::Faults faults;
    faults.swarm = false;
    faults.kill_every = 3;
    faults.among = [](std::string_view path) { return path == "/prey"; };
    const auto prey = world.spawn<Clockwork>("prey");
    const auto other = world.spawn<Clockwork>("other");
    const auto end_of_prey = world.runtime().monitor(prey);
    const auto end_of_other = world.runtime().monitor(other);
    world.inject(faults);
    world.run_for(2s);
    const std::uint64_t hits = world.faults_injected();
    EXPECT_GE(hits, 1U);
    world.run_for(2s);
    EXPECT_EQ(world.faults_injected(), hits);  // there is nobody left to hit
    EXPECT_TRUE(end_of_prey.poll().has_value());
    EXPECT_FALSE(end_of_other.poll().has_value());
    EXPECT_EQ(world.environment().clock().wall().ns - world.now().ns,
              sim::ManualClock().wall().ns - sim::ManualClock().now().ns);
  });
  EXPECT_FALSE(report.first.has_value()) << report.text();
  EXPECT_EQ(report.never, (std::vector<std::string>{"a timer is late", "the calendar goes back"}));
}

TEST(W3, a_mistake_that_one_fault_brings_out_is_shrunk_to_that_fault) {
  sim::ExploreOptions options;
  options.heed_environment = false;
  options.shrink_runs = 200;
  const auto body = [](sim::World& world) {
    sim::Faults faults = sim::Faults::all();
    faults.swarm = false;
    faults.among = [](std::string_view path) { return path != "/other"; };
    const auto fragile = world.spawn(child<Clockwork>("fragile").restart(Restart::never));
    (void)world.spawn<Clockwork>("other");
    world.inject(faults);
    world.run_for(1s);
    EXPECT_TRUE(world.ask<Count>(fragile).has_value());
  };
  const sim::Report report = sim::Explorer(options, &sim::listen_to_gtest).run(sim::seeds(10), body);
  ASSERT_TRUE(report.first.has_value());
  ASSERT_TRUE(report.first->tamest.has_value());
  EXPECT_EQ(report.first->tamest->choices.wild(), 1U) << report.text();
}

}  // namespace
