// The ends of places and of Runtimes under the model checker: a visitor against the end (Presence), and what is left in
// a lane against the death of whom it is meant for: a monitor (A19), a command, a message for an older generation.
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "backstage/exec/detail/lane.hpp"
#include "backstage/exec/detail/presence.hpp"
#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

using std::memory_order;

// ------------------------------------------------------------------------------------------------- Presence

template <class Presence, bool Waits>
struct Ending {
  Presence presence;
  model::Plain<int> memory{1};

  void visits() {
    if (!presence.enter()) return;
    model::require(memory == 1, "what is used inside is there");
    presence.leave();
  }
  void visits_twice() {
    visits();
    visits();
  }
  void ends() {
    presence.close();
    while (Waits && !presence.is_empty()) ModelAtomics::pause();
    memory = 0;
  }
  void at_end() { model::require(presence.is_empty(), "everybody has left"); }
};
using Right = Ending<detail::PresenceOf<ModelAtomics>, true>;

/// Looks whether it is closed before it says that it is inside.
struct HastyPresence {
  ModelAtomics::Atomic<std::uint64_t> word{0};
  ModelAtomics::Atomic<bool> closed{false};
  bool enter() {
    if (closed.load(memory_order::seq_cst)) return false;
    word.fetch_add(1, memory_order::seq_cst);
    return true;
  }
  void leave() { word.fetch_sub(1, memory_order::release); }
  void close() { closed.store(true, memory_order::seq_cst); }
  bool is_empty() { return word.load(memory_order::acquire) == 0; }
};
/// Leaves without saying what it did inside.
struct RelaxedPresence {
  static constexpr std::uint64_t closed = 1ULL << 63U;
  ModelAtomics::Atomic<std::uint64_t> word{0};
  bool enter() {
    if ((word.fetch_add(1, memory_order::seq_cst) & closed) == 0) return true;
    word.fetch_sub(1, memory_order::relaxed);
    return false;
  }
  void leave() { word.fetch_sub(1, memory_order::relaxed); }
  void close() { word.fetch_or(closed, memory_order::relaxed); }
  bool is_empty() { return (word.load(memory_order::acquire) & ~closed) == 0; }
};

TEST(PresenceModel, nobody_is_inside_when_the_end_has_come) {
  const auto report = model::check<Right>(
      {.preemptions = 4}, {{"visits", &Right::visits}, {"visits too", &Right::visits}, {"ends", &Right::ends}});
  EXPECT_TRUE(model::shown(report, "2 visitors|end, 4 preemptions").passed()) << report.failure;
}
TEST(PresenceModel, nobody_is_inside_in_many_random_schedules) {
  const auto report = model::check<Right>({.random = 250'000}, {{"visits 1", &Right::visits_twice},
                                                                {"visits 2", &Right::visits_twice},
                                                                {"visits 3", &Right::visits},
                                                                {"ends", &Right::ends}});
  EXPECT_TRUE(model::shown(report, "3 visitors|end, random").passed()) << report.failure;
}
TEST(PresenceModelControl, finds_the_end_that_does_not_wait) {
  using World = Ending<detail::PresenceOf<ModelAtomics>, false>;
  const auto report = model::check<World>({}, {{"visits", &World::visits}, {"ends", &World::ends}});
  EXPECT_FALSE(report.failure.empty());
}
TEST(PresenceModelControl, finds_the_visitor_that_looks_before_it_says_that_it_is_inside) {
  using World = Ending<HastyPresence, true>;
  const auto report = model::check<World>({}, {{"visits", &World::visits}, {"ends", &World::ends}});
  EXPECT_FALSE(report.failure.empty());
}
TEST(PresenceModelControl, finds_the_visitor_that_leaves_without_a_release) {
  using World = Ending<RelaxedPresence, true>;
  const auto report = model::check<World>({}, {{"visits", &World::visits}, {"ends", &World::ends}});
  EXPECT_NE(report.failure.find("race"), std::string::npos) << report.summary();
}

// ------------------------------------------------------------------------------- the lane against a place's end

enum class Mistake { none, does_not_look_again, does_not_compare_generations, tells_the_listed_twice };

/// A place that lives, ends, and is given to somebody else, as Cell::run(), post_lane() and Watches do it: what is left in
/// its lane is run in a turn, and says by its generation for whom it was meant. `idle` stands for the mailbox's run state:
/// whoever finds it idle runs the cell.
template <Mistake mistake, bool Reused>
struct Place {
  struct Watch {
    Watch* lane_next = nullptr;
    std::uint32_t generation = 0;
    Watch* listed = nullptr;
    model::Plain<int> told{0};  // by one thread at a time, and seen by the next
  };
  detail::Lane<Watch, ModelAtomics> lane;
  ModelAtomics::Atomic<bool> idle{false};  // it runs
  ModelAtomics::Atomic<std::uint32_t> gate{1};
  ModelAtomics::Atomic<bool> alive{true};
  model::Plain<Watch*> watchers{nullptr};  // the cell's own turn
  Watch first;
  Watch second;

