// What a child's spec can say beyond restart and limits: once, made_by, state over restarts, delayed start, time to live,
// significance, the queue at a restart; and specs that are refused.
#include <memory>

#include "life_support.hpp"

namespace {

using namespace life;

struct Owner {
  explicit Owner(std::unique_ptr<int> v) : value(std::move(v)) {}
  void handle(Break how) { throw std::runtime_error(how.text); }
  int handle(Lives) const { return *value; }
  std::unique_ptr<int> value;
};

TEST(L2, once_takes_what_can_be_moved_only_and_has_one_life) {
  sim::TestRuntime world;
  const auto owner = world.spawn(once<Owner>("owner", std::make_unique<int>(7)));
  EXPECT_EQ(world.ask<Lives>(owner).value(), 7);
  world.runtime().restart(owner);  // its arguments are gone: it is left alone
  world.advance(1s);
  EXPECT_EQ(world.ask<Lives>(owner).value(), 7);
  owner.send(Break{"boom"});
  world.advance(1min);
  EXPECT_EQ(world.runtime().actors(), 1U);
}

TEST(L2, once_cannot_be_restarted) {
  sim::TestRuntime world;
  try {
    world.spawn(once<Owner>("owner", std::make_unique<int>(7)).restart(Restart::always));
    FAIL() << "accepted";
  } catch (const Need& need) {
    EXPECT_EQ(
        need.error().text(),
        "the spec of 'owner': restart: a child made by once() has one life, since its arguments are moved: leave "
        "it, or use child()");
  }
}

TEST(L3, an_end_is_told_within_one_runtime_and_a_target_elsewhere_is_refused) {
  struct Mourner {
    void handle(const Eol<Owner>&) {}
  };
  sim::TestRuntime world;
  sim::TestRuntime other;
  const auto elsewhere = other.spawn<Mourner>("mourner");
  try {
    world.spawn(once<Owner>("owner", std::make_unique<int>(7)).on_end(elsewhere));
    FAIL() << "accepted";
  } catch (const Need& need) {
    EXPECT_EQ(need.error().describe(),
              "invalid: the spec of 'owner': on_end, report_to: the target is an actor of another Runtime");
  }
  world.run();
  EXPECT_EQ(world.runtime().actors(), 1U);
}

TEST(L2, made_by_builds_each_incarnation_in_place) {
  sim::TestRuntime world;
  int made = 0;
  const auto owner = world.spawn(
      child<Owner>("owner").made_by([&made] { return Owner(std::make_unique<int>(++made)); }).backoff(1ms, 1ms));
  EXPECT_EQ(world.ask<Lives>(owner).value(), 1);
  owner.send(Break{"boom"});
  world.advance(1s);
  EXPECT_EQ(world.ask<Lives>(owner).value(), 2);
}

TEST(L3, what_made_by_throws_is_a_failure_of_the_constructor) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  int tries = 0;
  const auto owner = world.spawn(child<Owner>("owner")
                                     .made_by([&tries]() -> Owner {
                                       if (++tries == 1) throw std::runtime_error("not yet");
                                       return Owner(std::make_unique<int>(tries));
                                     })
                                     .backoff(1ms, 1ms));
  world.advance(1s);
  EXPECT_EQ(watch.count("/owner failed 1: std::runtime_error: not yet (in constructor)"), 1U);
  EXPECT_EQ(world.ask<Lives>(owner).value(), 2);
}

/// Not movable, counts its inits.
struct Stateful {
  explicit Stateful(int from) : count(from) {}
  Stateful(const Stateful&) = delete;
  Stateful& operator=(const Stateful&) = delete;
  void init() { ++inits; }
  void handle(Say) { ++count; }
  void handle(Break how) { throw std::runtime_error(how.text); }
  std::pair<int, int> handle(Lives) const { return {count, inits}; }
  int count;
  int inits = 0;
};

TEST(L2, restart_with_state_goes_on_with_the_object_and_runs_init_again) {
  sim::TestRuntime world;
  const auto actor = world.spawn(child<Stateful>("s", 10).restart_with_state().backoff(1ms, 1ms));
  actor.send(Say{});
  actor.send(Break{"boom"});
  actor.send(Say{});
  world.advance(1s);
  EXPECT_EQ(world.ask<Lives>(actor).value(), std::pair(12, 2));
}

