// L9: monitors, from actors and from outside: exactly one Down each, with an honest reason.
#include "monitor_support.hpp"

namespace {

using namespace life;

TEST_F(Monitors, L9_an_actor_that_is_stopped_is_down_as_stopped) {
  const auto part = world.spawn<Part>("a", Plan{});
  watch(watcher, part);
  EXPECT_EQ(journal.take(), Lines{});
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(journal.take(), Lines{"down /a stopped 1"});
  ASSERT_TRUE(journal.last.has_value());
  EXPECT_EQ(journal.last->name(), "a");
  EXPECT_EQ(journal.last->actor, "life::Part");
  EXPECT_TRUE(is_orderly(journal.last->reason));
  EXPECT_EQ(journal.last->error().describe(), "gone: /a (life::Part) was stopped in order");
}

TEST_F(Monitors, L9_an_actor_that_ends_by_its_own_wish_is_down_as_finished) {
  const auto one = world.spawn<Part>("one", Plan{});
  const auto two = world.spawn<Part>("two", Plan{});
  watch(watcher, one);
  watch(watcher, two);
  one.send(Quit{});
  two.send(Do{[](Context&) { throw Need::stop(); }});
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"down /one finished 1", "down /two finished 1"}));
}

struct Loop {
  Task<> event_loop(Context&, Inbox<Say>& inbox) { (void)co_await inbox.next(); }
};
TEST_F(Monitors, L9_the_end_of_an_event_loop_is_its_actors_own_wish) {
  const auto loop = world.spawn<Loop>("loop");
  watch(watcher, loop);
  loop.send(Say{"over"});
  world.run();
  EXPECT_EQ(journal.take(), Lines{"down /loop finished 1"});
}

TEST_F(Monitors, L9_an_actor_that_is_never_restarted_is_down_as_failed_with_its_error) {
  const auto part = world.spawn(child<Part>("a", Plan{}).restart(Restart::never));
  watch(watcher, part);
  part.send(Break{"boom"});
  world.run();
  EXPECT_EQ(journal.take(), Lines{"down /a failed 1 std::runtime_error: boom (in life::Break)"});
  EXPECT_EQ(journal.last->error().describe(),
            "gone: /a (life::Part) failed for good <- failed: std::runtime_error: boom (in life::Break)");
}

TEST_F(Monitors, L9_a_restart_is_no_end_and_the_limit_is_told_as_giving_up) {
  const auto part = world.spawn(child<Part>("a", Plan{}).backoff(1ms, 1ms).at_most(2, per(1min)));
  watch(watcher, part);
  for (int i = 0; i < 2; ++i) {
    part.send(Break{"boom"});
    world.advance(10ms);
    EXPECT_EQ(journal.take(), Lines{});
  }
  part.send(Break{"boom"});
  world.advance(10ms);
  EXPECT_EQ(journal.take(), Lines{"down /a gave_up 3 std::runtime_error: boom (in life::Break)"});
}

TEST_F(Monitors, L9_one_that_is_stopped_while_it_waits_for_its_restart_is_down_as_stopped_with_its_last_error) {
  const auto part = world.spawn(child<Part>("a", Plan{}).backoff(1h, 1h));
  watch(watcher, part);
  part.send(Break{"boom"});
  world.run();
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(journal.take(), Lines{"down /a stopped 1 std::runtime_error: boom (in life::Break)"});
}

TEST_F(Monitors, L9_one_that_fails_while_it_is_being_stopped_is_down_as_failed) {
  const auto part = world.spawn<Part>("a", Plan{});
  watch(watcher, part);
  part.send(Nap{1ms});
  part.send(Break{"boom"});
  world.run();
  world.runtime().stop(part);
  world.advance(1s);
  EXPECT_EQ(journal.take(), Lines{"down /a failed 1 std::runtime_error: boom (in life::Break)"});
}

TEST_F(Monitors, L9_one_that_overran_its_stop_deadline_is_down_as_unclean) {
  const auto part = world.spawn(child<Part>("a", Plan{}).stop_within(1s));
  watch(watcher, part);
  part.send(Nap{1h});
  world.run();
  world.runtime().stop(part);
  world.advance(2s);
  EXPECT_EQ(journal.take(), Lines{"down /a unclean 1 its stop deadline passed: what waited was destroyed, what was "
                                  "queued dropped"});
}

