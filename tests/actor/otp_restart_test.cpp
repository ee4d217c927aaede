// What OTP's supervisor suite checks of restarts, limits, strategies and trees, in our words. The table of all its cases
// with our tests and deviations: docs/reference/supervision.md.
#include <algorithm>
#include <map>

#include "otp_support.hpp"

namespace {

using namespace otp;

/// A worker of each kind below one supervisor.
struct Kinds {
  Kinds() {
    sup = world.spawn<Sup>("sup", [](Context& cx) {
      cx.spawn(child<Worker>("always").restart(Restart::always).backoff(1ms, 1ms));
      cx.spawn(child<Worker>("on_failure").backoff(1ms, 1ms));
      cx.spawn(child<Worker>("never").restart(Restart::never));
    });
    world.run();
    for (const char* name : {"always", "on_failure", "never"}) all.push_back(find<Worker>(world, sup, name));
  }
  [[nodiscard]] std::vector<std::uint32_t> lives_of_all() {
    world.advance(1s);
    std::vector<std::uint32_t> out;
    for (const auto& one : all) out.push_back(lives(world, one));
    return out;
  }
  sim::TestRuntime world;
  Ref<Sup> sup;
  std::vector<Ref<Worker>> all;
};

TEST(OtpRestart, L6_after_a_normal_end_only_always_comes_back) {
  Kinds kinds;
  for (const auto& one : kinds.all) one.send(Say{"end"});
  EXPECT_EQ(kinds.lives_of_all(), (std::vector<std::uint32_t>{2, 0, 0}));
}

TEST(OtpRestart, L4_after_a_stop_by_order_nobody_comes_back) {
  Kinds kinds;
  for (const auto& one : kinds.all) kinds.world.runtime().stop(one);
  EXPECT_EQ(kinds.lives_of_all(), (std::vector<std::uint32_t>{0, 0, 0}));
}

TEST(OtpRestart, L4_after_a_kill_nobody_comes_back) {
  Kinds kinds;
  for (const auto& one : kinds.all) kinds.world.runtime().kill(one);
  EXPECT_EQ(kinds.lives_of_all(), (std::vector<std::uint32_t>{0, 0, 0}));
}

TEST(OtpRestart, L2_after_a_restart_by_order_each_comes_back) {
  Kinds kinds;
  for (const auto& one : kinds.all) kinds.world.runtime().restart(one);
  EXPECT_EQ(kinds.lives_of_all(), (std::vector<std::uint32_t>{2, 2, 2}));
}

TEST(OtpRestart, L6_after_a_failure_never_alone_stays_away) {
  Kinds kinds;
  for (const auto& one : kinds.all) one.send(Break{"boom"});
  EXPECT_EQ(kinds.lives_of_all(), (std::vector<std::uint32_t>{2, 2, 0}));
}

/// Children a, b, c (b is told apart) under a strategy.
std::function<void(Context&)> three(Journal* journal, Strategy strategy, std::uint32_t limit, Plan plan_of_b = {}) {
  plan_of_b.journal = journal;
  return [journal, strategy, limit, plan_of_b](Context& cx) {
    cx.strategy(strategy);
    for (const char* name : {"a", "b", "c"}) {
      cx.spawn(child<Part>(name, *name == 'b' ? plan_of_b : Plan{.journal = journal})
                   .backoff(10ms, 10ms)
                   .at_most(limit, per(1min)));
    }
  };
}

TEST(OtpRestart, L2_a_never_sibling_that_stands_by_is_ended_and_forgotten_under_both_group_strategies) {
  for (const Strategy strategy : {Strategy::one_for_all, Strategy::rest_for_one}) {
    sim::TestRuntime world;
    const auto sup = world.spawn<Sup>("sup", [strategy](Context& cx) {
      cx.strategy(strategy);
      cx.spawn(child<Part>("fails", Plan{}).backoff(1ms, 1ms));
      cx.spawn(child<Part>("bystander", Plan{}).restart(Restart::never));
    });
    world.run();
    const auto bystander = find<Part>(world, sup, "bystander");
    find<Part>(world, sup, "fails").send(Break{"boom"});
    world.advance(1s);
    EXPECT_EQ(lives(world, bystander), 0U);
    EXPECT_FALSE(find<Part>(world, sup, "bystander"));
    EXPECT_EQ(world.ask<Lives>(sup).value(), 1U);
  }
}

TEST(OtpRestart, L6_failures_one_after_the_other_are_counted_exactly_under_each_strategy) {
  for (const Strategy strategy : {Strategy::one_for_one, Strategy::one_for_all, Strategy::rest_for_one}) {
    sim::TestRuntime world;
    Watch watch(world.runtime());
    const auto sup = world.spawn(child<Sup>("sup", three(nullptr, strategy, 3)).restart(Restart::never));
    world.run();
    const auto b = find<Part>(world, sup, "b");
    for (std::uint32_t i = 0; i < 3; ++i) {
      b.send(Break{"boom"});
      world.advance(100ms);
      EXPECT_EQ(lives(world, b), i + 2);
    }
    b.send(Break{"boom"});
    world.advance(100ms);
    // Over the limit: the supervisor fails, and, being never restarted itself, takes all with it.
    EXPECT_EQ(watch.count("/sup ended failed"), 1U);
    EXPECT_EQ(world.runtime().actors(), 1U);
  }
}

TEST(OtpRestart, L6_over_the_limit_all_children_end_youngest_first_and_the_one_above_decides) {
  for (const Strategy strategy : {Strategy::one_for_one, Strategy::one_for_all, Strategy::rest_for_one}) {
    Journal journal;
    sim::TestRuntime world;
    Watch watch(world.runtime());
    const auto top = world.spawn<Sup>("top", [&journal, strategy](Context& cx) {
      cx.spawn(child<Sup>("sup", three(&journal, strategy, 0)).backoff(1ms, 1ms));
    });
    const auto b = find<Part>(world, find<Sup>(world, top, "sup"), "b");
    (void)journal.take();
    b.send(Break{"boom"});
    world.run();
    EXPECT_EQ(journal.take(), (Lines{"b terminating std::runtime_error: boom (in life::Break)", "c terminating ok",
                                     "c destroyed", "b destroyed", "a terminating ok", "a destroyed"}));
    EXPECT_EQ(watch.count("/top/sup restarting 1"), 1U);
    world.advance(1s);
    for (const char* line : {"a init", "b init", "c init"}) EXPECT_EQ(journal.count(line), 1U);
  }
}

TEST(OtpRestart, L2_under_rest_for_one_a_later_child_that_fails_to_restart_restarts_the_rest_once_more) {
  Journal journal;
  sim::TestRuntime world;
  int failing = 0;
  Plan plan;
  plan.build = [&failing](Context&) {
    if (failing > 0 && failing-- > 0) throw std::runtime_error("not yet");
  };
  const auto sup = world.spawn<Sup>("sup", three(&journal, Strategy::rest_for_one, 5, plan));
  world.run();
  const auto a = find<Part>(world, sup, "a");
  const auto b = find<Part>(world, sup, "b");
  const auto c = find<Part>(world, sup, "c");
  failing = 2;
  a.send(Break{"boom"});
  world.advance(1s);
  // a restarts once; b fails to twice, which each time takes c along, and never a.
  EXPECT_EQ(lives(world, a), 2U);
  EXPECT_EQ(lives(world, b), 4U);
  EXPECT_EQ(lives(world, c), 2U);
}

TEST(OtpRestart, L6_children_of_a_dynamic_pool_restart_alone_and_over_their_limit_end_the_pool) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  std::vector<Ref<Part>> all;
  const auto pool = world.spawn(child<Sup>("pool").restart(Restart::never));
  in(world, pool, [&](Context& cx) {
    for (int i = 0; i < 3; ++i) {
      all.push_back(cx.spawn(child<Part>(unnamed, Plan{}).backoff(1ms, 1ms).at_most(1, per(1min))));
    }
  });
  all[1].send(Break{"boom"});
  world.advance(1s);
  EXPECT_EQ(lives(world, all[0]), 1U);
  EXPECT_EQ(lives(world, all[1]), 2U);
  EXPECT_EQ(lives(world, all[2]), 1U);
  all[1].send(Break{"boom"});
  world.advance(1s);
  EXPECT_EQ(watch.count("/pool ended failed"), 1U);
  EXPECT_EQ(world.runtime().actors(), 1U);
}

