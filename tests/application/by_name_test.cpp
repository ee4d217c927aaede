// L7: apps are started, stopped and restarted by name at run time.
#include "apps_world.hpp"

namespace {

using namespace appsworld;

std::vector<App> three(Diary& diary) {
  return list(part("store", diary, {.ends = 10ms}), part("api", diary, {.ends = 20ms}).depends_on("store"),
              part("page", diary).depends_on("api"), part("other", diary));
}

TEST(AppsByName, L7_a_stop_takes_the_dependants_first_and_a_start_brings_them_back) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, three(diary));
  ASSERT_TRUE(program.ready().has_value());
  (void)diary.take();
  diary.restart_clock();
  ASSERT_TRUE(program.stop("store").has_value());
  EXPECT_EQ(diary.take(), (Lines{"0 page is stopping", "0 page ends", "0 api is stopping", "20 api ends",
                                 "20 store is stopping", "30 store ends"}));
  EXPECT_EQ(program.states(), "store=stopped api=waiting page=waiting other=running");
  diary.restart_clock();
  ASSERT_TRUE(program.start("store").has_value());
  ASSERT_TRUE(program.ready().has_value());
  EXPECT_EQ(diary.take(), (Lines{"0 store starts", "10 store runs", "10 api starts", "20 api runs", "20 page starts",
                                 "30 page runs"}));
}

TEST(AppsByName, L7_a_restart_by_name_keeps_the_place_and_those_that_ignore_it_do_not_notice) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, three(diary));
  ASSERT_TRUE(program.ready().has_value());
  const Ref<Part> store = program.ref("store");
  EXPECT_EQ(world.ask<Hello>(store).value(), "store 1");
  (void)diary.take();
  diary.restart_clock();
  ASSERT_TRUE(program.restart("store").has_value());
  EXPECT_EQ(diary.take(), (Lines{"0 store is stopping", "10 store ends", "10 store starts", "20 store runs"}));
  EXPECT_EQ(world.ask<Hello>(store).value(), "store 1");
}

TEST(AppsByName, L7_a_start_needs_what_it_depends_on) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, three(diary));
  ASSERT_TRUE(program.ready().has_value());
  ASSERT_TRUE(program.stop("store").has_value());
  const Result<> started = program.start("page");
  ASSERT_FALSE(started.has_value());
  EXPECT_TRUE(started.error().is(Errc::unavailable));
  EXPECT_EQ(started.error().text(),
            "app 'page' cannot start: it depends on 'api', and 'store' is stopped; start 'store' first");
}

TEST(AppsByName, L7_a_name_that_is_not_there_is_named_with_those_that_are) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, three(diary));
  for (const Result<>& result : {program.start("stroe"), program.stop("stroe"), program.restart("stroe")}) {
    ASSERT_FALSE(result.has_value());
    EXPECT_TRUE(result.error().is(Errc::not_found));
    EXPECT_EQ(result.error().text(), "no app 'stroe': the apps of 'demo' are [store, api, page, other]");
  }
}

TEST(AppsByName, L7_an_app_that_is_asked_for_as_another_type_is_refused_with_both_types) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, three(diary));
  ASSERT_TRUE(program.ready().has_value());
  std::optional<Result<Ref<Pauser>>> found;
  program.inside([&](Context& cx) { found.emplace(cx.app<Pauser>("store")); });
  ASSERT_TRUE(found && !found->has_value());
  EXPECT_EQ(found->error().describe(), "invalid: the app 'store' is a appsworld::Part, not a appsworld::Pauser");
}

TEST(AppsByName, L7_a_stopped_app_is_not_restarted_but_started) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, three(diary));
  ASSERT_TRUE(program.ready().has_value());
  ASSERT_TRUE(program.stop("other").has_value());
  EXPECT_FALSE(static_cast<bool>(program.ref("other")));
  const Result<> restarted = program.restart("other");
  ASSERT_FALSE(restarted.has_value());
  EXPECT_EQ(restarted.error().text(), "app 'other' is stopped and cannot be restarted: start it by StartApp");
  EXPECT_TRUE(program.start("other").has_value());
  EXPECT_TRUE(program.start("other").has_value());  // it runs: nothing to do
}

TEST(AppsByName, L7_an_init_that_fails_is_the_answer_to_the_start_and_ends_nobody_else) {
  sim::TestRuntime world;
  Diary diary(world);
  Manner manner;
  Program program(world, list(part("store", diary, manner), part("other", diary)));
  ASSERT_TRUE(program.ready().has_value());
  ASSERT_TRUE(program.stop("store").has_value());
  *manner.broken_inits = 1;
  const Result<> started = program.start("store");
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().text(), "no disk");
  EXPECT_EQ(program.states(), "store=stopped other=running");
  EXPECT_TRUE(program.start("store").has_value());
}

