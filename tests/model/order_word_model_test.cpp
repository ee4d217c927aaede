// Orders to a place under the model checker (M3): two threads give orders while the place ends and its cell becomes
// another's. Each accepted order is obeyed once or found by the end; none reaches the next owner; none is slept through.
#include <gtest/gtest.h>

#include "backstage/actor/detail/order_word.hpp"
#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

using std::memory_order;

constexpr std::uint32_t stop = 1;
constexpr std::uint32_t inspect = 2;
constexpr std::uint32_t ordered = 1;  // of the signals
constexpr std::uint32_t asleep = 2;

// The word as it could be got wrong; `Bug` says how.
enum class Bug { none, compares_and_sets_in_two_steps, does_not_release, closes_without_comparing };

template <Bug bug>
class BuggyWord {
 public:
  bool give(std::uint32_t generation, std::uint32_t bits, std::uint32_t = 0) {
    std::uint64_t seen = word_.load(memory_order::relaxed);
    if constexpr (bug == Bug::compares_and_sets_in_two_steps) {
      if (static_cast<std::uint32_t>(seen >> 32U) != generation) return false;
      word_.fetch_or(bits, memory_order::release);
      return true;
    }
    for (;;) {
      if (static_cast<std::uint32_t>(seen >> 32U) != generation) return false;
      const auto order = bug == Bug::does_not_release ? memory_order::relaxed : memory_order::release;
      if (word_.compare_exchange_weak(seen, seen | bits, order, memory_order::relaxed)) return true;
    }
  }
  std::uint32_t waiting() const { return static_cast<std::uint32_t>(word_.load(memory_order::acquire)); }
  std::uint32_t take(std::uint32_t bits) {
    return bits &
           static_cast<std::uint32_t>(word_.fetch_and(~static_cast<std::uint64_t>(bits), memory_order::acquire));
  }
  std::uint32_t close(std::uint32_t next) {
    const std::uint64_t opened = static_cast<std::uint64_t>(next) << 32U;
    if constexpr (bug == Bug::closes_without_comparing) {
      const std::uint64_t left = word_.load(memory_order::acquire);
      word_.store(opened, memory_order::release);
      return static_cast<std::uint32_t>(left);
    }
    return static_cast<std::uint32_t>(word_.exchange(opened, memory_order::acquire));
  }

 private:
  ModelAtomics::Atomic<std::uint64_t> word_{0};
};

// When the owner clears the signal: before it looks at the word, as it must, or after.
enum class Clears { before_the_look, after_the_look };

/// A cell: one owner of the first generation, which ends when it is told to stop, and one of the second. `Inspectors` give
/// an order that may come at any time, and what they wrote before is for whoever takes it.
template <class Word, Clears clears = Clears::before_the_look>
struct World {
  Word word;
  ModelAtomics::Atomic<std::uint32_t> signals{0};
  ModelAtomics::Atomic<std::uint32_t> woken{0};
  model::Plain<int> question{0};
  bool asked = false;
  int stops = 0;
  int looks = 0;

  World() { (void)word.close(1); }

  void tell() {
    const std::uint32_t before = signals.fetch_or(ordered, memory_order::seq_cst);
    if ((before & asleep) != 0 && (signals.fetch_and(~asleep, memory_order::seq_cst) & asleep) != 0) {
      woken.fetch_add(1, memory_order::release);
      ModelAtomics::wake_all(woken);
    }
  }
  void stopper() {
    model::require(word.give(1, stop), "a place that was not told to stop is there");
    tell();
  }
  void inspector() {
    question = 7;
    asked = word.give(1, inspect);
    if (asked) tell();
  }

