// L4 in the plain form: the order of a stop, its deadline, and that it ends whatever the actor was doing.
#include "life_support.hpp"

namespace {

using namespace life;

Plan tree(Journal* journal) {
  return Plan{.journal = journal, .build = [journal](Context& cx) {
                for (const char* name : {"a", "b"}) cx.spawn<Part>(name, Plan{.journal = journal});
                cx.spawn<Part>("c", Plan{.journal = journal, .build = [journal](Context& below) {
                                           below.spawn<Part>("d", Plan{.journal = journal});
                                         }});
              }};
}

TEST(L4, a_stop_drains_then_ends_the_children_in_reverse_then_terminates_then_destroys_then_tells) {
  Journal journal;
  sim::TestRuntime world;
  const auto owner = world.spawn<Part>("owner", Plan{.journal = &journal});
  const auto top = world.spawn(child<Part>("top", tree(&journal)).on_end(owner));
  world.run();
  (void)journal.take();
  top.send(Say{"queued"});
  world.runtime().stop(top);
  top.send(Say{"sent before the stop was seen"});
  world.run();
  top.send(Say{"refused"});
  world.run();
  const Lines expected{"top queued",         "top sent before the stop was seen",
                       "d terminating ok",   "d destroyed",
                       "c terminating ok",   "c destroyed",
                       "b terminating ok",   "b destroyed",
                       "a terminating ok",   "a destroyed",
                       "top terminating ok", "top destroyed",
                       "owner eol top ok 1"};
  Lines got = journal.take();
  // What was sent after the stop may have been refused: the place refuses from the moment it obeys.
  std::erase(got, "top sent before the stop was seen");
  Lines without = expected;
  std::erase(without, "top sent before the stop was seen");
  EXPECT_EQ(got, without);
  EXPECT_EQ(world.runtime().counts().count(Undelivered::gone), 1U);
}

TEST(L4, a_stopping_place_refuses_and_asks_to_it_fail_at_once) {
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{});
  part.send(Nap{3s});
  world.run();
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(part.try_send(Say{"x"}).error().code(), Errc::stopping);
  auto asked = world.runtime().ask<Lives>(part).polled_within(1h);
  world.run();
  EXPECT_EQ(asked.poll()->error().code(), Errc::stopping);
  part.send(Say{"x"});
  EXPECT_EQ(world.runtime().counts().count(Undelivered::stopping), 2U);
}

TEST(L4, who_drops_ends_at_once_and_those_who_wait_for_answers_hear_it_before_the_children_have_ended) {
  Journal journal;
  sim::TestRuntime world;
  const auto top =
      world.spawn(child<Part>("top", Plan{.journal = &journal,
                                          .init = [](Context& cx) -> Task<> {
                                            cx.spawn<Part>("slow", Plan{.end = [](Context& below) -> Task<> {
                                                             co_await below.sleep(500ms);
                                                           }});
                                            co_return;
                                          }})
                      .on_stop(drop));
  top.send(Nap{1h});
  world.run();
  top.send(Say{"dropped"});
  auto asked = world.runtime().ask<Lives>(top).polled_within(1h);
  world.runtime().stop(top);
  world.run();
  EXPECT_EQ(asked.poll()->error().code(), Errc::gone);
  EXPECT_EQ(journal.count("top frame gone"), 1U);
  EXPECT_FALSE(journal.has("top dropped"));
  world.advance(500ms);
  EXPECT_EQ(journal.count("top destroyed"), 1U);
}

TEST(L4, at_the_stop_deadline_coroutines_are_destroyed_where_they_wait) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn(child<Part>("a", Plan{.journal = &journal}).stop_within(2s));
  part.send(Nap{1h});
  part.send(Say{"behind"});
  world.run();
  world.runtime().stop(part);
  world.advance(1s);
  world.runtime().stop(part);  // again: the deadline stays
  world.advance(Duration(1s) - Duration(1));
  EXPECT_EQ(world.runtime().actors(), 2U);
  EXPECT_FALSE(journal.has("a frame gone"));
  world.advance(Duration(1));
  EXPECT_EQ(journal.take(), (Lines{"a init", "a naps", "a frame gone", "a terminating ok", "a destroyed"}));
  EXPECT_EQ(world.runtime().actors(), 1U);
  EXPECT_EQ(world.runtime().counts().count(Undelivered::ended), 1U);
}

TEST(L4, terminating_runs_iff_init_had_succeeded_and_is_told_why) {
  Journal journal;
  sim::TestRuntime world;
  world.spawn(child<Part>("bad", Plan{.journal = &journal,
                                      .init = [](Context&) -> Task<> {
                                        throw std::runtime_error("no");
                                        co_return;
                                      }})
                  .restart(Restart::never));
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"bad init", "bad destroyed"}));
  const auto part = world.spawn(child<Part>("good", Plan{.journal = &journal}).restart(Restart::never));
  part.send(Break{"boom"});
  world.run();
  EXPECT_EQ(journal.take(),
            (Lines{"good init", "good terminating std::runtime_error: boom (in life::Break)", "good destroyed"}));
}

