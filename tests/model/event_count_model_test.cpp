// EventCount under the model checker: (1) no lost wake-up, (2) one notification ends one stay.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "backstage/exec/detail/event_count.hpp"
#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

using std::memory_order;
using Parked = detail::EventCount<ModelAtomics>;

// Work is a count; a worker takes one piece and ends, parking as often as it must. `Look` is the order in which it looks
// again after prepare(), `Publish` the order in which work is published.
template <memory_order Publish, memory_order Look, bool LooksAgain = true>
struct Workers {
  Parked parked;
  ModelAtomics::Atomic<int> work{0};
  ModelAtomics::Atomic<int> flag{0};

  bool take() {
    int seen = work.load(memory_order::relaxed);
    while (seen > 0) {
      if (work.compare_exchange_weak(seen, seen - 1, memory_order::acquire, memory_order::relaxed)) return true;
    }
    return false;
  }
  void worker() {
    while (!take()) {
      const auto key = parked.prepare();
      if (LooksAgain && work.load(Look) > 0) {
        parked.cancel(key);
      } else {
        parked.wait(key);
      }
    }
  }
  void submit() {
    work.fetch_add(1, Publish);
    parked.notify_one();
  }
  void submit_two() {
    submit();
    submit();
  }
  void submit_two_at_once() {
    work.fetch_add(2, Publish);
    parked.notify_all();
  }
  // With a plain store in place of a read-modify-write, as a queue's tail is moved.
  void raise() {
    flag.store(1, Publish);
    parked.notify_one();
  }
  void watch() {
    const auto key = parked.prepare();
    if (LooksAgain && flag.load(Look) != 0) {
      parked.cancel(key);
    } else {
      parked.wait(key);
    }
    // Its own count of stays is settled again: nothing is left behind for somebody else.
  }
  void at_end() {
    model::require(work.load() == 0, "all work was taken");
    model::require(!parked.has_waiters(), "every stay was ended");
    model::require(parked.notify_all() == 0, "nobody is left to notify");
  }
};
using Right = Workers<memory_order::seq_cst, memory_order::seq_cst>;

TEST(EventCountModel, one_worker_and_one_notifier_never_miss_each_other) {
  const auto report = model::check<Right>({}, {{"watch", &Right::watch}, {"raise", &Right::raise}});
  EXPECT_TRUE(model::shown(report, "watch|raise").passed()) << report.failure;
}
TEST(EventCountModel, one_worker_takes_work_through_parking) {
  const auto report =
      model::check<Right>({.preemptions = 4}, {{"worker", &Right::worker}, {"submit", &Right::submit}});
  EXPECT_TRUE(model::shown(report, "worker|submit, 4 preemptions").passed()) << report.failure;
}
TEST(EventCountModel, two_workers_and_two_notifiers_leave_no_work_behind) {
  const auto report = model::check<Right>({.preemptions = 2, .old_reads = 1}, {{"worker 1", &Right::worker},
                                                                               {"worker 2", &Right::worker},
                                                                               {"submit 1", &Right::submit},
                                                                               {"submit 2", &Right::submit}});
  EXPECT_TRUE(model::shown(report, "2 workers|2 submits, 2 preemptions, 1 old read").passed()) << report.failure;
}
TEST(EventCountModel, two_workers_are_woken_by_two_notifications_of_one_thread) {
  const auto report = model::check<Right>(
      {.preemptions = 3, .old_reads = 1},
      {{"worker 1", &Right::worker}, {"worker 2", &Right::worker}, {"submit two", &Right::submit_two}});
  EXPECT_TRUE(model::shown(report, "2 workers|submit two, 3 preemptions, 1 old read").passed()) << report.failure;
}
TEST(EventCountModel, notify_all_wakes_every_worker) {
  const auto report = model::check<Right>(
      {.preemptions = 3},
      {{"worker 1", &Right::worker}, {"worker 2", &Right::worker}, {"submit two", &Right::submit_two_at_once}});
  EXPECT_TRUE(model::shown(report, "2 workers|notify_all, 3 preemptions").passed()) << report.failure;
}
TEST(EventCountModel, survives_returns_for_no_reason) {
  const auto report = model::check<Right>(
      {.preemptions = 2, .old_reads = 1, .spurious = 2},
      {{"worker 1", &Right::worker}, {"worker 2", &Right::worker}, {"submit two", &Right::submit_two}});
  EXPECT_TRUE(model::shown(report, "2 workers|submit two, spurious returns").passed()) << report.failure;
}
TEST(EventCountModel, holds_in_many_random_schedules_of_three_workers) {
  const auto report = model::check<Right>({.random = 250'000}, {{"worker 1", &Right::worker},
                                                                {"worker 2", &Right::worker},
                                                                {"worker 3", &Right::worker},
                                                                {"submit 1", &Right::submit},
                                                                {"submit two", &Right::submit_two}});
  EXPECT_TRUE(model::shown(report, "3 workers|submit|submit two, random").passed()) << report.failure;
}

