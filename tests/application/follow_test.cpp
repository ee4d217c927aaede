// L7: a dependant ignores, restarts with or pauses for its dependency, as it says; apps hear of each other.
#include "apps_world.hpp"

namespace {

using namespace appsworld;

std::vector<App> three(Diary& diary) {
  return list(part("store", diary), part("calm", diary).depends_on("store"),
              part("twin", diary).depends_on("store", Follow::restart),
              app<Pauser>("feed", "feed", &diary, Manner()).depends_on("store", Follow::pause));
}

TEST(AppsFollow, L7_when_a_dependency_fails_one_goes_on_one_begins_again_and_one_is_told) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, three(diary));
  ASSERT_TRUE(program.ready().has_value());
  (void)diary.take();
  diary.restart_clock();
  program.send<Part>("store", Fail{});
  EXPECT_EQ(program.states(), "store=restarting calm=running twin=restarting feed=running(pauses for store)");
  ASSERT_TRUE(program.ready().has_value());
  // Back-off is spread by 20 %: only the order counts here, and that the twin waits for the store.
  EXPECT_EQ(diary.take_untimed(),
            (Lines{"store is stopping", "store ends", "feed hears store is down", "twin is stopping", "twin ends",
                   "store starts", "store runs", "twin starts", "feed hears store is up", "twin runs"}));
  EXPECT_EQ(program.states(), "store=running calm=running twin=running feed=running");
}

TEST(AppsFollow, L2_an_app_restarted_with_its_dependency_keeps_its_place_and_what_waits_in_its_mailbox) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, three(diary));
  ASSERT_TRUE(program.ready().has_value());
  const Ref<Part> twin = program.ref("twin");
  EXPECT_EQ(world.ask<Hello>(twin).value(), "twin 1");
  program.send<Part>("store", Fail{});
  world.run();
  // Asked while it is away; handled by its next life.
  EXPECT_EQ(world.ask<Hello>(twin).value(), "twin 1");
  EXPECT_EQ(program.ref("twin"), twin);
}

TEST(AppsFollow, L7_restarts_are_followed_through_the_whole_line_leaves_first) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, list(part("a", diary), part("b", diary, {.ends = 20ms}).depends_on("a", Follow::restart),
                              part("c", diary, {.ends = 30ms}).depends_on("b", Follow::restart)));
  ASSERT_TRUE(program.ready().has_value());
  (void)diary.take();
  diary.restart_clock();
  ASSERT_TRUE(program.restart("a").has_value());
  ASSERT_TRUE(program.ready().has_value());
  EXPECT_EQ(diary.take(),
            (Lines{"0 c is stopping", "30 c ends", "30 b is stopping", "50 b ends", "50 a is stopping", "50 a ends",
                   "50 a starts", "60 a runs", "60 b starts", "70 b runs", "70 c starts", "80 c runs"}));
}

TEST(AppsFollow, L7_need_restart_after_is_kept_to_and_followed) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, three(diary));
  ASSERT_TRUE(program.ready().has_value());
  (void)diary.take();
  diary.restart_clock();
  program.send<Part>("store", FailLater{3s});
  world.advance(2'999ms);
  EXPECT_EQ(program.states(), "store=restarting calm=running twin=restarting feed=running(pauses for store)");
  world.advance(1ms);
  ASSERT_TRUE(program.ready().has_value());
  const Lines lines = diary.take();
  EXPECT_EQ(lines.back(), "3020 twin runs");
}

TEST(AppsFollow, L7_a_dependant_that_is_restarted_while_it_starts_begins_anew_when_its_dependency_runs) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(
      world, list(part("store", diary), part("twin", diary, {.begins = 1s}).depends_on("store", Follow::restart)));
  world.advance(500ms);
  EXPECT_EQ(program.states(), "store=running twin=starting");
  program.send<Part>("store", Fail{});
  ASSERT_TRUE(program.ready().has_value());
  EXPECT_EQ(program.states(), "store=running twin=running");
  // Nobody comes back for the start that was given up.
  world.advance(2min);
  EXPECT_EQ(program.states(), "store=running twin=running");
}

