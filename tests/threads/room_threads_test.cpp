// M4 on real threads: who waits for room gets it although the receiver, which has made some, is stuck in one message.
#include <latch>

#include <gtest/gtest.h>

#include "support.hpp"

namespace {

using namespace backstage;
using namespace backstage::threads_test;
using namespace std::chrono_literals;

struct Item {};
struct Hold {
  std::latch* begun;
  std::latch* until;
};
struct Sink {
  void handle(Item) {}
  void handle(Hold hold) {
    hold.begun->count_down();
    hold.until->wait();
  }
};
struct Go {
  using reply = bool;
};
struct Feeder {
  explicit Feeder(Ref<Sink> s) : sink(s) {}
  Task<bool> handle(Go) {
    const auto sent = co_await sink.send_wait(Item{}).within(long_enough);
    co_return sent.has_value();
  }
  Ref<Sink> sink;
};

TEST(RoomThreads, M4_who_waits_is_let_in_although_the_receiver_is_stuck_in_a_message_of_a_turn_that_owes_room) {
  constexpr int bound = 256;
  std::latch first_begun(1), first_until(1), second_begun(1), second_until(1);
  Runtime runtime(quiet(2));
  const auto sink = runtime.spawn(child<Sink>("sink").mailbox(bounded(bound)));
  sink.send(Hold{&first_begun, &first_until});
  first_begun.wait();
  for (int i = 0; i < 10; ++i) sink.send(Item{});
  sink.send(Hold{&second_begun, &second_until});
  for (int i = 11; i < bound; ++i) sink.send(Item{});
  const auto feeder = runtime.spawn<Feeder>("feeder", sink);
  auto answer = runtime.ask<Go>(feeder).polled_within(long_enough);
  std::latch answered(1);
  answer.on_ready([&answered] { answered.count_down(); });
  for (bool waits = false; !waits;) {
    const auto seen = runtime.inspect(feeder).within(long_enough);
    waits = seen && !seen.value().waits.empty();
  }
  first_until.count_down();
  second_begun.wait();  // eleven more have been taken, in the turn that owes the room
  answered.wait();
  const auto sent = answer.poll();
  second_until.count_down();
  ASSERT_TRUE(sent && sent->has_value());
  EXPECT_TRUE(sent->value());
  expect_rest(runtime);
}

}  // namespace
