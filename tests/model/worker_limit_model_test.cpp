// Workers that stand aside, under the model checker: whatever is pushed while a limit is imposed or lifted is taken, and
// nobody sleeps for ever.
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "backstage/exec/detail/event_count.hpp"
#include "backstage/exec/detail/worker_limit.hpp"
#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

using std::memory_order;

enum class Mistake { none, does_not_lift, parks_beside_its_limit };

/// Workers as Scheduler::work() has them, with a queue that is a count; others push, and worker 0 imposes limits.
template <Mistake mistake, int Pushes, unsigned Workers = 2>
struct Crew {
  detail::EventCount<ModelAtomics> parking;
  detail::WorkerLimit<ModelAtomics> limit{Workers};
  ModelAtomics::Atomic<std::uint32_t> waiting{0};
  ModelAtomics::Atomic<std::uint32_t> taken{0};

  int imposes = 0;  // so often, between two looks for work
  bool raises_again = false;

  bool is_over() { return taken.load(memory_order::seq_cst) == Pushes; }

  void worker(unsigned id) {
    for (;;) {
      if (is_over()) {
        parking.notify_all();
        limit.wake_all();
        return;
      }
      if (id == 0 && imposes > 0) {
        --imposes;
        limit.impose(Workers - 1, parking);
        if (raises_again) limit.raise(Workers);
      }
      if (limit.excludes(id)) {
        limit.stand_aside(id, [this] { return is_over(); });
        continue;
      }
      std::uint32_t there = waiting.load(memory_order::relaxed);
      while (there != 0 && !waiting.compare_exchange_weak(there, there - 1)) {
      }
      if (there != 0) {
        taken.fetch_add(1, memory_order::seq_cst);
        continue;
      }
      if constexpr (mistake == Mistake::none) limit.lift();
      const auto key = parking.prepare();
      const bool again = mistake != Mistake::parks_beside_its_limit && limit.in_force(memory_order::seq_cst);
      if (again || is_over() || waiting.load(memory_order::seq_cst) != 0) {
        parking.cancel(key);
      } else {
        parking.wait(key);
      }
    }
  }
  void first() { worker(0); }
  void second() { worker(1); }
  void third() { worker(2); }
  void pushes() {
    for (int i = 0; i < Pushes; ++i) {
      waiting.fetch_add(1, memory_order::seq_cst);
      parking.notify_one();
    }
  }
  // Two stand aside, and news comes for one of them.
  ModelAtomics::Atomic<std::uint32_t> back{0};
  void comes_back(unsigned id) {
    while (limit.excludes(id)) limit.stand_aside(id, [] { return false; });
    back.fetch_add(1, memory_order::seq_cst);
    limit.lift();  // for the other one
  }
  void second_comes_back() { comes_back(1); }
  void third_comes_back() { comes_back(2); }
  void raises() { limit.raise(2); }
  void at_end_of_coming_back() { model::require(back.load() == 2, "both came back"); }
  void at_end() {
    model::require(taken.load() == Pushes, "all was taken");
    model::require(!parking.has_waiters(), "every stay was ended");
  }
};

template <Mistake mistake>
struct ImposesOnce : Crew<mistake, 1> {
  ImposesOnce() { this->imposes = 1; }
};
/// Below a limit of two one may be parked.
struct ThreeImpose : Crew<Mistake::none, 2, 3> {
  ThreeImpose() { imposes = 2; }
};
struct ImposesAndRaises : Crew<Mistake::none, 3> {
  ImposesAndRaises() {
    imposes = 3;
    raises_again = true;
  }
};

