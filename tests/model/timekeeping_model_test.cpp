// Timers and parking under the model checker, with the templates that the scheduler uses: no timer is overslept, a
// cancelled one never fires, an await ends exactly once (C3), the watch never sleeps while somebody works.
#include <cstdint>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "backstage/exec/detail/lane.hpp"
#include "backstage/exec/detail/timekeeping.hpp"
#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

using std::memory_order;
using Shard = detail::TimerShardOf<ModelAtomics>;

// ---------------------------------------------------------------------------------------------- oversleeping

enum class Mistake { none, looks_before_it_publishes, keeps_for_ever, does_not_look_at_timers };

/// Workers that park until all timers have fired, as Scheduler::work() does; threads outside arm one each. Time passes
/// when a sleeper's time-out does.
template <Mistake mistake, int Timers>
struct Sleepers {
  detail::EventCount<ModelAtomics> parking;
  detail::TimeKeeper<ModelAtomics> keeper;
  TimerNode early;  // before the shard, which disarms them when a schedule ends early
  TimerNode late;
  Shard shard{Instant{0}};
  ModelAtomics::Atomic<std::int64_t> clock{0};
  ModelAtomics::Atomic<std::uint32_t> fired{0};

  bool all_fired() { return fired.load(memory_order::seq_cst) == Timers; }

  void worker() {
    for (;;) {
      shard.expire(Instant{clock.load(memory_order::seq_cst)}, [this](TimerNode&) { fired.fetch_add(1); });
      if (all_fired()) {
        parking.notify_all();
        return;
      }
      std::int64_t until = 0;
      const auto next = [&] {
        const Instant due = mistake == Mistake::does_not_look_at_timers ? Instant::never() : shard.exact_next();
        until = due.ns;
        return due;
      };
      const auto now = [&] { return Instant{clock.load(memory_order::seq_cst)}; };
      if constexpr (mistake == Mistake::keeps_for_ever) {
        const auto key = parking.prepare();
        if (all_fired()) {
          parking.cancel(key);
          continue;
        }
        const Instant due = next();
        if (due <= now()) {
          parking.cancel(key);
          continue;
        }
        const bool keeps = keeper.take(due);
        parking.wait(key, keeps ? std::optional<Duration>(Duration(1)) : std::nullopt);
        if (until != INT64_MAX) pass_to(until);
      } else {
        // Whether a time-out or a notification ended it is not told; that time has passed is always possible.
        if (detail::park(
                parking, keeper, [this] { return all_fired(); }, next, now, [] {}, [] {}) &&
            until != INT64_MAX) {
          pass_to(until);
        }
      }
    }
  }
  void pass_to(std::int64_t until) {
    std::int64_t seen = clock.load(memory_order::seq_cst);
    while (seen < until && !clock.compare_exchange_weak(seen, until)) {
    }
  }
  void arm(TimerNode& timer, std::int64_t due) {
    if constexpr (mistake == Mistake::looks_before_it_publishes) {
      const bool wake = keeper.oversleeps(Instant{due});
      shard.arm(timer, Instant{due});
      if (wake) parking.notify_one();
    } else {
      shard.arm(timer, Instant{due});
      if (keeper.oversleeps(Instant{due})) parking.notify_one();
    }
  }
  void arms_early() { arm(early, 1); }
  void arms_late() { arm(late, 2); }
  void arms_both() {
    arm(late, 2);
    arm(early, 1);
  }
  void at_end() {
    model::require(fired.load() == Timers, "all timers fired");
    model::require(!parking.has_waiters(), "every stay was ended");
  }
};

