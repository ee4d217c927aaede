// NewestFirst behind an OwnerGate under the model checker: what a worker has made is taken by it or by whoever comes for the
// oldest, each once, and with all that was written before.
#include "backstage/exec/detail/newest_first.hpp"

#include <gtest/gtest.h>

#include <array>

#include "backstage/exec/detail/owner_gate.hpp"
#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

struct Item {
  model::Plain<int> written{0};
  int taken = 0;
};

/// `Gate` as in owner_gate_model_test.cpp, whose controls show what the checker finds.
template <class Gate>
struct World {
  static constexpr int most = 4;
  Gate gate;
  detail::NewestFirst<Item, ModelAtomics, 2> work;
  std::array<Item, most> items;
  ModelAtomics::Atomic<std::uint32_t> unused{0};

  void took(Item* item) {
    if (item == nullptr) return;
    model::require(item->written == 1, "what was written before the push is seen");
    ++item->taken;
    model::require(item->taken == 1, "each is taken once");
  }
  void owner() {
    for (Item& item : items) {
      item.written = 1;
      gate.enter();
      bool pushed = work.push(&item);
      Item* newest = nullptr;
      if (!pushed) {
        newest = work.pop_newest();
        pushed = work.push(&item);
      }
      gate.leave();
      model::require(pushed, "one was taken: there is room");
      took(newest);
    }
  }
  void visitor() {
    if (work.size() == 0 || !gate.visit()) return;
    std::array<Item*, 2> some{};
    const std::uint32_t count = work.take_oldest(some);
    gate.depart();
    for (std::uint32_t i = 0; i < count; ++i) took(some[i]);
  }
  void at_end() {
    while (Item* const left = work.pop_newest()) took(left);
    for (const Item& item : items) model::require(item.taken == 1, "nothing is lost");
  }
};
using Right = World<detail::OwnerGate<ModelAtomics>>;

TEST(NewestFirstModel, F1_each_is_taken_once_by_its_owner_or_by_a_visitor_in_all_interleavings) {
  using W = Right;
  const auto report =
      model::check<W>({.preemptions = 3, .old_reads = 2}, {{"owner", &W::owner}, {"visitor", &W::visitor}});
  EXPECT_TRUE(model::shown(report, "owner|visitor, 3 preemptions, 2 old reads").passed()) << report.failure;
}
TEST(NewestFirstModel, holds_in_many_random_schedules_of_two_visitors) {
  using W = Right;
  const auto report = model::check<W>({.random = 100'000},
                                      {{"owner", &W::owner}, {"visitor", &W::visitor}, {"another", &W::visitor}});
  EXPECT_TRUE(model::shown(report, "owner|2 visitors, random").passed()) << report.failure;
}

// Control: an owner that does not go through the gate.
struct Open : detail::OwnerGate<ModelAtomics> {
  void enter() noexcept {}
  void leave() noexcept {}
};
TEST(NewestFirstModelControl, finds_an_owner_who_passes_by_the_gate) {
  using W = World<Open>;
  const auto report =
      model::check<W>({.preemptions = 3, .old_reads = 2}, {{"owner", &W::owner}, {"visitor", &W::visitor}});
  EXPECT_FALSE(report.failure.empty()) << report.summary();
}

}  // namespace
}  // namespace backstage
