// What OTP's supervisor suite checks of starting, specs, stopping and counting, in our words. The table of all its cases
// with our tests and deviations: docs/reference/supervision.md.
#include <memory>

#include "otp_support.hpp"

namespace {

using namespace otp;

Plan declines() {
  return Plan{.init = [](Context&) -> Task<> {
    throw Need::stop("nothing to do here");
    co_return;
  }};
}

TEST(OtpStart, L4_a_supervisor_without_children_starts_and_stops_cleanly) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto blocks = world.runtime().memory().live_blocks;
  const auto sup = world.spawn<Sup>("sup");
  EXPECT_EQ(lives(world, sup), 0U);
  world.runtime().stop(sup);
  world.run();
  EXPECT_EQ(watch.count("/sup ended ok"), 1U);
  expect_nothing_left(world, blocks);
}

TEST(OtpStart, L3_an_init_that_declines_to_start_leaves_no_actor_and_no_failure) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  for (const Restart when : {Restart::always, Restart::on_failure, Restart::never}) {
    world.spawn(child<Part>("p", declines()).restart(when));
    world.advance(1min);
    EXPECT_EQ(world.runtime().actors(), 1U);
  }
  EXPECT_EQ(watch.count("/p ended ok"), 3U);
  EXPECT_EQ(watch.count("/p restarting 1"), 0U);
  EXPECT_FALSE(world.runtime().gave_up());
}

TEST(OtpStart, L8_a_child_that_declines_to_start_is_not_counted_and_its_siblings_go_on) {
  sim::TestRuntime world;
  for (const Restart when : {Restart::always, Restart::on_failure, Restart::never}) {
    const auto sup = world.spawn<Sup>(unnamed, [when](Context& cx) {
      cx.strategy(Strategy::one_for_all);
      cx.spawn<Part>("first", Plan{});
      cx.spawn(child<Part>("declines", declines()).restart(when));
      cx.spawn<Part>("last", Plan{});
    });
    world.advance(1min);
    EXPECT_EQ(world.ask<Lives>(sup).value(), 2U);
    EXPECT_EQ(lives(world, find<Part>(world, sup, "first")), 1U);
    EXPECT_EQ(lives(world, find<Part>(world, sup, "last")), 1U);
    in(world, sup, [](Context& cx) { cx.spawn<Part>("declines", Plan{}); });  // its name is free
    EXPECT_EQ(world.ask<Lives>(sup).value(), 3U);
  }
}

struct Starter {
  struct Go {
    using reply = std::string;
    std::string name;
    Plan plan;
    Restart restart = Restart::on_failure;
  };
  Task<std::string> handle(Go go, Context& cx) {
    auto spec = child<Part>(go.name, go.plan).restart(go.restart);
    const auto started = co_await cx.start(spec).within(1s);
    co_return started ? "started" : started.error().describe();
  }
  std::size_t handle(Lives, Context& cx) { return cx.children(); }
};

TEST(OtpStart, L8_who_starts_a_child_that_declines_hears_it_and_nothing_of_it_is_kept) {
  sim::TestRuntime world;
  const auto blocks = world.runtime().memory().live_blocks;
  const auto starter = world.spawn<Starter>("s");
  for (const Restart when : {Restart::always, Restart::on_failure, Restart::never}) {
    for (const std::string name : {"p", ""}) {
      const auto said = world.ask<Starter::Go>(starter, name, declines(), when).value();
      EXPECT_EQ(said.substr(0, 11), "cancelled: ");
      EXPECT_EQ(said.substr(said.find("' ")), "' ended before its init had");
      EXPECT_EQ(world.ask<Lives>(starter).value(), 0U);
    }
  }
  world.runtime().stop(starter);
  world.run();
  expect_nothing_left(world, blocks);
}

TEST(OtpStart, L4_a_dynamic_pool_whose_children_decline_stops_without_an_error) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto pool = world.spawn<Sup>("pool", [](Context& cx) {
    for (int i = 0; i < 10; ++i) cx.spawn(child<Part>(unnamed, declines()).restart(Restart::always));
  });
  world.advance(1min);
  EXPECT_EQ(world.ask<Lives>(pool).value(), 0U);
  world.runtime().stop(pool);
  world.run();
  EXPECT_EQ(watch.count("/pool ended ok"), 1U);
}

TEST(OtpStart, L8_a_supervisor_whose_child_cannot_start_may_pass_the_reason_on_to_its_own_starter) {
  struct Needs {
    Task<> init(Context& cx) {
      auto spec = child<Part>("disk", Plan{.init = [](Context&) -> Task<> {
                                throw Need::fail(Error(Errc::unavailable, "no disk"));
                                co_return;
                              }});
      (void)(co_await cx.start(spec).within(1s)).or_fail();
    }
  };
  struct Above {
    Task<std::string> handle(Say, Context& cx) {
      auto spec = child<Needs>("needs");
      const auto started = co_await cx.start(spec).within(5s);
      co_return started ? "started" : started.error().describe();
    }
  };
  sim::TestRuntime world;
  const auto top = world.spawn<Above>("top");
  EXPECT_EQ(world.ask<Say>(top, "").value(), "unavailable: no disk");
  EXPECT_EQ(world.runtime().actors(), 2U);
}