TEST_F(Monitors, L9_the_child_that_fails_with_its_supervisors_limit_gave_up_and_its_siblings_were_stopped) {
  Plan plan;
  plan.build = [](Context& cx) {
    if (cx.incarnation() > 1) return;  // nobody takes their places over
    cx.spawn(child<Part>("bad", Plan{}).at_most(0, per(1min)));
    cx.spawn<Part>("good", Plan{});
  };
  const auto top = world.spawn(child<Part>("top", plan).backoff(1ms, 1ms));
  world.run();
  std::vector<Ref<Part>> below;
  top.send(Do{[&below](Context& cx) { below = {cx.child<Part>("bad").value(), cx.child<Part>("good").value()}; }});
  world.run();
  for (const auto& one : below) watch(watcher, one);
  below.front().send(Break{"boom"});
  world.advance(1s);
  const Lines lines = journal.take();
  EXPECT_EQ(lines.size(), 2U);
  EXPECT_EQ(
      std::count(lines.begin(), lines.end(), "down /top/bad gave_up 1 std::runtime_error: boom (in life::Break)"), 1);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "down /top/good stopped 1"), 1);
}

TEST_F(Monitors, L9_a_child_that_its_parents_next_life_takes_over_is_not_down) {
  Plan plan;
  plan.build = [](Context& cx) { cx.spawn<Part>("kept", Plan{}); };
  const auto top = world.spawn(child<Part>("top", plan).backoff(1ms, 1ms));
  world.run();
  Ref<Part> kept;
  top.send(Do{[&kept](Context& cx) { kept = cx.child<Part>("kept").value(); }});
  world.run();
  watch(watcher, kept);
  top.send(Break{"boom"});
  world.advance(1s);
  EXPECT_EQ(journal.take(), Lines{});
  kept.send(Quit{});
  world.run();
  EXPECT_EQ(journal.take(), Lines{"down /top/kept finished 2"});
}

TEST_F(Monitors, L9_a_target_that_is_gone_already_is_down_at_once) {
  const auto part = world.spawn<Part>("a", Plan{});
  world.runtime().stop(part);
  world.run();
  watch(watcher, part);
  watch(watcher, Ref<Part>());
  {
    sim::TestRuntime other;
    const auto elsewhere = other.spawn<Part>("b", Plan{});
    other.run();
    EXPECT_TRUE(other.runtime().shutdown().has_value());
    watch(watcher, elsewhere);
  }
  EXPECT_EQ(journal.take(), (Lines{"down  gone 0 gone", "down  gone 0 gone", "down  gone 0 gone"}));
  EXPECT_EQ(journal.last->actor, "life::Part");
}

TEST_F(Monitors, L9_a_target_that_has_ended_but_is_not_reaped_yet_is_down_once) {
  const auto part = world.spawn<Part>("a", Plan{});
  world.run();
  part.send(Quit{});
  watcher.send(DoWatch{[part](Context& cx, Ref<Watcher> me) { (void)cx.monitor(part, me); }});
  world.step();
  world.step();
  world.run();
  EXPECT_EQ(journal.take().size(), 1U);
}

/// Nothing but a handler: it may take the short way out.
struct Plain {
  void handle(Do d, Context& cx) { d.what(cx); }
};
TEST_F(Monitors, L9_who_begins_to_watch_in_the_turn_that_ends_it_hears_how_it_ended) {
  const auto plain = world.spawn<Plain>("a");
  world.run();
  std::vector<OutsideMonitor> monitors;
  plain.send(Do{[&](Context& cx) {
    monitors.push_back(world.runtime().monitor(plain));
    cx.stop();
  }});
  world.run();
  EXPECT_EQ(monitors.at(0).poll().value().reason, EndReason::finished);
}

