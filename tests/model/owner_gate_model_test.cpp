// OwnerGate under the model checker: what a stuck worker keeps for itself is taken by it or by one visitor, never by both.
#include "backstage/exec/detail/owner_gate.hpp"

#include <gtest/gtest.h>

#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

using std::memory_order;

// A slot that its owner fills twice and empties, while visitors try to take what is there.
template <class Gate>
struct World {
  Gate gate;
  model::Plain<int> slot{0};
  int taken[3] = {0, 0, 0};  // how often 1 and 2 were taken
  ModelAtomics::Atomic<std::uint32_t> lock{0};

  void took(int what) {
    if (what == 0) return;
    ++taken[what];
    model::require(taken[what] == 1, "what lies in the slot is taken once");
  }
  int empty_slot() {
    const int found = slot;
    slot = 0;
    return found;
  }
  void owner() {
    for (int what = 1; what <= 2; ++what) {
      gate.enter();
      const int displaced = empty_slot();
      slot = what;
      gate.leave();
      took(displaced);
    }
    gate.enter();
    const int last = empty_slot();
    gate.leave();
    took(last);
  }
  void visitor() {
    if (!gate.visit()) return;
    const int found = empty_slot();
    gate.depart();
    took(found);
  }
  void at_end() { model::require(taken[1] == 1 && taken[2] == 1, "and nothing is lost"); }
};
using Right = World<detail::OwnerGate<ModelAtomics>>;
/// Where the system has no barrier for all threads: the owner always takes the slow way.
struct Costly : ModelAtomics {
  static bool can_expedite() { return false; }
  template <class T>
  static void announce(Atomic<T>& word, std::type_identity_t<T> value, bool cheap) {
    if (cheap) {
      word.store(value, memory_order::relaxed);
    } else {
      word.exchange(value);
    }
  }
};
TEST(OwnerGateModel, F1_the_owner_and_a_visitor_never_take_the_same_in_all_interleavings) {
  using W = Right;
  const auto report =
      model::check<W>({.preemptions = 5, .old_reads = 3}, {{"owner", &W::owner}, {"visitor", &W::visitor}});
  EXPECT_TRUE(model::shown(report, "owner|visitor, 5 preemptions, 3 old reads").passed()) << report.failure;
}
TEST(OwnerGateModel, F1_two_visitors_exclude_each_other) {
  using W = Right;
  const auto report = model::check<W>({.preemptions = 3, .old_reads = 1},
                                      {{"owner", &W::owner}, {"visitor", &W::visitor}, {"another", &W::visitor}});
  EXPECT_TRUE(model::shown(report, "owner|2 visitors, 3 preemptions, 1 old read").passed()) << report.failure;
}
TEST(OwnerGateModel, F1_holds_where_announcing_alone_orders_nothing) {
  using W = World<detail::OwnerGate<Costly>>;
  const auto report =
      model::check<W>({.preemptions = 3, .old_reads = 2}, {{"owner", &W::owner}, {"visitor", &W::visitor}});
  EXPECT_TRUE(model::shown(report, "owner|visitor without barriers, 3 preemptions, 2 old reads").passed())
      << report.failure;
}
TEST(OwnerGateModel, holds_in_many_random_schedules_of_two_visitors) {
  using W = Right;
  const auto report = model::check<W>({.random = 250'000},
                                      {{"owner", &W::owner}, {"visitor", &W::visitor}, {"another", &W::visitor}});
  EXPECT_TRUE(model::shown(report, "owner|2 visitors, random").passed()) << report.failure;
}

// Controls: the owner's word that may come late (no barrier on either side), and a visitor that does not look.
struct Unordered : ModelAtomics {
  template <class T>
  static void announce(Atomic<T>& word, std::type_identity_t<T> value, bool) {
    word.store(value, memory_order::relaxed);
  }
};
struct Rude : detail::OwnerGate<ModelAtomics> {
  bool visit() {
    (void)detail::OwnerGate<ModelAtomics>::visit();
    return true;
  }
};
TEST(OwnerGateModelControl, finds_a_word_that_comes_late) {
  using W = World<detail::OwnerGate<Unordered>>;
  const auto report =
      model::check<W>({.preemptions = 3, .old_reads = 2}, {{"owner", &W::owner}, {"visitor", &W::visitor}});
  EXPECT_FALSE(report.failure.empty()) << report.summary();
}
TEST(OwnerGateModelControl, finds_a_visitor_that_does_not_look) {
  using W = World<Rude>;
  const auto report =
      model::check<W>({.preemptions = 3, .old_reads = 1}, {{"owner", &W::owner}, {"visitor", &W::visitor}});
  EXPECT_FALSE(report.failure.empty()) << report.summary();
}

}  // namespace
}  // namespace backstage