struct Numbered {
  Numbered(const std::string& k, int n) : kind(k), number(n) {}
  void handle(Break how) { throw std::runtime_error(how.text); }
  std::string handle(Lives) const { return kind + std::to_string(number); }
  std::string kind;
  int number;
};

TEST(OtpRestart, L2_each_child_of_a_dynamic_pool_keeps_its_own_arguments_over_restarts) {
  sim::TestRuntime world;
  std::vector<Ref<Numbered>> all;
  const auto pool = world.spawn<Sup>("pool");
  in(world, pool, [&](Context& cx) {
    for (int i = 0; i < 3; ++i) all.push_back(cx.spawn<Numbered>(unnamed, "extra-", i));
  });
  for (const auto& one : all) one.send(Break{"boom"});
  world.advance(1s);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(world.ask<Lives>(all[static_cast<std::size_t>(i)]).value(), "extra-" + std::to_string(i));
  }
}

TEST(OtpRestart, L4_all_children_of_a_dynamic_pool_end_within_their_deadlines) {
  Journal journal;
  sim::TestRuntime world;
  const auto pool = world.spawn<Sup>("pool");
  in(world, pool, [&](Context& cx) {
    for (int i = 0; i < 4; ++i) {
      cx.spawn(child<Part>(unnamed, Plan{.journal = &journal}).stop_within(1s))
          .send(Nap{i % 2 == 0 ? Duration(1h) : Duration(100ms)});
    }
  });
  world.runtime().stop(pool);
  world.advance(3s);
  EXPECT_EQ(world.runtime().actors(), 1U);
}