TEST_F(Monitors, L9_a_place_that_got_a_new_owner_is_not_mistaken_for_the_old_one) {
  const auto old = world.spawn<Part>("a", Plan{});
  world.runtime().stop(old);
  world.run();
  const auto fresh = world.spawn<Part>("a", Plan{});
  world.run();
  watch(watcher, old);
  EXPECT_EQ(journal.take(), Lines{"down  gone 0 gone"});
  world.runtime().stop(fresh);
  world.run();
  EXPECT_EQ(journal.take(), Lines{});
}

TEST_F(Monitors, M2_what_the_target_sent_comes_before_its_down) {
  const auto part = world.spawn<Part>("a", Plan{});
  watch(watcher, part);
  part.send(Do{[to = watcher](Context& cx) {
    for (int i = 0; i < 3; ++i) to.send(Say{std::to_string(i)});
    cx.stop();
  }});
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"0", "1", "2", "down /a finished 1"}));
}

TEST_F(Monitors, M3_down_is_not_refused_by_a_full_mailbox_of_any_kind) {
  for (const Mailbox kind : {bounded(1), bounded(1).drop_oldest(), bounded(1).drop_newest()}) {
    const auto small = world.spawn(child<Watcher>(unnamed, &journal).mailbox(kind));
    const auto part = world.spawn<Part>("a", Plan{});
    watch(small, part);
    small.send(Nap{1s});
    world.run();
    for (int i = 0; i < 3; ++i) small.send(Say{"data"});
    world.runtime().stop(part);
    world.advance(2s);
    EXPECT_EQ(journal.count("down /a stopped 1"), 1U);
    (void)journal.take();
  }
}

TEST_F(Monitors, L9_the_targets_name_is_free_when_down_comes) {
  Runtime& runtime = world.runtime();
  const auto part = world.spawn<Part>("a", Plan{});
  auto monitor = runtime.monitor(part);
  bool spawned = false;
  monitor.on_ready([&] { spawned = static_cast<bool>(runtime.spawn<Part>("a", Plan{})); });
  runtime.stop(part);
  world.run();
  EXPECT_TRUE(spawned);
}

TEST_F(Monitors, L9_cancel_is_exact_before_the_end_and_when_down_waits_in_the_mailbox) {
  const auto part = world.spawn<Part>("a", Plan{});
  auto monitor = std::make_shared<Monitor>();
  const auto set = DoWatch{[part, monitor](Context& cx, Ref<Watcher> me) { *monitor = cx.monitor(part, me); }};
  bool prevented = false;
  const auto cancel = DoWatch{[monitor, &prevented](Context&, Ref<Watcher>) { prevented = monitor->cancel(); }};
  watcher.send(set);
  watcher.send(cancel);
  world.run();
  EXPECT_TRUE(prevented);
  watcher.send(set);
  world.run();
  watcher.send(DoWatch{[monitor, part, &prevented](Context& cx, Ref<Watcher> me) {
    me.send(DoWatch{[monitor, &prevented](Context&, Ref<Watcher>) { prevented = monitor->cancel(); }});
    cx.stop(part);
  }});
  world.step();  // the watcher; then the target ends, its parent tells it, and only then the watcher goes on
  world.run();
  EXPECT_TRUE(prevented);
  EXPECT_EQ(journal.take(), Lines{});
  watcher.send(cancel);
  world.run();
  EXPECT_FALSE(prevented) << "a second time there is nothing to prevent";
  EXPECT_FALSE(monitor->cancel()) << "not from outside its turn";
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}

TEST_F(Monitors, L9_a_down_that_waits_in_the_mailbox_when_it_is_cancelled_is_counted_as_dropped) {
  const auto part = world.spawn<Part>("a", Plan{});
  auto monitor = std::make_shared<Monitor>();
  watcher.send(DoWatch{[=](Context& cx, Ref<Watcher> me) { *monitor = cx.monitor(part, me); }});
  watcher.send(Nap{1s});
  world.run();
  watcher.send(DoWatch{[monitor](Context&, Ref<Watcher>) { EXPECT_TRUE(monitor->cancel()); }});
  world.runtime().stop(part);
  world.advance(2s);
  EXPECT_EQ(journal.take(), Lines{});
  EXPECT_EQ(world.runtime().counts().count(Undelivered::cancelled), 1U);
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}

