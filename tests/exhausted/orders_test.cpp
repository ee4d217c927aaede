// M3 with no memory left: every order that a user can give to an actor is obeyed, from outside and from within another
// actor; an inspection is answered; what user code sees of an end (Eol, Down) comes, also to a mailbox behind a lock.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "backstage/actor/actor.hpp"
#include "no_memory.hpp"

// Under a sanitizer operator new refuses nothing.
#ifndef BACKSTAGE_SANITIZED
namespace backstage {
namespace {

using namespace std::chrono_literals;
using namespace exhausted;  // NOLINT(google-build-using-namespace): this program's own

struct Add {};
struct Total {
  using reply = int;
};
struct Lives {
  using reply = std::uint32_t;
};
struct Counter {
  void handle(Add) { ++total; }
  int handle(Total) const { return total; }
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }
  int total = 0;
};

/// A runtime without threads, turned by hand.
struct World {
  Runtime runtime{manual_options()};
  Ref<Counter> counter = runtime.spawn(child<Counter>("counter").backoff(0ns, 0ns));
  World() { settle(); }
  void settle() { (void)runtime.ask<Total>(idle()).within(1s); }
  /// Runs what is ready while there is no memory.
  template <class Give>
  void without_memory(Give give) {
    const NoMemory none;
    give();
    turn();
  }
  /// An inspection drives a runtime without threads, and needs no memory to be asked for.
  void turn() { (void)runtime.inspect(other).within(1s); }
  Ref<Counter> idle() { return other; }
  Ref<Counter> other = runtime.spawn<Counter>("other");
};

TEST(M3, without_memory_an_actor_is_stopped) {
  World world;
  auto down = world.runtime.monitor(world.counter);
  world.settle();
  world.without_memory([&] { world.runtime.stop(world.counter); });
  const std::optional<Down> end = down.poll();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->reason, EndReason::stopped);
}

TEST(M3, without_memory_an_actor_is_killed) {
  World world;
  auto down = world.runtime.monitor(world.counter);
  world.settle();
  world.without_memory([&] { world.runtime.kill(world.counter); });
  const std::optional<Down> end = down.poll();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->reason, EndReason::killed);
}

TEST(M3, without_memory_an_actor_is_restarted) {
  World world;
  world.counter.send(Add{});
  world.settle();
  world.without_memory([&] { world.runtime.restart(world.counter); });
  EXPECT_EQ(world.runtime.ask<Lives>(world.counter).within(1s).value(), 2U);
  EXPECT_EQ(world.runtime.ask<Total>(world.counter).within(1s).value(), 0);
}

TEST(M3, without_memory_an_actor_is_suspended_and_resumed) {
  World world;
  world.without_memory([&] { world.runtime.suspend(world.counter); });
  world.counter.send(Add{});
  world.settle();
  EXPECT_TRUE(world.runtime.inspect(world.counter).within(1s).value().suspended);
  EXPECT_EQ(world.runtime.inspect(world.counter).within(1s).value().mailbox, 1U);
  world.without_memory([&] { world.runtime.resume(world.counter); });
  EXPECT_EQ(world.runtime.ask<Total>(world.counter).within(1s).value(), 1);
}

TEST(M3, without_memory_an_inspection_is_answered_and_says_what_is_missing) {
  World world;
  Result<Inspection> seen = Error("never asked");
  {
    const NoMemory none;
    seen = world.runtime.inspect(world.counter).within(1s);
  }
  ASSERT_FALSE(seen.has_value());
  EXPECT_EQ(seen.error().code(), Errc::unavailable);
  EXPECT_EQ(world.runtime.inspect(world.counter).within(1s).value().path, "/counter");
}

TEST(M3, giving_an_order_asks_for_no_memory_at_all) {
  World world;
  refuse_at(1);
  world.runtime.suspend(world.counter);
  world.runtime.resume(world.counter);
  world.runtime.restart(world.counter);
  world.runtime.stop(world.counter);
  world.runtime.kill(world.counter);
  EXPECT_FALSE(has_refused());
  refuse_at(0);
}

// ---- from within another actor

struct Order {
  int which;
};
struct Officer {
  Ref<Counter> target;
  explicit Officer(Ref<Counter> t) : target(t) {}
  void handle(Order order, Context& cx) {
    if (order.which == 0) cx.stop(target);
    if (order.which == 1) cx.kill(target);
    if (order.which == 2) cx.suspend(target);
    if (order.which == 3) cx.restart(target);
  }
};

TEST(M3, without_memory_an_actor_orders_another) {
  for (int which = 0; which < 4; ++which) {
    World world;
    const auto officer = world.runtime.spawn<Officer>("officer", world.counter);
    auto down = world.runtime.monitor(world.counter);
    world.settle();
    officer.send(Order{which});
    world.without_memory([] {});
    if (which < 2) {
      EXPECT_TRUE(down.poll().has_value()) << which;
      continue;
    }
    const Inspection seen = world.runtime.inspect(world.counter).within(1s).value();
    EXPECT_EQ(seen.suspended, which == 2);
    EXPECT_EQ(seen.incarnation, which == 3 ? 2U : 1U);
  }
}

// ---- what user code sees

struct Snatch {
  using reply = int;
};
/// Hears of the ends of its children, in a mailbox of any kind.
struct Parent {
  std::vector<std::string>* heard;
  explicit Parent(std::vector<std::string>* h) : heard(h) {}
  void init(Context& cx) {
    for (const char* name : {"a", "b"}) children.push_back(cx.spawn(child<Counter>(name).on_end(cx.self(this))));
    for (const Ref<Counter>& one : children) (void)cx.monitor(one, cx.self(this));
  }
  void handle(Eol<Counter> end) { heard->push_back("eol " + end.name); }
  void handle(const Down&) { heard->push_back("down"); }
  std::vector<Ref<Counter>> handle(Snatch) { return children; }
  std::vector<Ref<Counter>> children;
};

std::vector<std::string> heard_without_memory(Mailbox kind) {
  std::vector<std::string> heard;
  heard.reserve(16);
  World world;
  const auto parent = world.runtime.spawn(child<Parent>("parent", &heard).mailbox(kind));
  const std::vector<Ref<Counter>> children = world.runtime.ask<Snatch>(parent).within(1s).value();
  world.settle();
  world.without_memory([&] {
    for (const Ref<Counter>& one : children) world.runtime.stop(one);
  });
  world.settle();
  return heard;
}

TEST(M3, without_memory_the_end_of_a_child_is_told_to_its_parent) {
  const std::vector<std::string> all{"eol a", "down", "eol b", "down"};
  EXPECT_EQ(heard_without_memory(Mailbox()), all);
}
TEST(M3, without_memory_it_is_told_to_a_mailbox_that_drops_the_oldest) {
  const std::vector<std::string> all{"eol a", "down", "eol b", "down"};
  EXPECT_EQ(heard_without_memory(bounded(1).drop_oldest()), all);
}
TEST(M3, without_memory_it_is_told_to_a_mailbox_bounded_by_bytes) {
  const std::vector<std::string> all{"eol a", "down", "eol b", "down"};
  EXPECT_EQ(heard_without_memory(bounded(4).bytes(64)), all);
}

}  // namespace
}  // namespace backstage
#endif