TEST(OtpRestart, L4_a_child_cannot_escape_the_stop_of_its_supervisor) {
  sim::TestRuntime world;
  const auto blocks = world.runtime().memory().live_blocks;
  // It comes back always, hangs in its handler, and hangs again in its end.
  const Plan clings{.end = [](Context& cx) -> Task<> {
    co_await cx.sleep(1h);
    cx.self(static_cast<Part*>(nullptr)).send(Say{"still here"});
  }};
  const auto sup = world.spawn<Sup>("sup", [clings](Context& cx) {
    cx.spawn(child<Part>("clings", clings).restart(Restart::always).stop_within(1s)).send(Nap{1h});
  });
  world.run();
  world.runtime().stop(sup);
  world.advance(Duration(2s));  // stop_within, and the grace of terminating()
  expect_nothing_left(world, blocks);
}

TEST(OtpRestart, L2_a_tree_of_supervisors_starts_fails_recovers_and_stops_whole) {
  Journal journal;
  sim::TestRuntime world;
  const auto blocks = world.runtime().memory().live_blocks;
  const auto branch = [&journal](Context& cx) {
    cx.strategy(Strategy::one_for_all);
    for (const char* name : {"x", "y"}) {
      cx.spawn(child<Part>(name, Plan{.journal = &journal}).backoff(1ms, 1ms).at_most(1, per(1min)));
    }
  };
  const auto top = world.spawn<Sup>("top", [branch](Context& cx) {
    cx.strategy(Strategy::rest_for_one);
    for (const char* name : {"left", "right"}) cx.spawn(child<Sup>(name, branch).backoff(1ms, 1ms));
  });
  world.run();
  const auto left = find<Sup>(world, top, "left");
  const auto right = find<Sup>(world, top, "right");
  const auto x = find<Part>(world, left, "x");
  const auto far = find<Part>(world, right, "y");
  const auto fail_x = [&] {
    x.send(Break{"boom"});
    world.advance(1s);
  };
  fail_x();  // within its branch
  EXPECT_EQ(lives(world, x), 2U);
  EXPECT_EQ(lives(world, far), 1U);
  fail_x();  // over the limit: the branch fails, and takes the one that was started later along
  EXPECT_EQ(lives(world, x), 3U);
  EXPECT_EQ(lives(world, far), 2U);
  EXPECT_EQ(world.runtime().actors(), 8U);
  world.runtime().stop(top);
  world.run();
  expect_nothing_left(world, blocks);
}