TEST(AppsFollow, L6_an_app_that_fails_more_often_than_its_limit_ends_all_of_them) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world,
                  list(part("store", diary).spec([](Child<Part> c) { return std::move(c).at_most(1, per(1min)); }),
                       part("twin", diary).depends_on("store", Follow::restart)));
  ASSERT_TRUE(program.ready().has_value());
  program.send<Part>("store", Fail{});
  ASSERT_TRUE(program.ready().has_value());
  program.send<Part>("store", Fail{});
  world.advance(1s);
  EXPECT_EQ(world.ask<Apps::Ready>(program.top).error().code(), Errc::gone);
}

/// Hears of the others.
struct Listener {
  Diary* diary;
  explicit Listener(Diary* d) : diary(d) {}
  void handle(AppStatusChanged change) {
    diary->note((change.launcher ? "launcher " : "") + change.app + " " + std::string(to_string(change.to)));
  }
};

TEST(AppsFollow, L1_an_app_that_asks_for_it_hears_each_change_of_the_others_and_of_the_launcher) {
  sim::TestRuntime world;
  Diary diary(world);
  Diary unread(world);
  Program program(world, list(app<Listener>("ear", &diary), part("store", unread).depends_on("ear")));
  ASSERT_TRUE(program.ready().has_value());
  EXPECT_EQ(diary.take_untimed(), (Lines{"store initializing", "store running", "launcher demo running"}));
  program.send<Part>("store", Fail{});
  ASSERT_TRUE(program.ready().has_value());
  EXPECT_EQ(diary.take_untimed(),
            (Lines{"store stopping", "store stopped", "launcher demo degraded", "store starting",
                   "store initializing", "store running", "launcher demo running"}));
  program.stop_all();
  EXPECT_EQ(diary.take_untimed(), (Lines{"launcher demo stopping"}));
}

TEST(AppsFollow, L1_whoever_watches_is_told_how_things_stand_and_of_each_change) {
  sim::TestRuntime world;
  Diary unread(world);
  Diary diary(world);
  Program program(world, list(part("store", unread)));
  ASSERT_TRUE(program.ready().has_value());
  const auto listener = world.spawn<Listener>("listener", &diary);
  program.top.send(WatchApps{listener});
  world.run();
  EXPECT_EQ(diary.take_untimed(), (Lines{"store running", "launcher demo running"}));
  ASSERT_TRUE(program.stop("store").has_value());
  EXPECT_EQ(diary.take_untimed(), (Lines{"store stopping", "store stopped"}));
}

struct Hit {};
struct Count {};

/// Keeps a count, and asks to be begun anew, with what it has.
struct Keeper {
  explicit Keeper(int* built) { ++*built; }
  void handle(Hit) { ++count; }
  void handle(Fail) { throw Need::restart_after(5s, "the disk is busy"); }
  int handle(Count) const { return count; }
  int count = 0;
};

TEST(AppsFollow, L2_an_app_that_asks_to_be_begun_anew_goes_on_with_its_state_where_its_spec_says_so) {
  sim::TestRuntime world;
  int built = 0;
  Ref<Keeper> kept;
  std::vector<App> apps;
  apps.push_back(
      app<Keeper>("keeper", &built).spec([](Child<Keeper> c) { return std::move(c).restart_with_state(); }));
  const auto all = world.spawn<Apps>("all", App::share(std::move(apps)));
  world.run();
  struct Finder {
    Ref<Keeper> handle(Count, Context& cx) { return cx.app<Keeper>("keeper").or_fail(); }
  };
  kept = world.ask<Count>(world.spawn<Finder>("finder")).value();
  for (int i = 0; i < 3; ++i) kept.send(Hit{});
  kept.send(Fail{});
  kept.send(Hit{});
  world.advance(4999ms);
  EXPECT_EQ(world.ask_within<Count>(0s, kept).error().code(), Errc::timeout);
  world.advance(1ms);
  EXPECT_EQ(world.ask<Count>(kept).value(), 4);
  EXPECT_EQ(built, 1);
  world.runtime().stop(all);
  world.run();
}

}  // namespace
