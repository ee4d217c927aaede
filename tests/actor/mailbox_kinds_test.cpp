// M4: every mailbox has a kind, and each kind says what happens when it is full.
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
struct Load {
  int n;
  std::string text;
};
[[maybe_unused]] std::size_t payload_bytes(const Load& load) { return load.text.size(); }
struct Busy {
  Duration time;
};
struct Boom {};
using Numbers = std::shared_ptr<std::vector<int>>;
Numbers numbers() { return std::make_shared<std::vector<int>>(); }

struct Sink {
  explicit Sink(Numbers s) : seen(std::move(s)) {}
  Task<> handle(Busy busy, Context& cx) { co_await cx.sleep(busy.time); }
  void handle(Item item) { seen->push_back(item.n); }
  void handle(const Load& load) { seen->push_back(load.n); }
  void handle(Boom) { throw std::runtime_error("boom"); }
  Numbers seen;
};

/// A Sink that is busy for `time`, so that what is sent now waits in its mailbox.
Ref<Sink> busy_sink(sim::TestRuntime& world, Mailbox box, const Numbers& seen, Duration time = 1s) {
  const auto sink = world.spawn(child<Sink>("sink", seen).mailbox(box));
  sink.send(Busy{time});
  world.run();
  return sink;
}

struct Push {
  int n;
  Duration within;
};
struct PushLoad {
  int n;
  std::size_t bytes;
  Duration within;
};
struct Outcome {
  int n;
  Result<> result;
  Instant at;
};
using Outcomes = std::shared_ptr<std::vector<Outcome>>;
Outcomes outcomes() { return std::make_shared<std::vector<Outcome>>(); }

struct Pusher {
  Pusher(Ref<Sink> s, Outcomes o) : sink(s), out(std::move(o)) {}
  Task<> handle(Push push, Context& cx) {
    auto result = co_await sink.send_wait(Item{push.n}).within(push.within);
    out->push_back({push.n, std::move(result), cx.now()});
  }
  Task<> handle(PushLoad push, Context& cx) {
    Load load{push.n, std::string(push.bytes, 'x')};
    auto result = co_await sink.send_wait(moved(load)).within(push.within);
    out->push_back({push.n, std::move(result), cx.now()});
  }
  Ref<Sink> sink;
  Outcomes out;
};

void expect_exact(sim::TestRuntime& world) {
  const MessageCounts counts = world.runtime().counts();
  EXPECT_EQ(counts.sent, counts.handled + counts.dead_letters() + counts.dropped());
  EXPECT_EQ(counts.in_flight(), 0U);
}

// ------------------------------------------------------------------------------------------------------ policies

TEST(M4, a_full_mailbox_refuses_by_default_and_the_message_becomes_a_dead_letter) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto sink = busy_sink(world, bounded(3), seen);
  for (int n = 0; n < 5; ++n) sink.send(Item{n});
  world.advance(2s);
  EXPECT_EQ(*seen, (std::vector{0, 1, 2}));
  EXPECT_EQ(world.runtime().counts().count(Undelivered::full), 2U);
  EXPECT_EQ(world.runtime().counts().dead_letters(), 2U);
  expect_exact(world);
}

TEST(M4, drop_newest_keeps_what_waits_and_counts_what_it_drops) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto sink = busy_sink(world, bounded(3).drop_newest(), seen);
  for (int n = 0; n < 5; ++n) sink.send(Item{n});
  world.advance(2s);
  EXPECT_EQ(*seen, (std::vector{0, 1, 2}));
  EXPECT_EQ(world.runtime().counts().count(Undelivered::drop_newest), 2U);
  EXPECT_EQ(world.runtime().counts().dropped(), 2U);
  EXPECT_EQ(world.runtime().counts().dead_letters(), 0U);
  expect_exact(world);
}

TEST(M4, drop_oldest_keeps_the_latest_and_counts_what_it_drops) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto sink = busy_sink(world, bounded(3).drop_oldest(), seen);
  for (int n = 0; n < 5; ++n) sink.send(Item{n});
  world.advance(2s);
  EXPECT_EQ(*seen, (std::vector{2, 3, 4}));
  EXPECT_EQ(world.runtime().counts().count(Undelivered::drop_oldest), 2U);
  expect_exact(world);
}