TEST(OtpRestart, L2_a_child_that_named_itself_elsewhere_is_found_there_after_its_restart) {
  sim::TestRuntime world;
  std::map<std::string, Ref<Part>> directory;
  int named = 0;
  Plan plan;
  plan.build = [&](Context& cx) {
    directory["the one"] = cx.self(static_cast<Part*>(nullptr));
    ++named;
  };
  const auto sup =
      world.spawn<Sup>("sup", [plan](Context& cx) { cx.spawn(child<Part>("c", plan).backoff(1ms, 1ms)); });
  world.run();
  const Ref<Part> before = directory["the one"];
  for (std::uint32_t life = 2; life < 5; ++life) {
    directory["the one"].send(Break{"boom"});
    world.advance(1s);
    EXPECT_EQ(directory["the one"], before) << "a Ref names the place";
    EXPECT_EQ(lives(world, directory["the one"]), life);
  }
  EXPECT_EQ(named, 4);
  EXPECT_EQ(world.ask<Lives>(sup).value(), 1U);
}

TEST(OtpRestart, L6_a_child_whose_restart_keeps_failing_leaves_its_supervisor_responsive_and_stoppable) {
  for (const bool named : {true, false}) {
    sim::TestRuntime world({.log_level = Level::off});
    const auto blocks = world.runtime().memory().live_blocks;
    int tries = 0;
    const auto sup = world.spawn<Sup>("sup", [&tries, named](Context& cx) {
      Plan plan;
      plan.construct = [&tries] {
        if (++tries > 1) throw std::runtime_error("never again");
      };
      cx.spawn(child<Part>(named ? "c" : "", plan).backoff(1ms, 1ms).at_most(unlimited)).send(Break{"boom"});
      cx.spawn<Part>("other", Plan{});
    });
    world.advance(1s);
    EXPECT_GT(tries, 100);
    EXPECT_EQ(world.ask<Lives>(sup).value(), 2U);
    EXPECT_EQ(lives(world, find<Part>(world, sup, "other")), 1U);
    in(world, sup, [](Context& cx) { cx.spawn<Part>("new", Plan{}); });
    EXPECT_EQ(lives(world, find<Part>(world, sup, "new")), 1U);
    world.runtime().stop(sup);
    world.run();
    expect_nothing_left(world, blocks);
  }
}

TEST(OtpRestart, L6_limits_changed_at_run_time_take_effect_and_bad_ones_leave_the_old) {
  for (const bool dynamic : {false, true}) {
    sim::TestRuntime world;
    Watch watch(world.runtime());
    Ref<Part> c;
    const auto sup = world.spawn(child<Sup>("sup").restart(Restart::never));
    in(world, sup, [&](Context& cx) {
      cx.at_most(1, per(1h));
      c = cx.spawn(child<Part>(dynamic ? "" : "c", Plan{}).backoff(1ms, 1ms).at_most(unlimited));
    });
    const auto fail = [&] {
      c.send(Break{"boom"});
      world.advance(100ms);
    };
    fail();
    in(world, sup, [](Context& cx) {
      cx.at_most(3, per(1h));
      EXPECT_THROW(cx.at_most(100, per(Duration(-1))), Need);
    });
    fail();
    fail();
    EXPECT_EQ(lives(world, c), 4U);
    fail();
    EXPECT_EQ(watch.count("/sup ended failed"), 1U);
  }
}

TEST(OtpRestart, L3_the_report_of_a_failure_names_who_failed_and_who_gave_up_and_why) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto sup = world.spawn(child<Sup>("sup", [](Context& cx) {
                                 cx.spawn(child<Part>("c", Plan{}).at_most(0, per(1min)));
                               }).restart(Restart::never));
  world.run();
  find<Part>(world, sup, "c").send(Break{"boom"});
  world.run();
  EXPECT_EQ(watch.count("/sup/c failed 1: std::runtime_error: boom (in life::Break)"), 1U);
  EXPECT_EQ(watch.count(
                "/sup failed 1: child 'c' (life::Part) failed more often than 0 times in 1min; the last time: boom"),
            1U)
      << testing::PrintToString(watch.lines);
}

}  // namespace
