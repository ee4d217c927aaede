// L8: names of siblings; finding each other; and start() and Eol, which tell when a name is free again.
#include <optional>

#include "life_support.hpp"

namespace {

using namespace life;

std::string refused(sim::TestRuntime& world, const std::string& name) {
  try {
    (void)world.spawn<Part>(name, Plan{});
  } catch (const Need& need) {
    return std::string(need.error().text());
  }
  return "";
}

TEST(L8, bad_names_are_refused_with_a_text_that_names_them) {
  sim::TestRuntime world;
  for (const std::string name : {"a b", "a/b", "/", "a#1", ".", "..", "tab\there", "del\x7f"}) {
    EXPECT_NE(refused(world, name).find("'" + name + "'"), std::string::npos) << name;
  }
  EXPECT_NE(refused(world, std::string(121, 'x')).find("xxx"), std::string::npos);
  EXPECT_EQ(refused(world, std::string(120, 'x')), "");
  EXPECT_EQ(refused(world, "größe-1.2_x"), "");
}

TEST(L8, two_living_siblings_never_share_a_name) {
  sim::TestRuntime world;
  const auto blocks = world.runtime().memory().live_blocks;
  const auto a = world.spawn<Part>("a", Plan{});
  EXPECT_NE(refused(world, "a").find("'a' below / is taken"), std::string::npos);
  std::string text;
  a.send(Do{[&](Context& cx) {
    cx.spawn<Part>("c", Plan{});
    try {
      cx.spawn<Part>("c", Plan{});
    } catch (const Need& need) {
      text = need.error().text();
    }
  }});
  world.run();
  EXPECT_NE(text.find("'c' below /a is taken"), std::string::npos) << text;
  world.runtime().stop(a);
  world.run();
  EXPECT_EQ(refused(world, "a"), "") << "free again";
  EXPECT_TRUE(world.runtime().shutdown());
  expect_nothing_left(world, blocks);
}

TEST(L8, any_number_of_siblings_may_be_unnamed_and_each_has_a_step_of_its_own) {
  sim::TestRuntime world;
  std::vector<std::string> names;
  for (int i = 0; i < 3; ++i) {
    world.spawn<Part>(unnamed, Plan{}).send(Do{[&](Context& cx) {
      names.push_back(std::string(cx.name()));
      EXPECT_EQ(cx.path(), "/" + names.back());
    }});
  }
  world.run();
  EXPECT_EQ(names, (Lines{"#1", "#2", "#3"}));
}

TEST(L8, the_name_is_free_again_in_the_eol_handler) {
  struct Keeper {
    int ends = 0;
    void init(Context& cx) { begin(cx); }
    void begin(Context& cx) { cx.spawn(child<Part>("c", Plan{}).on_end(cx.self(this))).send(Quit{}); }
    void handle(Eol<Part> end, Context& cx) {
      EXPECT_EQ(end.name, "c");
      if (++ends < 5) begin(cx);
    }
    int handle(Lives) { return ends; }
  };
  sim::TestRuntime world;
  const auto keeper = world.spawn<Keeper>("k");
  world.run();
  EXPECT_EQ(world.ask<Lives>(keeper).value(), 5);
}

TEST(L8, a_lookup_that_fails_names_what_there_is_instead) {
  sim::TestRuntime world;
  const auto top = world.spawn<Part>("top", Plan{});
  Lines said;
  top.send(Do{[&](Context& cx) {
    cx.spawn<Part>("one", Plan{});
    cx.spawn<Part>("two", Plan{});
    EXPECT_TRUE(cx.child<Part>("one"));
    const Error missing = cx.child<Part>("three").error();
    EXPECT_EQ(missing.code(), Errc::not_found);
    said.push_back(std::string(missing.text()));
    const Error typed = cx.child<sim::ManualClock>("one").error();
    EXPECT_EQ(typed.code(), Errc::invalid);
    said.push_back(std::string(typed.text()));
    said.push_back(std::string(cx.sibling<Part>("brother").error().text()));
  }});
  world.run();
  ASSERT_EQ(said.size(), 3U);
  EXPECT_NE(said[0].find("no 'three' below /top"), std::string::npos) << said[0];
  EXPECT_NE(said[0].find("one"), std::string::npos) << said[0];
  EXPECT_NE(said[0].find("two"), std::string::npos) << said[0];
  EXPECT_NE(said[1].find("'one' is a life::Part, not a"), std::string::npos) << said[1];
  EXPECT_NE(said[2].find("no 'brother' below /: it has children [top]"), std::string::npos) << said[2];
}

struct Starter {
  struct Go {
    using reply = std::string;
    Plan plan;
    Duration within;
  };
  Task<std::string> handle(Go go, Context& cx) {
    auto spec = child<Part>("c", go.plan);
    const auto started = co_await cx.start(spec).within(go.within);
    if (started) co_return std::string("started");
    co_return started.error().describe();
  }
};

TEST(L8, a_start_tells_of_the_first_init_and_its_own_error_and_the_name_is_free_then) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto starter = world.spawn<Starter>("s");
  const Plan bad{.init = [](Context&) -> Task<> {
    throw Need::fail(Error(Errc::unavailable, "no disk"));
    co_return;
  }};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(world.ask<Starter::Go>(starter, bad, Duration(1s)).value(), "unavailable: no disk");
  }
  EXPECT_EQ(watch.count("/s/c restarting 1"), 0U) << "a failing first init is not restarted";
  const Plan slow{.init = [](Context& cx) -> Task<> { co_await cx.sleep(500ms); }};
  EXPECT_EQ(world.ask<Starter::Go>(starter, slow, Duration(1s)).value(), "started");
  EXPECT_EQ(world.runtime().actors(), 3U);
}