TEST(TimekeepingModel, C10_a_timer_armed_from_outside_is_not_overslept) {
  using World = Sleepers<Mistake::none, 1>;
  const auto report = model::check<World>({.preemptions = 3, .old_reads = 2, .timeouts = 4},
                                          {{"worker", &World::worker}, {"arms", &World::arms_early}});
  EXPECT_TRUE(model::shown(report, "worker|arms, 3 preemptions, 2 old reads").passed()) << report.failure;
}
TEST(TimekeepingModel, C10_two_workers_and_an_earlier_timer_behind_a_later_one) {
  using World = Sleepers<Mistake::none, 2>;
  const auto report = model::check<World>(
      {.preemptions = 2, .old_reads = 0, .timeouts = 3},
      {{"worker 1", &World::worker}, {"worker 2", &World::worker}, {"arms both", &World::arms_both}});
  EXPECT_TRUE(model::shown(report, "2 workers|arms late, early; 2 preemptions").passed()) << report.failure;
}
TEST(TimekeepingModel, C10_three_workers_and_two_threads_that_arm_in_many_random_schedules) {
  using World = Sleepers<Mistake::none, 2>;
  const auto report =
      model::check<World>({.timeouts = 8, .random = 250'000, .max_steps = 4'000}, {{"worker 1", &World::worker},
                                                                                   {"worker 2", &World::worker},
                                                                                   {"worker 3", &World::worker},
                                                                                   {"arms early", &World::arms_early},
                                                                                   {"arms late", &World::arms_late}});
  EXPECT_TRUE(model::shown(report, "3 workers|arms|arms, random").passed()) << report.failure;
}
TEST(TimekeepingModelControl, finds_the_look_at_the_keeper_before_the_timer_is_published) {
  using World = Sleepers<Mistake::looks_before_it_publishes, 2>;
  const auto report = model::check<World>(
      {.preemptions = 3, .old_reads = 0, .timeouts = 3},
      {{"worker", &World::worker}, {"arms early", &World::arms_early}, {"arms late", &World::arms_late}});
  EXPECT_NE(report.failure.find("deadlock"), std::string::npos) << report.summary();
}
TEST(TimekeepingModelControl, finds_the_worker_that_does_not_look_at_the_timers) {
  using World = Sleepers<Mistake::does_not_look_at_timers, 1>;
  const auto report = model::check<World>({.preemptions = 2, .old_reads = 0, .timeouts = 2},
                                          {{"worker", &World::worker}, {"arms", &World::arms_early}});
  EXPECT_NE(report.failure.find("deadlock"), std::string::npos) << report.summary();
}
TEST(TimekeepingModelControl, finds_the_keeper_that_never_says_that_it_is_over) {
  using World = Sleepers<Mistake::keeps_for_ever, 2>;
  const auto report = model::check<World>(
      {.preemptions = 2, .old_reads = 0, .timeouts = 3},
      {{"worker 1", &World::worker}, {"arms early", &World::arms_early}, {"arms late", &World::arms_late}});
  EXPECT_NE(report.failure.find("deadlock"), std::string::npos) << report.summary();
}

// ----------------------------------------------------------------------------------------------- told to go

/// A spare worker is told to go while others are parked, too, and all are woken for it: they may take its permit.
template <bool Naps>
struct Retiring {
  detail::EventCount<ModelAtomics> parking;
  detail::TimeKeeper<ModelAtomics> keeper;
  ModelAtomics::Atomic<bool> retire{false};
  ModelAtomics::Atomic<bool> over{false};  // for the regular one, so that the world ends

  void park(const ModelAtomics::Atomic<bool>& flag, std::optional<Duration> at_most) {
    (void)detail::park(
        parking, keeper, [&] { return flag.load(memory_order::seq_cst); }, [] { return Instant::never(); },
        [] { return Instant{0}; }, [] {}, [] {}, at_most);
  }
  void regular() {
    while (!over.load(memory_order::seq_cst)) park(over, std::nullopt);
  }
  void spare() {
    park(retire, Naps ? std::optional<Duration>(Duration(1)) : std::nullopt);
    // Its nap was over before it was told: the next one would be as this one.
    while (!retire.load(memory_order::seq_cst)) ModelAtomics::pause();
    over.store(true, memory_order::seq_cst);
    parking.notify_all();
  }
  void watch() {
    retire.store(true, memory_order::seq_cst);
    parking.notify_all();
  }
  void at_end() { model::require(!parking.has_waiters(), "every stay was ended"); }
};
constexpr model::Options retiring{.preemptions = 3, .old_reads = 1, .timeouts = 1};