  bool wake() { return idle.exchange(false, memory_order::seq_cst); }
  void tell(Watch& watch) { watch.told = watch.told + 1; }

  /// Whoever monitors: send_attach().
  void attach(Watch& watch) {
    watch.generation = 1;
    if (gate.load(memory_order::acquire) != 1) return tell(watch);  // gone already
    (void)lane.push(&watch);
    if (wake()) run();
  }
  void monitors() { attach(first); }
  void monitors_too() { attach(second); }

  /// run_attach(), for each node in the lane.
  void run_lane() {
    for (Watch* node = lane.take_all(); node != nullptr;) {
      Watch* const next = node->lane_next;
      const bool meant =
          mistake == Mistake::does_not_compare_generations || node->generation == gate.load(memory_order::relaxed);
      if (meant && alive.load(memory_order::relaxed)) {
        node->listed = watchers;
        watchers = node;
      } else {
        tell(*node);
      }
      node = next;
    }
  }
  /// The loop of a turn: until it is idle and nobody has left anything.
  void run() {
    for (;;) {
      run_lane();
      idle.store(true, memory_order::seq_cst);
      if (mistake == Mistake::does_not_look_again || lane.empty(memory_order::seq_cst)) return;
      if (!wake()) return;  // whoever left it runs it
    }
  }
  /// The end, in the turn that lives: Watches::take() and tell(), the generation first.
  void dies() {
    run_lane();
    alive.store(false, memory_order::seq_cst);
    gate.store(2, memory_order::seq_cst);
    for (Watch* watch = watchers; watch != nullptr;) {
      Watch* const next = watch->listed;
      tell(*watch);
      if (mistake == Mistake::tells_the_listed_twice) (void)lane.push(watch);
      watch = next;
    }
    watchers = nullptr;
    if (Reused) alive.store(true, memory_order::seq_cst);  // somebody else's place from now on
    run();
  }
  void at_end() {
    model::require(first.told == 1, "the first heard of the end exactly once");
    model::require(second.told == 1, "the second heard of the end exactly once");
    model::require(lane.take_all() == nullptr, "nothing is left in the lane");
  }
};
template <Mistake mistake, bool reused>
model::Report two_monitors(const model::Options& options) {
  using World = Place<mistake, reused>;
  return model::check<World>(
      options, {{"dies", &World::dies}, {"monitors", &World::monitors}, {"monitors too", &World::monitors_too}});
}
TEST(LifeModel, A19_a_monitor_set_while_its_target_dies_hears_of_it_exactly_once) {
  const auto report = two_monitors<Mistake::none, false>({.preemptions = 3, .old_reads = 1});
  EXPECT_TRUE(model::shown(report, "dies|2 monitors, 3 preemptions, 1 old read").passed()) << report.failure;
}
TEST(LifeModel, A19_also_when_the_place_is_given_to_somebody_else_at_once) {
  const auto report = two_monitors<Mistake::none, true>({.preemptions = 3, .old_reads = 1});
  EXPECT_TRUE(model::shown(report, "dies, reused|2 monitors, 3 preemptions, 1 old read").passed()) << report.failure;
}
TEST(LifeModel, A19_in_many_random_schedules) {
  const auto report = two_monitors<Mistake::none, true>({.random = 250'000});
  EXPECT_TRUE(model::shown(report, "dies, reused|2 monitors, random").passed()) << report.failure;
}
TEST(LifeModelControl, A19_finds_the_place_that_does_not_look_again_when_it_is_idle) {
  const auto report = two_monitors<Mistake::does_not_look_again, false>({.preemptions = 3});
  EXPECT_NE(report.failure.find("exactly once"), std::string::npos) << report.summary();
}
TEST(LifeModelControl, A19_finds_a_monitor_of_the_old_place_that_is_taken_for_one_of_the_new) {
  const auto report = two_monitors<Mistake::does_not_compare_generations, true>({.preemptions = 3});
  EXPECT_NE(report.failure.find("exactly once"), std::string::npos) << report.summary();
}
TEST(LifeModelControl, A19_finds_a_monitor_that_is_told_twice) {
  const auto report = two_monitors<Mistake::tells_the_listed_twice, false>({.preemptions = 2});
  EXPECT_NE(report.failure.find("exactly once"), std::string::npos) << report.summary();
}

}  // namespace
}  // namespace backstage
