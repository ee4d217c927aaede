// Links to resources: soft breaks when the value is dropped, hard also when it is replaced; the holder chooses what then.
#include "scope_support.hpp"

namespace {

using namespace scope_test;

/// The init of an actor that links as `how` says.
template <class How>
Task<Result<>> link_as(Context& cx, How how, std::shared_ptr<Notes> notes) {
  const auto held = co_await how(cx).within(10s);
  if (!held) co_return held.error();
  if constexpr (std::is_same_v<std::remove_cvref_t<decltype(*held)>, Settings>) {
    notes->note("holds " + std::to_string(held->number));
  } else {
    notes->note("holds it");
  }
  co_return Result<>();
}

class LinkTest : public Resources {
 protected:
  template <class How>
  Ref<Part> holder(std::string_view name, How how) {
    return part(name, [n = notes(name), how](Context& cx) { return link_as(cx, how, n); });
  }
};

TEST_F(LinkTest, R2_a_soft_link_survives_every_publish_and_breaks_at_the_drop) {
  const auto a = part("a");
  publish(a, 1);
  (void)holder("b", [](Context& cx) { return cx.link<Settings>("/a").soft().restart(); });
  publish(a, 2);
  publish(a, 3);
  EXPECT_EQ(notes("b")->take(), "begins 1 | holds 1");
  in(a, [](Context& cx) { (void)cx.withdraw<Settings>(); });
  EXPECT_EQ(notes("b")->take(), "ends | begins 2") << "restarted, and waits";
  publish(a, 4);
  EXPECT_EQ(notes("b")->take(), "holds 4");
}

TEST_F(LinkTest, R2_a_hard_link_breaks_when_the_value_is_replaced) {
  const auto a = part("a");
  publish(a, 1);
  (void)holder("b", [](Context& cx) { return cx.link<Settings>("/a").hard().restart(); });
  publish(a, 2);
  EXPECT_EQ(notes("b")->take(), "begins 1 | holds 1 | ends | begins 2 | holds 2");
}

/// Links `times` times, and takes it back if it is told to.
Task<Result<>> link_times(Context& cx, int times, bool takes_back, std::shared_ptr<Notes> notes, Ref<Part> me) {
  for (int i = 0; i < times; ++i) {
    const auto held = co_await cx.link<Settings>("/a").soft().tell(me).within(1s);
    if (!held) co_return held.error();
  }
  if (takes_back) {
    notes->note(cx.unlink<Settings>("/a") ? "unlinked" : "was not linked");
    notes->note(cx.unlink<Settings>("/a") ? "unlinked" : "is not linked");
  }
  co_return Result<>();
}
Wait link_often(int times, bool takes_back, std::shared_ptr<Notes> notes, Ref<Part> me) {
  return Wait{[=](Context& cx) { return link_times(cx, times, takes_back, notes, me); }};
}

TEST_F(LinkTest, R2_a_link_that_is_made_again_is_one_link) {
  const auto a = part("a");
  const auto b = part("b");
  publish(a, 1);
  b.send(link_often(100, false, notes("b"), b));
  world.run();
  in(a, [](Context& cx) { (void)cx.withdraw<Settings>(); });
  EXPECT_EQ(notes("b")->take(), "begins 1 | waited | broken: scope_test::Settings of '/a' was dropped");
}

TEST_F(LinkTest, R2_a_link_is_taken_back) {
  const auto a = part("a");
  const auto b = part("b");
  publish(a, 1);
  b.send(link_often(2, true, notes("b"), b));
  world.run();
  in(a, [](Context& cx) { (void)cx.withdraw<Settings>(); });
  EXPECT_EQ(notes("b")->take(), "begins 1 | unlinked | is not linked | waited");
}

TEST_F(LinkTest, R2_every_holder_is_told_not_only_one) {
  const auto a = part("a");
  publish(a, 1);
  for (int i = 0; i < 5; ++i) {
    (void)holder("b" + std::to_string(i), [](Context& cx) { return cx.link<Settings>("/a").hard().restart(); });
  }
  publish(a, 2);
  publish(a, 3);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(notes("b" + std::to_string(i))->take(),
              "begins 1 | holds 1 | ends | begins 2 | holds 2 | ends | begins 3 | holds 3");
  }
}

TEST_F(LinkTest, R2_the_holder_may_choose_to_stop) {
  const auto a = part("a");
  publish(a, 1);
  (void)holder("b", [](Context& cx) { return cx.link<Settings>("/a").stop(); });
  in(a, [](Context& cx) { (void)cx.withdraw<Settings>(); });
  EXPECT_EQ(notes("b")->take(), "begins 1 | holds 1 | ends");
  EXPECT_FALSE(world.runtime().find<Part>("/b"));
}