TEST(M4, an_unbounded_mailbox_takes_everything) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto sink = busy_sink(world, unbounded(), seen);
  for (int n = 0; n < 100'000; ++n) sink.send(Item{n});
  world.advance(2s);
  EXPECT_EQ(seen->size(), 100'000U);
  expect_exact(world);
}

TEST(M4, a_bound_of_bytes_weighs_each_message) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto sink = busy_sink(world, bounded(100).bytes(10), seen);
  sink.send(Load{0, "12345"});
  sink.send(Load{1, "123456"});  // 11 in all: refused
  sink.send(Load{2, "12345"});
  sink.send(Load{3, "1"});  // refused
  world.advance(2s);
  EXPECT_EQ(*seen, (std::vector{0, 2}));
  EXPECT_EQ(world.runtime().counts().count(Undelivered::full), 2U);
  // Larger than the whole bound: accepted when the box is empty, so that it gets through at all.
  sink.send(Load{4, std::string(50, 'x')});
  sink.send(Load{5, "1"});
  world.advance(1s);
  EXPECT_EQ(*seen, (std::vector{0, 2, 4}));
  expect_exact(world);
}

TEST(M4, drop_oldest_by_bytes_drops_as_many_as_the_new_one_needs) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto sink = busy_sink(world, bounded(100).bytes(10).drop_oldest(), seen);
  for (int n = 0; n < 10; ++n) sink.send(Load{n, "1"});
  sink.send(Load{10, "12345678"});
  world.advance(2s);
  EXPECT_EQ(*seen, (std::vector{8, 9, 10}));
  EXPECT_EQ(world.runtime().counts().count(Undelivered::drop_oldest), 8U);
  expect_exact(world);
}

// ------------------------------------------------------------------------------------------------------ try_send

class TrySend : public testing::TestWithParam<Mailbox> {};

