// L3, L6 and the back-off: what ends an incarnation, when the next one begins, and who fails when there are too many.
#include "life_support.hpp"

#include "backstage/base/random.hpp"

namespace {

using namespace life;

/// The chance that the runtime of a TestRuntime with this seed draws from, past what its worker took.
class SameChance {
 public:
  explicit SameChance(std::uint64_t seed) : chance_(seed) { (void)chance_.next(); }
  std::uint64_t next() { return chance_.next(); }

 private:
  sim::SeededChance chance_;
};

TEST(L6, the_waits_double_up_to_the_cap_and_are_spread_by_the_seeded_chance_exactly) {
  Journal journal;
  sim::TestRuntime world({.seed = 7});
  SameChance chance(7);
  Watch watch(world.runtime());
  const Backoff backoff{100ms, 1s};
  const auto part = world.spawn(
      child<Part>("a", Plan{.journal = &journal}).backoff(backoff.first, backoff.most).at_most(100, per(1h)));
  for (std::uint32_t n = 0; n < 6; ++n) {
    part.send(Break{"boom"});
    world.run();
    const Duration expected = backoff.wait(n, chance.next());
    ASSERT_EQ(watch.waits.size(), n + 1);
    EXPECT_EQ(watch.waits.back(), expected);
    EXPECT_EQ(world.next_timer(), world.now() + expected);
    (void)journal.take();
    world.advance(expected - Duration(1));
    EXPECT_FALSE(journal.has("a init")) << "never early";
    world.advance(Duration(1));
    EXPECT_TRUE(journal.has("a init")) << "and not late";
  }
}

TEST(L6, a_long_life_resets_the_wait_and_one_a_nanosecond_shorter_does_not) {
  for (const bool long_enough : {false, true}) {
    sim::TestRuntime world({.seed = 3});
    SameChance chance(3);
    Watch watch(world.runtime());
    const Backoff backoff{100ms, 10s};
    const auto part = world.spawn(child<Part>("a", Plan{}).backoff(backoff.first, backoff.most).at_most(9, per(20s)));
    for (std::uint32_t n = 0; n < 3; ++n) {
      part.send(Break{"boom"});
      world.run();
      EXPECT_EQ(watch.waits.back(), backoff.wait(n, chance.next()));
      world.advance(watch.waits.back());
    }
    world.advance(long_enough ? Duration(20s) : Duration(20s) - Duration(1));
    part.send(Break{"boom"});
    world.run();
    EXPECT_EQ(watch.waits.back(), backoff.wait(long_enough ? 0 : 3, chance.next()));
  }
}

TEST(L6, n_restarts_may_lie_in_the_window_and_the_next_failure_fails_the_supervisor) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  world.spawn(child<Part>("top", Plan{.init = [](Context& cx) -> Task<> {
                            cx.spawn(child<Part>("c", Plan{}).backoff(1ms, 1ms).at_most(3, per(10s)));
                            co_return;
                          }})
                  .backoff(1ms, 1ms));
  Ref<Part> c;
  world.spawn<Part>("finder", Plan{}).send(Do{[&](Context& cx) {
    cx.sibling<Part>("top").value().send(Do{[&](Context& top) { c = top.child<Part>("c").value(); }});
  }});
  world.run();
  for (int i = 0; i < 3; ++i) {
    c.send(Break{"boom"});
    world.advance(10ms);
    EXPECT_EQ(watch.count("/top failed 1: child 'c'"), 0U);
    EXPECT_EQ(watch.count("/top/c restarting " + std::to_string(i + 1)), 1U);
  }
  (void)watch.take();
  c.send(Break{"boom"});
  world.run();
  ASSERT_GE(watch.lines.size(), 4U);
  EXPECT_EQ(watch.lines[3].find("/top failed 1: child 'c' (life::Part) failed more often than 3 times in 10s"), 0U)
      << watch.lines[3];
  world.advance(10ms);
  EXPECT_EQ(watch.count("/top initializing>running 2"), 1U);
  EXPECT_EQ(world.ask<Lives>(c).value(), 5U) << "the same place, taken over by the new top";
  // A fresh budget: three more, and the fourth fails the supervisor again.
  for (int i = 0; i < 3; ++i) {
    c.send(Break{"boom"});
    world.advance(10ms);
  }
  EXPECT_EQ(watch.count("/top initializing>running 3"), 0U);
  c.send(Break{"boom"});
  world.advance(10ms);
  EXPECT_EQ(watch.count("/top initializing>running 3"), 1U);
  EXPECT_FALSE(world.runtime().gave_up());
}

