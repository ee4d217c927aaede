// A standstill under the model checker: whoever holds all still is alone with what they touch, workers and visitors alike.
#include "backstage/exec/detail/standstill.hpp"

#include <gtest/gtest.h>

#include "backstage/exec/detail/presence.hpp"
#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

using std::memory_order;

/// Two workers that are idle now and then, and the watch, which gives memory back when both are.
template <class Standstill>
struct Resting {
  Standstill standstill;
  ModelAtomics::Atomic<bool> busy_one{false};
  ModelAtomics::Atomic<bool> busy_two{false};
  model::Plain<int> one{0};  // its worker's, and the holder's
  model::Plain<int> two{0};

  void work(ModelAtomics::Atomic<bool>& busy, model::Plain<int>& mine) {
    for (int turn = 0; turn < 2; ++turn) {
      standstill.begin(busy);
      mine = mine + 1;
      Standstill::end(busy);
    }
  }
  void worker_one() { work(busy_one, one); }
  void worker_two() { work(busy_two, two); }
  void watch() {
    const auto any_busy = [this] {
      return busy_one.load(memory_order::seq_cst) || busy_two.load(memory_order::seq_cst);
    };
    if (!standstill.try_hold(any_busy)) return;
    one = one + 10;
    two = two + 10;
    standstill.go_on();
  }
  void at_end() { model::require(one % 10 == 2 && two % 10 == 2, "no turn is lost"); }
};
using Right = Resting<detail::Standstill<ModelAtomics>>;

/// Looks whether it is held before it says that it is busy.
struct Hasty {
  ModelAtomics::Atomic<bool> held{false};
  void begin(ModelAtomics::Atomic<bool>& busy) {
    while (held.load(memory_order::seq_cst)) ModelAtomics::pause();
    busy.store(true, memory_order::seq_cst);
  }
  static void end(ModelAtomics::Atomic<bool>& busy) { busy.store(false, memory_order::release); }
  template <class AnyBusy>
  bool try_hold(AnyBusy any_busy) {
    held.store(true, memory_order::seq_cst);
    if (!any_busy()) return true;
    go_on();
    return false;
  }
  void go_on() { held.store(false, memory_order::release); }
};
/// Says that it is busy in a way that may be seen late.
struct Late : Hasty {
  void begin(ModelAtomics::Atomic<bool>& busy) {
    busy.store(true, memory_order::release);
    while (held.load(memory_order::acquire)) ModelAtomics::pause();
  }
};

TEST(StandstillModel, M6_who_holds_is_alone_in_all_interleavings) {
  const auto report = model::check<Right>(
      {.preemptions = 4}, {{"one", &Right::worker_one}, {"two", &Right::worker_two}, {"watch", &Right::watch}});
  EXPECT_TRUE(model::shown(report, "2 workers|watch, 4 preemptions").passed()) << report.failure;
}
TEST(StandstillModel, M6_who_holds_is_alone_in_many_random_schedules) {
  const auto report = model::check<Right>(
      {.random = 250'000}, {{"one", &Right::worker_one}, {"two", &Right::worker_two}, {"watch", &Right::watch}});
  EXPECT_TRUE(model::shown(report, "2 workers|watch, random").passed()) << report.failure;
}
TEST(StandstillModelControl, finds_the_worker_that_looks_before_it_says_that_it_is_busy) {
  using World = Resting<Hasty>;
  const auto report = model::check<World>({}, {{"one", &World::worker_one}, {"watch", &World::watch}});
  EXPECT_FALSE(report.failure.empty());
}
TEST(StandstillModelControl, finds_the_store_that_may_be_seen_late) {
  using World = Resting<Late>;
  const auto report = model::check<World>({}, {{"one", &World::worker_one}, {"watch", &World::watch}});
  EXPECT_FALSE(report.failure.empty());
}

/// The door of a Runtime, held for a moment.
struct Door {
  detail::PresenceOf<ModelAtomics> presence;
  model::Plain<int> memory{1};

  void visits() {
    if (!presence.enter()) return;
    model::require(memory == 1, "what is used inside is there");
    presence.leave();
  }
  void holds() {
    presence.hold();
    if (presence.is_empty()) {
      memory = 0;
      memory = 1;
    }
    presence.go_on();
  }
  /// As a Runtime does: whoever holds has ended before it closes.
  void holds_and_closes() {
    holds();
    presence.close();
    while (!presence.is_empty()) ModelAtomics::pause();
    memory = 0;
  }
  void at_end() { model::require(presence.is_empty(), "everybody has left"); }
};

TEST(PresenceModel, M5_who_holds_the_door_is_alone_and_whoever_waits_gets_in_afterwards) {
  const auto report = model::check<Door>(
      {.preemptions = 4}, {{"visits", &Door::visits}, {"visits too", &Door::visits}, {"holds", &Door::holds}});
  EXPECT_TRUE(model::shown(report, "2 visitors|hold, 4 preemptions").passed()) << report.failure;
}
TEST(PresenceModel, M5_a_door_that_is_held_and_closed_lets_nobody_in_in_many_random_schedules) {
  const auto report = model::check<Door>(
      {.random = 250'000},
      {{"visits", &Door::visits}, {"visits too", &Door::visits}, {"holds and closes", &Door::holds_and_closes}});
  EXPECT_TRUE(model::shown(report, "2 visitors|hold and close, random").passed()) << report.failure;
}

}  // namespace
}  // namespace backstage
