// M8: a handler that awaits keeps its turn unless it is Interleaved, and a message lives until its handler has ended.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

/// Counts what is constructed and what is destroyed.
struct Balance {
  int made = 0;
  int gone = 0;
  int at_end = -1;  // how many lived when a handler ended, or was cancelled
};
class Cargo {
 public:
  explicit Cargo(std::shared_ptr<Balance> b) : balance_(std::move(b)) { ++balance_->made; }
  Cargo(const Cargo& other) : balance_(other.balance_) { ++balance_->made; }
  Cargo(Cargo&& other) noexcept : balance_(other.balance_) { ++balance_->made; }
  Cargo& operator=(const Cargo&) = delete;
  ~Cargo() { ++balance_->gone; }
  [[nodiscard]] Balance& balance() const { return *balance_; }

 private:
  std::shared_ptr<Balance> balance_;
};
int alive(const std::shared_ptr<Balance>& balance) { return balance->made - balance->gone; }

struct Plain {
  Cargo cargo;
};
struct ByReference {
  Cargo cargo;
};
struct Waiting {
  Cargo cargo;
  Duration time;
};
struct Aside {
  Cargo cargo;
  Duration time;
};
struct Throwing {
  Cargo cargo;
};
struct Boom {};
struct Count {};

struct Porter {
  void handle(Plain plain) { plain.cargo.balance().at_end = alive_now(plain.cargo); }
  void handle(const ByReference& by) { by.cargo.balance().at_end = alive_now(by.cargo); }
  Task<> handle(Waiting waiting, Context& cx) {
    const AtEnd guard{waiting.cargo.balance()};
    co_await cx.sleep(waiting.time);
  }
  Interleaved<> handle(Aside aside, Context& cx) {
    ++begun;
    const AtEnd guard{aside.cargo.balance()};
    co_await cx.sleep(aside.time);
  }
  Task<> handle(Throwing, Context& cx) {
    co_await cx.sleep(1ms);
    throw std::runtime_error("thrown while it held a message");
  }
  void handle(Boom) { throw std::runtime_error("boom"); }
  int handle(Count) { return begun; }

  static int alive_now(const Cargo& cargo) { return cargo.balance().made - cargo.balance().gone; }
  /// Stands behind the message: destroyed before it.
  struct AtEnd {
    Balance& balance;
    ~AtEnd() { balance.at_end = balance.made - balance.gone; }
  };
  int begun = 0;
};

template <class M>
M with(const std::shared_ptr<Balance>& balance) {
  if constexpr (requires { M{Cargo(balance), 1s}; }) {
    return M{Cargo(balance), 1s};
  } else {
    return M{Cargo(balance)};
  }
}

template <class M>
class Lifetime : public testing::Test {};
using Kinds = testing::Types<Plain, ByReference, Waiting, Aside>;
TYPED_TEST_SUITE(Lifetime, Kinds);

TYPED_TEST(Lifetime, M8_a_message_lives_until_its_handler_has_ended_and_is_destroyed_once) {
  const auto balance = std::make_shared<Balance>();
  sim::TestRuntime world;
  const auto porter = world.spawn<Porter>("porter");
  porter.send(with<TypeParam>(balance));
  EXPECT_EQ(alive(balance), 1);
  world.advance(2s);
  EXPECT_GE(balance->at_end, 1);
  EXPECT_EQ(alive(balance), 0);
}

TYPED_TEST(Lifetime, M8_also_when_the_handler_is_cancelled_by_the_end_of_its_actor) {
  const auto balance = std::make_shared<Balance>();
  sim::TestRuntime world;
  const auto porter = world.spawn(child<Porter>("porter").on_stop(drop));
  porter.send(with<TypeParam>(balance));
  world.run();
  world.runtime().stop(porter);
  world.run();
  EXPECT_GE(balance->at_end, 1);
  EXPECT_EQ(alive(balance), 0);
  porter.send(with<TypeParam>(balance));  // nobody's any more
  world.run();
  EXPECT_EQ(alive(balance), 0);
}

TEST(M8, a_message_lives_also_when_another_handler_fails) {
  const auto balance = std::make_shared<Balance>();
  sim::TestRuntime world;
  const auto porter = world.spawn<Porter>("porter");
  porter.send(Aside{Cargo(balance), 1h});
  world.run();
  EXPECT_EQ(alive(balance), 1);
  porter.send(Boom{});
  world.run();
  EXPECT_EQ(balance->at_end, 1);  // it was there while its coroutine was destroyed
  EXPECT_EQ(alive(balance), 0);
  world.advance(1s);
  EXPECT_EQ(world.ask<Count>(porter).value(), 0);  // a new incarnation: it is not handled again
}

TEST(M8, a_message_is_destroyed_when_its_handler_throws) {
  const auto balance = std::make_shared<Balance>();
  sim::TestRuntime world;
  const auto porter = world.spawn<Porter>("porter");
  porter.send(Throwing{Cargo(balance)});
  world.advance(1s);
  EXPECT_EQ(alive(balance), 0);
}

TEST(M8, an_interleaved_handler_gives_the_turn_back_while_it_waits) {
  const auto balance = std::make_shared<Balance>();
  sim::TestRuntime world;
  const auto porter = world.spawn<Porter>("porter");
  for (int i = 0; i < 3; ++i) porter.send(Aside{Cargo(balance), 1s});
  EXPECT_EQ(world.ask<Count>(porter).value(), 3);
  EXPECT_EQ(alive(balance), 3);
  world.advance(1s);
  EXPECT_EQ(alive(balance), 0);
}