TEST(TimekeepingModel, F2_a_spare_worker_that_is_told_to_go_goes_though_others_take_its_permit) {
  using World = Retiring<true>;
  const auto report = model::check<World>(
      retiring, {{"regular", &World::regular}, {"spare", &World::spare}, {"watch", &World::watch}});
  EXPECT_TRUE(model::shown(report, "regular|spare|watch, 3 preemptions, 1 old read").passed()) << report.failure;
}
TEST(TimekeepingModelControl, F2_finds_the_spare_worker_that_sleeps_until_it_is_woken) {
  using World = Retiring<false>;
  const auto report = model::check<World>(
      retiring, {{"regular", &World::regular}, {"spare", &World::spare}, {"watch", &World::watch}});
  EXPECT_NE(report.failure.find("deadlock"), std::string::npos) << report.summary();
}

// -------------------------------------------------------------------------- cancellation, and the end of an await

/// What an actor awaits may end by its completion, by its deadline or by its stop. Completions and deadlines come
/// through the lane, as in Awaiter::enlist(), run_await_clock() and Lifecycle::drop_timers(); the owner's turn decides.
template <bool TakesBackBlindly>
struct Await {
  struct Node {
    Node* lane_next = nullptr;
    bool is_clock = false;
    model::Plain<int> written{0};
  };
  struct Clock : TimerNode {
    Node node;
  };
  detail::Lane<Node, ModelAtomics> lane;
  Clock clock;
  Shard shard{Instant{0}};
  Node completion;
  ModelAtomics::Atomic<std::uint32_t> ticks{0};
  int number = 1;
  int completed = 0;
  int expired = 0;
  int cancelled = 0;
  bool set = true;
  bool node_came = false;

  Await() {
    clock.node.is_clock = true;
    shard.arm(clock, Instant{1});
  }

  void completes() {
    completion.written = 1;
    (void)lane.push(&completion);
  }
  void time_passes() {
    shard.expire(Instant{1}, [this](TimerNode& node) {
      auto& fired = static_cast<Clock&>(node);
      fired.node.written = 2;
      (void)lane.push(&fired.node);
    });
  }
  void turn() {
    for (Node* node = lane.take_all(); node != nullptr;) {
      Node* const next = node->lane_next;
      model::require(static_cast<int>(node->written) == (node->is_clock ? 2 : 1), "what was written is seen");
      if (node->is_clock) {
        set = false;
        node_came = true;
      }
      if (number != 0) {
        ++(node->is_clock ? expired : completed);
        number = 0;
      }
      node = next;
    }
  }
  void stop() {
    if (number != 0) {
      ++cancelled;
      number = 0;
    }
    if (!set) return;
    if (shard.cancel(clock)) {
      set = false;
    } else if (TakesBackBlindly) {
      set = false;  // the mistake: its node is in the lane
    } else {
      // It fired, and fire() has returned: its node is in the lane by now.
      turn();
      model::require(!set, "who cannot cancel finds the node in the lane");
    }
  }
  void owner() {
    turn();
    turn();
    stop();
    model::require(!set, "the timer is the owner's again");
  }
  void at_end() {
    model::require(completed + expired + cancelled == 1, "the await ended exactly once");
    while (Node* const late = lane.take_all()) {
      for (Node* node = late; node != nullptr; node = node->lane_next) {
        model::require(!node->is_clock, "no deadline comes after it was taken back");
      }
    }
    model::require(!shard.cancel(clock), "nothing stays armed");
  }
};

