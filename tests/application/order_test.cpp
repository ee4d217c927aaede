// L7: apps start in parallel where they are independent, each when those it depends on run, and stop the other way
// round; exact, in virtual time. Beginning takes an app 10 ms where nothing else is said.
#include "apps_world.hpp"

namespace {

using namespace appsworld;

TEST(AppsOrder, L7_independent_apps_start_at_the_same_time_and_each_dependant_when_those_it_needs_run) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, list(part("api", diary).depends_on("store", "broker"),           //
                              part("broker", diary, {.begins = 30ms}).depends_on("net"),  //
                              part("store", diary, {.begins = 20ms}), part("net", diary)));
  ASSERT_TRUE(program.ready().has_value());
  EXPECT_EQ(diary.take_sorted(), (Lines{"0 net starts", "0 store starts", "10 broker starts", "10 net runs",
                                        "20 store runs", "40 api starts", "40 broker runs", "50 api runs"}));
}

TEST(AppsOrder, L7_an_app_is_stopped_when_all_its_dependants_have_ended_and_independent_ones_at_the_same_time) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, list(part("store", diary, {.ends = 5ms}), part("net", diary, {.ends = 100ms}),
                              part("api", diary, {.ends = 100ms}).depends_on("store"),
                              part("feed", diary, {.ends = 300ms}).depends_on("store", "net")));
  ASSERT_TRUE(program.ready().has_value());
  (void)diary.take();
  diary.restart_clock();
  program.stop_all();
  EXPECT_EQ(diary.take_sorted(),
            (Lines{"0 api is stopping", "0 feed is stopping", "100 api ends", "300 feed ends", "300 net is stopping",
                   "300 store is stopping", "305 store ends", "400 net ends"}));
}

TEST(AppsOrder, L7_a_stop_while_apps_start_ends_those_that_have_started_in_order) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, list(part("store", diary), part("api", diary, {.begins = 1s}).depends_on("store"),
                              part("page", diary).depends_on("api")));
  world.advance(500ms);
  (void)diary.take();
  program.stop_all();
  // Init may finish within stop_within.
  EXPECT_EQ(diary.take(), (Lines{"1010 api runs", "1010 api is stopping", "1010 api ends", "1010 store is stopping",
                                 "1010 store ends"}));
}

TEST(AppsOrder, L7_an_app_that_fails_while_the_others_stop_does_not_hold_them_up) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, list(part("store", diary, {.ends = 10ms}),
                              part("api", diary, {.ends = 10ms}).depends_on("store"), part("other", diary)));
  ASSERT_TRUE(program.ready().has_value());
  program.send<Part>("store", Fail{});
  (void)diary.take();
  diary.restart_clock();
  program.stop_all();
  EXPECT_EQ(diary.take_sorted(),
            (Lines{"0 api is stopping", "0 other ends", "0 other is stopping", "10 api ends", "10 store ends"}));
  EXPECT_EQ(world.runtime().actors(), 2U);  // the root, and the hand of the test
}

TEST(AppsOrder, L7_a_dependency_that_ended_in_order_before_its_dependant_began_is_no_hindrance) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, list(part("migrate", diary), part("slow", diary, {.begins = 1s}),
                              part("api", diary).depends_on("migrate", "slow")));
  world.advance(20ms);
  program.send<Part>("migrate", Finish{});
  ASSERT_TRUE(program.ready().has_value());
  EXPECT_EQ(program.states(), "migrate=ended slow=running api=running");
}

TEST(AppsOrder, L1_ready_is_answered_again_when_all_run_after_a_failure) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, list(part("store", diary)));
  ASSERT_TRUE(program.ready().has_value());
  program.send<Part>("store", Fail{});
  world.run();
  EXPECT_EQ(program.states(), "store=restarting");
  ASSERT_TRUE(program.ready().has_value());
  EXPECT_EQ(program.states(), "store=running");
}

TEST(AppsOrder, L7_who_pauses_without_handlers_for_it_is_refused_before_anything_starts) {
  sim::TestRuntime world;
  Diary diary(world);
  const Result<> checked =
      App::check(list(part("store", diary), part("feed", diary).depends_on("store", Follow::pause)));
  ASSERT_FALSE(checked.has_value());
  EXPECT_TRUE(checked.error().is(Errc::invalid));
  EXPECT_NE(checked.error().text().find("app 'feed' follows 'store' by Follow::pause, but its actor"),
            std::string_view::npos);
}

}  // namespace
