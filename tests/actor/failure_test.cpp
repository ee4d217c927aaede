// L3: whatever escapes ends that incarnation only, and is told exactly once, as plain data.
#include <optional>

#include "life_support.hpp"

namespace {

using namespace life;

struct Thrower {
  void handle(Do d, Context& cx) { d.what(cx); }
  Task<> handle(Nap nap, Context& cx) {
    co_await cx.sleep(nap.d);
    co_await deeper(3);
  }
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }

 private:
  static Task<> deeper(int n) {
    if (n == 0) throw std::runtime_error("from the depth");
    co_await deeper(n - 1);
  }
};

struct Strange {};

/// What is told of a failure: exactly one event, whose text this is.
std::string told(std::function<void()> escape) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto thrower = world.spawn<Thrower>("t");
  const auto beside = world.spawn<Thrower>("beside");
  thrower.send(Do{[escape](Context&) { escape(); }});
  world.advance(1s);
  EXPECT_EQ(world.ask<Lives>(thrower).value(), 2U);
  EXPECT_EQ(world.ask<Lives>(beside).value(), 1U);
  std::string text;
  std::size_t times = 0;
  for (const std::string& line : watch.lines) {
    if (!line.starts_with("/t failed 1: ")) continue;
    ++times;
    text = line.substr(13);
  }
  EXPECT_EQ(times, 1U);
  return text;
}

TEST(L3, whatever_escapes_a_handler_is_told_once_with_its_type_and_text) {
  EXPECT_EQ(told([] { throw std::runtime_error("boom"); }), "std::runtime_error: boom (in life::Do)");
  EXPECT_EQ(told([] { throw 42; }), "int: thrown, and no std::exception (in life::Do)");
  EXPECT_EQ(told([] { throw "text"; }), "const char*: text (in life::Do)");
  EXPECT_EQ(told([] { throw std::string("text"); }), "std::string: text (in life::Do)");
  EXPECT_EQ(told([] { throw Need::fail(Error(Errc::not_found, "no such thing")); }), "no such thing (in life::Do)");
  EXPECT_NE(told([] { throw Strange{}; }).find("Strange"), std::string::npos);
}

TEST(L3, a_huge_text_is_cut) {
  const std::string text = told([] { throw std::runtime_error(std::string(1'000'000, 'x')); });
  EXPECT_LT(text.size(), 400U);
  EXPECT_GT(text.size(), 200U);
}

TEST(L3, what_escapes_after_an_await_and_through_a_chain_of_tasks_names_the_message_it_belongs_to) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto thrower = world.spawn<Thrower>("t");
  thrower.send(Nap{1s});
  world.run();
  // Another actor handles something else on the same worker meanwhile.
  world.spawn<Part>("other", Plan{}).send(Say{"x"});
  world.advance(1s);
  EXPECT_EQ(watch.count("/t failed 1: std::runtime_error: from the depth (in life::Nap)"), 1U);
}

TEST(L3, a_constructor_and_an_init_that_throw_end_that_incarnation_only) {
  int lives = 0;
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto part = world.spawn<Part>("a", Plan{.build =
                                                    [&](Context&) {
                                                      if (lives == 2) throw std::runtime_error("init");
                                                    },
                                                .construct =
                                                    [&] {
                                                      if (++lives == 1) throw std::runtime_error("constructor");
                                                    }});
  part.send(Say{"waits"});
  world.advance(1s);
  EXPECT_EQ(world.ask<Lives>(part).value(), 3U);
  EXPECT_EQ(watch.count("/a failed 1: std::runtime_error: constructor (in constructor)"), 1U);
  EXPECT_EQ(watch.count("/a failed 2: std::runtime_error: init (in init)"), 1U);
}

TEST(L3, an_error_that_a_hook_returns_is_a_failure_with_its_own_code) {
  struct Refuses {
    Result<> init() { return Error(Errc::unavailable, "disk is full"); }
    void handle(Say) {}
  };
  sim::TestRuntime world;
  std::optional<Error> why;
  const auto subscription = world.runtime().events().subscribe([&](const Event& event) {
    if (const auto* end = std::get_if<Ended>(&event)) why = end->result.error();
  });
  world.spawn(child<Refuses>("r").restart(Restart::never));
  world.run();
  ASSERT_TRUE(why);
  EXPECT_EQ(why->code(), Errc::unavailable);
}

TEST(L3, more_actors_may_fail_at_once_than_there_are_failures_in_reserve) {
  sim::TestRuntime world;
  const auto blocks = world.runtime().memory().live_blocks;
  Watch watch(world.runtime());
  std::vector<Ref<Thrower>> all;
  for (int i = 0; i < 600; ++i) all.push_back(world.spawn(child<Thrower>("t" + std::to_string(i)).backoff(1s, 1s)));
  for (const auto& one : all) one.send(Do{[](Context&) { throw std::runtime_error("boom"); }});
  world.run();
  const auto wishes = world.spawn<Thrower>("wishes");
  wishes.send(Do{[](Context&) { throw Need::stop(); }});
  world.run();
  EXPECT_EQ(watch.count("/wishes ended ok"), 1U) << "what it needed is not lost with the text";
  world.advance(2s);
  for (const auto& one : all) EXPECT_EQ(world.ask<Lives>(one).value(), 2U);
  // All were given back: the next failure has its text again.
  all[0].send(Do{[](Context&) { throw std::runtime_error("again"); }});
  world.run();
  EXPECT_EQ(watch.count("/t0 failed 2: std::runtime_error: again (in life::Do)"), 1U);
  for (const auto& one : all) world.runtime().stop(one);
  all.clear();
  world.run();
  expect_nothing_left(world, blocks);
}

}  // namespace