TEST(AppsByName, L7_a_start_that_is_too_slow_is_told_so_and_can_be_repeated) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(
      world,
      list(part("store", diary, {.begins = 5s}).spec([](Child<Part> c) { return std::move(c).start_within(6s); }),
           part("other", diary)));
  ASSERT_TRUE(program.ready().has_value());
  ASSERT_TRUE(program.stop("store").has_value());
  auto pending = world.runtime().ask<StartApp>(program.top, "store").polled_within(1h);
  world.advance(1s);
  // A stop while it starts: the start is told, the stop is carried out.
  ASSERT_TRUE(program.stop("store").has_value());
  auto answer = pending.poll();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->error().text(), "app 'store' was stopped meanwhile");
  EXPECT_TRUE(program.start("store").has_value());
  EXPECT_EQ(program.states(), "store=running other=running");
}

TEST(AppsByName, L7_who_pauses_outlives_a_stop_and_finds_the_new_one_afterwards) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, list(part("store", diary),
                              app<Pauser>("feed", "feed", &diary, Manner()).depends_on("store", Follow::pause)));
  ASSERT_TRUE(program.ready().has_value());
  const Ref<Part> before = program.ref("store");
  (void)diary.take();
  diary.restart_clock();
  ASSERT_TRUE(program.stop("store").has_value());
  EXPECT_EQ(program.states(), "store=stopped feed=running(pauses for store)");
  ASSERT_TRUE(program.start("store").has_value());
  world.run();
  EXPECT_EQ(diary.take(), (Lines{"0 feed hears store is down", "0 store is stopping", "0 store ends",
                                 "0 store starts", "10 store runs", "10 feed hears store is up"}));
  EXPECT_NE(program.ref("store"), before);
  EXPECT_EQ(world.ask<Hello>(before).error().code(), Errc::gone);
}

TEST(AppsByName, L7_an_actor_inside_steers_the_apps_through_its_context) {
  sim::TestRuntime world;
  Diary diary(world);
  struct Operator {
    Diary* diary;
    explicit Operator(Diary* d) : diary(d) {}
    Task<> handle(Finish, Context& cx) {
      const AppsRef all = apps(cx);
      const auto stopped = co_await all.stop("store").within(1s);
      diary->note(stopped ? "stopped" : stopped.error().describe());
      const auto started = co_await all.start("store").within(1s);
      diary->note(started ? "started" : started.error().describe());
      const auto restarted = co_await all.restart("store").within(1s);
      diary->note(restarted ? "restarted" : restarted.error().describe());
      const auto views = co_await all.list().within(1s);
      for (const AppView& view : views.value()) diary->note(view.name + " " + view.state);
    }
  };
  Diary told(world);
  Program program(world, list(part("store", diary), app<Operator>("operator", &told)));
  ASSERT_TRUE(program.ready().has_value());
  program.send<Operator>("operator", Finish{});
  world.advance(1s);
  EXPECT_EQ(told.take_untimed(), (Lines{"stopped", "started", "restarted", "store running", "operator running"}));
}

TEST(AppsByName, L5_a_program_whose_last_apps_are_stopped_by_name_waits_for_a_start) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, list(part("one", diary), part("two", diary)));
  ASSERT_TRUE(program.ready().has_value());
  program.send<Part>("one", Finish{});
  world.run();
  ASSERT_TRUE(program.stop("two").has_value());
  EXPECT_EQ(program.states(), "one=ended two=stopped");
  ASSERT_TRUE(program.start("one").has_value());
  EXPECT_EQ(program.states(), "one=running two=stopped");
}

TEST(AppsByName, L7_an_app_whose_spec_asks_for_a_verdict_is_refused_by_name) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world,
                  list(part("store", diary).spec([](Child<Part> c) { return std::move(c).restart(Restart::ask); })));
  EXPECT_FALSE(program.ready().has_value());
  bool told = false;
  for (const auto& entry : world.log().entries()) {
    told =
        told || entry.line.find("app 'store': Restart::ask asks its supervisor for a Verdict") != std::string::npos;
  }
  EXPECT_TRUE(told);
}

TEST(AppsByName, L7_a_place_taken_over_by_its_own_restart_is_followed_too) {
  sim::TestRuntime world;
  Diary diary(world);
  Program program(world, list(part("store", diary), part("twin", diary).depends_on("store", Follow::restart)));
  ASSERT_TRUE(program.ready().has_value());
  (void)diary.take();
  program.send<Part>("store", FailLater{10ms});
  ASSERT_TRUE(program.restart("store").has_value());  // now, not in 10 ms
  ASSERT_TRUE(program.ready().has_value());
  world.advance(1min);
  EXPECT_EQ(program.states(), "store=running twin=running");
  std::size_t starts = 0;
  for (const std::string& line : diary.take_untimed()) starts += line == "store starts" ? 1U : 0U;
  EXPECT_EQ(starts, 1U);
}

}  // namespace