TEST(TimekeepingModel, C3_an_await_ends_exactly_once_by_its_completion_its_deadline_or_its_stop) {
  using World = Await<false>;
  const auto report = model::check<World>(
      {.old_reads = 2},
      {{"owner", &World::owner}, {"completes", &World::completes}, {"time passes", &World::time_passes}});
  EXPECT_TRUE(model::shown(report, "owner|completes|time passes, 2 old reads").passed()) << report.failure;
}
TEST(TimekeepingModelControl, C3_finds_the_deadline_that_is_taken_back_without_a_look_at_what_cancel_says) {
  using World = Await<true>;
  const auto report = model::check<World>(
      {.preemptions = 3},
      {{"owner", &World::owner}, {"completes", &World::completes}, {"time passes", &World::time_passes}});
  EXPECT_NE(report.failure.find("no deadline comes after it was taken back"), std::string::npos) << report.summary();
}

// ----------------------------------------------------------------------------------------------------- the watch

/// A worker that wakes, gets stuck, and waits for the watch to see it. `Say` is the order in which it says that it is busy.
template <memory_order Say, bool LooksAgain = true>
struct Watched {
  detail::WatchSleep<ModelAtomics> sleep;
  ModelAtomics::Atomic<bool> busy{false};
  ModelAtomics::Atomic<std::uint32_t> seen{0};
  ModelAtomics::Atomic<bool> stopping{false};

  void worker() {
    busy.store(true, Say);
    sleep.wake();
    while (seen.load(memory_order::acquire) == 0) ModelAtomics::wait(seen, 0);
  }
  void watch() {
    while (!busy.load(memory_order::seq_cst)) {
      sleep.sleep_while([this] { return !LooksAgain || !busy.load(memory_order::seq_cst); });
    }
    seen.store(1, memory_order::release);
    ModelAtomics::wake_all(seen);
  }
  void watch_until_stopped() {
    while (!stopping.load(memory_order::seq_cst)) {
      sleep.sleep_while([this] { return !stopping.load(memory_order::seq_cst); });
    }
  }
  void stops() {
    stopping.store(true, memory_order::seq_cst);
    sleep.stop();
  }
};
using RightWatch = Watched<memory_order::seq_cst>;

TEST(WatchModel, F3_the_watch_does_not_sleep_while_a_worker_is_stuck) {
  const auto report = model::check<RightWatch>({}, {{"worker", &RightWatch::worker}, {"watch", &RightWatch::watch}});
  EXPECT_TRUE(model::shown(report, "worker|watch").passed()) << report.failure;
}
TEST(WatchModel, F3_nor_with_two_workers_that_wake) {
  const auto report = model::check<RightWatch>(
      {.preemptions = 3, .old_reads = 2},
      {{"worker 1", &RightWatch::worker}, {"worker 2", &RightWatch::worker}, {"watch", &RightWatch::watch}});
  EXPECT_TRUE(model::shown(report, "2 workers|watch, 3 preemptions, 2 old reads").passed()) << report.failure;
}
TEST(WatchModel, it_hears_of_the_stop) {
  const auto report =
      model::check<RightWatch>({}, {{"watch", &RightWatch::watch_until_stopped}, {"stops", &RightWatch::stops}});
  EXPECT_TRUE(model::shown(report, "watch|stops").passed()) << report.failure;
}
TEST(WatchModelControl, finds_the_worker_that_only_releases_that_it_is_busy) {
  using World = Watched<memory_order::release>;
  const auto report = model::check<World>({}, {{"worker", &World::worker}, {"watch", &World::watch}});
  EXPECT_NE(report.failure.find("deadlock"), std::string::npos) << report.summary();
}
TEST(WatchModelControl, finds_the_watch_that_does_not_look_again) {
  using World = Watched<memory_order::seq_cst, false>;
  const auto report = model::check<World>({}, {{"worker", &World::worker}, {"watch", &World::watch}});
  EXPECT_NE(report.failure.find("deadlock"), std::string::npos) << report.summary();
}

}  // namespace
}  // namespace backstage