Task<Do> link_and_tell(Context& cx, Ref<Part> self) {
  auto held = co_await cx.link<Settings>("/a").hard().tell(self).within(1s);
  EXPECT_TRUE(held);
  co_return Do{[](Context&, Ref<Part>) {}};
}

TEST_F(LinkTest, R2_the_holder_may_choose_to_be_told) {
  const auto a = part("a");
  publish(a, 1);
  const auto b = part("b");
  b.send(Do{[](Context& cx, Ref<Part> me) { cx.pipe(link_and_tell(cx, me), me); }});
  world.run();
  (void)notes("b")->take();
  publish(a, 2);
  EXPECT_EQ(notes("b")->take(), "broken: scope_test::Settings of '/a' was replaced");
  publish(a, 3);
  EXPECT_EQ(notes("b")->take(), "") << "once";
}

TEST_F(LinkTest, R4_a_link_to_a_ref_breaks_when_that_actor_is_over_and_not_at_its_restart) {
  const auto a = part("a");
  (void)holder("b", [](Context& cx) { return cx.link<Ref<Part>>("/a").soft().stop(); });
  (void)holder("c", [](Context& cx) { return cx.link<Service>("/a").hard().stop(); });
  world.runtime().restart(a);
  world.run();
  EXPECT_EQ(notes("b")->take(), "begins 1 | holds it");
  EXPECT_EQ(notes("c")->take(), "begins 1 | holds it");
  world.runtime().kill(a);
  world.run();
  EXPECT_EQ(notes("b")->take(), "ends");
  EXPECT_EQ(notes("c")->take(), "ends");
}

TEST_F(LinkTest, R4_a_publisher_that_fails_breaks_the_links_to_what_it_published) {
  const auto a = part("a", [](Context& cx) -> Task<Result<>> {
    cx.publish(Settings{static_cast<int>(cx.incarnation())});
    co_return Result<>();
  });
  (void)holder("b", [](Context& cx) { return cx.link<Settings>("/a").soft().restart(); });
  world.runtime().fail(a, Error("broken"));
  world.advance(1s);
  EXPECT_EQ(notes("b")->take(), "begins 1 | holds 1 | ends | begins 2 | holds 2");
}

TEST_F(LinkTest, R3_a_link_has_a_deadline_too) {
  part("a");
  (void)world.spawn(spec("b", [](Context& cx) -> Task<Result<>> {
                      const auto held = co_await cx.link<Settings>("/a").within(1s);
                      if (!held) co_return held.error();
                      co_return Result<>();
                    }).restart(Restart::never));
  world.advance(1s);
  EXPECT_NE(notes("b")->take().find("timeout: waited for 1s"), std::string::npos);
}

// Found by explore_test, seed 12: the message that tells it waited in the mailbox over a restart.
TEST_F(LinkTest, R4_what_is_told_of_a_broken_link_belongs_to_the_incarnation_that_made_it) {
  const auto a = part("a");
  publish(a, 1);
  const auto b = part("b");
  b.send(Do{[](Context& cx, Ref<Part> me) { cx.pipe(link_and_tell(cx, me), me); }});
  world.run();
  (void)notes("b")->take();
  world.runtime().suspend(b);
  world.run();
  publish(a, 2);
  world.runtime().restart(b);
  world.runtime().resume(b);
  world.run();
  EXPECT_EQ(notes("b")->take(), "ends | begins 2");
}

// Found by explore_test, seed 112: between the value's coming and the holder's going on it was dropped, and another came.
TEST_F(LinkTest, R2_a_drop_before_the_holder_goes_on_breaks_a_soft_link_too) {
  const auto a = part("a");
  publish(a, 1);
  (void)world.spawn(spec("b", [n = notes("b")](Context& cx) {
    return link_as(cx, [](Context& mine) { return mine.link<Settings>("/later").soft().restart(); }, n);
  }));
  world.run();
  const auto later = world.spawn(spec("later"));
  // In one turn: it is published, which wakes the holder; dropped; and published anew, before the holder runs.
  later.send(Do{[](Context& cx, Ref<Part>) {
    cx.publish(Settings{1});
    (void)cx.withdraw<Settings>();
    cx.publish(Settings{2});
  }});
  world.run();
  EXPECT_EQ(notes("b")->take(), "begins 1 | holds 1 | ends | begins 2 | holds 2");
}

TEST_F(LinkTest, R4_a_link_belongs_to_the_incarnation_that_made_it) {
  const auto a = part("a");
  publish(a, 1);
  const auto b = part("b", [](Context& cx) -> Task<Result<>> {
    if (cx.incarnation() == 1) (void)co_await cx.link<Settings>("/a").hard().stop().within(1s);
    co_return Result<>();
  });
  world.runtime().restart(b);
  world.run();
  publish(a, 2);
  EXPECT_TRUE(world.runtime().find<Part>("/b"));
}

}  // namespace
