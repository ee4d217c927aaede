// M4: who waits for room in a large mailbox is let in when half of it is empty, or when the receiver's turn ends: not for one message at a time.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

struct Item {
  int n;
};
struct Sleep {
  Duration time;
};
struct Work {
  int items;
  Duration within;
};
struct Seen {
  std::vector<int> items;
  /// After each of its sends: how many had been handled, and whether it went in.
  std::vector<std::size_t> handled_when_sent;
  int refused = 0;
};
using Shared = std::shared_ptr<Seen>;

struct Sink {
  explicit Sink(Shared s) : seen(std::move(s)) {}
  void handle(Item item) { seen->items.push_back(item.n); }
  Task<> handle(Sleep sleep, Context& cx) { co_await cx.sleep(sleep.time); }
  Shared seen;
};
struct Feeder {
  Feeder(Ref<Sink> s, Shared to) : sink(s), seen(std::move(to)) {}
  Task<> handle(Work work) {
    for (int i = 0; i < work.items; ++i) {
      const auto sent = co_await sink.send_wait(Item{i}).within(work.within);
      if (!sent) ++seen->refused;
      seen->handled_when_sent.push_back(seen->items.size());
    }
  }
  Ref<Sink> sink;
  Shared seen;
};

/// Fills a mailbox before its actor comes to run, with `odd` behind ten, and then waits for room so many times.
template <class Odd>
struct Fill {
  int bound;
  Odd odd;
  int more;
};
template <class S, class Odd>
struct Filler {
  Ref<S> sink;
  Shared seen;
  Task<> handle(Fill<Odd> fill) {
    for (int i = 0; i < 10; ++i) sink.send(Item{-1});
    sink.send(fill.odd);
    for (int i = 11; i < fill.bound; ++i) sink.send(Item{-1});
    for (int i = 0; i < fill.more; ++i) {
      const auto sent = co_await sink.send_wait(Item{i}).within(1min);
      if (!sent) ++seen->refused;
      seen->handled_when_sent.push_back(seen->items.size());
    }
  }
};

void expect_exact(sim::TestRuntime& world) {
  const MessageCounts counts = world.runtime().counts();
  EXPECT_EQ(counts.sent, counts.handled + counts.dead_letters() + counts.dropped());
  EXPECT_EQ(counts.in_flight(), 0U);
}

/// How often a feeder had to wait: the receiver had gone on between two of its sends.
std::size_t waits_of(const Seen& seen) {
  std::size_t waits = 0;
  for (std::size_t i = 1; i < seen.handled_when_sent.size(); ++i) {
    if (seen.handled_when_sent[i] != seen.handled_when_sent[i - 1]) ++waits;
  }
  return waits;
}

