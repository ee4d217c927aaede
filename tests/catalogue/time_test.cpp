// The fault catalogue, C7 and C8: very many timers, and clocks that do not go as they should.
#include <algorithm>
#include <memory>

#include "backstage/sim/test_runtime.hpp"
#include "catalogue.hpp"

namespace {

using namespace catalogue;

struct Tick {};
struct SetMany {
  int timers;
};
struct CancelMost {};
struct Clockmaker {
  void handle(SetMany many, Context& cx) {
    timers.reserve(static_cast<std::size_t>(many.timers));
    for (int i = 0; i < many.timers; ++i) timers.push_back(cx.send_after(1s + Duration(i), cx.self(this), Tick{}));
  }
  void handle(CancelMost) {
    for (std::size_t i = 0; i < timers.size(); ++i) {
      if (i % 100 != 0) *cancelled += timers[i].cancel() ? 1 : 0;
    }
    timers.clear();
    timers.shrink_to_fit();
  }
  void handle(Tick) { ++*ticks; }
  void handle(Poke) { seen->push_back(*ticks); }
  int* ticks;
  int* cancelled;
  std::vector<int>* seen;
  std::vector<Timer> timers{};
};

TEST(C7, of_a_million_timers_99_in_100_are_cancelled_their_memory_is_free_at_once_and_messages_get_their_turn) {
  constexpr int many = 1'000'000;
  int ticks = 0;
  int cancelled = 0;
  std::vector<int> seen;
  sim::TestRuntime world;
  const auto maker =
      world.spawn(child<Clockmaker>("maker").made_by([&] { return Clockmaker{&ticks, &cancelled, &seen}; }));
  world.run();
  const std::int64_t before = world.runtime().memory().live_blocks;
  std::size_t reserved = 0;
  for (int storm = 0; storm < 3; ++storm) {
    ticks = cancelled = 0;
    seen.clear();
    maker.send(SetMany{many});
    world.run();
    EXPECT_GE(world.runtime().memory().live_blocks, before + many);
    maker.send(CancelMost{});
    world.run();
    EXPECT_EQ(cancelled, many / 100 * 99);
    EXPECT_LE(world.runtime().memory().live_blocks, before + many / 100 + 8);
    // The first storm took the memory, the others find it again.
    if (storm == 0) reserved = world.runtime().memory().reserved_bytes;
    EXPECT_LE(world.runtime().memory().reserved_bytes, reserved + reserved / 50);
    // All that are left are due at once; what is in the mailbox comes after half of them at most, or 64.
    world.clock().set(world.now() + 1h);
    for (int i = 0; i < 10; ++i) maker.send(Poke{});
    world.run();
    EXPECT_EQ(ticks, many / 100);
    ASSERT_EQ(seen.size(), 10U);
    for (int left = many / 100; const int handled : seen) {
      left -= std::min(left, std::clamp(left / 2, 64, 4'096));
      EXPECT_LE(handled, many / 100 - left);
    }
    EXPECT_EQ(world.runtime().memory().live_blocks, before);
  }
}

// --------------------------------------------------------------------------------------------- C8: clocks go wrong

struct Report {
  using reply = std::vector<Instant>;
};
struct Metronome {
  void init(Context& cx) {
    begun = cx.now();
    (void)cx.send_every(100ms, cx.self(this), Tick{});
  }
  void handle(Tick, Context& cx) {
    cx.environment().always((cx.now() - begun).count() >= 100'000'000, "no tick is early");
    ticks.push_back(cx.now());
  }
  std::vector<Instant> handle(Report) const { return ticks; }
  Instant begun{};
  std::vector<Instant> ticks{};
};

TEST(C8, the_calendar_clock_may_jump_by_an_hour_either_way_and_no_timer_moves) {
  sim::explore(sim::seeds(50), [](sim::World& world) {
    const Instant begun = world.now();
    const auto metronome = world.spawn<Metronome>("metronome");
    sim::Faults faults;
    faults.swarm = false;
    faults.jump_every = 2;
    faults.jump_up_to = 1h;
    world.inject(faults);
    world.run_for(10s);
    world.sometimes(world.faults_injected() > 20, "many jumps");
    const auto ticks = world.ask<Report>(metronome).value();
    ASSERT_EQ(ticks.size(), 100U);
    for (std::size_t i = 0; i < ticks.size(); ++i) {
      EXPECT_EQ(ticks[i], begun + (static_cast<std::int64_t>(i) + 1) * Duration(100ms));
    }
  });
}

TEST(C8, after_a_pause_of_the_whole_machine_ticks_come_once_and_not_in_a_burst_and_deadlines_have_passed) {
  struct Sleeper {
    Task<int> handle(Poke, Context& cx) {
      co_await cx.sleep(1s);
      co_return 1;
    }
  };
  sim::explore(sim::seeds(50), [](sim::World& world) {
    const auto metronome = world.spawn<Metronome>("metronome");
    const auto sleeper = world.spawn<Sleeper>("sleeper");
    world.run_for(1s);
    auto in_time = world.runtime().ask<Poke>(sleeper).polled_within(1h);
    auto too_late = world.runtime().ask<Poke>(sleeper).polled_within(20s);
    world.run();
    // Thirty seconds in which nobody ran: as after SIGSTOP, or when a virtual machine is held.
    const Instant resumed = world.now() + 30s;
    world.clock().set(resumed);
    world.run();
    auto ticks = world.ask<Report>(metronome).value();
    ASSERT_EQ(ticks.size(), 11U);
    EXPECT_EQ(ticks.back(), resumed);
    const auto answered = in_time.poll();
    ASSERT_TRUE(answered.has_value());
    EXPECT_TRUE(answered->has_value());
    const auto refused = too_late.poll();
    ASSERT_TRUE(refused.has_value());
    ASSERT_FALSE(refused->has_value());
    EXPECT_TRUE(refused->error().is(Errc::timeout));
    // And on the old grid.
    world.run_for(100ms);
    ticks = world.ask<Report>(metronome).value();
    ASSERT_EQ(ticks.size(), 12U);
    EXPECT_EQ(ticks.back(), resumed + 100ms);
  });
}

}  // namespace
