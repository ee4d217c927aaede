// Shared state: snapshots with versions, read without a message and without waiting.
#include "backstage/actor/shared.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "backstage/sim/test_runtime.hpp"

namespace backstage {
namespace {

struct Prices {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
};
struct Raise {};

struct Feed {
  void init(Context& cx) { prices_ = cx.share(Prices{}); }
  void handle(Raise) {
    prices_.update([](Prices& now) {
      ++now.a;
      now.b = 2 * now.a;
    });
  }
  Shared<Prices> prices_;
};

TEST(SharedState, R1_is_read_without_a_message_and_a_snapshot_stays_as_it_is) {
  sim::TestRuntime world;
  const auto feed = world.spawn<Feed>("feed");
  world.run();
  const View<Prices> view = world.runtime().scope("/feed").value().lookup<View<Prices>>().value();
  const auto first = view.read();
  EXPECT_EQ(first.version(), 1U);
  feed.send(Raise{});
  world.run();
  EXPECT_EQ(first->a, 0U);
  EXPECT_EQ(view.read().version(), 2U);
  EXPECT_EQ(view.read()->b, 2U);
  world.runtime().stop(feed);
  world.run();
  EXPECT_EQ(view.read()->a, 1U) << "the last state, for whoever holds the view";
  EXPECT_FALSE(world.runtime().scope("/feed"));
}

TEST(SharedState, R1_readers_on_other_threads_see_whole_states_in_order) {
  Shared<Prices> prices{Prices{}};
  std::atomic<bool> stops{false};
  std::atomic<std::uint64_t> torn{0};
  std::atomic<std::uint64_t> backwards{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([view = prices.view(), &stops, &torn, &backwards] {
      std::uint64_t last = 0;
      while (!stops.load(std::memory_order_relaxed)) {
        const auto now = view.read();
        if (now->b != 2 * now->a) torn.fetch_add(1);
        if (now.version() < last) backwards.fetch_add(1);
        last = now.version();
        const auto copy = now;
        if (copy.version() != last) torn.fetch_add(1);
      }
    });
  }
  for (int i = 0; i < 200'000; ++i) {
    prices.update([](Prices& now) {
      ++now.a;
      now.b = 2 * now.a;
    });
  }
  stops = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn, 0U);
  EXPECT_EQ(backwards, 0U);
  EXPECT_EQ(prices.view().read()->a, 200'000U);
  EXPECT_EQ(prices.version(), 200'001U);
}

TEST(SharedState, R1_more_readers_than_the_word_counts_are_no_matter) {
  Shared<Prices> prices{Prices{}};
  const auto view = prices.view();
  std::vector<StateSnapshot<Prices>> held;
  for (int i = 0; i < 200'000; ++i) held.push_back(view.read());
  prices.set(Prices{1, 2});
  EXPECT_EQ(held.front()->a, 0U);
  EXPECT_EQ(held.back().version(), 1U);
  EXPECT_EQ(view.read().version(), 2U);
}

}  // namespace
}  // namespace backstage
