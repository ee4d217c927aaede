// M3: an actor that is suspended handles nothing until it is resumed; commands reach it as ever.
#include "life_support.hpp"

namespace {

using namespace life;

struct Pause {
  Ref<Part> actor;
};
struct GoOn {
  Ref<Part> actor;
};
struct Count {
  Ref<Part> actor;
};
/// Suspends, resumes and asks others from inside.
struct Warden {
  Task<> handle(Count count) {
    const Result<std::uint32_t> lives = co_await count.actor.ask<Lives>().within(1s);
    *told = lives.error().describe();
  }
  explicit Warden(std::string* t) : told(t) {}
  std::string* told;
  void handle(Pause pause, Context& cx) { cx.suspend(pause.actor); }
  void handle(GoOn go_on, Context& cx) { cx.resume(go_on.actor); }
};

bool is_suspended(sim::TestRuntime& world, const Ref<Part>& part) {
  return world.runtime().inspect(part).within(1s).value().suspended;
}

TEST(M3, a_suspended_actor_handles_no_message_until_it_is_resumed) {
  std::string unused;
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{.journal = &journal});
  const auto warden = world.spawn<Warden>("warden", &unused);
  world.run();
  (void)journal.take();
  warden.send(Pause{part});
  world.run();
  part.send(Say{"one"});
  part.send(Say{"two"});
  world.advance(1h);
  EXPECT_EQ(journal.take(), Lines{});
  EXPECT_TRUE(is_suspended(world, part));
  warden.send(GoOn{part});
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"a one", "a two"}));
  EXPECT_FALSE(is_suspended(world, part));
}

TEST(M3, suspended_twice_it_is_resumed_once_and_the_last_word_counts) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{.journal = &journal});
  world.run();
  (void)journal.take();
  Runtime& runtime = world.runtime();
  runtime.suspend(part);
  runtime.suspend(part);
  runtime.resume(part);
  part.send(Say{"one"});
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"a one"}));
  runtime.resume(part);
  runtime.suspend(part);
  part.send(Say{"two"});
  world.run();
  EXPECT_EQ(journal.take(), Lines{});
}

TEST(M3, what_is_under_way_goes_on_and_nothing_new_begins) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{.journal = &journal});
  part.send(Nap{1s});
  part.send(Say{"next"});
  world.run();
  (void)journal.take();
  world.runtime().suspend(part);
  world.advance(2s);
  EXPECT_EQ(journal.take(), (Lines{"a woke", "a frame gone"}));
  world.runtime().resume(part);
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"a next"}));
}

TEST(M3, the_ticks_of_a_suspended_actor_wait_and_missed_ones_are_skipped) {
  int ticks = 0;
  sim::TestRuntime world;
  struct Clockwork {
    int* ticks;
    explicit Clockwork(int* t) : ticks(t) {}
    void init(Context& cx) { (void)cx.send_every(1s, cx.self(this), Say{"tick"}); }
    void handle(Say) { ++*ticks; }
  };
  const auto clockwork = world.spawn<Clockwork>("c", &ticks);
  world.advance(2s);
  EXPECT_EQ(ticks, 2);
  world.runtime().suspend(clockwork);
  world.advance(10s);
  EXPECT_EQ(ticks, 2);
  world.runtime().resume(clockwork);
  world.run();
  EXPECT_EQ(ticks, 3);
}

TEST(M3, an_own_event_loop_gets_no_message_while_it_is_suspended) {
  Journal journal;
  sim::TestRuntime world;
  struct Loop {
    Journal* journal;
    explicit Loop(Journal* j) : journal(j) {}
    Task<> event_loop(Context&, Inbox<Say>& inbox) {
      while (auto event = co_await inbox.next()) journal->note(std::get<Say>(*event).text);
      journal->note("over");
    }
  };
  const auto loop = world.spawn<Loop>("loop", &journal);
  world.run();
  world.runtime().suspend(loop);
  loop.send(Say{"one"});
  world.run();
  EXPECT_EQ(journal.take(), Lines{});
  world.runtime().stop(loop);
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"one", "over"}));
}

TEST(M3, the_bound_holds_for_a_suspended_actor_and_an_ask_times_out_saying_so) {
  std::string told;
  sim::TestRuntime world;
  const auto part = world.spawn(child<Part>("a", Plan{}).mailbox(bounded(2)));
  world.runtime().suspend(part);
  world.run();
  const auto warden = world.spawn<Warden>("warden", &told);
  warden.send(Count{part});
  world.advance(2s);
  EXPECT_TRUE(told.starts_with("timeout: ")) << told;
  EXPECT_TRUE(told.ends_with("; the actor is suspended")) << told;
  for (int i = 0; i < 5; ++i) part.send(Say{"x"});
  EXPECT_EQ(world.runtime().counts().count(Undelivered::full), 4U);
  EXPECT_EQ(world.runtime().inspect(part).within(1s).value().mailbox, 2U);
}

