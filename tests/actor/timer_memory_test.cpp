// What a timer takes, and that nothing is left of one that could not be set (L10).
#include "life_support.hpp"

namespace {

using namespace life;

struct Count {};

TEST(L10, a_message_that_cannot_be_moved_sets_no_timer_and_leaves_nothing_behind) {
  struct Thorny {
    int* moves_left;
    explicit Thorny(int* left) : moves_left(left) {}
    Thorny(const Thorny&) = default;
    Thorny(Thorny&& other) : moves_left(other.moves_left) {  // NOLINT(performance-noexcept-move-constructor)
      if (--*moves_left < 0) throw std::runtime_error("no");
    }
    Thorny& operator=(const Thorny&) = delete;
    Thorny& operator=(Thorny&&) = delete;
    ~Thorny() = default;
  };
  struct Bold {
    int handled = 0;
    void handle(const Thorny&) { ++handled; }
    void handle(Do d, Context& cx) { d.what(cx); }
    int handle(Count) { return handled; }
  };
  sim::TestRuntime world;
  const auto blocks = world.runtime().memory().live_blocks;
  const auto bold = world.spawn(child<Bold>("bold").backoff(1ms, 1ms));
  int left = 1'000;
  bold.send(Do{[&](Context& cx) { EXPECT_TRUE(cx.send_after(1ms, bold, Thorny{&left}).cancel()); }});
  world.run();
  const int moves = 1'000 - left;
  ASSERT_GT(moves, 0);
  const auto with_it = world.runtime().memory().live_blocks;
  for (int i = 0; i < moves; ++i) {
    bold.send(Do{[&, i](Context& cx) {
      left = i;
      EXPECT_THROW((void)cx.send_after(1ms, bold, Thorny{&left}), std::runtime_error);
    }});
  }
  world.advance(1s);
  EXPECT_EQ(world.runtime().memory().live_blocks, with_it);

  // And when it is due it cannot be moved again: that is a failure of its actor.
  bold.send(Do{[&](Context& cx) {
    left = moves;
    (void)cx.send_after(1ms, bold, Thorny{&left});
  }});
  world.advance(1s);
  EXPECT_LT(left, 0);
  EXPECT_EQ(world.ask<Count>(bold).value(), 0);
  EXPECT_EQ(world.next_timer(), Instant::never());
  world.runtime().stop(bold);
  world.run();
  expect_nothing_left(world, blocks);
}

// 112 bytes for a timer: its block, and 16 in its actor's table. A million of them is what arming costs.
TEST(L10, a_timer_to_oneself_with_eight_bytes_takes_a_block_of_96) {
  struct Eight {
    std::int64_t n;
  };
  struct Holder {
    void handle(Eight) {}
    void handle(Do d, Context& cx) { d.what(cx); }
  };
  static_assert(sizeof(TimerNode) <= 40 && sizeof(detail::TimerRecord) == 80);
  static_assert(sizeof(detail::TickTimer<Holder, Eight, detail::TimerRecord>) <= 96);
  static_assert(sizeof(detail::TickTimer<Holder, Eight, detail::PeriodicTimer>) <= 96);
  static_assert(sizeof(detail::SendTimer<Holder, Eight, detail::TimerRecord>) <= 128);
  static_assert(sizeof(detail::SendTimer<Holder, Eight, detail::PeriodicTimer>) <= 128);
  const auto live = [](sim::TestRuntime& world, std::size_t bytes) {
    for (const auto& one : world.runtime().memory().classes) {
      if (one.block_bytes == bytes) return one.live;
    }
    return std::int64_t{-1};
  };
  sim::TestRuntime world;
  const auto holder = world.spawn<Holder>("holder");
  const auto other = world.spawn<Holder>("other");
  const std::int64_t before_96 = live(world, 96);
  const std::int64_t before_128 = live(world, 128);
  holder.send(Do{[&](Context& cx) {
    for (int i = 0; i < 1'000; ++i) (void)cx.send_after(1s, holder, Eight{i});
    for (int i = 0; i < 500; ++i) (void)cx.send_every(1s, holder, Eight{i});
    for (int i = 0; i < 200; ++i) (void)cx.send_after(1s, other, Eight{i});
    for (int i = 0; i < 100; ++i) (void)cx.send_every(1s, other, Eight{i});
  }});
  world.run();
  EXPECT_EQ(live(world, 96) - before_96, 1'500);
  EXPECT_EQ(live(world, 128) - before_128, 300);
}

}  // namespace
