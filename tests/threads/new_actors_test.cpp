// New actors run newest first (F1: and yet each of them runs), and whoever makes many in one message takes back those that
// have ended meanwhile. Proved by the order of events: a broken promise hangs.
#include <algorithm>
#include <latch>
#include <semaphore>
#include <vector>

#include "threads/support.hpp"

namespace backstage::threads_test {
namespace {

using namespace std::chrono_literals;

struct Make {
  unsigned children;
};

/// Runs once.
struct Newborn {
  explicit Newborn(std::latch* born) : born_(born) {}
  void init() { born_->count_down(); }
  std::latch* born_;
};

/// Starts children and keeps its worker until all of them have begun.
class Keeper {
 public:
  explicit Keeper(std::latch* born) : born_(born) {}
  bool handle(Make make, Context& cx) {
    for (unsigned i = 0; i < make.children; ++i) cx.spawn<Newborn>(unnamed, born_);
    born_->wait();
    return true;
  }

 private:
  std::latch* born_;
};

void expect_children_run(unsigned workers, unsigned children) {
  std::latch born(children);
  Runtime runtime(quiet(workers));
  const auto keeper = runtime.spawn<Keeper>("keeper", &born);
  EXPECT_TRUE(runtime.ask<Make>(keeper, children).within(long_enough).value());
  expect_rest(runtime);
}

TEST(NewActorsOnThreads, F1_the_only_child_of_a_handler_that_keeps_its_worker_runs) { expect_children_run(2, 1); }
TEST(NewActorsOnThreads, F1_the_children_of_a_handler_that_keeps_its_worker_run) { expect_children_run(2, 40); }
TEST(NewActorsOnThreads, F1_more_of_them_than_a_worker_has_room_for_run) { expect_children_run(2, 3'000); }
TEST(NewActorsOnThreads, F1_with_one_worker_a_spare_one_runs_them) { expect_children_run(1, 1'000); }
TEST(NewActorsOnThreads, F1_with_many_workers_too) { expect_children_run(8, 3'000); }

struct Link {
  void init(Context& cx) { cx.stop(); }
};
/// Starts one Link after the other, each newer than all that waits, until the old ones have had their turn.
class Chain {
 public:
  explicit Chain(std::latch* born) : born_(born) {}
  bool handle(Make make, Context& cx) {
    for (unsigned i = 0; i < make.children; ++i) cx.spawn<Newborn>(unnamed, born_);
    next(cx);
    return true;
  }
  struct Next {};
  void handle(Next, Context& cx) { next(cx); }
  struct Steps {};
  unsigned handle(Steps) const { return steps_; }

 private:
  /// A new actor for each step, and word to itself: both come before what is old, if nothing sees to it.
  void next(Context& cx) {
    if (born_->try_wait()) return;
    ++steps_;
    cx.spawn<Link>(unnamed);
    cx.self(this).send(Next{});
  }
  std::latch* born_;
  unsigned steps_ = 0;
};

/// After at most so many turns of the chain.
void expect_the_old_run(unsigned workers, unsigned old, unsigned turns) {
  std::latch born(old);
  Runtime runtime(quiet(workers));
  const auto chain = runtime.spawn<Chain>("chain", &born);
  EXPECT_TRUE(runtime.ask<Make>(chain, old).within(long_enough).value());
  born.wait();
  EXPECT_LE(runtime.ask<Chain::Steps>(chain).within(long_enough).value(), turns * 64) << "a turn has 64 messages";
  expect_rest(runtime);
}

TEST(NewActorsOnThreads, F1_an_old_one_runs_although_newer_ones_keep_coming) { expect_the_old_run(1, 1, 2); }
TEST(NewActorsOnThreads, F1_many_old_ones_run_although_newer_ones_keep_coming) { expect_the_old_run(1, 1'000, 12); }
TEST(NewActorsOnThreads, F1_and_beside_other_workers) { expect_the_old_run(4, 1'000, 1'000); }

/// Yields once, and sees whom it let go first.
struct Yielder {
  Task<bool> handle(Make, Context& cx) {
    std::latch born(1);
    cx.spawn<Newborn>(unnamed, &born);
    co_await cx.yield();
    co_return born.try_wait();
  }
};

TEST(NewActorsOnThreads, F1_who_yields_lets_its_new_children_go_first) {
  Runtime runtime(quiet(1));
  const auto yielder = runtime.spawn<Yielder>("yielder");
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(runtime.ask<Make>(yielder, 1U).within(long_enough).value());
  expect_rest(runtime);
}

struct Gone {
  explicit Gone(std::binary_semaphore* gone) : gone_(gone) {}
  Gone(const Gone&) = delete;
  Gone& operator=(const Gone&) = delete;
  ~Gone() { gone_->release(); }
  void init(Context& cx) { cx.stop(); }
  std::binary_semaphore* gone_;
};
/// One child after the other, in one message.
class Mother {
 public:
  explicit Mother(Runtime* runtime) : runtime_(runtime) {}
  std::size_t handle(Make make, Context& cx) {
    std::size_t most = 0;
    for (unsigned i = 0; i < make.children; ++i) {
      cx.spawn<Gone>(unnamed, &gone_);
      gone_.acquire();
      most = std::max(most, runtime_->actors());
    }
    return most;
  }

 private:
  Runtime* runtime_;
  std::binary_semaphore gone_{0};
};

TEST(NewActorsOnThreads, L4_who_makes_many_in_one_message_takes_back_those_that_have_ended) {
  Runtime runtime(quiet(2));
  const auto mother = runtime.spawn<Mother>("mother", &runtime);
  const std::size_t most = runtime.ask<Make>(mother, 2'000U).within(long_enough).value();
  // The word of an end comes a moment after the destructor; each spawn takes up to four.
  EXPECT_LT(most, 200U) << "without, all 2,000 places would be taken until the message is handled";
  expect_rest(runtime);
}

}  // namespace
}  // namespace backstage::threads_test
