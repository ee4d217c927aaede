// L1: the order of an actor's states, what subscribers hear of them, and the roll-up in the service tree.
#include "life_support.hpp"

namespace {

using namespace life;

TEST(L1, an_actor_passes_through_its_states_in_order_and_its_subscribers_hear_each) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto part = world.spawn<Part>("a", Plan{});
  world.run();
  EXPECT_EQ(watch.take(), (Lines{"/a starting>initializing 1", "/a initializing>running 1"}));
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(watch.take(), (Lines{"/a running>stopping 1", "/a stopping>stopped 1", "/a ended ok"}));
}

TEST(L1, a_failure_is_told_before_the_states_that_follow_from_it) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto part = world.spawn<Part>("a", Plan{});
  part.send(Break{"boom"});
  world.run();
  (void)watch.lines.erase(watch.lines.begin(), watch.lines.begin() + 2);
  EXPECT_EQ(watch.take(), (Lines{"/a failed 1: std::runtime_error: boom (in life::Break)", "/a running>stopping 1",
                                 "/a stopping>stopped 1", "/a restarting 1"}));
  world.advance(60ms);
  EXPECT_EQ(watch.take(),
            (Lines{"/a stopped>starting 2", "/a starting>initializing 2", "/a initializing>running 2"}));
}

TEST(L1, a_status_set_in_init_is_kept) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  world.spawn<Part>("a", Plan{.init = [](Context& cx) -> Task<> {
                      cx.status(Status::idle);
                      co_return;
                    }});
  world.run();
  EXPECT_EQ(watch.take(), (Lines{"/a starting>initializing 1", "/a initializing>idle 1"}));
}

TEST(L1, an_actor_on_its_way_out_is_stopping_whatever_it_says) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto part = world.spawn<Part>("a", Plan{.end = [](Context& cx) -> Task<> {
                                        cx.status(Status::running);
                                        co_return;
                                      }});
  world.run();
  (void)watch.take();
  part.send(Nap{1s});
  part.send(Do{[](Context& cx) { cx.status(Status::degraded); }});
  world.run();
  world.runtime().stop(part);
  world.advance(2s);
  EXPECT_EQ(watch.take(), (Lines{"/a running>stopping 1", "/a stopping>stopped 1", "/a ended ok"}));
}

TEST(L1, the_words_of_the_runtime_are_not_an_actors_to_say) {
  sim::TestRuntime world;
  for (const Status status : {Status::starting, Status::initializing, Status::stopping, Status::stopped}) {
    const auto part = world.spawn(child<Part>(unnamed, Plan{}).restart(Restart::never));
    Watch watch(world.runtime());
    part.send(Do{[status](Context& cx) { cx.status(status); }});
    world.run();
    ASSERT_FALSE(watch.lines.empty());
    EXPECT_NE(watch.lines.back().find("ended failed"), std::string::npos) << to_string(status);
  }
}

Service look(sim::TestRuntime& world, std::string_view name) {
  for (const Service& service : world.runtime().service_tree().root.children) {
    if (service.name == name) return service;
  }
  ADD_FAILURE() << "no " << name;
  return {};
}

Plan with_children(int n) {
  return Plan{.build = [n](Context& cx) {
    for (int i = 0; i < n; ++i) cx.spawn<Part>("c" + std::to_string(i), Plan{});
  }};
}
Do says(std::string name, Status status) {
  return Do{[name, status](Context& cx) {
    cx.child<Part>(name).value().send(Do{[status](Context& below) { below.status(status); }});
  }};
}

TEST(L1, the_gravest_child_decides_the_roll_up_in_the_promised_order) {
  sim::TestRuntime world;
  const auto top = world.spawn<Part>("top", with_children(2));
  world.run();
  EXPECT_EQ(look(world, "top").rolled_up, Status::running);
  for (const Status status : {Status::maintenance, Status::degraded, Status::outage}) {
    top.send(says("c1", status));
    world.run();
    EXPECT_EQ(look(world, "top").rolled_up, status);
    EXPECT_EQ(look(world, "top").status, Status::running);
  }
  top.send(says("c1", Status::idle));
  world.run();
  EXPECT_EQ(look(world, "top").rolled_up, Status::running) << "running is graver than idle";
  EXPECT_GT(gravity(Status::maintenance), gravity(Status::initializing));
  EXPECT_GT(gravity(Status::initializing), gravity(Status::running));
}

