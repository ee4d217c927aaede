// runtime.events(): who listens hears everything once, may end it at any time, and cannot bring the runtime down.
#include <optional>

#include "life_support.hpp"

namespace {

using namespace life;

TEST(L1, a_subscription_ends_with_its_object) {
  sim::TestRuntime world;
  int heard = 0;
  {
    const auto subscription = world.runtime().events().subscribe([&](const Event&) { ++heard; });
    world.spawn<Part>("a", Plan{});
    world.run();
    EXPECT_EQ(heard, 2);
  }
  EXPECT_FALSE(world.runtime().events().wanted());
  world.spawn<Part>("b", Plan{});
  world.run();
  EXPECT_EQ(heard, 2);
}

TEST(L1, a_callback_may_end_its_own_subscription) {
  sim::TestRuntime world;
  int heard = 0;
  std::optional<Events::Subscription> subscription;
  subscription = world.runtime().events().subscribe([&](const Event&) {
    ++heard;
    subscription.reset();
  });
  world.spawn<Part>("a", Plan{});
  world.run();
  EXPECT_EQ(heard, 1);
  EXPECT_FALSE(world.runtime().events().wanted());
}

TEST(L1, a_callback_that_throws_is_not_called_again_and_the_others_are) {
  sim::TestRuntime world;
  int first = 0;
  int second = 0;
  const auto one = world.runtime().events().subscribe([&](const Event&) {
    ++first;
    throw 1;
  });
  const auto two = world.runtime().events().subscribe([&](const Event&) { ++second; });
  world.spawn<Part>("a", Plan{});
  world.run();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
}

TEST(M5, a_callback_whose_own_sends_become_dead_letters_does_not_hear_of_those) {
  sim::TestRuntime world;
  const auto gone = world.spawn<Part>("gone", Plan{});
  world.runtime().stop(gone);
  world.run();
  int heard = 0;
  const auto subscription = world.runtime().events().subscribe([&](const Event&) {
    ++heard;
    gone.send(Say{"into the void"});
  });
  world.spawn<Part>("a", Plan{});
  world.run();
  EXPECT_EQ(heard, 2);
  EXPECT_EQ(world.runtime().counts().count(Undelivered::gone), 2U);
}

struct Listener {
  int heard = 0;
  void handle(Event) { ++heard; }
  int handle(Lives) { return heard; }
  void handle(Quit, Context& cx) { cx.stop(); }
  Task<> handle(Nap nap, Context& cx) { co_await cx.sleep(nap.d); }
};

TEST(L1, an_actor_hears_events_as_messages_for_as_long_as_it_lives) {
  sim::TestRuntime world;
  const auto listener = world.spawn<Listener>("listener");
  world.run();
  world.runtime().events().subscribe(listener);
  world.spawn<Part>("a", Plan{});
  world.run();
  EXPECT_EQ(world.ask<Lives>(listener).value(), 2);
  listener.send(Quit{});
  world.run();
  world.spawn<Part>("b", Plan{});
  world.run();
  EXPECT_FALSE(world.runtime().events().wanted()) << "who is gone is not sent to for ever";
}

TEST(M4, a_listener_with_a_full_mailbox_loses_events_and_nothing_else_happens) {
  sim::TestRuntime world;
  const auto listener = world.spawn(child<Listener>("listener").mailbox(bounded(1)));
  world.run();
  world.runtime().events().subscribe(listener);
  listener.send(Nap{1s});
  world.run();
  world.spawn<Part>("a", Plan{});
  world.run();
  EXPECT_EQ(world.runtime().counts().count(Undelivered::full), 1U);
  world.advance(2s);
  EXPECT_EQ(world.ask<Lives>(listener).value(), 1);
}

}  // namespace