TEST(L4, a_stop_during_a_suspended_init_lets_it_end_and_then_handles_what_is_queued) {
  Journal journal;
  sim::TestRuntime world;
  const auto part =
      world.spawn<Part>("a", Plan{.journal = &journal, .init = [](Context& cx) -> Task<> { co_await cx.sleep(2s); }});
  part.send(Say{"queued"});
  world.run();
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(part.try_send(Say{"refused"}).error().code(), Errc::stopping);
  world.advance(2s);
  EXPECT_EQ(journal.take(), (Lines{"a init", "a queued", "a terminating ok", "a destroyed"}));
}

TEST(L4, an_init_that_outlasts_stop_within_is_destroyed_where_it_waits_and_its_actor_not_terminated) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn(
      child<Part>("a", Plan{.journal = &journal, .init = [](Context& cx) -> Task<> { co_await cx.sleep(1h); }})
          .stop_within(1s)
          .start_within(2h));
  world.run();
  world.runtime().stop(part);
  world.advance(Duration(1s) - Duration(1));
  EXPECT_EQ(world.runtime().actors(), 2U);
  world.advance(Duration(1));
  EXPECT_EQ(journal.take(), (Lines{"a init", "a destroyed"}));
}

TEST(L4, the_deadline_is_one_for_init_and_draining_together) {
  sim::TestRuntime world;
  const auto part = world.spawn(
      child<Part>("a", Plan{.init = [](Context& cx) -> Task<> { co_await cx.sleep(1s); }}).stop_within(3s));
  part.send(Nap{1h});
  world.run();
  world.runtime().stop(part);
  world.advance(Duration(3s) - Duration(1));
  EXPECT_EQ(world.runtime().actors(), 2U);
  world.advance(Duration(1));
  EXPECT_EQ(world.runtime().actors(), 1U);
}

TEST(L4, a_stop_during_an_init_that_then_fails_ends_it_for_good) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto part = world.spawn<Part>("a", Plan{.init = [](Context& cx) -> Task<> {
                                        co_await cx.sleep(1s);
                                        throw std::runtime_error("no");
                                      }});
  world.run();
  world.runtime().stop(part);
  world.advance(1s);
  EXPECT_EQ(watch.count("/a ended failed"), 1U);
  EXPECT_EQ(world.runtime().actors(), 1U);
  EXPECT_EQ(world.next_timer(), Instant::never());
}

TEST(L4, an_init_may_stop_its_own_actor) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{.journal = &journal, .init = [](Context& cx) -> Task<> {
                                                  cx.stop();
                                                  co_return;
                                                }});
  part.send(Say{"queued"});
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"a init", "a queued", "a terminating ok", "a destroyed"}));
}

/// Whose piped task stops it while nothing else is under way.
struct Sleeper {
  void init(Context& cx) { cx.pipe(nap(cx), cx.self(this)); }
  Task<Quit> nap(Context& cx) {
    co_await cx.sleep(1s);
    cx.stop();
    co_return Quit{};
  }
  void handle(Quit) {}
};
TEST(L4, a_piped_task_may_stop_an_actor_that_is_idle) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  (void)world.spawn<Sleeper>("a");
  world.advance(Duration(1s) - Duration(1));
  EXPECT_EQ(world.runtime().actors(), 2U);
  world.advance(Duration(1));
  EXPECT_EQ(watch.count("/a ended ok"), 1U);
  EXPECT_EQ(world.runtime().actors(), 1U);
  EXPECT_EQ(world.next_timer(), Instant::never());
}

/// Made by the million and gone at once: the states between are left out where nobody hears of them, and told where somebody does.
struct Brief {
  void handle(Say, Context& cx) { cx.stop(); }
};
struct Maker {
  void handle(Say say, Context& cx) { cx.spawn<Brief>(unnamed).send(std::move(say)); }
};
TEST(L4, one_that_ends_with_nothing_queued_tells_its_states_to_whoever_listens) {
  sim::TestRuntime world;
  const auto maker = world.spawn<Maker>("maker");
  maker.send(Say{"unheard"});
  world.run();
  EXPECT_EQ(world.runtime().actors(), 2U);
  Watch watch(world.runtime());
  maker.send(Say{"heard"});
  world.run();
  EXPECT_EQ(world.runtime().actors(), 2U);
  EXPECT_EQ(watch.take(), (Lines{"/maker/#2 starting>running 1", "/maker/#2 running>stopping 1",
                                 "/maker/#2 stopping>stopped 1", "/maker/#2 ended ok"}));
}

