// The checker itself: that it explores what it says, and that it finds each kind of bug it promises to find.
#include "model/checker.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "model/print.hpp"

namespace backstage {
namespace {

using model::Options;
using std::memory_order;

// Two threads of two steps each: C(4, 2) = 6 interleavings.
struct TwoByTwo {
  ModelAtomics::Atomic<int> a{0};
  void walk() {
    a.fetch_add(1);
    a.fetch_add(1);
  }
  void at_end() { model::require(a.load() == 4, "all four steps were taken"); }
};
TEST(Checker, explores_each_interleaving_once) {
  const auto report = model::check<TwoByTwo>({}, {{"one", &TwoByTwo::walk}, {"two", &TwoByTwo::walk}});
  EXPECT_TRUE(report.passed()) << report.failure;
  EXPECT_EQ(report.schedules, 6U);
}
TEST(Checker, with_no_preemption_only_runs_threads_one_after_the_other) {
  const auto report =
      model::check<TwoByTwo>({.preemptions = 0}, {{"one", &TwoByTwo::walk}, {"two", &TwoByTwo::walk}});
  EXPECT_TRUE(report.passed()) << report.failure;
  EXPECT_EQ(report.schedules, 2U);
}

// Store buffering: whether both threads may miss the other's store. The orders are what the test varies.
template <memory_order StoreOrder, memory_order LoadOrder>
struct Dekker {
  ModelAtomics::Atomic<int> a{0};
  ModelAtomics::Atomic<int> b{0};
  int seen_by_one = 0;
  int seen_by_two = 0;
  void one() {
    a.store(1, StoreOrder);
    seen_by_one = b.load(LoadOrder);
  }
  void two() {
    b.store(1, StoreOrder);
    seen_by_two = a.load(LoadOrder);
  }
  void at_end() { model::require(seen_by_one + seen_by_two > 0, "somebody sees the other"); }
};
template <class World>
model::Report dekker(model::Memory memory = model::Memory::weak) {
  return model::check<World>({.memory = memory}, {{"one", &World::one}, {"two", &World::two}});
}
TEST(Checker, lets_release_stores_pass_later_acquire_loads_as_store_buffers_do) {
  using World = Dekker<memory_order::release, memory_order::acquire>;
  const auto report = dekker<World>();
  EXPECT_NE(report.failure.find("broken: somebody sees the other"), std::string::npos) << report.summary();
  EXPECT_TRUE(dekker<World>(model::Memory::sequential).passed()) << "interleaving alone is blind to it";
}
TEST(Checker, keeps_seq_cst_stores_before_later_seq_cst_loads) {
  const auto report = dekker<Dekker<memory_order::seq_cst, memory_order::seq_cst>>();
  EXPECT_TRUE(report.passed()) << report.failure;
}
TEST(Checker, knows_that_a_seq_cst_store_does_not_bind_an_acquire_load) {
  EXPECT_FALSE((dekker<Dekker<memory_order::seq_cst, memory_order::acquire>>().passed()));
}

// Message passing: whether who sees the flag sees what was written before it.
template <memory_order StoreOrder, memory_order LoadOrder>
struct Passing {
  ModelAtomics::Atomic<int> flag{0};
  ModelAtomics::Atomic<int> news{0};
  model::Plain<int> plain{0};
  void writer() {
    news.store(1, memory_order::relaxed);
    plain = 1;
    flag.store(1, StoreOrder);
  }
  void reader() {
    if (flag.load(LoadOrder) == 0) return;
    model::require(news.load(memory_order::relaxed) == 1, "the news came with the flag");
    model::require(plain == 1, "and so did the rest");
  }
};
template <class World>
model::Report passing() {
  return model::check<World>({}, {{"writer", &World::writer}, {"reader", &World::reader}});
}
TEST(Checker, sees_release_and_acquire_carry_what_was_written_before) {
  const auto report = passing<Passing<memory_order::release, memory_order::acquire>>();
  EXPECT_TRUE(report.passed()) << report.failure;
}
TEST(Checker, finds_a_missing_release_and_a_missing_acquire) {
  EXPECT_FALSE((passing<Passing<memory_order::relaxed, memory_order::acquire>>().passed()));
  EXPECT_FALSE((passing<Passing<memory_order::release, memory_order::relaxed>>().passed()));
}

// A release sequence: an acquire of a later read-modify-write learns what the first store released.
struct ReleaseSequence {
  ModelAtomics::Atomic<int> flag{0};
  model::Plain<int> plain{0};
  void writer() {
    plain = 1;
    flag.store(1, memory_order::release);
  }
  void adder() { flag.fetch_add(2, memory_order::relaxed); }
  void reader() {
    const int seen = flag.load(memory_order::acquire);
    if (seen == 1 || seen == 3) {
      const int value = plain;
      model::require(value == 1, "released through the read-modify-write");
    }
  }
};
TEST(Checker, follows_release_sequences) {
  using World = ReleaseSequence;
  // 3 after the writer's 1 continues its sequence; 2 then 1 does not pass through reader's branch with stale data.
  const auto report =
      model::check<World>({}, {{"writer", &World::writer}, {"adder", &World::adder}, {"reader", &World::reader}});
  EXPECT_TRUE(report.passed()) << report.failure;
}

struct Race {
  model::Plain<int> plain{0};
  ModelAtomics::Atomic<int> step{0};
  void write() {
    step.fetch_add(1, memory_order::relaxed);
    plain = 1;
  }
};
TEST(Checker, finds_a_data_race) {
  const auto report = model::check<Race>({}, {{"one", &Race::write}, {"two", &Race::write}});
  EXPECT_NE(report.failure.find("data race"), std::string::npos) << report.summary();
}

struct Sleeper {
  ModelAtomics::Atomic<std::uint32_t> word{0};
  bool is_woken = false;
  void sleeps() {
    if (word.load(memory_order::acquire) == 0) is_woken = ModelAtomics::wait(word, 0);
  }
  void forgets() { word.store(1, memory_order::release); }
  void wakes() {
    word.store(1, memory_order::release);
    ModelAtomics::wake_one(word);
  }
};
TEST(Checker, finds_a_lost_wakeup_and_prints_the_schedule) {
  const auto lost = model::check<Sleeper>({}, {{"sleeper", &Sleeper::sleeps}, {"waker", &Sleeper::forgets}});
  EXPECT_NE(lost.failure.find("deadlock: nobody will wake sleeper"), std::string::npos) << lost.failure;
  EXPECT_NE(lost.failure.find("sleeper: a0.wait(0) sleeps"), std::string::npos) << lost.failure;
  EXPECT_NE(lost.failure.find("waker: a0.store(release) 1"), std::string::npos) << lost.failure;
  const auto woken = model::check<Sleeper>({}, {{"sleeper", &Sleeper::sleeps}, {"waker", &Sleeper::wakes}});
  EXPECT_TRUE(woken.passed()) << woken.failure;
}

struct Freed {
  struct Node {
    ModelAtomics::Atomic<int> value{0};
  };
  alignas(Node) std::byte memory[sizeof(Node)];
  Node* node = new (memory) Node;
  void frees() { node->~Node(); }
  void reads() { node->value.load(memory_order::relaxed); }
};
TEST(Checker, finds_the_use_of_a_destroyed_node) {
  const auto report = model::check<Freed>({}, {{"frees", &Freed::frees}, {"reads", &Freed::reads}});
  EXPECT_NE(report.failure.find("used after its end"), std::string::npos) << report.summary();
}

struct Spin {
  ModelAtomics::Atomic<int> flag{0};
  void waits() {
    while (flag.load(memory_order::acquire) == 0) ModelAtomics::pause();
  }
  void sets() { flag.store(1, memory_order::release); }
};
TEST(Checker, lets_a_paused_spin_end_and_finds_one_that_cannot) {
  const auto ends = model::check<Spin>({}, {{"waits", &Spin::waits}, {"sets", &Spin::sets}});
  EXPECT_TRUE(ends.passed()) << ends.failure;
  const auto never = model::check<Spin>({}, {{"waits", &Spin::waits}});
  EXPECT_NE(never.failure.find("endless"), std::string::npos) << never.summary();
}

struct Locked {
  ModelAtomics::Mutex mutex;
  model::Plain<int> plain{0};
  ModelAtomics::Atomic<int> step{0};
  void adds() {
    mutex.lock();
    const int seen = plain;
    step.fetch_add(1, memory_order::relaxed);
    plain = seen + 1;
    mutex.unlock();
  }
  void at_end() { model::require(plain == 3, "no addition was lost"); }
};
TEST(Checker, sees_a_mutex_keep_others_out) {
  const auto report =
      model::check<Locked>({}, {{"one", &Locked::adds}, {"two", &Locked::adds}, {"three", &Locked::adds}});
  EXPECT_TRUE(report.passed()) << report.failure;
}

TEST(Checker, runs_the_same_random_schedules_for_the_same_seed) {
  using World = Dekker<memory_order::release, memory_order::acquire>;
  const auto run = [](std::uint64_t seed) {
    return model::check<World>({.random = 10'000, .seed = seed}, {{"one", &World::one}, {"two", &World::two}});
  };
  EXPECT_EQ(run(7).failure, run(7).failure);
  EXPECT_FALSE(run(7).passed());
  std::set<std::string> different;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) different.insert(run(seed).failure);
  EXPECT_GT(different.size(), 1U);
}

}  // namespace
}  // namespace backstage