TEST(L6, a_restart_exactly_one_window_ago_no_longer_counts) {
  for (const bool outside : {false, true}) {
    sim::TestRuntime world;
    Watch watch(world.runtime());
    const auto part = world.spawn(child<Part>("a", Plan{}).backoff(1ms, 1ms).at_most(1, per(10s)));
    world.run();
    const Instant first = world.now();
    part.send(Break{"boom"});
    world.advance(10ms);
    world.advance(first + 10s - world.now() - (outside ? Duration(0) : Duration(1)));
    part.send(Break{"boom"});
    world.advance(10ms);
    EXPECT_EQ(world.runtime().gave_up(), !outside);
    EXPECT_EQ(watch.count("/a gave up"), outside ? 0U : 1U);
  }
}

TEST(L6, escalation_goes_up_to_the_root_which_gives_up) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const Plan leaf{.init = [](Context&) -> Task<> {
    throw std::runtime_error("never starts");
    co_return;
  }};
  const Plan middle{
      .build = [leaf](Context& cx) { cx.spawn(child<Part>("leaf", leaf).backoff(1ms, 1ms).at_most(2, per(1h))); }};
  world.spawn(child<Part>("top", Plan{.build =
                                          [middle](Context& cx) {
                                            cx.spawn(
                                                child<Part>("middle", middle).backoff(1ms, 1ms).at_most(1, per(1h)));
                                          }})
                  .backoff(1ms, 1ms)
                  .at_most(1, per(1h)));
  world.advance(10s);
  EXPECT_TRUE(world.runtime().gave_up());
  EXPECT_EQ(watch.count("/top gave up"), 1U);
  std::size_t leaf_failed = 0;
  std::size_t middle_failed = 0;
  std::size_t top_failed = 0;
  for (const std::string& line : watch.lines) {
    leaf_failed += line.starts_with("/top/middle/leaf failed") ? 1U : 0U;
    middle_failed += line.starts_with("/top/middle failed") ? 1U : 0U;
    top_failed += line.starts_with("/top failed") ? 1U : 0U;
  }
  // 3 lives of the leaf fail the middle, 2 of the middle fail the top, 2 of the top and the root gives up.
  EXPECT_EQ(leaf_failed, 12U);
  EXPECT_EQ(middle_failed, 4U);
  EXPECT_EQ(top_failed, 2U);
  EXPECT_EQ(world.runtime().actors(), 1U);
}

TEST(L6, at_most_zero_and_unlimited_mean_what_they_say) {
  sim::TestRuntime world;
  const auto never = world.spawn(child<Part>("never", Plan{}).at_most(0, per(1s)));
  const auto always = world.spawn(child<Part>("always", Plan{}).backoff(1ms, 1ms).at_most(unlimited));
  for (int i = 0; i < 1'000; ++i) {
    always.send(Break{"boom"});
    world.advance(2ms);
  }
  EXPECT_EQ(world.ask<Lives>(always).value(), 1'001U);
  EXPECT_FALSE(world.runtime().gave_up());
  never.send(Break{"boom"});
  world.run();
  EXPECT_TRUE(world.runtime().gave_up());
}

TEST(L6, always_restarts_after_a_normal_end_and_never_does_after_a_failure) {
  struct Loop {
    Journal* journal;
    explicit Loop(Journal* j) : journal(j) {}
    Task<Result<>> event_loop(Context& cx, Inbox<Say>& inbox) {
      journal->note("begins " + std::to_string(cx.incarnation()));
      if (auto event = co_await inbox.next()) journal->note(std::get<Say>(*event).text);
      co_return {};
    }
  };
  Journal journal;
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto loop = world.spawn(child<Loop>("loop", &journal).restart(Restart::always).backoff(1ms, 1ms));
  for (const char* text : {"one", "two", "three"}) loop.send(Say{text});
  world.advance(100ms);
  EXPECT_EQ(journal.take(), (Lines{"begins 1", "one", "begins 2", "two", "begins 3", "three", "begins 4"}));
  world.runtime().stop(loop);
  world.advance(100ms);
  EXPECT_EQ(world.runtime().actors(), 1U) << "told to stop is told to stop";

  const auto never = world.spawn(child<Part>("never", Plan{}).restart(Restart::never));
  never.send(Break{"boom"});
  world.advance(1min);
  EXPECT_EQ(world.runtime().actors(), 1U);
  EXPECT_EQ(watch.count("/never ended failed"), 1U);
  EXPECT_FALSE(world.runtime().gave_up());
}

TEST(L6, a_need_to_restart_after_a_while_is_waited_for) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto part = world.spawn(child<Part>("a", Plan{}).backoff(1ms, 1ms));
  part.send(Do{[](Context&) { throw Need::restart_after(5s, "the licence server says so"); }});
  world.run();
  ASSERT_EQ(watch.waits.size(), 1U);
  EXPECT_EQ(watch.waits[0], Duration(5s));
  world.advance(5s);
  EXPECT_EQ(world.ask<Lives>(part).value(), 2U);
}

