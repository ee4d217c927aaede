// L9: links: two places that fail together when either is over for good and not in order.
#include "monitor_support.hpp"

namespace {

using namespace life;

class Links : public testing::Test {
 protected:
  /// Restarted after a millisecond, so that a failure shows as a second incarnation.
  Ref<Part> part(const char* name) {
    return world.spawn(child<Part>(name, Plan{}).backoff(1ms, 1ms).at_most(100, per(1s)));
  }
  Ref<Part> mortal(const char* name) { return world.spawn(child<Part>(name, Plan{}).restart(Restart::never)); }
  void link(const Ref<Part>& from, const Ref<Part>& to) {
    from.send(Do{[to](Context& cx) { cx.link(to); }});
    world.run();
  }
  void unlink(const Ref<Part>& from, const Ref<Part>& to) {
    from.send(Do{[to](Context& cx) { cx.unlink(to); }});
    world.run();
  }
  std::uint32_t lives(const Ref<Part>& one) {
    world.advance(10ms);
    return world.ask<Lives>(one).value();
  }
  Journal journal;
  sim::TestRuntime world;
  Watch events{world.runtime()};
};

TEST_F(Links, L9_the_linker_fails_with_its_target) {
  const auto a = part("a");
  const auto b = mortal("b");
  link(a, b);
  b.send(Break{"boom"});
  EXPECT_EQ(lives(a), 2U);
  EXPECT_EQ(
      events.count("/a failed 1: linked /b (life::Part) ended: failed, std::runtime_error: boom (in life::Break)"),
      1U);
}

TEST_F(Links, L9_the_target_fails_with_its_linker) {
  const auto a = mortal("a");
  const auto b = part("b");
  link(a, b);
  a.send(Break{"boom"});
  EXPECT_EQ(lives(b), 2U);
  EXPECT_EQ(
      events.count("/b failed 1: linked /a (life::Part) ended: failed, std::runtime_error: boom (in life::Break)"),
      1U);
}

TEST_F(Links, L9_an_end_in_order_fails_nobody_on_either_side) {
  const auto a = part("a");
  const auto b = part("b");
  const auto c = part("c");
  link(a, b);
  link(b, c);
  a.send(Quit{});
  world.runtime().stop(c);
  EXPECT_EQ(lives(b), 1U);
}

TEST_F(Links, L9_a_restart_of_the_target_is_no_end_and_the_link_holds_on) {
  const auto a = part("a");
  const auto b = world.spawn(child<Part>("b", Plan{}).backoff(1ms, 1ms).at_most(1, per(1min)));
  link(a, b);
  b.send(Break{"once"});
  EXPECT_EQ(lives(b), 2U);
  EXPECT_EQ(lives(a), 1U);
  b.send(Break{"twice"});
  EXPECT_EQ(lives(a), 2U) << "its place gave up";
}

TEST_F(Links, L2_a_restart_of_the_linker_drops_its_links_and_fails_nobody) {
  const auto a = part("a");
  const auto b = mortal("b");
  link(a, b);
  a.send(Break{"boom"});
  EXPECT_EQ(lives(a), 2U);
  EXPECT_TRUE(world.ask<Lives>(b)) << "still there";
  b.send(Break{"boom"});
  EXPECT_EQ(lives(a), 2U) << "what the first life had linked is not the second's";
}

TEST_F(Links, L9_a_linker_that_gives_up_after_restarts_fails_whom_its_last_life_linked) {
  const auto a = world.spawn(child<Part>("a", Plan{}).backoff(1ms, 1ms).at_most(1, per(1min)));
  const auto b = part("b");
  const auto c = part("c");
  link(a, b);
  a.send(Break{"boom"});
  EXPECT_EQ(lives(a), 2U);
  link(a, c);
  a.send(Break{"boom"});
  EXPECT_EQ(lives(b), 1U);
  EXPECT_EQ(lives(c), 2U);
}

TEST_F(Links, L9_a_link_with_what_is_gone_fails_at_once) {
  const auto gone = part("gone");
  world.runtime().stop(gone);
  const auto a = part("a");
  world.run();
  a.send(Do{[gone](Context& cx) { cx.link(gone); }});
  EXPECT_EQ(lives(a), 2U);
  a.send(Do{[](Context& cx) { cx.link(Ref<Part>()); }});
  EXPECT_EQ(lives(a), 3U);
  EXPECT_EQ(
      events.count("/a failed 2: cannot link with what is gone: the actor (life::Part) has ended for good, or the "
                   "Ref is null (in life::Do)"),
      1U);
}

TEST_F(Links, L9_a_link_with_one_that_is_about_to_be_gone_fails_or_comes_to_nothing_but_never_hangs) {
  // Whichever way the two meet, at each step of b's end.
  for (int steps = 0; steps < 12; ++steps) {
    sim::TestRuntime small;
    const auto a = small.spawn(child<Part>("a", Plan{}).backoff(1ms, 1ms));
    const auto b = small.spawn(child<Part>("b", Plan{}).restart(Restart::never));
    small.run();
    b.send(Break{"boom"});
    for (int i = 0; i < steps; ++i) (void)small.step();
    a.send(Do{[b](Context& cx) { cx.link(b); }});
    small.advance(10ms);
    EXPECT_EQ(small.ask<Lives>(a).value(), 2U) << steps;
  }
}

TEST_F(Links, L9_either_side_may_unlink_and_nothing_fails_it_any_more) {
  for (const bool linker_unlinks : {true, false}) {
    for (const bool linker_dies : {true, false}) {
      const auto a = linker_dies ? mortal("a") : part("a");
      const auto b = linker_dies ? part("b") : mortal("b");
      link(a, b);
      unlink(linker_unlinks ? a : b, linker_unlinks ? b : a);
      (linker_dies ? a : b).send(Break{"boom"});
      EXPECT_EQ(lives(linker_dies ? b : a), 1U);
      world.runtime().stop(linker_dies ? b : a);
      world.run();
    }
  }
}

TEST_F(Links, L9_a_failure_goes_through_a_chain_of_links_to_the_last) {
  std::vector<Ref<Part>> chain;
  for (int i = 0; i < 10; ++i) chain.push_back(mortal(("p" + std::to_string(i)).c_str()));
  for (std::size_t i = 1; i < chain.size(); ++i) link(chain[i - 1], chain[i]);
  chain[5].send(Break{"boom"});
  world.advance(1s);
  for (const auto& one : chain) EXPECT_EQ(world.ask<Lives>(one).error().code(), Errc::gone);
  EXPECT_EQ(world.runtime().actors(), 1U);
}

TEST_F(Links, L9_linked_with_itself_is_linked_with_nobody) {
  const auto a = part("a");
  link(a, a);
  a.send(Break{"boom"});
  EXPECT_EQ(lives(a), 2U);
}

TEST_F(Links, L9_a_failure_by_link_interrupts_a_handler_that_waits) {
  const auto a = world.spawn(child<Part>("a", Plan{.journal = &journal}).backoff(1ms, 1ms));
  const auto b = mortal("b");
  link(a, b);
  a.send(Nap{1h});
  world.run();
  b.send(Break{"boom"});
  world.advance(10ms);
  EXPECT_TRUE(journal.has("a frame gone"));
  EXPECT_EQ(lives(a), 2U);
}

TEST_F(Links, L9_a_parent_may_be_linked_with_its_child) {
  Ref<Part> below;
  Plan plan;
  plan.build = [&below](Context& cx) {
    below = cx.spawn(child<Part>("below", Plan{}).backoff(1ms, 1ms));
    cx.link(below);
  };
  const auto a = world.spawn(child<Part>("a", plan).restart(Restart::never));
  world.run();
  EXPECT_EQ(world.ask<Lives>(below).value(), 1U);
  a.send(Break{"boom"});
  world.advance(10ms);
  EXPECT_EQ(world.ask<Lives>(below).error().code(), Errc::gone) << "it went with its parent";
  EXPECT_EQ(world.runtime().actors(), 1U);
}

TEST_F(Links, L9_one_whose_linker_ends_around_its_first_turn_fails_once_or_was_never_reached) {
  for (int steps = 0; steps < 12; ++steps) {
    sim::TestRuntime small;
    const auto a = small.spawn(child<Part>("a", Plan{}).restart(Restart::never));
    small.run();
    const auto b = small.spawn(child<Part>("b", Plan{}).backoff(1ms, 1ms));
    a.send(Do{[b](Context& cx) { cx.link(b); }});
    a.send(Break{"boom"});
    for (int i = 0; i < steps; ++i) (void)small.step();
    small.advance(10ms);
    EXPECT_EQ(small.ask<Lives>(b).value(), 2U) << steps;
  }
}

TEST_F(Links, L9_a_child_cannot_escape_its_supervisors_stop_by_unlinking) {
  Plan above;
  above.build = [](Context& cx) { cx.spawn<Part>("child", Plan{}); };
  const auto boss = world.spawn<Part>("boss", above);
  world.run();
  boss.send(Do{[boss](Context& cx) {
    const auto below = cx.child<Part>("child").value();
    cx.link(below);
    below.send(Do{[boss](Context& mine) { mine.unlink(boss); }});
  }});
  world.run();
  world.runtime().stop(boss);
  world.run();
  EXPECT_EQ(world.runtime().actors(), 1U);
}

TEST_F(Links, L9_links_leave_nothing_behind) {
  const auto a = part("a");
  world.run();
  link(a, a);
  const auto blocks = world.runtime().memory().live_blocks;
  for (int i = 0; i < 50; ++i) {
    const auto b = part("b");
    link(a, b);
    link(b, a);
    world.runtime().stop(b);
    world.run();
  }
  EXPECT_EQ(world.runtime().memory().live_blocks, blocks);
  EXPECT_EQ(lives(a), 1U);
}

TEST_F(Links, L9_a_link_reaches_into_another_runtime_and_outlives_it) {
  const auto a = part("a");
  world.run();
  {
    sim::TestRuntime other;
    const auto far = other.spawn(child<Part>("far", Plan{}).restart(Restart::never));
    other.run();
    link(a, far);
    other.run();
    far.send(Break{"boom"});
    other.run();
    EXPECT_EQ(lives(a), 2U);
    const auto next = other.spawn<Part>("next", Plan{});
    other.run();
    link(a, next);
  }
  EXPECT_EQ(lives(a), 2U) << "it ended in order, with its runtime";
}

}  // namespace