TEST(M3, a_suspended_actor_that_is_stopped_drains_first) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{.journal = &journal});
  world.run();
  world.runtime().suspend(part);
  part.send(Say{"one"});
  world.run();
  (void)journal.take();
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"a one", "a terminating ok", "a destroyed"}));
}

TEST(M3, who_is_told_to_stop_can_not_be_suspended_any_more) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{.journal = &journal});
  part.send(Nap{1s});
  part.send(Say{"one"});
  world.run();
  world.runtime().stop(part);
  world.runtime().suspend(part);
  world.advance(2s);
  EXPECT_TRUE(journal.has("a one"));
  EXPECT_TRUE(journal.has("a destroyed"));
}

TEST(M3, a_runtime_with_suspended_actors_stops_cleanly) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{.journal = &journal});
  world.run();
  world.runtime().suspend(part);
  part.send(Say{"one"});
  world.run();
  EXPECT_TRUE(world.runtime().shutdown(1s).has_value());
  EXPECT_TRUE(journal.has("a one"));
  EXPECT_EQ(world.log().count("still alive"), 0U);
}

TEST(M3, the_end_of_a_child_is_dealt_with_while_its_parent_is_suspended) {
  sim::TestRuntime world;
  const auto top = world.spawn<Part>("top", Plan{.build = [](Context& cx) { cx.spawn<Part>("below", Plan{}); }});
  world.run();
  Ref<Part> below;
  top.send(Do{[&](Context& cx) { below = cx.child<Part>("below").value(); }});
  world.run();
  world.runtime().suspend(top);
  below.send(Break{"boom"});
  world.advance(1s);
  EXPECT_EQ(world.ask<Lives>(below).value(), 2U);
  world.runtime().stop(below);
  world.run();
  EXPECT_EQ(world.runtime().inspect(top).within(1s).value().children, 0U);
}

struct Fuse {};
/// Its handler waits for a second, and fails.
struct Bomb {
  Journal* journal;
  explicit Bomb(Journal* j) : journal(j) {}
  void init() { journal->note("init"); }
  Task<> handle(Fuse, Context& cx) {
    co_await cx.sleep(1s);
    throw std::runtime_error("boom");
  }
  void handle(Say say) { journal->note(say.text); }
};

TEST(M3, a_restarted_actor_runs_its_init_and_stays_suspended) {
  Journal journal;
  sim::TestRuntime world;
  const auto bomb = world.spawn<Bomb>("bomb", &journal);
  bomb.send(Fuse{});
  bomb.send(Say{"one"});
  world.run();
  world.runtime().suspend(bomb);
  world.advance(2s);
  EXPECT_EQ(journal.take(), (Lines{"init", "init"}));
  EXPECT_TRUE(world.runtime().inspect(bomb).within(1s).value().suspended);
  EXPECT_EQ(world.runtime().inspect(bomb).within(1s).value().incarnation, 2U);
  world.runtime().resume(bomb);
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"one"}));
}

TEST(M3, suspending_during_init_takes_effect_when_it_has_ended) {
  Journal journal;
  sim::TestRuntime world;
  const auto part =
      world.spawn<Part>("a", Plan{.journal = &journal, .init = [](Context& cx) -> Task<> { co_await cx.sleep(1s); }});
  part.send(Say{"one"});
  world.run();
  world.runtime().suspend(part);
  world.advance(2s);
  EXPECT_EQ(world.runtime().inspect(part).within(1s).value().phase, "running");
  EXPECT_EQ(journal.take(), (Lines{"a init"}));
  world.runtime().resume(part);
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"a one"}));
}

TEST(M3, a_place_that_becomes_anothers_is_not_suspended) {
  sim::TestRuntime world;
  const auto first = world.spawn<Part>("a", Plan{});
  world.run();
  world.runtime().suspend(first);
  world.run();
  world.runtime().stop(first);
  world.run();
  world.runtime().suspend(first);
  for (int i = 0; i < 200; ++i) {
    const auto next = world.spawn<Part>("next-" + std::to_string(i), Plan{});
    world.runtime().suspend(first);
    world.run();
    EXPECT_EQ(world.ask<Lives>(next).value(), 1U);
  }
}

TEST(L1, the_service_tree_shows_who_is_suspended) {
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{});
  world.run();
  world.runtime().suspend(part);
  world.run();
  const ServiceTree tree = world.runtime().service_tree();
  EXPECT_TRUE(tree.root.children.at(0).suspended);
  EXPECT_NE(tree.text().find("SUSPENDED"), std::string::npos) << tree.text();
}

}  // namespace
