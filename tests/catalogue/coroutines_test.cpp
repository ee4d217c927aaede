// The fault catalogue, C1, C2 and C4: exceptions, ends and neglect at every point where a coroutine waits.
#include <memory>

#include "backstage/exec/when.hpp"
#include "catalogue.hpp"

namespace {

using namespace catalogue;

struct Echo {
  int value;
};
struct Wall {
  void handle(Poke) {}
  int handle(Echo echo) { return echo.value; }
};
struct Walk {
  int throws_after;
};
constexpr int points = 9;

/// Waits in each way there is, and throws after one of them, on demand. Everything on its frames counts itself.
class Walker {
 public:
  Walker(Tally* tally, Ref<Wall> wall) : tally_(tally), wall_(wall) {}
  Task<int> handle(Walk walk, Context& cx) {
    const Counted mine(*tally_);
    const int fatal = walk.throws_after;
    point(fatal, 0);
    co_await cx.sleep(1ms);
    point(fatal, 1);
    co_await cx.yield();
    point(fatal, 2);
    (void)co_await wall_.ask<Echo>(7).within(1s);
    point(fatal, 3);
    co_await inner(cx, tally_);
    point(fatal, 4);
    auto job = [] { return 5; };
    (void)co_await cx.blocking(moved(job)).within(1s);
    point(fatal, 5);
    (void)co_await wall_.send_wait(Poke{}).within(1s);
    point(fatal, 6);
    co_await when_all(inner(cx, tally_), inner(cx, tally_));
    point(fatal, 7);
    (void)co_await when_any(inner(cx, tally_), nap(cx, tally_));
    point(fatal, 8);
    const auto child_started = co_await cx.start(child<Wall>(unnamed)).within(1s);
    if (child_started) cx.stop(child_started.value());
    co_return 1;
  }
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }

 private:
  static void point(int fatal, int here) {
    if (fatal == here) throw std::runtime_error("after point " + std::to_string(here));
  }
  static Task<int> inner(Context& cx, Tally* tally) {
    const Counted mine(*tally);
    co_await cx.sleep(1ms);
    co_return 1;
  }
  static Task<int> nap(Context& cx, Tally* tally) {
    const Counted mine(*tally);
    co_await cx.sleep(1h);
    co_return 2;
  }
  Tally* tally_;
  Ref<Wall> wall_;
};

TEST(C1, what_escapes_after_any_await_fails_the_actor_and_its_frames_are_destroyed_once) {
  sim::explore(sim::seeds(30), [](sim::World& world) {
    auto& tally = world.keep<Tally>();
    const auto wall = world.spawn<Wall>("wall");
    const auto walker = world.spawn(child<Walker>("walker", &tally, wall).backoff(1ms, 1ms).at_most(unlimited));
    world.run_for(1s);
    const Census before(world);
    for (int fatal = 0; fatal < points; ++fatal) {
      const Failures failures(world);
      const auto answer = world.ask<Walk>(walker, fatal);
      ASSERT_FALSE(answer.has_value());
      EXPECT_TRUE(answer.error().is(Errc::failed) && answer.error().may_have_run()) << answer.error().describe();
      world.run_for(1s);
      ASSERT_EQ(failures.told.size(), 1U);
      EXPECT_NE(failures.told[0].find("Walk"), std::string::npos);
      EXPECT_EQ(tally.alive, 0) << "point " << fatal;
      EXPECT_EQ(world.ask<Lives>(walker).value(), static_cast<std::uint32_t>(fatal) + 2);
      expect_same(world, before);
    }
    EXPECT_EQ(world.ask<Walk>(walker, -1).value(), 1);
    EXPECT_EQ(tally.alive, 0);
  });
}

bool ends_while_it_waits(std::uint64_t seed, int moment, int way) {
  sim::World world(seed);
  auto& tally = world.keep<Tally>();
  const auto wall = world.spawn<Wall>("wall");
  world.run();
  const Census before(world);
  const auto walker = world.spawn(child<Walker>("walker", &tally, wall).restart(Restart::never).stop_within(0ms));
  auto answer = world.runtime().ask<Walk>(walker, -1).polled_within(1h);
  world.run();  // it has begun: what ends it finds it waiting
  for (int steps = 0; steps < moment; ++steps) {
    if (world.step()) continue;
    if (world.next_timer() > world.now() + 1s) return false;
    world.run_for(world.next_timer() - world.now());
  }
  if (answer.poll()) return false;
  switch (way) {
    case 0: world.runtime().kill(walker); break;
    case 1: world.runtime().fail(walker, Error("made to fail")); break;
    default: world.runtime().stop(walker);
  }
  world.run_for(1s);
  const auto told = answer.poll();
  EXPECT_TRUE(told.has_value() && !told->has_value()) << "after " << moment << " steps, way " << way;
  EXPECT_EQ(tally.alive, 0) << "after " << moment << " steps, way " << way;
  expect_same(world, before);
  return true;
}

TEST(C2, whoever_ends_while_it_waits_for_anything_takes_its_frames_and_what_it_waits_for_along) {
  int moments = 0;
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    for (const int way : {0, 1, 2}) {
      for (int moment = 0; moment < 100 && ends_while_it_waits(seed, moment, way); ++moment) ++moments;
    }
  }
  EXPECT_GT(moments, 300);
}

// ----------------------------------------------------------------------------------------- C4: what nobody waits for

struct Neglect {};
struct Careless {
  Careless(Tally* tally, Ref<Wall> wall) : tally_(tally), wall_(wall) {}
  void handle(Neglect, Context& cx) {
    [[maybe_unused]] const Task<int> never_begun = work(cx, Counted(*tally_));
    [[maybe_unused]] const auto never_sent = wall_.ask<Echo>(1);
    [[maybe_unused]] const auto without_await = wall_.ask<Echo>(2).within(1s);
    [[maybe_unused]] const auto never_waited = wall_.send_wait(Poke{}).within(1s);
    [[maybe_unused]] const auto never_started = cx.start(child<Wall>("nobody")).within(1s);
    [[maybe_unused]] const auto never_slept = cx.sleep(1s);
  }
  Task<> handle(Poke, Context& cx) {
    // Begun, and then left behind by the one that was faster.
    (void)co_await when_any(work(cx, Counted(*tally_)), at_once());
  }

 private:
  static Task<int> work(Context& cx, Counted) {
    co_await cx.sleep(1h);
    co_return 1;
  }
  static Task<int> at_once() { co_return 2; }
  Tally* tally_;
  Ref<Wall> wall_;
};

TEST(C4, what_is_never_awaited_does_nothing_and_leaves_nothing) {
  sim::explore(sim::seeds(20), [](sim::World& world) {
    auto& tally = world.keep<Tally>();
    const auto wall = world.spawn<Wall>("wall");
    const auto careless = world.spawn<Careless>("careless", &tally, wall);
    world.run();
    const Census before(world);
    const auto counts = world.runtime().counts();
    for (int i = 0; i < 20; ++i) {
      careless.send(Neglect{});
      careless.send(Poke{});
    }
    {
      // From outside: asked, and the answer thrown away; asked for, and never sent.
      auto dropped = world.runtime().ask<Echo>(wall, 3).polled_within(1s);
      [[maybe_unused]] const auto never_sent = world.runtime().ask<Echo>(wall, 4);
    }
    world.run_for(10s);
    EXPECT_EQ(tally.alive, 0);
    EXPECT_EQ(world.runtime().counts().handled - counts.handled, 41U);
    expect_same(world, before);
  });
}

}  // namespace