TEST(L1, a_parent_that_states_its_own_status_is_not_overruled) {
  sim::TestRuntime world;
  const auto top = world.spawn<Part>("top", with_children(1));
  top.send(says("c0", Status::outage));
  world.run();
  EXPECT_EQ(look(world, "top").rolled_up, Status::outage);
  top.send(Do{[](Context& cx) { cx.status(Status::degraded); }});
  world.run();
  EXPECT_EQ(look(world, "top").rolled_up, Status::degraded);
}

TEST(L1, a_child_that_ended_normally_does_not_count_and_one_that_waits_for_its_restart_is_an_outage) {
  sim::TestRuntime world;
  const auto top = world.spawn<Part>("top", with_children(2));
  world.run();
  top.send(Do{[](Context& cx) { cx.child<Part>("c0").value().send(Quit{}); }});
  world.run();
  EXPECT_EQ(look(world, "top").rolled_up, Status::running);
  EXPECT_EQ(look(world, "top").children.size(), 1U);
  top.send(Do{[](Context& cx) { cx.child<Part>("c1").value().send(Break{"boom"}); }});
  world.run();
  EXPECT_EQ(look(world, "top").rolled_up, Status::outage);
  world.advance(100ms);
  EXPECT_EQ(look(world, "top").rolled_up, Status::running);
}

TEST(L1, the_uptime_is_that_of_the_incarnation) {
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{});
  world.advance(10s);
  EXPECT_EQ(look(world, "a").uptime, Duration(10s));
  part.send(Break{"boom"});
  world.advance(3s);
  const Duration uptime = look(world, "a").uptime;
  EXPECT_GE(uptime, Duration(2940ms));
  EXPECT_LE(uptime, Duration(2960ms));
}

struct Plain {
  void handle(Say) {}
};
TEST(L1, the_uptime_of_an_actor_without_timers_and_children_is_known_too) {
  sim::TestRuntime world;
  world.spawn<Plain>("plain");
  world.advance(7s);
  EXPECT_EQ(look(world, "plain").uptime, Duration(7s));
}

TEST(M3, an_actor_with_a_full_mailbox_still_answers_the_service_tree) {
  sim::TestRuntime world;
  const auto part = world.spawn(child<Part>("a", Plan{}).mailbox(bounded(2)));
  part.send(Nap{1h});
  world.run();
  for (int i = 0; i < 5; ++i) part.send(Say{"x"});
  const Service a = look(world, "a");
  EXPECT_TRUE(a.responding);
  EXPECT_EQ(a.mailbox, 2U);
  EXPECT_EQ(world.runtime().counts().count(Undelivered::full), 3U);
}

TEST(M3, the_service_tree_counts_what_waits_behind_a_lock_too) {
  sim::TestRuntime world;
  const auto part = world.spawn(child<Part>("a", Plan{}).mailbox(bounded(4).drop_oldest()));
  part.send(Nap{1h});
  world.run();
  for (int i = 0; i < 5; ++i) part.send(Say{"x"});
  EXPECT_EQ(look(world, "a").mailbox, 4U);
}

TEST(M3, the_service_tree_is_complete_while_an_actor_ends) {
  sim::TestRuntime world;
  const auto a = world.spawn<Part>("a", Plan{});
  world.run();
  a.send(Do{[](Context& cx) { cx.stop(); }});
  world.step();  // it has ended, and its parent does not know it yet
  const Instant before = world.now();
  for (const Service& service : world.runtime().service_tree().root.children) EXPECT_TRUE(service.responding);
  EXPECT_EQ(world.now(), before);
}

/// Hears how its child fares.
struct Overseer {
  Journal* journal;
  explicit Overseer(Journal* j) : journal(j) {}
  void init(Context& cx) {
    part = cx.spawn(child<Part>("part", Plan{}).report_to(cx.self(this)).backoff(10ms, 10ms));
  }
  void handle(StatusChanged change) {
    journal->note(change.path + " " + std::string(to_string(change.from)) + ">" + std::string(to_string(change.to)) +
                  " " + std::to_string(change.incarnation));
  }
  void handle(Break how) { part.send(std::move(how)); }
  Ref<Part> part;
};

TEST(L1, a_child_reports_each_change_to_whom_its_spec_names_over_its_restarts) {
  sim::TestRuntime world;
  Journal journal;
  const auto above = world.spawn<Overseer>("above", &journal);
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"/above/part starting>initializing 1", "/above/part initializing>running 1"}));
  above.send(Break{"boom"});
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"/above/part running>stopping 1", "/above/part stopping>stopped 1"}));
  world.advance(20ms);
  EXPECT_EQ(journal.take(), (Lines{"/above/part stopped>starting 2", "/above/part starting>initializing 2",
                                   "/above/part initializing>running 2"}));
}

}  // namespace