TEST(L2, a_restart_by_order_keeps_the_state_where_the_spec_says_so) {
  sim::TestRuntime world;
  const auto with = world.spawn(child<Stateful>("with", 10).restart_with_state());
  const auto without = world.spawn(child<Stateful>("without", 10));
  for (const auto& actor : {with, without}) {
    actor.send(Say{});
    world.run();
    world.runtime().restart(actor);
    world.run();
  }
  EXPECT_EQ(world.ask<Lives>(with).value(), std::pair(11, 2));
  EXPECT_EQ(world.ask<Lives>(without).value(), std::pair(10, 1));
}

TEST(L2, a_delayed_start_takes_messages_at_once_and_begins_later) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn(child<Part>("p", Plan{.journal = &journal}).start_after(1s));
  part.send(Say{"early"});
  world.advance(999ms);
  EXPECT_EQ(journal.take(), Lines{});
  world.advance(1ms);
  EXPECT_EQ(journal.take(), (Lines{"p init", "p early"}));
}

TEST(L4, an_actor_stopped_before_its_delayed_start_never_begins) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn(child<Part>("p", Plan{.journal = &journal}).start_after(1s));
  world.run();
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(world.runtime().actors(), 1U);
  world.advance(1min);
  EXPECT_EQ(journal.take(), Lines{});
}

TEST(L4, a_time_to_live_ends_the_actor_in_order_and_for_good) {
  Journal journal;
  sim::TestRuntime world;
  const auto above = world.spawn<Part>("above", Plan{.journal = &journal, .build = [&journal](Context& cx) {
                                                       cx.spawn(child<Part>("p", Plan{.journal = &journal})
                                                                    .live_for(5s)
                                                                    .restart(Restart::always)
                                                                    .on_end(Ref<Part>()));
                                                     }});
  world.advance(4999ms);
  EXPECT_EQ(journal.take(), (Lines{"above init", "p init"}));
  world.advance(1ms);
  EXPECT_EQ(journal.take(), (Lines{"p terminating its time to live (5s) is over", "p destroyed"}));
  (void)above;
}

TEST(L4, a_restart_begins_the_time_to_live_anew) {
  sim::TestRuntime world;
  const auto part = world.spawn(child<Part>("p", Plan{}).live_for(5s).backoff(1ms, 1ms));
  world.advance(4s);
  part.send(Break{"boom"});
  world.advance(4s);
  EXPECT_EQ(world.ask<Lives>(part).value(), 2U);
  world.advance(2s);
  EXPECT_EQ(world.runtime().actors(), 1U);
}

/// A unit of work above its workers.
struct Unit {
  Journal* journal;
  Significant kind;
  Unit(Journal* j, Significant k) : journal(j), kind(k) {}
  void init(Context& cx) {
    a = cx.spawn(child<Part>("a", Plan{.journal = journal}).significant(kind).restart(Restart::never));
    b = cx.spawn(child<Part>("b", Plan{.journal = journal}).significant(kind));
    cx.spawn(child<Part>("c", Plan{.journal = journal}));
  }
  void handle(Do what, Context& cx) { what.what(cx); }
  void terminating(Context&, const Result<>& why) { journal->note(why ? "unit ends ok" : "unit ends badly"); }
  Ref<Part> a;
  Ref<Part> b;
};

struct Work {
  explicit Work(Significant kind) {
    unit = world.spawn<Unit>("unit", &journal, kind);
    world.run();
    (void)journal.take();
  }
  void tell(std::string_view who, auto message) {
    unit.send(Do{
        [name = std::string(who), m = std::move(message)](Context& cx) { cx.child<Part>(name).or_fail().send(m); }});
    world.advance(1s);
  }
  Journal journal;
  sim::TestRuntime world;
  Ref<Unit> unit;
};

TEST(L4, the_end_of_a_significant_child_ends_its_supervisor_in_order) {
  Work work(Significant::any);
  work.tell("b", Quit{});
  EXPECT_EQ(work.journal.take(), (Lines{"b terminating ok", "b destroyed", "c terminating ok", "c destroyed",
                                        "a terminating ok", "a destroyed", "unit ends ok"}));
  EXPECT_EQ(work.world.runtime().actors(), 1U);
}

TEST(L4, a_significant_child_that_fails_and_is_not_restarted_ends_its_supervisor) {
  Work work(Significant::any);
  work.tell("a", Break{"boom"});
  EXPECT_EQ(work.world.runtime().actors(), 1U);
}

TEST(L4, a_significant_child_that_is_restarted_ends_nobody) {
  Work work(Significant::any);
  work.tell("b", Break{"boom"});
  EXPECT_EQ(work.world.runtime().actors(), 5U);
}

