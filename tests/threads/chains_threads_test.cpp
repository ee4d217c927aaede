// What an actor sends to another in a row, over real workers: in order (M2), counted (M6), and there in time although the sender
// does not give its worker back (F3).
#include <atomic>
#include <latch>
#include <map>
#include <string>
#include <vector>

#include "threads/support.hpp"

namespace backstage::threads_test {
namespace {

struct Numbered {
  std::uint32_t from;
  std::uint64_t number;
};
struct Send {
  std::uint64_t count;
};
struct Wrong {};

/// Counts what comes out of order. Its latch counts what came.
class Receiver {
 public:
  explicit Receiver(std::latch* all) : all_(all) {}
  void handle(Numbered message) {
    if (message.number != next_[message.from]++) ++wrong_;
    all_->count_down();
  }
  std::uint64_t handle(Wrong) const { return wrong_; }

 private:
  std::latch* all_;
  std::map<std::uint32_t, std::uint64_t> next_;
  std::uint64_t wrong_ = 0;
};

/// Sends to each receiver in turn, some in a row.
class Sender {
 public:
  Sender(std::vector<Ref<Receiver>> to, std::uint32_t me) : to_(std::move(to)), me_(me), sent_(to_.size()) {}
  void handle(Send send) {
    for (std::uint64_t round = 0; round < send.count; ++round) {
      for (std::size_t i = 0; i < to_.size(); ++i) {
        // 1 to 40 in a row: within a chain, and over some.
        for (std::uint64_t n = 0; n < 1 + (round * 7 + i * 3) % 40; ++n) to_[i].send(Numbered{me_, sent_[i]++});
      }
    }
  }
  [[nodiscard]] static std::int64_t expected(std::uint64_t rounds, std::size_t receivers) {
    std::int64_t all = 0;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < receivers; ++i) all += static_cast<std::int64_t>(1 + (round * 7 + i * 3) % 40);
    }
    return all;
  }

 private:
  std::vector<Ref<Receiver>> to_;
  std::uint32_t me_;
  std::vector<std::uint64_t> sent_;
};

using ChainsOnThreads = WithWorkers;
INSTANTIATE_TEST_SUITE_P(Workers, ChainsOnThreads, worker_counts(), named);

TEST_P(ChainsOnThreads, M2_M6_what_many_send_in_a_row_arrives_in_order_and_whole) {
  constexpr std::uint32_t senders = 6;
  constexpr std::size_t receivers = 3;
  constexpr std::uint64_t rounds = 100;
  std::latch all(senders * Sender::expected(rounds, receivers));
  Runtime runtime(quiet(GetParam()));
  std::vector<Ref<Receiver>> to;
  for (std::size_t i = 0; i < receivers; ++i) {
    to.push_back(runtime.spawn(child<Receiver>("receiver-" + std::to_string(i), &all).mailbox(unbounded())));
  }
  for (std::uint32_t me = 0; me < senders; ++me) {
    runtime.spawn<Sender>("sender-" + std::to_string(me), to, me).send(Send{rounds});
  }
  all.wait();
  for (const auto& receiver : to) EXPECT_EQ(runtime.ask<Wrong>(receiver).within(long_enough).value(), 0U);
  expect_rest(runtime);
}

struct Block {};
/// Sends some in a row and does not give its worker back before they have come.
struct Stuck {
  Stuck(Ref<Receiver> t, std::latch* l) : to(t), all(l) {}
  void handle(Block) const {
    for (std::uint64_t n = 0; n < 5; ++n) to.send(Numbered{1, n});
    all->wait();
  }
  Ref<Receiver> to;
  std::latch* all;
};

TEST_P(ChainsOnThreads, F3_what_a_stuck_handler_has_sent_arrives_while_it_is_stuck) {
  // Of each kind: one that takes chains, one with little room, one with a lock.
  for (const Mailbox& kind : {bounded(1'000), bounded(8), bounded(100).drop_oldest()}) {
    std::latch all(5);
    Runtime runtime(quiet(GetParam()));
    const auto to = runtime.spawn(child<Receiver>("receiver", &all).mailbox(kind));
    runtime.spawn<Stuck>("stuck", to, &all).send(Block{});
    all.wait();
    EXPECT_EQ(runtime.ask<Wrong>(to).within(long_enough).value(), 0U);
    expect_rest(runtime);
  }
}

}  // namespace
}  // namespace backstage::threads_test