TEST(M4, who_waits_for_room_in_a_large_mailbox_is_let_in_when_half_of_it_is_empty) {
  sim::TestRuntime world;
  const auto seen = std::make_shared<Seen>();
  const auto sink = world.spawn(child<Sink>("sink", seen).mailbox(bounded(1'000)));
  world.spawn<Feeder>("feeder", sink, seen).send(Work{4'000, 1s});
  world.run();
  ASSERT_EQ(seen->items.size(), 4'000U);
  for (int i = 0; i < 4'000; ++i) EXPECT_EQ(seen->items[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(seen->refused, 0);
  // 3,000 of them had to wait for room, about 500 at a time: it is looked for after each 64 messages.
  EXPECT_LE(waits_of(*seen), 7U);
  // The bound holds all the time.
  for (std::size_t i = 0; i < seen->handled_when_sent.size(); ++i) {
    EXPECT_LE(i + 1, seen->handled_when_sent[i] + 1'000) << "send " << i;
  }
  expect_exact(world);
}

TEST(M4, who_tries_to_send_lets_those_in_who_wait_and_have_room) {
  // In a turn that owes room: the others go first, and then there is room for one more.
  struct Trying {
    explicit Trying(Shared s) : seen(std::move(s)) {}
    void handle(Item item) { seen->items.push_back(item.n); }
    void handle(Sleep, Context& cx) {
      if (!cx.self(this).try_send(Item{99})) ++seen->refused;
    }
    Shared seen;
  };
  sim::TestRuntime world;
  const auto seen = std::make_shared<Seen>();
  const auto sink = world.spawn(child<Trying>("sink", seen).mailbox(bounded(128)));
  world.run();
  world.spawn<Filler<Trying, Sleep>>("filler", sink, seen).send(Fill<Sleep>{128, {}, 1});
  world.run();
  EXPECT_EQ(seen->refused, 0);
  ASSERT_EQ(seen->items.size(), 129U);
  EXPECT_EQ(seen->items[127], 0);
  EXPECT_EQ(seen->items[128], 99);
  expect_exact(world);
}

/// Takes nothing any more from a second after it was told to sleep.
struct Ending {
  explicit Ending(bool b) : by_order(b) {}
  Task<> handle(Sleep, Context& cx) {
    co_await cx.sleep(500ms);
    co_await cx.sleep(500ms);
    if (!by_order) throw Need::stop();
    cx.stop();
  }
  void handle(Item) {}
  bool by_order;
};
TEST(M4, who_is_turned_away_in_the_instant_of_its_deadline_hears_that_it_was_not_sent) {
  for (const bool by_order : {false, true}) {
    sim::TestRuntime world;
    struct One {
      Ref<Ending> sink;
      std::shared_ptr<std::vector<Errc>> errors;
      Task<> handle(Item item) {
        const auto sent = co_await sink.send_wait(moved(item)).within(1s);
        if (!sent) errors->push_back(sent.error().code());
      }
    };
    const auto errors = std::make_shared<std::vector<Errc>>();
    const auto sink = world.spawn(child<Ending>("sink", by_order).mailbox(bounded(2)).restart(Restart::never));
    sink.send(Sleep{});
    world.run();
    sink.send(Item{});
    sink.send(Item{});
    world.spawn<One>("feeder", sink, errors).send(Item{});
    world.advance(2s);
    ASSERT_EQ(errors->size(), 1U) << by_order;
    EXPECT_NE(errors->front(), Errc::timeout) << by_order;
    expect_exact(world);
  }
}

TEST(M4, all_who_wait_for_room_in_a_large_mailbox_come_in_and_in_their_order) {
  sim::TestRuntime world;
  const auto seen = std::make_shared<Seen>();
  const auto sink = world.spawn(child<Sink>("sink", seen).mailbox(bounded(128)));
  sink.send(Sleep{1s});
  world.run();
  for (int i = 0; i < 128; ++i) sink.send(Item{-1});
  for (int i = 0; i < 5; ++i) {
    struct One {
      Ref<Sink> sink;
      Shared seen;
      Task<> handle(Item item) {
        const auto sent = co_await sink.send_wait(moved(item)).within(1min);
        if (!sent) ++seen->refused;
      }
    };
    world.spawn<One>("feeder-" + std::to_string(i), sink, seen).send(Item{i});
    world.run();
  }
  world.advance(1s);
  EXPECT_EQ(seen->refused, 0);
  ASSERT_EQ(seen->items.size(), 133U);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(seen->items[static_cast<std::size_t>(128 + i)], i);
}

TEST(M4, who_waits_for_room_in_a_large_mailbox_is_let_in_before_the_receiver_waits_itself) {
  sim::TestRuntime world;
  const auto seen = std::make_shared<Seen>();
  const auto sink = world.spawn(child<Sink>("sink", seen).mailbox(bounded(1'000)));
  world.run();
  world.spawn<Filler<Sink, Sleep>>("filler", sink, seen).send(Fill<Sleep>{1'000, {1h}, 11});
  world.run();  // ten are handled, the eleventh is begun and takes an hour: room for eleven
  EXPECT_EQ(seen->items.size(), 10U);
  EXPECT_EQ(seen->handled_when_sent, std::vector<std::size_t>(11, 10));
  EXPECT_EQ(seen->refused, 0);
}

TEST(M4, who_waits_for_room_is_let_in_when_the_receiver_fails_and_begins_anew) {
  struct Brittle {
    explicit Brittle(Shared s) : seen(std::move(s)) {}
    void handle(Item item) { seen->items.push_back(item.n); }
    void handle(Sleep) { throw std::runtime_error("boom"); }
    Shared seen;
  };
  sim::TestRuntime world;
  const auto seen = std::make_shared<Seen>();
  const auto sink = world.spawn(child<Brittle>("sink", seen).mailbox(bounded(1'000)).backoff(1h, 1h));
  world.run();
  world.spawn<Filler<Brittle, Sleep>>("filler", sink, seen).send(Fill<Sleep>{1'000, {}, 1});
  world.run();  // the eleventh fails, and the next life begins in an hour
  EXPECT_EQ(seen->items.size(), 10U);
  EXPECT_EQ(seen->handled_when_sent, std::vector<std::size_t>(1, 10));
  EXPECT_EQ(seen->refused, 0);
}

}  // namespace
