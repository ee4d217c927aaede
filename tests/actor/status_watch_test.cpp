// L1: any actor may hear of the status of any other: the present one, then each change, in order.
#include "monitor_support.hpp"

namespace {

using namespace life;

class StatusWatches : public Monitors {
 protected:
  template <class T>
  void subscribe(const Ref<Watcher>& by, const Ref<T>& target) {
    by.send(DoWatch{[target](Context& cx, Ref<Watcher> me) { (void)cx.watch_status(target, me); }});
    world.run();
  }
};

TEST_F(StatusWatches, L1_any_actor_hears_the_present_status_of_any_other_and_then_each_change_in_order) {
  const auto part = world.spawn(child<Part>("a", Plan{}).backoff(1ms, 1ms));
  world.run();
  subscribe(watcher, part);
  EXPECT_EQ(journal.take(), Lines{"/a running>running 1"});
  part.send(Do{[](Context& cx) { cx.status(Status::degraded); }});
  world.run();
  EXPECT_EQ(journal.take(), Lines{"/a running>degraded 1"});
  part.send(Break{"boom"});
  world.advance(10ms);
  EXPECT_EQ(journal.take(), (Lines{"/a degraded>stopping 1", "/a stopping>stopped 1", "/a stopped>starting 2",
                                   "/a starting>initializing 2", "/a initializing>running 2"}));
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"/a running>stopping 2", "/a stopping>stopped 2"}));
}

TEST_F(StatusWatches, L1_the_status_of_what_is_gone_is_stopped) {
  subscribe(watcher, Ref<Part>());
  EXPECT_EQ(journal.take(), Lines{" stopped>stopped 0"});
}

TEST_F(StatusWatches, L1_a_cancelled_status_watch_tells_nothing_more_not_even_what_waits) {
  const auto part = world.spawn<Part>("a", Plan{});
  auto held = std::make_shared<StatusWatch>();
  watcher.send(DoWatch{[=](Context& cx, Ref<Watcher> me) { *held = cx.watch_status(part, me); }});
  watcher.send(Nap{1s});
  world.run();
  watcher.send(DoWatch{[held](Context&, Ref<Watcher>) { EXPECT_TRUE(held->cancel()); }});
  part.send(Do{[](Context& cx) { cx.status(Status::outage); }});
  world.advance(2s);
  const Lines before = journal.take();
  EXPECT_EQ(std::count(before.begin(), before.end(), "/a running>outage 1"), 0);
  world.runtime().stop(part);
  world.run();
  EXPECT_EQ(journal.take(), Lines{});
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}

TEST_F(StatusWatches, L2_a_status_watch_ends_with_the_incarnation_that_set_it_and_leaves_nothing) {
  const auto part = world.spawn<Part>("a", Plan{});
  subscribe(watcher, part);
  (void)journal.take();
  watcher.send(Break{"boom"});
  world.advance(10ms);
  part.send(Do{[](Context& cx) { cx.status(Status::outage); }});
  world.run();
  EXPECT_EQ(journal.take(), Lines{});
}

}  // namespace