// Stays that count how they ended: some wait with a time-out, some cancel.
struct Stays {
  Parked parked;
  int notified = 0;  // how often notify_one() returned true
  int ended = 0;     // how many stays a notification ended
  int left = 0;      // how many ended without one
  void count(bool by_notification) { ++(by_notification ? ended : left); }
  void timed() { count(parked.wait(parked.prepare(), Duration(1))); }
  void cancels() { count(parked.cancel(parked.prepare())); }
  void notifies() { notified += parked.notify_one() ? 1 : 0; }
  void notifies_all() { notified += static_cast<int>(parked.notify_all()); }
  void at_end() {
    model::require(notified == ended, "each notification that was taken ended one stay");
    model::require(!parked.has_waiters(), "every stay was ended");
  }
};
TEST(EventCountModel, each_notification_ends_exactly_one_stay_also_with_timeouts_and_cancels) {
  const auto report =
      model::check<Stays>({.preemptions = 2, .old_reads = 1, .timeouts = 2}, {{"timed 1", &Stays::timed},
                                                                              {"timed 2", &Stays::timed},
                                                                              {"cancels", &Stays::cancels},
                                                                              {"notifies", &Stays::notifies}});
  EXPECT_TRUE(model::shown(report, "2 timed|cancels|notifies").passed()) << report.failure;
}
TEST(EventCountModel, notify_all_ends_as_many_stays_as_it_says) {
  const auto report = model::check<Stays>({.preemptions = 2, .old_reads = 1, .timeouts = 2},
                                          {{"timed", &Stays::timed},
                                           {"cancels", &Stays::cancels},
                                           {"notifies", &Stays::notifies},
                                           {"notifies all", &Stays::notifies_all}});
  EXPECT_TRUE(model::shown(report, "timed|cancels|notifies|notifies all").passed()) << report.failure;
}
// A worker that gives up at its time-out, beside one that has none: the latter must not lose its wake-up to the former.
struct TimedAndNot : Right {
  void impatient() {
    while (!take()) {
      const auto key = parked.prepare();
      if (work.load(memory_order::seq_cst) > 0) {
        parked.cancel(key);
      } else if (!parked.wait(key, Duration(1))) {
        return;
      }
    }
  }
  // Woken, and gone without looking for the work that it was woken for.
  void careless() { parked.wait(parked.prepare(), Duration(1)); }
  void patient() { worker(); }
  void submits() { submit(); }
  void submits_two() { submit_two(); }
  void at_end() {
    model::require(work.load() <= 1, "the patient one got its work");
    model::require(!parked.has_waiters(), "every stay was ended");
  }
};
TEST(EventCountModel, a_wait_that_times_out_takes_no_wakeup_with_it) {
  using World = TimedAndNot;
  const auto report = model::check<World>(
      {.preemptions = 3, .old_reads = 1, .timeouts = 1, .spurious = 1},
      {{"impatient", &World::impatient}, {"patient", &World::patient}, {"submits two", &World::submits_two}});
  EXPECT_TRUE(model::shown(report, "impatient|patient|submits two").passed()) << report.failure;
}

// Controls: the bugs that the checker must find.
TEST(EventCountModelControl, finds_a_stay_that_does_not_look_for_the_news_of_the_others) {
  using World = TimedAndNot;
  // The careless one begins its stay after the news and takes the permit of the one that sleeps for it.
  const auto report = model::check<World>(
      {.preemptions = 2, .old_reads = 1, .timeouts = 1},
      {{"careless", &World::careless}, {"patient", &World::patient}, {"submits", &World::submits}});
  EXPECT_NE(report.failure.find("deadlock: nobody will wake patient"), std::string::npos) << report.summary();
}
TEST(EventCountModelControl, finds_the_worker_that_does_not_look_again) {
  using World = Workers<memory_order::seq_cst, memory_order::seq_cst, false>;
  const auto report = model::check<World>({}, {{"watch", &World::watch}, {"raise", &World::raise}});
  EXPECT_NE(report.failure.find("deadlock"), std::string::npos) << report.summary();
}
TEST(EventCountModelControl, finds_the_publication_that_is_only_released) {
  using World = Workers<memory_order::release, memory_order::seq_cst>;
  const auto report = model::check<World>({}, {{"watch", &World::watch}, {"raise", &World::raise}});
  EXPECT_NE(report.failure.find("deadlock"), std::string::npos) << report.summary();
}
TEST(EventCountModelControl, finds_the_look_that_only_acquires) {
  using World = Workers<memory_order::seq_cst, memory_order::acquire>;
  const auto report = model::check<World>({}, {{"watch", &World::watch}, {"raise", &World::raise}});
  EXPECT_NE(report.failure.find("deadlock"), std::string::npos) << report.summary();
}

}  // namespace
}  // namespace backstage