TEST(L4, a_terminating_that_hangs_has_its_grace_and_one_that_throws_ends_all_the_same) {
  Journal journal;
  sim::TestRuntime world;
  const auto hangs = world.spawn<Part>(
      "hangs", Plan{.journal = &journal, .end = [](Context& cx) -> Task<> { co_await cx.sleep(1h); }});
  const auto throws = world.spawn<Part>("throws", Plan{.journal = &journal, .end = [](Context& cx) -> Task<> {
                                                         co_await cx.sleep(1ms);
                                                         throw 1;
                                                       }});
  world.run();
  (void)journal.take();
  world.runtime().stop(hangs);
  world.runtime().stop(throws);
  world.advance(Duration(1s) - Duration(1));
  EXPECT_EQ(journal.take(), (Lines{"hangs terminating ok", "throws terminating ok", "throws destroyed"}));
  world.advance(Duration(1));
  EXPECT_EQ(journal.take(), (Lines{"hangs destroyed"}));
  EXPECT_EQ(world.runtime().actors(), 1U);
}

TEST(L4, an_actor_that_is_being_stopped_starts_no_children) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{.journal = &journal, .finish = [&journal](Context& cx) {
                                                  try {
                                                    cx.spawn<Part>("late", Plan{});
                                                  } catch (const Need& need) {
                                                    journal.note(std::string(to_string(need.error().code())));
                                                  }
                                                }});
  world.run();
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(journal.count("stopping"), 1U);
}

TEST(L4, a_stop_token_is_set_by_a_stop_and_by_a_failure) {
  sim::TestRuntime world;
  for (const bool fails : {false, true}) {
    std::stop_token token;
    const auto part = world.spawn<Part>(unnamed, Plan{});
    part.send(Do{[&](Context& cx) { token = cx.stop_token(); }});
    world.run();
    EXPECT_FALSE(token.stop_requested());
    if (fails) {
      part.send(Break{"boom"});
    } else {
      world.runtime().stop(part);
    }
    world.run();
    EXPECT_TRUE(token.stop_requested());
  }
}

struct Loop {
  Journal* journal;
  explicit Loop(Journal* j) : journal(j) {}
  Task<> init(Context& cx) { co_await cx.sleep(1s); }
  Task<Result<>> event_loop(Context&, Inbox<Say>& inbox) {
    while (auto event = co_await inbox.next()) journal->note(std::get<Say>(*event).text);
    journal->note("loop ends");
    co_return {};
  }
};

TEST(L4, an_own_event_loop_drains_its_inbox_also_when_stopped_before_it_began) {
  for (const bool early : {false, true}) {
    Journal journal;
    sim::TestRuntime world;
    const auto loop = world.spawn<Loop>("loop", &journal);
    loop.send(Say{"one"});
    loop.send(Say{"two"});
    if (early) world.run();
    world.advance(early ? 500ms : 2s);
    world.runtime().stop(loop);
    world.advance(600ms);
    EXPECT_EQ(journal.take(), (Lines{"one", "two", "loop ends"}));
    EXPECT_EQ(world.runtime().actors(), 1U);
  }
}

TEST(L4, a_shutdown_ends_from_every_state_at_once_when_its_time_is_over) {
  const Plan sleepy{.init = [](Context& cx) -> Task<> { co_await cx.sleep(1h); }};
  const Plan slow_end{.end = [](Context& cx) -> Task<> { co_await cx.sleep(1h); }};
  const Plan broken{.init = [](Context&) -> Task<> {
    throw std::runtime_error("no");
    co_return;
  }};
  for (const Plan& leaf : {Plan{}, sleepy, slow_end, broken}) {
    for (const bool napping : {false, true}) {
      for (const bool failing : {false, true}) {
        sim::TestRuntime world;
        const auto blocks = world.runtime().memory().live_blocks;
        Plan middle{.build =
                        [leaf](Context& cx) {
                          for (int i = 0; i < 3; ++i) cx.spawn<Part>(unnamed, leaf);
                        },
                    .end = slow_end.end};
        const auto top = world.spawn<Part>("top", Plan{.build =
                                                           [middle](Context& cx) {
                                                             cx.spawn<Part>("m1", middle);
                                                             cx.spawn<Part>("m2", middle);
                                                           },
                                                       .end = slow_end.end});
        world.run();
        if (napping) top.send(Nap{1h});
        if (failing) top.send(Break{"boom"});
        top.send(Say{"queued"});
        world.run();
        // Unclean exactly if somebody was left at the deadline.
        const bool clean = world.runtime().shutdown().has_value();
        EXPECT_EQ(clean, world.runtime().still_alive().root.type.empty());
        expect_nothing_left(world, blocks);
      }
    }
  }
}

TEST(L4, a_shutdown_right_after_a_spawn_still_handles_what_was_sent) {
  Journal journal;
  sim::TestRuntime world;
  world.spawn<Part>("a", Plan{.journal = &journal}).send(Say{"hello"});
  EXPECT_TRUE(world.runtime().shutdown().has_value());
  EXPECT_EQ(journal.take(), (Lines{"a init", "a hello", "a terminating ok", "a destroyed"}));
  EXPECT_THROW(world.spawn<Part>("late", Plan{}), Need);
}

}  // namespace