TEST(OtpStart, L8_the_defaults_of_a_spec_are_those_of_the_table) {
  const auto spec = child<Part>("p", Plan{});
  const ChildPolicy& policy = spec.policy();
  EXPECT_EQ(policy.restart, Restart::on_failure);
  EXPECT_EQ(policy.backoff.first, Duration(50ms));
  EXPECT_EQ(policy.backoff.most, Duration(30s));
  EXPECT_EQ(policy.intensity.restarts, 5U);
  EXPECT_EQ(policy.intensity.window, Duration(1min));
  EXPECT_EQ(policy.start_within, Duration(30s));
  EXPECT_EQ(policy.stop_within, Duration(5s));
  EXPECT_EQ(policy.grace, Duration(1s));
  EXPECT_EQ(policy.on_stop, OnStop::drain);
  EXPECT_EQ(policy.on_restart, OnRestart::keep);
  EXPECT_EQ(policy.mailbox.count_limit(), 65'536U);
  EXPECT_EQ(policy.interleaved, 64U);
  EXPECT_EQ(policy.significant, Significant::no);
  EXPECT_EQ(policy.start_after, Duration(0));
  EXPECT_EQ(policy.live_for, Duration(0));
  EXPECT_EQ(policy.retry_failed, 0U);
  EXPECT_FALSE(policy.with_state || policy.once || policy.quarantine);
}

TEST(OtpStart, L4_a_stop_waits_as_long_as_its_deadline_allows) {
  Journal journal;
  sim::TestRuntime world;
  const auto part =
      world.spawn(child<Part>("p", Plan{.journal = &journal}).stop_within(std::chrono::hours(24 * 365)));
  part.send(Nap{std::chrono::hours(24 * 300)});
  world.run();
  world.runtime().stop(part);
  world.advance(std::chrono::hours(24 * 299));
  EXPECT_FALSE(journal.has("p woke"));
  world.advance(std::chrono::hours(24));
  EXPECT_TRUE(journal.has("p woke"));
  EXPECT_TRUE(journal.has("p terminating ok"));
  EXPECT_EQ(world.runtime().actors(), 1U);
}

TEST(OtpStart, L4_a_kill_ends_at_once_and_whole_whatever_waits) {
  Journal journal;
  sim::TestRuntime world;
  Journal* const j = &journal;
  const auto top = world.spawn<Part>("top", Plan{.journal = j, .build = [j](Context& cx) {
                                                   cx.spawn<Part>("c", Plan{.journal = j}).send(Nap{1h});
                                                 }});
  top.send(Nap{1h});
  world.run();
  top.send(Say{"queued"});
  world.runtime().kill(top);
  world.run();
  EXPECT_EQ(world.runtime().actors(), 1U);
  EXPECT_FALSE(journal.has("top queued"));
  EXPECT_EQ(journal.count("c frame gone"), 1U);
  EXPECT_EQ(world.runtime().counts().count(Undelivered::ended), 1U);
}

TEST(OtpStart, L8_children_are_started_stopped_restarted_and_started_again_at_run_time) {
  sim::TestRuntime world;
  const auto sup = world.spawn<Sup>("sup");
  Lines refused;
  in(world, sup, [&](Context& cx) {
    cx.spawn<Part>("c", Plan{});
    try {
      cx.spawn<Part>("c", Plan{});
    } catch (const Need& need) {
      refused.push_back(need.error().describe());
    }
    refused.push_back(cx.child<Part>("nobody").error().describe());
  });
  EXPECT_EQ(refused,
            (Lines{"exists: 'c' below /sup is taken by a living actor: choose another name, or backstage::unnamed",
                   "not_found: no 'nobody' below /sup: it has children [c]"}));
  const auto c = find<Part>(world, sup, "c");
  in(world, sup, [&](Context& cx) { cx.restart(c); });
  EXPECT_EQ(lives(world, c), 2U);
  in(world, sup, [&](Context& cx) { cx.stop(c); });
  EXPECT_EQ(world.ask<Lives>(sup).value(), 0U);
  in(world, sup, [&](Context& cx) {
    cx.stop(c);  // gone already: nothing happens
    cx.restart(c);
    cx.spawn<Part>("c", Plan{});
  });
  EXPECT_EQ(lives(world, c), 0U);
  EXPECT_EQ(lives(world, find<Part>(world, sup, "c")), 1U);
}

TEST(OtpStart, L8_children_of_a_dynamic_pool_are_ended_by_their_refs) {
  sim::TestRuntime world;
  const auto pool = world.spawn<Sup>("pool");
  std::vector<Ref<Part>> all;
  in(world, pool, [&](Context& cx) {
    for (int i = 0; i < 5; ++i) all.push_back(cx.spawn<Part>(unnamed, Plan{}));
  });
  in(world, pool, [&](Context& cx) {
    cx.stop(all[1]);
    cx.kill(all[3]);
    cx.restart(all[4]);
    cx.stop(Ref<Part>());  // nobody
  });
  EXPECT_EQ(world.ask<Lives>(pool).value(), 3U);
  EXPECT_EQ(lives(world, all[0]), 1U);
  EXPECT_EQ(lives(world, all[4]), 2U);
}

TEST(OtpStart, L8_what_a_child_has_to_say_of_its_start_is_asked_of_its_ref) {
  struct Listener {
    int port = 0;
    void init() { port = 8080; }
    int handle(Lives) const { return port; }
  };
  struct Opens {
    Task<int> handle(Say, Context& cx) {
      auto spec = child<Listener>("listener");
      const auto listener = (co_await cx.start(spec).within(1s)).or_fail();
      co_return (co_await listener.ask<Lives>().within(1s)).or_fail();
    }
  };
  sim::TestRuntime world;
  EXPECT_EQ(world.ask<Say>(world.spawn<Opens>("opens"), "").value(), 8080);
}

TEST(OtpStart, L1_children_are_counted_rightly_at_each_step) {
  sim::TestRuntime world;
  const auto sup = world.spawn<Sup>("sup");
  const auto counts = [&](std::size_t listed, std::size_t running) {
    EXPECT_EQ(world.ask<Lives>(sup).value(), listed);
    std::size_t up = 0;
    const ServiceTree tree = world.runtime().service_tree();
    for (const Service& one : tree.root.children.at(0).children) up += one.status == Status::running ? 1U : 0U;
    EXPECT_EQ(up, running);
  };
  counts(0, 0);
  in(world, sup, [](Context& cx) {
    cx.spawn(child<Part>("a", Plan{}).backoff(1s, 1s));
    cx.spawn<Sup>("below", [](Context& below) { below.spawn<Part>("deep", Plan{}); });
    cx.spawn(child<Part>("never", Plan{}).restart(Restart::never));
  });
  counts(3, 3);
  find<Part>(world, sup, "a").send(Break{"boom"});
  world.run();
  counts(3, 2);  // it waits for its restart
  world.advance(2s);
  counts(3, 3);
  find<Part>(world, sup, "never").send(Break{"boom"});
  world.run();
  counts(2, 2);
  in(world, sup, [](Context& cx) { cx.stop(cx.child<Sup>("below").value()); });
  counts(1, 1);
}

/// Keeps what it was given.
struct Holder {
  explicit Holder(const std::shared_ptr<int>& h) : held(h) {}
  void handle(Break how) { throw std::runtime_error(how.text); }
  std::shared_ptr<int> held;
};

TEST(OtpStart, L2_nothing_of_a_child_that_is_never_restarted_is_kept_after_its_end) {
  sim::TestRuntime world;
  const auto big = std::make_shared<int>(1);
  const auto sup = world.spawn<Sup>("sup", [](Context& cx) { cx.spawn<Part>("stays", Plan{}); });
  world.run();
  const auto blocks = world.runtime().memory().live_blocks;
  for (const std::string name : {"named", ""}) {
    in(world, sup, [&](Context& cx) {
      cx.spawn(child<Holder>(name, big).restart(Restart::never)).send(Break{"boom"});
      cx.spawn(once<Holder>(unnamed, big)).send(Break{"boom"});
    });
    world.advance(1s);
    EXPECT_EQ(big.use_count(), 1);
  }
  EXPECT_EQ(world.runtime().memory().live_blocks, blocks);
}

TEST(OtpStart, F1_starting_and_ending_many_dynamic_children_takes_turns_in_proportion_to_their_number) {
  const auto turns_for = [](int children) {
    sim::TestRuntime world({.log_level = Level::off});
    const auto pool = world.spawn<Sup>("pool");
    world.run();
    const auto blocks = world.runtime().memory().live_blocks;
    std::vector<Ref<Part>> all;
    pool.send(Do{[&](Context& cx) {
      for (int i = 0; i < children; ++i)
        all.push_back(cx.spawn(child<Part>(unnamed, Plan{}).restart(Restart::never)));
    }});
    std::size_t turns = world.run();
    for (const auto& one : all) one.send(Quit{});
    turns += world.run();
    EXPECT_EQ(world.runtime().actors(), 2U);
    EXPECT_EQ(world.runtime().memory().live_blocks, blocks);
    return turns;
  };
  const std::size_t few = turns_for(1'000);
  EXPECT_LE(turns_for(10'000), few * 12);
}

}  // namespace
