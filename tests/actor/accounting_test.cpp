// M6: sent = handled + dead letters + dropped, exactly, whenever the runtime rests, after storms of everything that can
// happen to a message. Each case is a seed and a mailbox: the same one does the same every time.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/base/random.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

/// What storms count of themselves: each message says when it is made and when it is gone.
struct Census {
  std::uint64_t alive = 0;
  std::uint64_t handled = 0;
};
class Tracked {
 public:
  explicit Tracked(Census* c, std::uint64_t s) : seed(s), census_(c) { ++census_->alive; }
  Tracked(const Tracked& other) : seed(other.seed), census_(other.census_) { ++census_->alive; }
  Tracked(Tracked&& other) noexcept : seed(other.seed), census_(other.census_) { ++census_->alive; }
  Tracked& operator=(const Tracked&) = default;
  ~Tracked() { --census_->alive; }
  [[nodiscard]] Census* census() const { return census_; }
  std::uint64_t seed;

 private:
  Census* census_;
};
struct Gust {
  Tracked tracked;
  int depth;
};
struct Question {
  Tracked tracked;
};
struct Pause {
  Tracked tracked;
};

/// Does with each message what chance wants: sends, asks, waits, forwards, fails, spawns, stops.
class Stormer {
 public:
  Stormer(std::shared_ptr<std::vector<Ref<Stormer>>> peers, Mailbox box) : peers_(std::move(peers)), box_(box) {}

  Task<> handle(Gust gust, Context& cx) {
    ++gust.tracked.census()->handled;
    Random random(gust.tracked.seed);
    Census* const census = gust.tracked.census();
    if (gust.depth <= 0) co_return;
    for (std::uint64_t i = 0; i < 3; ++i) {
      const Ref<Stormer> peer = random.next() % 13 == 0 ? Ref<Stormer>() : peers_->at(random.next() % peers_->size());
      const Tracked next(census, random.next());
      Gust on{next, gust.depth - 1};
      switch (random.next() % 10) {
        case 0:
        case 1:
        case 2: peer.send(on); break;
        case 3: (void)peer.try_send(std::move(on)); break;
        case 4: (void)co_await peer.send_wait(moved(on)).within(Duration(random.next() % 50'000'000)); break;
        case 5: {
          auto question = next;
          (void)co_await peer.ask<Question>(moved(question)).within(Duration(random.next() % 100'000'000));
          break;
        }
        case 6: {
          Pause pause{next};
          peer.send(std::move(pause));
          break;
        }
        case 7: co_await cx.sleep(Duration(random.next() % 20'000'000)); break;
        case 8: cx.send_after(Duration(random.next() % 20'000'000), peer, std::move(on)); break;
        default: break;
      }
    }
    const std::uint64_t fate = random.next() % 40;
    if (fate == 0) throw std::runtime_error("struck");
    if (fate == 1)
      cx.spawn(child<Stormer>(unnamed, peers_, box_).mailbox(box_)).send(Gust{gust.tracked, gust.depth - 1});
    if (fate == 2) cx.stop(peers_->at(random.next() % peers_->size()));
  }
  void handle(Question question, Reply<int> reply) {
    Random random(question.tracked.seed);
    const std::uint64_t fate = random.next() % 6;
    if (fate == 0) return;  // drops the reply
    if (fate == 1) throw std::runtime_error("no answer");
    if (fate == 2) {
      Question on{Tracked(question.tracked.census(), random.next())};
      return peers_->at(random.next() % peers_->size()).forward(std::move(on), std::move(reply));
    }
    std::move(reply)(1);
  }
  Interleaved<> handle(Pause pause, Context& cx) {
    co_await cx.sleep(Duration(pause.tracked.seed % 100'000'000));
    if (pause.tracked.seed % 50 == 0) throw std::runtime_error("struck while it paused");
  }

 private:
  std::shared_ptr<std::vector<Ref<Stormer>>> peers_;
  Mailbox box_;
};

class Storm : public testing::TestWithParam<std::tuple<std::uint64_t, Mailbox>> {};
INSTANTIATE_TEST_SUITE_P(M6, Storm,
                         testing::Combine(testing::Values(1, 2, 3, 4, 5, 6),
                                          testing::Values(bounded(1), bounded(4), bounded(4).drop_newest(),
                                                          bounded(4).drop_oldest(), bounded(1).drop_oldest(),
                                                          bounded(8).bytes(100), bounded(8).bytes(100).drop_oldest(),
                                                          bounded(8).bytes(60).drop_newest(), unbounded())));

TEST_P(Storm, M6_every_message_is_handled_a_dead_letter_or_dropped_and_the_sums_are_exact) {
  const auto [seed, box] = GetParam();
  Census census;
  {
    sim::TestOptions options;
    options.seed = seed;
    sim::TestRuntime world(options);
    std::uint64_t events = 0;
    const auto subscription = world.runtime().events().subscribe(
        [&](const Event& event) { events += std::holds_alternative<DeadLetter>(event) ? 1 : 0; });
    const auto peers = std::make_shared<std::vector<Ref<Stormer>>>();
    for (int i = 0; i < 8; ++i) {
      peers->push_back(world.spawn(child<Stormer>("stormer-" + std::to_string(i), peers, box)
                                       .mailbox(box)
                                       .at_most(unlimited)
                                       .backoff(1ms, 20ms)
                                       .stop_within(200ms)
                                       .interleaved(3)));
    }
    Random random(seed);
    for (int i = 0; i < 200; ++i) {
      peers->at(random.next() % peers->size()).send(Gust{Tracked(&census, random.next()), 6});
      if (i % 4 == 0) world.advance(Duration(random.next() % 5'000'000));
    }
    world.advance(1h);
    EXPECT_GT(census.handled, 40U);
    const MessageCounts counts = world.runtime().counts();
    EXPECT_EQ(counts.sent, counts.handled + counts.dead_letters() + counts.dropped());
    EXPECT_EQ(counts.in_flight(), 0U);
    EXPECT_EQ(events, counts.dead_letters() + counts.dropped());  // each of them is open to subscribers
    EXPECT_EQ(census.alive, 0U);                                  // and none of them lives on
    EXPECT_TRUE(world.runtime().shutdown());
    EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
    peers->clear();  // they hold each other
  }
  EXPECT_EQ(census.alive, 0U);
}

TEST(M6, what_is_queued_is_in_flight) {
  Census census;
  sim::TestRuntime world;
  const auto peers = std::make_shared<std::vector<Ref<Stormer>>>();
  const auto one = world.spawn<Stormer>("one", peers, bounded(10));
  for (std::uint64_t i = 0; i < 5; ++i) one.send(Gust{Tracked(&census, i), 0});
  EXPECT_EQ(world.runtime().counts().in_flight(), 5U);
  EXPECT_EQ(census.alive, 5U);
  world.run();
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
  EXPECT_EQ(census.alive, 0U);
}

TEST(M6, a_stopped_runtime_leaves_no_message_behind) {
  Census census;
  {
    sim::TestRuntime world;
    const auto peers = std::make_shared<std::vector<Ref<Stormer>>>();
    const auto one = world.spawn(child<Stormer>("one", peers, bounded(10)).on_stop(drop));
    one.send(Pause{Tracked(&census, 99'999'999)});
    world.run();
    for (std::uint64_t i = 0; i < 5; ++i) one.send(Gust{Tracked(&census, i), 0});
    EXPECT_TRUE(world.runtime().shutdown());
    EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
  }
  EXPECT_EQ(census.alive, 0U);
}

}  // namespace