TEST_F(Monitors, L2_nothing_of_an_older_incarnation_is_handled) {
  const auto part = world.spawn<Part>("a", Plan{});
  const auto other = world.spawn<Part>("b", Plan{});
  watch(watcher, part);
  watch(watcher, other);
  watcher.send(Nap{1s});
  world.run();
  watcher.send(Break{"boom"});
  world.runtime().stop(part);  // its Down stands behind the message that fails
  world.advance(2s);
  EXPECT_EQ(journal.take(), Lines{});
  world.runtime().stop(other);
  world.run();
  EXPECT_EQ(journal.take(), Lines{});
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}

TEST_F(Monitors, L9_monitors_are_told_apart_by_their_number) {
  const auto part = world.spawn<Part>("a", Plan{});
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  watcher.send(DoWatch{[&, part](Context& cx, Ref<Watcher> me) {
    first = cx.monitor(part, me).id();
    const Monitor kept = cx.monitor(part, me);
    second = kept.id();
    Monitor copy = cx.monitor(part, me);
    Monitor same = copy;
    EXPECT_TRUE(same.cancel());
    EXPECT_FALSE(copy.cancel());
  }});
  world.run();
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(journal.take().size(), 2U);
  EXPECT_NE(first, second);
  EXPECT_TRUE(journal.last->monitor == first || journal.last->monitor == second);
}

TEST_F(Monitors, L9_watchers_are_told_in_the_order_in_which_they_asked) {
  const auto part = world.spawn<Part>("a", Plan{});
  std::vector<std::string> told;
  std::vector<OutsideMonitor> monitors;
  for (const char* name : {"first", "second", "third"}) {
    monitors.push_back(world.runtime().monitor(part));
    monitors.back().on_ready([&told, name] { told.emplace_back(name); });
  }
  world.run();
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(told, (Lines{"first", "second", "third"}));
}

TEST_F(Monitors, L9_only_the_running_actor_itself_can_be_told) {
  const auto part = world.spawn<Part>("a", Plan{});
  std::string said;
  watcher.send(DoWatch{[&said, part](Context& cx, Ref<Watcher>) {
    try {
      (void)cx.monitor(part, Ref<Watcher>());
    } catch (const Need& need) {
      said = need.what();
    }
  }});
  world.run();
  EXPECT_EQ(said, "invalid: only the running actor itself can be told: pass cx.self(this)");
}

struct LoopWatcher {
  explicit LoopWatcher(Notes* j, Ref<Part> t) : journal(j), target(t) {}
  Task<> event_loop(Context& cx, Inbox<Down>& inbox) {
    (void)cx.monitor(target, cx.self(this));
    while (auto event = co_await inbox.next()) {
      journal->note("loop " + std::string(std::get<Down>(*event).name()));
    }
  }
  Notes* journal;
  Ref<Part> target;
};
TEST_F(Monitors, L9_an_own_event_loop_gets_its_down_too) {
  const auto part = world.spawn<Part>("a", Plan{});
  world.spawn<LoopWatcher>("loop", &journal, part);
  world.run();
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(journal.take(), Lines{"loop a"});
}

TEST_F(Monitors, L9_ten_thousand_monitors_on_one_actor_yield_ten_thousand_downs) {
  constexpr int many = 10'000;
  const auto part = world.spawn<Part>("a", Plan{});
  world.run();
  const auto blocks = world.runtime().memory().live_blocks;
  std::vector<Monitor> monitors;
  const auto set_all = DoWatch{[&](Context& cx, Ref<Watcher> me) {
    for (int i = 0; i < many; ++i) monitors.push_back(cx.monitor(part, me));
  }};
  watcher.send(set_all);
  world.run();
  watcher.send(DoWatch{[&](Context&, Ref<Watcher>) {
    for (Monitor& monitor : monitors) EXPECT_TRUE(monitor.cancel());
    monitors.clear();
  }});
  world.run();
  EXPECT_EQ(world.runtime().memory().live_blocks, blocks);
  watcher.send(set_all);
  world.run();
  watcher.send(DoWatch{[&](Context&, Ref<Watcher>) {
    for (std::size_t i = 0; i < monitors.size(); i += 2) EXPECT_TRUE(monitors[i].cancel());
  }});
  world.run();
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(journal.take().size(), static_cast<std::size_t>(many / 2));
}