TEST(L4, a_significant_child_that_is_stopped_by_order_ends_nobody) {
  Work work(Significant::any);
  work.unit.send(Do{[](Context& cx) { cx.stop(cx.child<Part>("a").or_fail()); }});
  work.world.advance(1s);
  EXPECT_EQ(work.world.runtime().actors(), 4U);
}

TEST(L4, the_last_of_the_significant_children_ends_the_supervisor) {
  Work work(Significant::all);
  work.tell("a", Quit{});
  EXPECT_EQ(work.world.runtime().actors(), 4U);
  work.tell("b", Quit{});
  EXPECT_EQ(work.world.runtime().actors(), 1U);
}

TEST(L2, what_is_queued_at_a_restart_may_be_dropped) {
  Journal journal;
  sim::TestRuntime world;
  const auto part =
      world.spawn(child<Part>("p", Plan{.journal = &journal}).on_restart(OnRestart::drop).backoff(1ms, 1ms));
  world.run();
  part.send(Break{"boom"});
  part.send(Say{"lost"});
  world.advance(1s);
  part.send(Say{"heard"});
  world.run();
  EXPECT_TRUE(journal.has("p heard"));
  EXPECT_FALSE(journal.has("p lost"));
  EXPECT_EQ(world.runtime().counts().count(Undelivered::restarted), 1U);
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}

TEST(L2, what_is_queued_in_a_mailbox_with_a_lock_may_be_dropped_at_a_restart) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn(child<Part>("p", Plan{.journal = &journal})
                                    .mailbox(bounded(10).drop_oldest())
                                    .on_restart(OnRestart::drop)
                                    .backoff(1ms, 1ms));
  world.run();
  part.send(Break{"boom"});
  for (int i = 0; i < 3; ++i) part.send(Say{"lost"});
  world.advance(1s);
  EXPECT_FALSE(journal.has("p lost"));
  EXPECT_EQ(world.runtime().counts().count(Undelivered::restarted), 3U);
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}

TEST(L3, a_failure_from_outside_is_one_like_any_other) {
  Journal journal;
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto part = world.spawn(child<Part>("p", Plan{.journal = &journal}).backoff(1ms, 1ms));
  part.send(Nap{1h});
  world.run();
  world.runtime().fail(part, Error(Errc::unavailable, "pulled the plug"));
  part.send(Say{"later"});
  world.advance(1s);
  EXPECT_EQ(watch.count("/p failed 1: pulled the plug"), 1U);
  EXPECT_EQ(journal.take(), (Lines{"p init", "p naps", "p frame gone", "p terminating pulled the plug", "p destroyed",
                                   "p init", "p later"}));
  world.runtime().stop(part);
  world.run();
  world.runtime().fail(part, Error("too late"));
  world.run();
  EXPECT_EQ(world.runtime().actors(), 1U);
}

std::string refusal(Child<Part> spec) {
  sim::TestRuntime world;
  try {
    world.spawn(std::move(spec));
  } catch (const Need& need) {
    EXPECT_EQ(need.error().code(), Errc::invalid);
    return std::string(need.error().text());
  }
  return "accepted";
}

TEST(L8, a_spec_that_cannot_be_meant_is_refused_by_its_field) {
  const auto spec = [] { return child<Part>("p", Plan{}); };
  EXPECT_EQ(refusal(spec().backoff(2s, 1s)),
            "the spec of 'p': backoff: from 2s to 1s: the first must not be negative, and not above the most");
  EXPECT_EQ(refusal(spec().backoff(-1s, 1s)),
            "the spec of 'p': backoff: from -1s to 1s: the first must not be negative, and not above the most");
  EXPECT_EQ(refusal(spec().at_most(1, per(0s))), "the spec of 'p': at_most: a window of 0s");
  EXPECT_EQ(refusal(spec().start_within(0s)), "the spec of 'p': start_within: 0s");
  EXPECT_EQ(refusal(spec().stop_within(-1s)), "the spec of 'p': stop_within: -1s");
  EXPECT_EQ(refusal(spec().start_after(-1s)), "the spec of 'p': start_after: -1s");
  EXPECT_EQ(refusal(spec().live_for(-1s)), "the spec of 'p': live_for: -1s");
  EXPECT_EQ(refusal(spec().quarantine()), "the spec of 'p': quarantine: it comes after retry_failed(n), n above 0");
  EXPECT_EQ(refusal(spec().restart(Restart::always).significant()),
            "the spec of 'p': significant: under Restart::always it never ends by itself");
}

}  // namespace
