// PlaceMark under the model checker: no board outlives its place. Controls: a mark whose orders are weaker, and one that is
// set behind the look at the generation.
#include "backstage/scope/detail/place_mark.hpp"

#include <gtest/gtest.h>

#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

using std::memory_order;

template <class Atomics, bool mark_first = true>
struct World {
  detail::PlaceMark<Atomics> mark;
  typename Atomics::template Atomic<int> generation{1};
  model::Mutex boards;
  model::Plain<int> made{0};  // the board's generation, or 0
  model::Plain<bool> over{false};

  /// As Core's: need_board() of generation 1.
  void ask() {
    if (mark_first) mark.ask();
    boards.lock();
    if (generation.load(memory_order::seq_cst) == 1) made = 1;
    boards.unlock();
    if (!mark_first) mark.ask();
  }
  void end() {
    generation.store(2, memory_order::seq_cst);
    if (!mark.taken()) return;
    boards.lock();
    made = 0;
    boards.unlock();
  }
  void at_end() { model::require(made == 0, "no board outlives its place"); }
};

using Right = World<ModelAtomics>;

TEST(PlaceMarkModel, R1_no_board_outlives_its_place) {
  using W = Right;
  const auto report = model::check<W>({.preemptions = 6, .old_reads = 4}, {{"asks", &W::ask}, {"ends", &W::end}});
  EXPECT_TRUE(model::shown(report, "asks|ends, 6 preemptions, 4 old reads").passed()) << report.failure;
}
TEST(PlaceMarkModel, R1_however_many_ask) {
  using W = Right;
  const auto report = model::check<W>({.preemptions = 3, .old_reads = 2},
                                      {{"asks", &W::ask}, {"asks, too", &W::ask}, {"ends", &W::end}});
  EXPECT_TRUE(model::shown(report, "2 ask|ends, 3 preemptions, 2 old reads").passed()) << report.failure;
}

// Controls.
struct Weak : ModelAtomics {
  template <class T>
  struct Atomic : ModelAtomics::Atomic<T> {
    using Base = ModelAtomics::Atomic<T>;
    using Base::Base;
    void store(T value, memory_order) { Base::store(value, memory_order::release); }
    T load(memory_order) const { return Base::load(memory_order::acquire); }
  };
};
TEST(PlaceMarkModel, a_mark_with_weaker_orders_is_found) {
  using W = World<Weak>;
  const auto report = model::check<W>({.preemptions = 6, .old_reads = 4}, {{"asks", &W::ask}, {"ends", &W::end}});
  EXPECT_FALSE(report.failure.empty());
}
TEST(PlaceMarkModel, a_mark_that_is_set_behind_the_look_is_found) {
  using W = World<ModelAtomics, false>;
  const auto report = model::check<W>({.preemptions = 6, .old_reads = 4}, {{"asks", &W::ask}, {"ends", &W::end}});
  EXPECT_FALSE(report.failure.empty());
}

}  // namespace
}  // namespace backstage