  void look() {
    if constexpr (clears == Clears::before_the_look) signals.fetch_and(~ordered, memory_order::acq_rel);
    const std::uint32_t seen = word.waiting();
    if (word.take(seen & stop) != 0) ++stops;
    if (word.take(seen & inspect) != 0) answer();
    if constexpr (clears == Clears::after_the_look) signals.fetch_and(~ordered, memory_order::acq_rel);
  }
  void answer() {
    model::require(question == 7, "whoever takes an order sees what its giver did before");
    ++looks;
  }
  void owner() {
    std::uint32_t runs = 0;
    while (stops == 0) {
      if ((signals.load(memory_order::acquire) & ordered) != 0) {
        look();
        continue;
      }
      signals.fetch_or(asleep, memory_order::seq_cst);
      if ((signals.load(memory_order::seq_cst) & ordered) != 0) {
        if ((signals.fetch_and(~asleep, memory_order::seq_cst) & asleep) != 0) continue;
      }
      while (woken.load(memory_order::acquire) == runs) ModelAtomics::wait(woken, runs);
      ++runs;
    }
    // The place is over; its cell becomes another's.
    if ((word.close(2) & inspect) != 0) answer();
    signals.fetch_and(~ordered, memory_order::acq_rel);
    model::require(word.waiting() == 0, "the next owner finds no order that was meant for the last");
  }
  void at_end() {
    model::require(word.waiting() == 0, "the next owner is left alone");
    model::require(stops == 1, "told once, it stops once");
    model::require(looks == (asked ? 1 : 0), "an order that was accepted is obeyed once, any other never");
  }
};

template <class W>
model::Report run(const model::Options& options = {.preemptions = 3, .old_reads = 1}) {
  return model::check<W>(options, {{"stopper", &W::stopper}, {"inspector", &W::inspector}, {"owner", &W::owner}});
}
using Right = World<detail::OrderWord<ModelAtomics>>;

TEST(OrderWordModel, M3_each_order_is_obeyed_once_by_the_place_it_was_given_to) {
  const auto report = run<Right>();
  EXPECT_TRUE(model::shown(report, "2 givers|owner that ends, 3 preemptions, 1 old read").passed()) << report.failure;
}
TEST(OrderWordModel, M3_holds_in_many_random_schedules) {
  const auto report = run<Right>({.random = 200'000});
  EXPECT_TRUE(model::shown(report, "2 givers|owner that ends, random").passed()) << report.failure;
}

struct Undoing {
  detail::OrderWord<ModelAtomics> word;
  Undoing() { (void)word.close(1); }
  void giver() {
    (void)word.give(1, 4, 8);
    (void)word.give(1, 8, 4);
  }
  void owner() { (void)word.take(4); }
  void at_end() { model::require(word.waiting() == 8, "of two orders that undo each other the later stands"); }
};
TEST(OrderWordModel, M3_of_two_orders_that_undo_each_other_the_later_stands) {
  const auto report = model::check<Undoing>({}, {{"giver", &Undoing::giver}, {"owner", &Undoing::owner}});
  EXPECT_TRUE(model::shown(report, "giver of two|owner").passed()) << report.failure;
}

// Controls: the bugs that the checker must find.
TEST(OrderWordModelControl, finds_nothing_wrong_with_the_right_word_in_this_setting) {
  const auto report = run<World<BuggyWord<Bug::none>>>();
  EXPECT_TRUE(report.passed()) << report.failure;
}
TEST(OrderWordModelControl, finds_an_order_that_reaches_the_next_owner) {
  const auto report = run<World<BuggyWord<Bug::compares_and_sets_in_two_steps>>>();
  EXPECT_NE(report.failure.find("next owner"), std::string::npos) << report.summary();
}
TEST(OrderWordModelControl, finds_an_order_that_is_lost_when_the_place_closes) {
  const auto report = run<World<BuggyWord<Bug::closes_without_comparing>>>();
  EXPECT_NE(report.failure.find("obeyed once"), std::string::npos) << report.summary();
}
TEST(OrderWordModelControl, finds_an_order_that_does_not_release) {
  const auto report = run<World<BuggyWord<Bug::does_not_release>>>();
  EXPECT_FALSE(report.passed());
}
TEST(OrderWordModelControl, finds_an_owner_that_clears_the_signal_after_its_look) {
  const auto report = run<World<detail::OrderWord<ModelAtomics>, Clears::after_the_look>>();
  EXPECT_NE(report.failure.find("deadlock"), std::string::npos) << report.summary();
}

}  // namespace
}  // namespace backstage