TEST(L8, a_start_that_takes_too_long_is_told_and_its_child_ended) {
  sim::TestRuntime world;
  const auto starter = world.spawn<Starter>("s");
  const Plan slow{.init = [](Context& cx) -> Task<> { co_await cx.sleep(1h); }};
  EXPECT_EQ(world.ask<Starter::Go>(starter, slow, Duration(1s)).value(),
            "timeout: 'c' (life::Part) did not start within 1s");
  world.advance(6s);
  EXPECT_EQ(world.runtime().actors(), 2U);
}

TEST(L8, a_started_child_that_fails_later_is_restarted_like_any_other) {
  sim::TestRuntime world;
  Watch watch(world.runtime());
  const auto starter = world.spawn<Starter>("s");
  const Plan later{.init = [](Context& cx) -> Task<> {
    if (cx.incarnation() == 1) (void)cx.self(static_cast<Part*>(nullptr)).send(Break{"boom"});
    co_return;
  }};
  EXPECT_EQ(world.ask<Starter::Go>(starter, later, Duration(1s)).value(), "started");
  world.advance(1s);
  EXPECT_EQ(watch.count("/s/c initializing>running 2"), 1U);
}

struct Sum;
struct Owner {
  Journal* journal;
  explicit Owner(Journal* j) : journal(j) {}
  void init(Context& cx);
  void handle(Eol<Sum> end);
  void handle(Say say) { journal->note("said " + say.text); }
  Ref<Sum> sum;
  void handle(Do d, Context& cx) { d.what(cx); }
};
struct Sum {
  int total = 0;
  Ref<Owner> out;
  explicit Sum(Ref<Owner> o) : out(o) {}
  void handle(Say say) {
    ++total;
    out.send(std::move(say));
  }
  void handle(Break how) { throw std::runtime_error(how.text); }
  void handle(Quit, Context& cx) { cx.stop(); }
};
void Owner::init(Context& cx) {
  sum = cx.spawn(child<Sum>("sum", cx.self(this)).backoff(1ms, 1ms).at_most(1, per(1h)).on_end(cx.self(this)));
}
void Owner::handle(Eol<Sum> end) {
  journal->note(end.name + " " + (end.result ? "ok" : "failed") + " total " +
                (end.state ? std::to_string(end.state->total) : "?") + " lives " + std::to_string(end.incarnation));
}

TEST(M2, the_end_comes_once_with_state_result_and_lives_after_all_that_the_child_sent) {
  Journal journal;
  sim::TestRuntime world;
  const auto owner = world.spawn<Owner>("o", &journal);
  Ref<Sum> sum;
  owner.send(Do{[&](Context& cx) { sum = cx.child<Sum>("sum").value(); }});
  world.run();
  sum.send(Say{"a"});
  sum.send(Break{"boom"});
  world.advance(1s);
  EXPECT_EQ(journal.take(), (Lines{"said a"})) << "no end yet: it is restarted";
  sum.send(Say{"b"});
  sum.send(Say{"c"});
  sum.send(Quit{});
  world.advance(1s);
  EXPECT_EQ(journal.take(), (Lines{"said b", "said c", "sum ok total 2 lives 2"}));
}

}  // namespace
