// R2: the present value, then after each publish the latest, then the drop, in order, each once. R4: Refs and Services.
#include "scope_support.hpp"

namespace {

using namespace scope_test;

using SubscribeTest = Resources;

TEST_F(SubscribeTest, R2_the_present_value_then_each_later_one_then_the_drop) {
  const auto a = part("a");
  const auto b = part("b");
  publish(a, 1);
  (void)notes("b")->take();
  (void)subscribe<Settings>(b, "/a");
  publish(a, 2);
  publish(a, 3);
  in(a, [](Context& cx) { (void)cx.withdraw<Settings>(); });
  publish(a, 4);
  world.runtime().stop(a);
  world.run();
  // Its end withdraws it and is the end: heard as one when nothing was handled in between.
  EXPECT_EQ(notes("b")->take(),
            "settings 1 | settings 2 | settings 3 | settings dropped | settings 4 | settings over");
}

TEST_F(SubscribeTest, R2_a_value_not_taken_up_is_replaced_by_the_next) {
  const auto a = part("a");
  const auto b = part("b");
  (void)subscribe<Settings>(b, "/a");
  (void)notes("b")->take();
  world.runtime().suspend(b);
  world.run();
  for (int i = 1; i <= 5; ++i) publish(a, i);
  in(a, [](Context& cx) { (void)cx.withdraw<Settings>(); });
  for (int i = 6; i <= 9; ++i) publish(a, i);
  world.runtime().resume(b);
  world.run();
  EXPECT_EQ(notes("b")->take(), "settings 5 | settings dropped | settings 9");
}

TEST_F(SubscribeTest, R2_every_value_by_name_bounded_and_what_is_lost_is_counted) {
  const auto a = part("a");
  const auto b = part("b");
  const Subscription all = subscribe<Settings>(b, "/a", 4);
  (void)notes("b")->take();
  world.runtime().suspend(b);
  world.run();
  for (int i = 1; i <= 6; ++i) publish(a, i);
  world.runtime().resume(b);
  world.run();
  EXPECT_EQ(notes("b")->take(), "settings 3 | settings 4 | settings 5 | settings 6");
  EXPECT_EQ(all.missed(), 2U);
}

TEST_F(SubscribeTest, R2_after_cancel_nothing_is_heard_not_even_what_waits) {
  const auto a = part("a");
  const auto b = part("b");
  publish(a, 1);
  (void)notes("b")->take();
  b.send(Do{[](Context& cx, Ref<Part> me) {
    Subscription mine = cx.subscribe<Settings>("/a", me);
    EXPECT_NE(mine.id(), 0U);
    EXPECT_TRUE(mine.cancel());
    EXPECT_FALSE(mine.cancel());
  }});
  world.run();
  publish(a, 2);
  EXPECT_EQ(notes("b")->take(), "");
}

TEST_F(SubscribeTest, R2_it_belongs_to_the_incarnation_that_set_it) {
  const auto a = part("a");
  const auto b = part("b");
  (void)subscribe<Settings>(b, "/a");
  world.runtime().restart(b);
  world.run();
  (void)notes("b")->take();
  publish(a, 1);
  EXPECT_EQ(notes("b")->take(), "");
}

TEST_F(SubscribeTest, R2_news_are_never_refused_by_the_bound_of_a_mailbox) {
  const auto a = part("a");
  const auto b = world.spawn(spec("b").mailbox(bounded(1)));
  world.run();
  (void)subscribe<Settings>(b, "/a");
  (void)notes("b")->take();
  world.runtime().suspend(b);
  world.run();
  b.send(Do{[](Context&, Ref<Part>) {}});
  publish(a, 1);
  world.runtime().resume(b);
  world.run();
  EXPECT_EQ(notes("b")->take(), "settings 1");
}

TEST_F(SubscribeTest, R2_a_publishers_restart_drops_and_publishes_anew) {
  const auto a = part("a", [](Context& cx) -> Task<Result<>> {
    cx.publish(Settings{static_cast<int>(cx.incarnation())});
    co_return Result<>();
  });
  const auto b = part("b");
  (void)notes("b")->take();
  (void)subscribe<Settings>(b, "/a");
  world.runtime().restart(a);
  world.run();
  EXPECT_EQ(notes("b")->take(), "settings 1 | settings dropped | settings 2");
}

TEST_F(SubscribeTest, R4_a_subscription_to_a_ref_ends_with_that_actor_and_not_with_its_restart) {
  const auto a = part("a");
  const auto b = part("b");
  (void)notes("b")->take();
  (void)subscribe<Ref<Part>>(b, "/a");
  world.runtime().restart(a);
  world.run();
  EXPECT_EQ(notes("b")->take(), "ref");
  world.runtime().kill(a);
  world.run();
  EXPECT_EQ(notes("b")->take(), "ref over");
}

TEST_F(SubscribeTest, R4_a_service_follows_the_status_to_its_end) {
  const auto a = part("a");
  const auto b = part("b");
  (void)notes("b")->take();
  (void)subscribe<Service>(b, "/a");
  in(a, [](Context& cx) { cx.status(Status::degraded, "no disk"); });
  world.runtime().stop(a);
  world.run();
  const std::string heard = notes("b")->take();
  EXPECT_EQ(heard.find("service running | service degraded 'no disk'"), 0U) << heard;
  EXPECT_NE(heard.find("service stopped"), std::string::npos) << heard;
  EXPECT_EQ(heard.rfind("service over"), heard.size() - 12) << heard;
}

TEST_F(SubscribeTest, R2_where_there_is_nobody_is_said_at_once) {
  const auto b = part("b");
  in(b, [](Context&) {});
  b.send(Do{[](Context& cx, Ref<Part> me) {
    try {
      (void)cx.subscribe<Settings>("/nobody", me);
      ADD_FAILURE() << "subscribed to nobody";
    } catch (const Need& need) {
      EXPECT_TRUE(need.error().is(Errc::not_found));
    }
  }});
  world.run();
}

TEST_F(SubscribeTest, R2_who_has_ended_is_said_at_once) {
  const auto a = part("a");
  const auto b = part("b");
  world.runtime().stop(a);
  world.run();
  b.send(Do{[a](Context& cx, Ref<Part> me) {
    try {
      (void)cx.subscribe<Settings>(a, me);
      ADD_FAILURE() << "subscribed to whom";
    } catch (const Need& need) {
      EXPECT_EQ(need.error().describe(), "gone: '(a place)' has ended");
    }
  }});
  world.run();
}

TEST_F(SubscribeTest, M6_each_news_is_counted_as_handled_or_dropped) {
  const auto a = part("a");
  const auto b = part("b");
  (void)subscribe<Settings>(b, "/a");
  world.runtime().suspend(b);
  world.run();
  // 1, drop, 2 wait in three envelopes; then drop takes the place of 2, whose envelope finds nothing.
  publish(a, 1);
  in(a, [](Context& cx) { (void)cx.withdraw<Settings>(); });
  publish(a, 2);
  in(a, [](Context& cx) { (void)cx.withdraw<Settings>(); });
  world.runtime().resume(b);
  world.run();
  const MessageCounts counts = world.runtime().counts();
  EXPECT_EQ(counts.in_flight(), 0U);
  EXPECT_EQ(counts.count(Undelivered::cancelled), 1U) << "the envelope of the value that was replaced";
}

}  // namespace
