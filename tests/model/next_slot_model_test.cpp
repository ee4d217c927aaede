// NextSlot under the model checker: what a worker would run next is taken by it or by one visitor, never by both, and never lost.
#include "backstage/exec/detail/next_slot.hpp"

#include <gtest/gtest.h>

#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

using std::memory_order;

struct Work {
  int number = 0;
  model::Plain<int> made{0};
};

// An owner that puts two in, takes what they displace, and then what is there; and visitors.
template <class Slot>
struct World {
  Slot slot;
  Work work[2] = {{1}, {2}};
  int taken[3] = {0, 0, 0};

  void took(Work* what) {
    if (what == nullptr) return;
    model::require(static_cast<int>(what->made) == what->number, "what was written before it was put in is seen");
    ++taken[what->number];
    model::require(taken[what->number] == 1, "what lies in the slot is taken once");
  }
  Work* replace(Work* next) {
    Work* const before = slot.replace(next);
    return slot.is_calm() ? before : slot.settle(before);
  }
  void owner() {
    for (Work& one : work) {
      one.made = one.number;
      took(replace(&one));
    }
    took(slot.take());
  }
  void visitor() { took(slot.visit()); }
  void visitor_twice() {
    visitor();
    visitor();
  }
  void visitor_who_diverts() {
    slot.divert(true);
    visitor();
    slot.divert(false);
  }
  void at_end() { model::require(taken[1] == 1 && taken[2] == 1, "and nothing is lost"); }
};
using Right = World<detail::NextSlot<Work, ModelAtomics>>;
/// The owner's store as it is where visitors see to the barrier: it orders nothing but what was written before it.
struct Plain : ModelAtomics {
  template <class T>
  static void announce(Atomic<T>& word, std::type_identity_t<T> value, bool) {
    word.store(value, memory_order::release);
  }
};
/// Where the system has no barrier for all threads: the owner's store may come late, and it always goes the slow way.
struct Costly : Plain {
  static bool can_expedite() { return false; }
};

TEST(NextSlotModel, F3_the_owner_and_a_visitor_never_take_the_same_in_all_interleavings) {
  using W = Right;
  const auto report =
      model::check<W>({.preemptions = 5, .old_reads = 3}, {{"owner", &W::owner}, {"visitor", &W::visitor}});
  EXPECT_TRUE(model::shown(report, "owner|visitor, 5 preemptions, 3 old reads").passed()) << report.failure;
}
TEST(NextSlotModel, F3_nor_does_a_visitor_who_comes_again_before_the_owner_has_heard) {
  using W = Right;
  const auto report =
      model::check<W>({.preemptions = 4, .old_reads = 2}, {{"owner", &W::owner}, {"visitor", &W::visitor_twice}});
  EXPECT_TRUE(model::shown(report, "owner|visitor twice, 4 preemptions, 2 old reads").passed()) << report.failure;
}
TEST(NextSlotModel, F3_nor_do_two_visitors) {
  using W = Right;
  const auto report = model::check<W>({.preemptions = 3, .old_reads = 1},
                                      {{"owner", &W::owner}, {"visitor", &W::visitor}, {"another", &W::visitor}});
  EXPECT_TRUE(model::shown(report, "owner|2 visitors, 3 preemptions, 1 old read").passed()) << report.failure;
}
TEST(NextSlotModel, F3_nor_while_the_owner_is_diverted) {
  using W = Right;
  const auto report = model::check<W>({.preemptions = 4, .old_reads = 1},
                                      {{"owner", &W::owner}, {"visitor", &W::visitor_who_diverts}});
  EXPECT_TRUE(model::shown(report, "owner|visitor who diverts, 4 preemptions, 1 old read").passed())
      << report.failure;
}
TEST(NextSlotModel, F3_needs_nothing_of_the_owners_store_but_that_its_look_comes_behind_it) {
  using W = World<detail::NextSlot<Work, Plain>>;
  const auto report =
      model::check<W>({.preemptions = 4, .old_reads = 3}, {{"owner", &W::owner}, {"visitor", &W::visitor_twice}});
  EXPECT_TRUE(model::shown(report, "owner with a plain store|visitor, 4 preemptions, 3 old reads").passed())
      << report.failure;
}
TEST(NextSlotModel, F3_holds_where_announcing_alone_orders_nothing) {
  using W = World<detail::NextSlot<Work, Costly>>;
  const auto report =
      model::check<W>({.preemptions = 4, .old_reads = 3}, {{"owner", &W::owner}, {"visitor", &W::visitor_twice}});
  EXPECT_TRUE(model::shown(report, "owner|visitor without barriers, 4 preemptions, 3 old reads").passed())
      << report.failure;
}
TEST(NextSlotModel, holds_in_many_random_schedules_of_two_visitors) {
  using W = Right;
  const auto report = model::check<W>(
      {.random = 250'000}, {{"owner", &W::owner}, {"visitor", &W::visitor_twice}, {"another", &W::visitor_twice}});
  EXPECT_TRUE(model::shown(report, "owner|2 visitors, random").passed()) << report.failure;
}

// Controls: an owner whose look comes before its store (what a processor may do that nothing orders), and one that does not look.
struct Hasty : detail::NextSlot<Work, ModelAtomics> {
  [[nodiscard]] Work* replace(Work* next) {
    was_calm_ = NextSlot::is_calm();
    return NextSlot::replace(next);
  }
  [[nodiscard]] bool is_calm() const { return was_calm_; }

 private:
  bool was_calm_ = false;
};
struct Careless : detail::NextSlot<Work, ModelAtomics> {
  [[nodiscard]] bool is_calm() const { return true; }
};
TEST(NextSlotModelControl, finds_a_store_that_comes_behind_the_look) {
  using W = World<Hasty>;
  const auto report =
      model::check<W>({.preemptions = 3, .old_reads = 2}, {{"owner", &W::owner}, {"visitor", &W::visitor}});
  EXPECT_FALSE(report.failure.empty()) << report.summary();
}
TEST(NextSlotModelControl, finds_an_owner_that_does_not_look) {
  using W = World<Careless>;
  const auto report =
      model::check<W>({.preemptions = 3, .old_reads = 1}, {{"owner", &W::owner}, {"visitor", &W::visitor}});
  EXPECT_FALSE(report.failure.empty()) << report.summary();
}

}  // namespace
}  // namespace backstage