TEST_P(TrySend, M4_says_that_it_is_full_and_leaves_the_message_as_it_was) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto sink = busy_sink(world, GetParam(), seen);
  EXPECT_TRUE(sink.try_send(Item{1}));
  EXPECT_TRUE(sink.try_send(Item{2}));
  Load load{3, "what it was, and too long to stand in the string itself"};
  const auto refused = sink.try_send(std::move(load));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::full);
  EXPECT_EQ(load.text, "what it was, and too long to stand in the string itself");
  const std::uint64_t sent = world.runtime().counts().sent;
  EXPECT_EQ(sent, 3U);  // what was not taken was never sent, and nothing was dropped for it
  world.advance(2s);
  EXPECT_EQ(*seen, (std::vector{1, 2}));
  EXPECT_EQ(world.runtime().counts().dropped() + world.runtime().counts().dead_letters(), 0U);
  expect_exact(world);
}
INSTANTIATE_TEST_SUITE_P(M4, TrySend,
                         testing::Values(bounded(2), bounded(2).drop_newest(), bounded(2).drop_oldest(),
                                         bounded(2).bytes(1'000), bounded(9).bytes(10),
                                         bounded(9).bytes(10).drop_oldest()));

TEST(M4, try_send_says_gone_and_stopping) {
  sim::TestRuntime world;
  const auto seen = numbers();
  EXPECT_EQ(Ref<Sink>().try_send(Item{1}).error().code(), Errc::gone);
  const auto sink = busy_sink(world, bounded(3), seen);
  world.runtime().stop(sink);
  world.run();
  Load load{1, "still mine, although it was offered by its rvalue"};
  EXPECT_EQ(sink.try_send(std::move(load)).error().code(), Errc::stopping);
  world.advance(2s);
  EXPECT_EQ(sink.try_send(std::move(load)).error().code(), Errc::gone);
  EXPECT_EQ(load.text, "still mine, although it was offered by its rvalue");
}

// ----------------------------------------------------------------------------------------------------- send_wait

class SendWaits : public testing::TestWithParam<Mailbox> {};
INSTANTIATE_TEST_SUITE_P(M4, SendWaits,
                         testing::Values(bounded(2), bounded(2).drop_newest(), bounded(2).drop_oldest(),
                                         bounded(2).bytes(1'000)));

TEST_P(SendWaits, M4_first_come_first_served_and_before_later_try_sends) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto out = outcomes();
  const auto sink = busy_sink(world, GetParam(), seen);
  sink.send(Item{1});
  sink.send(Item{2});
  std::vector<Ref<Pusher>> pushers;
  for (int i = 0; i < 3; ++i) {
    pushers.push_back(world.spawn<Pusher>("pusher-" + std::to_string(i), sink, out));
    pushers.back().send(Push{10 + i, 10s});
    world.run();
  }
  EXPECT_TRUE(out->empty());
  sink.send(Busy{1s});  // refused or dropped, or in the place of the oldest: never before those who wait
  EXPECT_EQ(sink.try_send(Item{99}).error().code(), Errc::full);
  world.advance(5s);
  ASSERT_EQ(out->size(), 3U);
  for (const Outcome& one : *out) EXPECT_TRUE(one.result);
  ASSERT_GE(seen->size(), 4U);
  EXPECT_EQ(std::vector<int>(seen->end() - 3, seen->end()), (std::vector{10, 11, 12}));
  // Nobody waits any more: try_send is admitted again.
  EXPECT_TRUE(sink.try_send(Item{100}));
  world.run();
  EXPECT_EQ(seen->back(), 100);
  expect_exact(world);
}

TEST_P(SendWaits, M4_until_their_deadline_and_then_nothing_was_sent) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto out = outcomes();
  const auto sink = busy_sink(world, GetParam(), seen, 10s);
  sink.send(Item{1});
  sink.send(Item{2});
  const auto one = world.spawn<Pusher>("one", sink, out);
  const auto two = world.spawn<Pusher>("two", sink, out);
  const Instant began = world.now();
  one.send(Push{10, 1s});
  two.send(Push{11, 20s});
  world.advance(2s);
  ASSERT_EQ(out->size(), 1U);
  EXPECT_EQ(out->front().n, 10);
  EXPECT_EQ(out->front().result.error().code(), Errc::timeout);
  EXPECT_FALSE(out->front().result.error().may_have_run());
  EXPECT_EQ(out->front().at, began + 1s);
  world.advance(20s);
  ASSERT_EQ(out->size(), 2U);
  EXPECT_TRUE(out->back().result);
  EXPECT_EQ(*seen, (std::vector{1, 2, 11}));
  expect_exact(world);
}

TEST_P(SendWaits, M4_hear_at_once_that_the_receiver_is_gone) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto out = outcomes();
  const auto sink = world.spawn(child<Sink>("sink", seen).mailbox(GetParam()).restart(Restart::never));
  sink.send(Busy{1s});
  world.run();
  sink.send(Boom{});
  sink.send(Item{2});
  const auto pusher = world.spawn<Pusher>("pusher", sink, out);
  const auto other = world.spawn<Pusher>("other", sink, out);
  pusher.send(Push{10, 100s});
  other.send(Push{11, 100s});
  world.advance(2s);
  ASSERT_EQ(out->size(), 2U);
  // The failing message made room for the first one, which died with the queue; the second never got in.
  EXPECT_TRUE(out->front().result.has_value() || out->front().result.error().is(Errc::gone));
  EXPECT_EQ(out->back().result.error().code(), Errc::gone);
  expect_exact(world);
}

TEST_P(SendWaits, M4_hear_at_once_that_the_receiver_is_being_stopped) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto out = outcomes();
  const auto sink = busy_sink(world, GetParam(), seen, 3s);
  sink.send(Item{1});
  sink.send(Item{2});
  const auto pusher = world.spawn<Pusher>("pusher", sink, out);
  pusher.send(Push{10, 100s});
  world.run();
  world.runtime().stop(sink);
  world.run();
  ASSERT_EQ(out->size(), 1U);
  EXPECT_EQ(out->front().result.error().code(), Errc::stopping);
  world.advance(10s);
  EXPECT_EQ(*seen, (std::vector{1, 2}));  // what was queued is handled
  expect_exact(world);
}