TEST(M8, interleaved_handlers_are_bounded) {
  const auto balance = std::make_shared<Balance>();
  sim::TestRuntime world;
  const auto porter = world.spawn(child<Porter>("porter").interleaved(2));
  const auto usual = world.spawn<Porter>("usual");
  for (int i = 0; i < 5; ++i) porter.send(Aside{Cargo(balance), 1s});
  for (int i = 0; i < 100; ++i) usual.send(Aside{Cargo(balance), 1s});
  world.run();
  // No further message is begun while as many wait as may: what is queued stays in flight.
  EXPECT_EQ(world.runtime().counts().in_flight(), 3U + 36U);
  world.advance(1s);
  EXPECT_EQ(world.runtime().counts().in_flight(), 1U);
  world.advance(2s);
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
  EXPECT_EQ(alive(balance), 0);
}

TEST(M8, a_stop_lets_interleaved_handlers_end) {
  const auto balance = std::make_shared<Balance>();
  sim::TestRuntime world;
  const auto porter = world.spawn<Porter>("porter");
  porter.send(Aside{Cargo(balance), 2s});
  world.run();
  world.runtime().stop(porter);
  world.advance(1s);
  EXPECT_EQ(alive(balance), 1);
  EXPECT_EQ(world.runtime().actors(), 2U);
  world.advance(1s);
  EXPECT_EQ(alive(balance), 0);
  EXPECT_EQ(world.runtime().actors(), 1U);
}

// -------------------------------------------------------------------------------- when_all, when_any, pipe, blocking

struct Square {
  int n;
};
struct Math {
  Task<int> handle(Square square, Context& cx) {
    co_await cx.sleep(std::chrono::milliseconds(square.n));
    co_return square.n* square.n;
  }
};
struct Sum {};
struct Race {};
struct Block {};
struct BlockForLong {};
struct Pipe {};
struct Spin {};
struct Done {
  int value;
};
struct Uses {
  explicit Uses(Ref<Math> a, Ref<Math> b) : left(a), right(b) {}
  Task<int> handle(Sum) {
    auto [a, b] = co_await when_all(left.ask<Square>(3).within(1s), right.ask<Square>(4).within(1s));
    co_return a.value() + b.value();
  }
  Task<int> handle(Race, Context& cx) {
    auto first = co_await when_any(left.ask<Square>(100).within(1s), right.ask<Square>(5).within(1s));
    auto timed = co_await when_any(left.ask<Square>(500).within(1s), nap(cx));
    co_return static_cast<int>(first.index()) * 10 + static_cast<int>(timed.index());
  }
  Task<> nap(Context& cx) { co_await cx.sleep(10ms); }
  Task<Result<int>> handle(Block, Context& cx) {
    auto work = [] { return 42; };
    co_return co_await cx.blocking(work).within(1s);
  }
  Task<Result<int>> handle(BlockForLong, Context& cx) {
    auto work = []() -> int { throw std::runtime_error("blocked and failed"); };
    co_return co_await cx.blocking(work).within(1s);
  }
  void handle(Pipe, Context& cx) { cx.pipe(later(cx), cx.self(this)); }
  Task<Done> later(Context& cx) {
    co_await cx.sleep(1s);
    co_return Done{5};
  }
  void handle(Done done) { piped = done.value; }
  int handle(Count) { return piped; }
  Task<int> handle(Spin, Context& cx) {
    for (int i = 0; i < 100'000; ++i) co_await cx.yield();
    co_return 1;
  }
  Ref<Math> left;
  Ref<Math> right;
  int piped = 0;
};

struct Together : testing::Test {
  sim::TestRuntime world;
  Ref<Math> left = world.spawn<Math>("left");
  Ref<Uses> uses = world.spawn<Uses>("uses", left, world.spawn<Math>("right"));
};

TEST_F(Together, M1_when_all_waits_for_both_at_once) {
  const Instant began = world.now();
  EXPECT_EQ(world.ask<Sum>(uses).value(), 25);
  EXPECT_EQ(world.now() - began, 4ms);
}
TEST_F(Together, M1_when_any_goes_on_with_the_first_and_drops_the_rest) {
  EXPECT_EQ(world.ask<Race>(uses).value(), 11);
  world.advance(1s);  // the late answers reach nobody
  EXPECT_EQ(world.ask<Sum>(uses).value(), 25);
}
TEST_F(Together, M1_blocking_work_comes_back_as_a_result) {
  EXPECT_EQ(world.ask<Block>(uses).value(), 42);
  const auto failed = world.ask<BlockForLong>(uses);
  EXPECT_EQ(failed.error().code(), Errc::failed);
  EXPECT_NE(failed.error().text().find("blocked and failed"), std::string_view::npos);
}
TEST_F(Together, M8_a_piped_task_runs_beside_the_turn_and_its_result_is_a_message) {
  uses.send(Pipe{});
  EXPECT_EQ(world.ask<Count>(uses).value(), 0);
  world.advance(1s);
  EXPECT_EQ(world.ask<Count>(uses).value(), 5);
}
TEST_F(Together, M1_a_long_chain_of_yields_ends_without_growing_the_stack) {
  auto spin = world.runtime().ask<Spin>(uses).polled_within(1h);
  auto square = world.runtime().ask<Square>(left, 0).polled_within(1s);
  world.run();
  EXPECT_EQ(square.poll()->value(), 0);
  EXPECT_EQ(spin.poll()->value(), 1);
}

}  // namespace