TEST(L6, an_actor_may_wish_to_end_in_order_and_then_it_has_not_failed) {
  for (const Restart policy : {Restart::on_failure, Restart::always, Restart::never}) {
    sim::TestRuntime world;
    Watch watch(world.runtime());
    const auto part = world.spawn(child<Part>("a", Plan{}).restart(policy));
    part.send(Do{[](Context&) { throw Need::stop("done"); }});
    world.advance(1min);
    EXPECT_EQ(watch.count("/a ended ok"), 1U);
    EXPECT_EQ(world.runtime().actors(), 1U);
  }
}

TEST(L2, the_failed_message_is_not_run_again_and_those_behind_it_are_handled_by_the_next_life) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{.journal = &journal});
  part.send(Say{"one"});
  part.send(Break{"boom"});
  part.send(Say{"two"});
  world.advance(1s);
  EXPECT_EQ(journal.take(), (Lines{"a init", "a one", "a terminating std::runtime_error: boom (in life::Break)",
                                   "a destroyed", "a init", "a two"}));
}

TEST(M5, asks_that_wait_outlive_a_restart_and_the_one_that_failed_hears_it_at_once) {
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{});
  world.run();
  auto napping = world.runtime().ask<Nap>(part, Duration(1h)).polled_within(2h);
  world.run();
  auto waiting = world.runtime().ask<Lives>(part).polled_within(2h);
  EXPECT_FALSE(napping.poll());
  EXPECT_FALSE(waiting.poll());
  world.advance(1h);
  EXPECT_TRUE(napping.poll()->has_value());
  auto breaking = world.runtime().ask<Break>(part, std::string("boom")).polled_within(1h);
  auto behind = world.runtime().ask<Lives>(part).polled_within(1h);
  world.run();
  const auto answer = breaking.poll();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->error().code(), Errc::failed);
  EXPECT_TRUE(answer->error().may_have_run());
  EXPECT_FALSE(behind.poll());
  world.advance(1s);
  EXPECT_EQ(behind.poll()->value(), 2U);
}

TEST(L6, an_init_that_does_not_end_within_start_within_has_failed) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  world.spawn(child<Part>("a", Plan{.init = [](Context& cx) -> Task<> { co_await cx.sleep(1h); }})
                  .start_within(3s)
                  .restart(Restart::never));
  world.advance(Duration(3s) - Duration(1));
  EXPECT_EQ(watch.count("/a ended failed"), 0U);
  world.advance(Duration(1));
  EXPECT_EQ(watch.count("/a ended failed"), 1U);
  EXPECT_EQ(watch.count("/a failed 1: init did not end within 3s (in init)"), 1U);
}

TEST(L4, a_stop_during_the_back_off_ends_it_at_once) {
  Journal journal;
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto part = world.spawn(child<Part>("a", Plan{.journal = &journal}).backoff(10s, 10s));
  part.send(Break{"boom"});
  part.send(Say{"too late"});
  world.run();
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(watch.count("/a ended failed"), 1U);
  EXPECT_EQ(world.runtime().actors(), 1U);
  EXPECT_EQ(journal.count("a init"), 1U);
  EXPECT_EQ(world.runtime().counts().count(Undelivered::ended), 1U);
  EXPECT_EQ(world.next_timer(), Instant::never());
}

TEST(L4, an_actor_that_stops_itself_and_then_fails_is_not_restarted) {
  sim::TestRuntime world;
  const auto part = world.spawn(child<Part>("a", Plan{}).backoff(10s, 10s));
  part.send(Do{[](Context& cx) {
    cx.stop();
    throw std::runtime_error("and out");
  }});
  world.run();
  EXPECT_EQ(world.runtime().actors(), 1U);
  EXPECT_EQ(world.next_timer(), Instant::never());
}

}  // namespace