TEST_P(SendWaits, M4_through_a_restart_of_the_receiver) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto out = outcomes();
  const auto sink = busy_sink(world, GetParam(), seen);
  sink.send(Boom{});
  sink.send(Item{2});
  const auto pusher = world.spawn<Pusher>("pusher", sink, out);
  pusher.send(Push{10, 100s});
  world.advance(10s);
  ASSERT_EQ(out->size(), 1U);
  EXPECT_TRUE(out->front().result);
  EXPECT_EQ(*seen, (std::vector{2, 10}));
  expect_exact(world);
}

struct Doomed {
  Doomed(Ref<Sink> s, Outcomes o) : sink(s), out(std::move(o)) {}
  Interleaved<> handle(Push push, Context& cx) {
    auto result = co_await sink.send_wait(Item{push.n}).within(push.within);
    out->push_back({push.n, std::move(result), cx.now()});
  }
  void handle(Boom) { throw std::runtime_error("boom"); }
  Ref<Sink> sink;
  Outcomes out;
};

TEST_P(SendWaits, M4_only_as_long_as_the_sender_lives_through_no_restart) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto out = outcomes();
  const auto sink = busy_sink(world, GetParam(), seen);
  sink.send(Item{1});
  sink.send(Item{2});
  const auto doomed = world.spawn<Doomed>("doomed", sink, out);
  doomed.send(Push{10, 100s});
  world.run();
  doomed.send(Boom{});
  world.run();
  world.advance(10s);
  doomed.send(Push{11, 1s});
  world.advance(1s);
  EXPECT_EQ(*seen, (std::vector{1, 2, 11}));  // the wait ended with its incarnation: nothing of it was sent
  ASSERT_EQ(out->size(), 1U);
  EXPECT_EQ(out->front().n, 11);
  expect_exact(world);
}

TEST(M4, who_waits_with_a_small_message_goes_on_when_a_larger_one_before_it_gives_up) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto out = outcomes();
  const auto sink = busy_sink(world, bounded(100).bytes(100), seen, 10s);
  sink.send(Load{1, std::string(50, 'x')});
  const auto large = world.spawn<Pusher>("large", sink, out);
  const auto small = world.spawn<Pusher>("small", sink, out);
  large.send(PushLoad{2, 80, 1s});
  world.run();
  small.send(PushLoad{3, 20, 5s});
  world.advance(2s);
  ASSERT_EQ(out->size(), 2U);
  EXPECT_EQ(out->front().result.error().code(), Errc::timeout);
  EXPECT_TRUE(out->back().result);
  EXPECT_LE(out->back().at, out->front().at);
  world.advance(20s);
  EXPECT_EQ(*seen, (std::vector{1, 3}));
  expect_exact(world);
}

TEST(M4, whoever_waits_gets_in_as_soon_as_there_is_room_for_one) {
  sim::TestRuntime world;
  const auto seen = numbers();
  const auto out = outcomes();
  const auto sink = busy_sink(world, bounded(100), seen);
  sink.send(Busy{1h});
  for (int n = 1; n < 100; ++n) sink.send(Item{n});
  const auto pusher = world.spawn<Pusher>("pusher", sink, out);
  pusher.send(Push{100, 1min});
  world.advance(1s);  // one message begun, one place free, and the sink busy for long
  ASSERT_EQ(out->size(), 1U);
  EXPECT_TRUE(out->front().result);
}

TEST(M4, send_wait_to_nobody_fails_at_once) {
  sim::TestRuntime world;
  const auto out = outcomes();
  const auto pusher = world.spawn<Pusher>("pusher", Ref<Sink>(), out);
  pusher.send(Push{1, 1h});
  world.run();
  ASSERT_EQ(out->size(), 1U);
  EXPECT_EQ(out->front().result.error().code(), Errc::gone);
}

}  // namespace
