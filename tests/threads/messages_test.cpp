// Messages and asks over real workers: order per sender (M2), accounting (M6), answers (M7), one thing at a time (M1).
#include <array>
#include <atomic>
#include <latch>
#include <map>
#include <string>
#include <vector>

#include "threads/support.hpp"

namespace backstage::threads_test {
namespace {

using namespace std::chrono_literals;

struct Numbered {
  std::uint32_t from;
  std::uint64_t number;
};
struct Disorder {};
struct Seen {};

/// Checks that each sender's numbers come in order, and that no two of its handlers ever overlap.
class Ordered {
 public:
  explicit Ordered(std::latch* all) : all_(all) {}
  void handle(Numbered message) {
    if (inside_.exchange(true)) ++wrong_;
    if (message.number != next_[message.from]++) ++wrong_;
    ++seen_;
    inside_ = false;
    if (all_ != nullptr) all_->count_down();
  }
  std::uint64_t handle(Disorder) const { return wrong_; }
  std::uint64_t handle(Seen) const { return seen_; }

 private:
  std::latch* all_;
  std::map<std::uint32_t, std::uint64_t> next_;
  std::uint64_t wrong_ = 0;
  std::uint64_t seen_ = 0;
  std::atomic<bool> inside_{false};
};

using MessagesOnThreads = WithWorkers;
INSTANTIATE_TEST_SUITE_P(Workers, MessagesOnThreads, worker_counts(), named);

TEST_P(MessagesOnThreads, M2_what_a_thread_outside_sends_arrives_in_its_order) {
  constexpr unsigned producers = 4;
  constexpr unsigned receivers = 8;
  constexpr std::uint64_t each = 1'000;
  Runtime runtime(quiet(GetParam()));
  std::vector<Ref<Ordered>> actors;
  for (unsigned i = 0; i < receivers; ++i) {
    actors.push_back(runtime.spawn(
        child<Ordered>("ordered-" + std::to_string(i), static_cast<std::latch*>(nullptr)).mailbox(unbounded())));
  }
  on_threads(producers, [&actors](unsigned me) {
    for (std::uint64_t n = 0; n < each; ++n) {
      for (const auto& actor : actors) actor.send(Numbered{me, n});
    }
  });
  for (const auto& actor : actors) {
    // Everything was sent before these were asked, and by threads that have ended: it has been handled before.
    EXPECT_EQ(runtime.ask<Seen>(actor).within(long_enough).value(), producers * each);
    EXPECT_EQ(runtime.ask<Disorder>(actor).within(long_enough).value(), 0U);
  }
  EXPECT_EQ(runtime.counts().handled, producers * receivers * each + 2 * receivers);
  expect_rest(runtime);
}

struct Talk {
  std::uint64_t times;
};

/// Sends numbers to all others, taking turns among them.
class Talker {
 public:
  Talker(std::uint32_t me, std::vector<Ref<Ordered>> others) : me_(me), others_(std::move(others)) {}
  void handle(Talk talk) {
    for (std::uint64_t n = 0; n < talk.times; ++n) {
      for (const auto& other : others_) other.send(Numbered{me_, next_});
      ++next_;
    }
  }

 private:
  std::uint32_t me_;
  std::uint64_t next_ = 0;
  std::vector<Ref<Ordered>> others_;
};

TEST_P(MessagesOnThreads, M2_what_an_actor_sends_arrives_in_its_order_whichever_worker_runs_it) {
  constexpr unsigned talkers = 16;
  constexpr unsigned listeners = 8;
  constexpr unsigned rounds = 20;
  constexpr std::uint64_t burst = 10;
  std::latch all(talkers * listeners * rounds * burst);
  Runtime runtime(quiet(GetParam()));
  std::vector<Ref<Ordered>> to;
  for (unsigned i = 0; i < listeners; ++i) {
    to.push_back(runtime.spawn(child<Ordered>("to-" + std::to_string(i), &all).mailbox(unbounded())));
  }
  std::vector<Ref<Talker>> from;
  for (unsigned i = 0; i < talkers; ++i) from.push_back(runtime.spawn<Talker>("from-" + std::to_string(i), i, to));
  for (unsigned round = 0; round < rounds; ++round) {
    for (const auto& talker : from) talker.send(Talk{burst});
  }
  all.wait();
  for (const auto& listener : to) EXPECT_EQ(runtime.ask<Disorder>(listener).within(long_enough).value(), 0U);
  expect_rest(runtime);
}

struct Hop {
  int left;
};

/// Asks the next in the chain; the answer counts how many there were.
class Link {
 public:
  explicit Link(Ref<Link> next) : next_(next) {}
  Task<int> handle(Hop hop) {
    if (!next_ || hop.left == 0) co_return 1;
    const auto below = co_await next_.ask<Hop>(hop.left - 1).within(long_enough);
    co_return below.has_value() ? below.value() + 1 : -1'000'000;
  }

 private:
  Ref<Link> next_;
};

TEST_P(MessagesOnThreads, M7_asks_in_a_chain_are_answered_all_the_way_back) {
  constexpr int length = 50;
  Runtime runtime(quiet(GetParam()));
  std::vector<Ref<Link>> chain(1);
  for (int i = 0; i < length; ++i) {
    chain.push_back(runtime.spawn<Link>("link-" + std::to_string(i), chain.back()));
  }
  on_threads(3, [&](unsigned) {
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(runtime.ask<Hop>(chain.back(), length).within(long_enough).value(), length);
    }
  });
  expect_rest(runtime);
}

struct Twice {
  int value;
};
struct Doubler {
  int handle(Twice twice) { return 2 * twice.value; }
};
struct Fan {
  int value;
};

/// Asks four others at once.
class Spreader {
 public:
  explicit Spreader(std::array<Ref<Doubler>, 4> to) : to_(to) {}
  Interleaved<int> handle(Fan fan) {
    auto [a, b, c, d] = co_await when_all(
        to_[0].ask<Twice>(fan.value).within(long_enough), to_[1].ask<Twice>(fan.value + 1).within(long_enough),
        to_[2].ask<Twice>(fan.value + 2).within(long_enough), to_[3].ask<Twice>(fan.value + 3).within(long_enough));
    co_return a.value() + b.value() + c.value() + d.value();
  }

 private:
  std::array<Ref<Doubler>, 4> to_;
};

TEST_P(MessagesOnThreads, M7_asks_in_parallel_each_get_their_own_answer) {
  Runtime runtime(quiet(GetParam()));
  std::array<Ref<Doubler>, 4> to;
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = runtime.spawn<Doubler>("doubler-" + std::to_string(i));
  const auto spreader = runtime.spawn<Spreader>("spreader", to);
  on_threads(4, [&](unsigned me) {
    for (int i = 0; i < 100; ++i) {
      const int value = static_cast<int>(me) * 1'000 + i;
      EXPECT_EQ(runtime.ask<Fan>(spreader, value).within(long_enough).value(), 8 * value + 12);
    }
  });
  expect_rest(runtime);
}

}  // namespace
}  // namespace backstage::threads_test