TEST_F(Monitors, L9_a_watcher_that_ends_leaves_nothing_with_its_target) {
  const auto part = world.spawn<Part>("a", Plan{});
  watch(watcher, part);  // its own extras are there from now on
  const auto blocks = world.runtime().memory().live_blocks;
  const auto short_lived = world.spawn<Watcher>("short", &journal);
  for (int i = 0; i < 100; ++i) watch(short_lived, part);
  world.runtime().stop(short_lived);
  world.run();
  EXPECT_EQ(world.runtime().memory().live_blocks, blocks);
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(journal.take().size(), 1U);
}

TEST_F(Monitors, L9_a_watcher_in_another_runtime_is_told_and_may_be_gone_first) {
  sim::TestRuntime other;
  const auto far = other.spawn<Part>("far", Plan{});
  other.run();
  watch(watcher, far);
  other.run();
  other.runtime().stop(far);
  other.run();
  world.run();
  EXPECT_EQ(journal.take(), Lines{"down /far stopped 1"});

  const auto second = other.spawn<Part>("second", Plan{});
  {
    sim::TestRuntime brief;
    const auto there = brief.spawn<Watcher>("there", &journal);
    there.send(DoWatch{[second](Context& cx, Ref<Watcher> me) { (void)cx.monitor(second, me); }});
    brief.run();
  }
  other.run();
  other.runtime().stop(second);
  other.run();
  EXPECT_EQ(journal.take(), Lines{});
}

// ------------------------------------------------------------------------------------------- from outside

TEST_F(Monitors, L9_from_outside_the_down_can_be_polled_waited_for_and_notified) {
  Runtime& runtime = world.runtime();
  const auto part = world.spawn<Part>("a", Plan{});
  auto monitor = runtime.monitor(part);
  EXPECT_FALSE(monitor.poll().has_value());
  EXPECT_EQ(monitor.within(1s).error().code(), Errc::timeout);
  int notified = 0;
  monitor.on_ready([&] { ++notified; });
  runtime.stop(part);
  EXPECT_EQ(monitor.within(1s).value().reason, EndReason::stopped);
  EXPECT_EQ(notified, 1);
  monitor.on_ready([&] { ++notified; });
  EXPECT_EQ(notified, 2) << "at once: it is there";
  EXPECT_EQ(monitor.poll().value().path, "/a") << "it stays";
  EXPECT_EQ(runtime.monitor(part).poll().value().reason, EndReason::gone);
  EXPECT_EQ(runtime.monitor(Ref<Part>()).poll().value().reason, EndReason::gone);
}

TEST_F(Monitors, L9_from_outside_a_cancelled_monitor_hears_nothing) {
  Runtime& runtime = world.runtime();
  const auto part = world.spawn<Part>("a", Plan{});
  int notified = 0;
  auto monitor = runtime.monitor(part);
  monitor.on_ready([&] { ++notified; });
  monitor.cancel();
  {
    auto dropped = runtime.monitor(part);
  }
  runtime.stop(part);
  world.run();
  EXPECT_EQ(notified, 0);
  EXPECT_FALSE(monitor.poll().has_value());
  EXPECT_EQ(monitor.within(1s).error().code(), Errc::cancelled);
}

TEST_F(Monitors, L9_from_outside_the_end_of_the_whole_runtime_is_an_end_too) {
  Runtime& runtime = world.runtime();
  const auto part = world.spawn<Part>("a", Plan{});
  auto monitor = runtime.monitor(part);
  EXPECT_TRUE(runtime.shutdown().has_value());
  EXPECT_EQ(monitor.poll().value().reason, EndReason::stopped);
  EXPECT_EQ(runtime.monitor(part).poll().value().reason, EndReason::gone);
}

}  // namespace