TEST(WorkerLimitModel, what_is_pushed_while_a_limit_is_imposed_is_taken) {
  using World = ImposesOnce<Mistake::none>;
  const auto report =
      model::check<World>({.preemptions = 3, .old_reads = 1},
                          {{"worker 0", &World::first}, {"worker 1", &World::second}, {"pushes", &World::pushes}});
  EXPECT_TRUE(model::shown(report, "2 workers|impose, push; 3 preemptions, 1 old read").passed()) << report.failure;
}
TEST(WorkerLimitModel, the_same_with_three_workers_in_many_random_schedules) {
  using World = ThreeImpose;
  const auto report = model::check<World>({.random = 100'000, .max_steps = 4'000}, {{"worker 0", &World::first},
                                                                                    {"worker 1", &World::second},
                                                                                    {"worker 2", &World::third},
                                                                                    {"pushes", &World::pushes}});
  EXPECT_TRUE(model::shown(report, "3 workers|2 limits|2 pushes; random").passed()) << report.failure;
}
TEST(WorkerLimitModel, the_same_where_the_limit_is_raised_again_in_many_random_schedules) {
  using World = ImposesAndRaises;
  const auto report =
      model::check<World>({.random = 100'000, .max_steps = 4'000},
                          {{"worker 0", &World::first}, {"worker 1", &World::second}, {"pushes", &World::pushes}});
  EXPECT_TRUE(model::shown(report, "2 workers|impose, raise|3 pushes; random").passed()) << report.failure;
}
/// At any time: who is parked below a limit that is in force has been notified, or lifts it.
struct NobodyIsParked : Crew<Mistake::none, 0, 3> {
  void imposes_two() { limit.impose(2, parking); }
  void parks() {
    limit.lift();
    const auto key = parking.prepare();
    if (limit.in_force(memory_order::seq_cst)) {
      parking.cancel(key);
      return;
    }
    parked.store(1, memory_order::seq_cst);
  }
  void at_end() {
    const bool both = parked.load() == 1 && limit.in_force();
    model::require(!both, "nobody sleeps below the limit");
  }
  ModelAtomics::Atomic<std::uint32_t> parked{0};
};
struct ImposesBlindly : NobodyIsParked {
  void imposes_two() {
    detail::EventCount<ModelAtomics> nobody;
    limit.impose(2, nobody);
  }
};
struct ParksBlindly : NobodyIsParked {
  void parks() {
    limit.lift();
    (void)parking.prepare();
    parked.store(1, memory_order::seq_cst);
  }
};
template <class World>
model::Report imposed_beside_parking() {
  return model::check<World>({.preemptions = 3, .old_reads = 1},
                             {{"worker 0", &World::imposes_two}, {"worker 1", &World::parks}});
}
TEST(WorkerLimitModel, nobody_below_a_limit_is_parked) {
  const auto report = imposed_beside_parking<NobodyIsParked>();
  EXPECT_TRUE(model::shown(report, "impose|park; 3 preemptions, 1 old read").passed()) << report.failure;
}
/// The third may be woken first, and must not take what was meant for the second.
struct ComingBack : Crew<Mistake::none, 0, 3> {
  ComingBack() { limit.impose(1, parking); }
  void at_end() { at_end_of_coming_back(); }
};
TEST(WorkerLimitModel, of_those_who_stand_aside_the_one_that_the_limit_is_raised_for_comes_back) {
  const auto report =
      model::check<ComingBack>({.preemptions = 3, .old_reads = 1}, {{"worker 1", &ComingBack::second_comes_back},
                                                                    {"worker 2", &ComingBack::third_comes_back},
                                                                    {"raises", &ComingBack::raises}});
  EXPECT_TRUE(model::shown(report, "2 stand aside|raise to 2; 3 preemptions, 1 old read").passed()) << report.failure;
}
template <Mistake mistake>
std::string found() {
  using World = ImposesOnce<mistake>;
  const auto report =
      model::check<World>({.preemptions = 3, .old_reads = 0},
                          {{"worker 0", &World::first}, {"worker 1", &World::second}, {"pushes", &World::pushes}});
  return report.failure;
}
TEST(WorkerLimitModelControl, finds_the_worker_that_parks_without_lifting_the_limit) {
  // It looks again, and so never sleeps: the schedule has no end.
  EXPECT_NE(found<Mistake::does_not_lift>(), "");
}
TEST(WorkerLimitModelControl, finds_the_worker_that_parks_beside_its_limit) {
  EXPECT_NE(found<Mistake::parks_beside_its_limit>().find("deadlock"), std::string::npos);
}
TEST(WorkerLimitModelControl, finds_the_limit_that_is_imposed_while_somebody_is_parked) {
  EXPECT_NE(imposed_beside_parking<ImposesBlindly>().failure, "");
}
TEST(WorkerLimitModelControl, finds_the_worker_that_does_not_look_again_before_it_sleeps) {
  EXPECT_NE(imposed_beside_parking<ParksBlindly>().failure, "");
}

}  // namespace
}  // namespace backstage
