// R3: every wait has a deadline; what is missing is named; circles are found. R2: who waits hears the present value.
#include "scope_support.hpp"

namespace {

using namespace scope_test;

using WaitTest = Resources;

Task<Result<>> wait_for_settings(Context& cx, Path where, std::shared_ptr<Notes> notes, Duration within) {
  const auto found = co_await cx.depends_on<Settings>(where).within(within);
  notes->note(found ? "got " + std::to_string(found->number) : found.error().describe());
  co_return Result<>();
}

TEST_F(WaitTest, R2_what_is_there_already_is_not_waited_for) {
  const auto a = part("a");
  publish(a, 1);
  EXPECT_EQ(world.run(), 0U);
  (void)part("b", [n = notes("b")](Context& cx) { return wait_for_settings(cx, "/a", n, 1s); });
  EXPECT_EQ(notes("b")->take(), "begins 1 | got 1");
}

TEST_F(WaitTest, R2_it_comes_when_it_is_published) {
  const auto a = part("a");
  (void)part("b", [n = notes("b")](Context& cx) { return wait_for_settings(cx, "/a", n, 10s); });
  world.advance(9s);
  EXPECT_EQ(notes("b")->take(), "begins 1");
  publish(a, 7);
  EXPECT_EQ(notes("b")->take(), "got 7");
}

TEST_F(WaitTest, R3_at_the_deadline_what_is_missing_is_named) {
  const auto a = part("a");
  in(a, [](Context& cx) { cx.publish(Limits{1}); });
  (void)part("b", [n = notes("b")](Context& cx) { return wait_for_settings(cx, "/a", n, 10s); });
  world.advance(10s);
  EXPECT_EQ(notes("b")->take(),
            "begins 1 | timeout: waited for 10s: no scope_test::Settings is published at '/a': there is "
            "[scope_test::Limits]");
  (void)part("c", [n = notes("c")](Context& cx) { return wait_for_settings(cx, "/x/y", n, 10s); });
  world.advance(10s);
  EXPECT_EQ(notes("c")->take(),
            "begins 1 | timeout: waited for 10s: no '/x/y': there is no 'x', / has children [a, b, c]");
}

TEST_F(WaitTest, R3_a_place_that_is_yet_to_be_spawned_is_waited_for) {
  (void)part("b", [n = notes("b")](Context& cx) { return wait_for_settings(cx, "/a/deep/er", n, 10s); });
  const auto a = part("a");
  const auto deep = below(a, "deep");
  const auto er = below(deep, "er");
  EXPECT_EQ(notes("b")->take(), "begins 1");
  publish(er, 3);
  EXPECT_EQ(notes("b")->take(), "got 3");
}

TEST_F(WaitTest, R3_below_an_unnamed_actor_too) {
  const auto a = part("a");
  (void)part("b", [n = notes("b")](Context& cx) { return wait_for_settings(cx, "/a/x", n, 10s); });
  Ref<Part> passage;
  in(a, [&](Context& cx) { passage = cx.spawn(child<Part>(unnamed)); });
  publish(below(passage, "x"), 4);
  EXPECT_EQ(notes("b")->take(), "begins 1 | got 4");
}

TEST_F(WaitTest, R3_a_place_that_ends_while_it_is_waited_for_is_waited_for_under_its_name) {
  const auto a = part("a");
  (void)part("b", [n = notes("b")](Context& cx) { return wait_for_settings(cx, "/a", n, 10s); });
  world.runtime().stop(a);
  world.run();
  EXPECT_EQ(notes("b")->take(), "begins 1");
  publish(part("a"), 2);
  EXPECT_EQ(notes("b")->take(), "got 2");
}

TEST_F(WaitTest, R3_a_ref_that_ends_is_gone_at_once) {
  const auto a = part("a");
  (void)part("b", [n = notes("b"), a](Context& cx) { return wait_for_settings(cx, a, n, 10s); });
  world.runtime().stop(a);
  world.run();
  EXPECT_EQ(notes("b")->take(), "begins 1 | gone: '(a place)' has ended");
}

Task<Result<>> wait_for_a_set(Context& cx, std::string* got) {
  const auto all = co_await cx
                       .depends_on<Ref<Part>, Settings, std::optional<Limits>, std::optional<Settings>>(
                           cx.sibling("late"), "/a", "/a", "/c")
                       .within(10s);
  if (!all) co_return all.error();
  const auto& [ref, settings, limits, other] = *all;
  *got = std::string(ref ? "ref " : "null ") + std::to_string(settings.number) + (limits ? " limits" : " none") +
         (other ? " " + std::to_string(other->number) : "");
  co_return Result<>();
}

TEST_F(WaitTest, R2_a_whole_set_at_once_in_any_order_optional_ones_are_not_waited_for) {
  const auto a = part("a");
  const auto c = part("c");
  std::string got;
  publish(c, 9);
  (void)part("b", [&got](Context& cx) { return wait_for_a_set(cx, &got); });
  EXPECT_EQ(got, "");
  publish(a, 1);
  EXPECT_EQ(got, "");
  (void)part("late");
  EXPECT_EQ(got, "ref 1 none 9");
}

Task<Result<>> wait_for_two(Context& cx, std::string* got) {
  const auto all = co_await cx.depends_on<Settings, Settings, std::optional<Limits>>("/a", "/c", "/c").within(10s);
  if (!all) co_return all.error();
  const auto& [first, second, limits] = *all;
  *got = std::to_string(first.number) + " " + std::to_string(second.number) + (limits ? " limits" : " none");
  co_return Result<>();
}

TEST_F(WaitTest, R2_a_set_is_as_it_is_when_its_last_comes) {
  const auto a = part("a");
  const auto c = part("c");
  std::string got;
  (void)part("b", [&got](Context& cx) { return wait_for_two(cx, &got); });
  publish(a, 1);
  publish(a, 2);
  in(c, [](Context& cx) { cx.publish(Limits{1}); });
  EXPECT_EQ(got, "");
  publish(c, 3);
  EXPECT_EQ(got, "2 3 limits");
}

TEST_F(WaitTest, R2_what_goes_before_the_last_of_a_set_comes_is_waited_for_anew) {
  const auto a = part("a");
  const auto c = part("c");
  std::string got;
  (void)part("b", [&got](Context& cx) { return wait_for_two(cx, &got); });
  publish(a, 1);
  in(a, [](Context& cx) { (void)cx.withdraw<Settings>(); });
  publish(c, 3);
  EXPECT_EQ(got, "");
  publish(a, 4);
  EXPECT_EQ(got, "4 3 none");
}

TEST_F(WaitTest, R2_a_place_that_comes_in_another_branch_is_seen) {
  const auto a = part("a");
  (void)below(a, "b");
  (void)part("w", [n = notes("w")](Context& cx) { return wait_for_settings(cx, "/a/b/c", n, 10s); });
  Ref<Part> passage;
  in(a, [&](Context& cx) { passage = cx.spawn(child<Part>(unnamed)); });
  publish(below(below(passage, "b"), "c"), 4);
  EXPECT_EQ(notes("w")->take(), "begins 1 | got 4");
}

/// Publishes beside its turn.
struct Later {};
struct Beside {
  static Task<int> publish(Context& cx) {
    co_await cx.sleep(1s);
    cx.publish(Settings{5});
    co_return 5;
  }
  void handle(Later, Context& cx) { cx.pipe(publish(cx), cx.self(this)); }
  void handle(int) {}
  Task<int> handle(Do, Context& cx) {
    const auto found = co_await cx.depends_on<Settings>("/b").within(10s);
    co_return found ? found->number : -1;
  }
};
TEST_F(WaitTest, R3_whoever_publishes_beside_its_turn_closes_no_circle) {
  const auto a = world.spawn<Beside>("a");
  const auto b = part("b");
  a.send(Later{});
  world.run();
  auto answer = world.runtime().ask<Do>(a).polled_within(20s);
  b.send(Wait{[](Context& cx) -> Task<Result<>> {
    const auto found = co_await cx.depends_on<Settings>("/a").within(10s);
    if (!found) co_return found.error();
    cx.publish(Settings{found->number + 1});
    co_return Result<>();
  }});
  world.advance(5s);
  EXPECT_EQ(notes("b")->take(), "begins 1 | waited");
  ASSERT_TRUE(answer.poll());
  EXPECT_EQ(answer.poll()->value(), 6);
}

Task<Result<>> wait_for_the_nearest(Context& cx, std::shared_ptr<Notes> notes) {
  const auto found = co_await cx.depends_on<Settings>().within(10s);
  notes->note(found ? "got " + std::to_string(found->number) : found.error().describe());
  co_return Result<>();
}

TEST_F(WaitTest, R2_without_a_place_the_nearest_above_that_has_it) {
  const auto a = part("a");
  const auto b = below(a, "b");
  const auto n = notes("c");
  (void)below(b, "c", [n](Context& cx) { return wait_for_the_nearest(cx, n); });
  EXPECT_EQ(n->take(), "begins 1");
  publish(a, 5);
  EXPECT_EQ(n->take(), "got 5");
}

TEST_F(WaitTest, R3_actors_that_wait_for_each_other_are_named_within_100_ms) {
  const auto a = part("a");
  const auto b = part("b");
  (void)notes("a")->take();
  (void)notes("b")->take();
  a.send(Wait{[n = notes("a")](Context& cx) { return wait_for_settings(cx, "/b", n, 1h); }});
  b.send(Wait{[n = notes("b")](Context& cx) { return wait_for_settings(cx, "/a", n, 1h); }});
  world.advance(100ms);
  for (const std::string name : {"a", "b"}) {
    const std::string text = notes(name)->take();
    EXPECT_EQ(text.find("cycle: these actors keep their turn"), 0U) << text;
    EXPECT_NE(text.find("/a"), std::string::npos) << text;
    EXPECT_NE(text.find("/b"), std::string::npos) << text;
  }
}

Task<Result<>> ask_for_nothing(Ref<Part> of) {
  Do message{[](Context&, Ref<Part>) {}};
  auto done = co_await of.ask<Do>(moved(message)).within(1h);
  if (!done) co_return done.error();
  co_return Result<>();
}

TEST_F(WaitTest, R3_a_circle_of_a_wait_and_an_ask_is_found_too) {
  const auto a = part("a");
  const auto b = part("b");
  (void)notes("a")->take();
  a.send(Wait{[n = notes("a")](Context& cx) { return wait_for_settings(cx, "/b", n, 1h); }});
  b.send(Wait{[a](Context&) { return ask_for_nothing(a); }});
  world.advance(100ms);
  EXPECT_EQ(notes("a")->take().find("cycle:"), 0U);
}

Task<Result<>> start_who_waits_for_us(Context& cx, std::shared_ptr<Notes> n) {
  auto spec = child<Part>("child", n, Steps([n](Context& mine) { return wait_for_settings(mine, "..", n, 1h); }));
  const auto started = co_await cx.start(std::move(spec)).within(1h);
  cx.publish(Settings{1});  // too late for the child
  if (!started) co_return started.error();
  co_return Result<>();
}

TEST_F(WaitTest, R3_a_child_whose_parent_waits_for_its_start_is_named_with_it) {
  const auto n = notes("child");
  const auto parent_notes = notes("parent");
  (void)part("parent", [n](Context& cx) { return start_who_waits_for_us(cx, n); });
  world.advance(100ms);
  const std::string text = parent_notes->take();
  EXPECT_NE(text.find("cycle: these actors keep their turn"), std::string::npos) << text;
  EXPECT_NE(text.find("/parent/child"), std::string::npos) << text;
}

TEST_F(WaitTest, R3_a_wait_that_is_given_up_leaves_nothing_behind) {
  (void)part("a");
  part("c", [n = notes("c")](Context& cx) { return wait_for_settings(cx, "/a", n, 1s); });
  part("d", [n = notes("d")](Context& cx) { return wait_for_settings(cx, "/a/x", n, 1h); });
  const auto e = part("e", [n = notes("e")](Context& cx) { return wait_for_settings(cx, "/a", n, 1h); });
  const auto listeners = [&] { return detail::ScopeAccess::board(world.runtime().scope("/a").value())->listeners(); };
  EXPECT_EQ(listeners(), 3U);
  world.advance(1s);
  EXPECT_EQ(listeners(), 2U) << "its deadline passed";
  world.runtime().kill(e);
  world.run();
  EXPECT_EQ(listeners(), 1U) << "it was killed";
  world.runtime().stop(world.runtime().find<Part>("/d").value());
  world.advance(10s);
  EXPECT_EQ(listeners(), 0U) << "it was cut off at its stop deadline";
}

/// Runs to its first wait outside of any actor.
TEST_F(WaitTest, R3_outside_of_actors_nothing_is_waited_for) {
  part("a");
  Context* escaped = nullptr;
  in(world.runtime().find<Part>("/a").value(), [&escaped](Context& cx) { escaped = &cx; });
  auto dependency = escaped->depends_on<Settings>("/a").within(1s);
  auto await = std::move(dependency).operator co_await();
  EXPECT_TRUE(await.await_ready());
  EXPECT_TRUE(await.await_resume().error().is(Errc::invalid));
}

struct Stranger {
  void handle(int) {}
};
template <class T>
Task<Result<>> note_what_comes(Context& cx, Path where, std::string* text) {
  const auto found = co_await cx.depends_on<T>(where).within(10s);
  *text = found ? "there" : found.error().describe();
  if constexpr (std::is_same_v<T, Service>) {
    if (found) *text = found->name;
  }
  co_return Result<>();
}

TEST_F(WaitTest, R3_a_place_of_another_type_fails_at_once) {
  part("a");
  std::string text;
  part("b", [&text](Context& cx) { return note_what_comes<Ref<Stranger>>(cx, "/a", &text); });
  EXPECT_EQ(text.find("invalid: '/a' is a"), 0U) << text;
}

TEST_F(WaitTest, R3_a_service_is_waited_for_and_comes) {
  part("a");
  std::string text;
  part("b", [&text](Context& cx) { return note_what_comes<Service>(cx, "/late", &text); });
  EXPECT_EQ(text, "");
  part("late");
  EXPECT_EQ(text, "late");
}

}  // namespace
