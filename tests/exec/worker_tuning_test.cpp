// How many workers take part, the decision alone: what is tried when, what is kept, and what a try costs at most.
#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdint>

#include <gtest/gtest.h>

#include "backstage/exec/detail/worker_tuning.hpp"

namespace backstage {
namespace {

using namespace std::chrono_literals;
using detail::TuningRules;
using detail::WorkerTuning;

/// Work whose rate depends on the number of workers, looked at exactly when the tuning wants to.
class Machine {
 public:
  explicit Machine(unsigned workers) : workers_(workers), limit_(workers), tuning_(workers, rules) {}

  /// Messages a millisecond and worker.
  template <class Rate>
  void run_for(Duration time, Rate rate) {
    const Instant end = now_ + time;
    while (now_ < end) {
      if (now_ >= next_) {
        const auto step = tuning_.look(now_, messages_, limit_ <= with_work_, limit_);
        if (step.limit != limit_) ++changes_;
        limit_ = step.limit;
        next_ = step.next;
        ASSERT_GE(limit_, 1U);
        ASSERT_LE(limit_, workers_);
        ASSERT_GT(next_, now_);
      }
      const Duration took = std::min(next_, end) - now_;
      const std::int64_t handled = std::int64_t{rate(limit_)} * limit_ * took.count() / 1'000'000;
      messages_ += static_cast<std::uint32_t>(handled);
      at_[limit_ == workers_ ? 0 : 1] += took;
      now_ = now_ + took;
    }
  }
  [[nodiscard]] unsigned limit() const { return limit_; }
  void lift() { limit_ = workers_; }
  /// As the first worker parks: it lifts a limit first, and looks again when it has something.
  void rests_for(Duration time) {
    if (limit_ != workers_) {
      tuning_.work_ends();
      lift();
      next_ = now_;
    }
    now_ = now_ + time;
  }
  /// So many find something to do, however many take part.
  void set_with_work(unsigned workers) { with_work_ = workers; }
  [[nodiscard]] int changes() const { return changes_; }
  [[nodiscard]] Duration with_all() const { return at_[0]; }
  [[nodiscard]] Duration with_fewer() const { return at_[1]; }

  static constexpr TuningRules rules{};

 private:
  unsigned workers_;
  unsigned limit_;
  WorkerTuning tuning_;
  Instant now_{1'000'000'000};
  Instant next_{0};
  std::uint32_t messages_ = UINT32_MAX - 100'000;  // it wraps
  unsigned with_work_ = UINT_MAX;
  int changes_ = 0;
  Duration at_[2]{};
};

constexpr auto one_is_twice_as_fast = [](unsigned workers) { return workers == 1 ? 24'000 : 6'000; };
constexpr auto each_is_worth_itself = [](unsigned) { return 6'000; };

TEST(WorkerTuning, work_that_one_does_faster_is_given_to_one_within_3_ms) {
  Machine machine(2);
  machine.run_for(3ms, one_is_twice_as_fast);
  EXPECT_EQ(machine.limit(), 1U);
}
TEST(WorkerTuning, and_stays_there_but_for_tries_that_cost_less_than_a_fiftieth) {
  Machine machine(2);
  machine.run_for(10s, one_is_twice_as_fast);
  EXPECT_EQ(machine.limit(), 1U);
  EXPECT_LT(machine.with_all(), 200ms);
}
TEST(WorkerTuning, work_that_is_worth_all_workers_gets_them_but_for_tries_that_cost_less_than_a_fiftieth) {
  Machine machine(2);
  machine.run_for(10s, each_is_worth_itself);
  EXPECT_EQ(machine.limit(), 2U);
  EXPECT_LT(machine.with_fewer(), 200ms);
  EXPECT_GT(machine.changes(), 4) << "it was tried";
}
TEST(WorkerTuning, when_the_work_changes_the_other_number_is_found_within_the_longest_pause) {
  Machine machine(2);
  machine.run_for(60s, one_is_twice_as_fast);
  machine.run_for(Machine::rules.longest_pause + 10ms, each_is_worth_itself);
  EXPECT_EQ(machine.limit(), 2U);
  machine.run_for(60s, each_is_worth_itself);
  machine.run_for(Machine::rules.longest_pause + 10ms, one_is_twice_as_fast);
  EXPECT_EQ(machine.limit(), 1U);
}
TEST(WorkerTuning, of_sixteen_it_climbs_down_to_the_best_number) {
  Machine machine(16);
  // 4 do 40,000 together; more get into each other's way, fewer leave it undone.
  const auto four_are_best = [](unsigned workers) {
    return workers <= 4 ? 10'000 : 40'000 / static_cast<int>(workers) - 200 * static_cast<int>(workers);
  };
  machine.run_for(500ms, [&](unsigned workers) { return std::max(four_are_best(workers), 1'000); });
  EXPECT_EQ(machine.limit(), 4U);
}
TEST(WorkerTuning, a_gain_of_less_than_the_margin_is_none) {
  Machine machine(2);
  machine.run_for(1s, [](unsigned workers) { return workers == 1 ? 13'000 : 6'000; });  // 13 to 12
  EXPECT_EQ(machine.limit(), 2U);
}
TEST(WorkerTuning, messages_that_are_long_on_the_average_are_never_tried_with_fewer) {
  Machine machine(2);
  machine.run_for(1s, [](unsigned workers) { return workers == 1 ? 400 : 180; });  // 5.6 us each
  EXPECT_EQ(machine.changes(), 0);
}
TEST(WorkerTuning, nor_is_what_leaves_one_of_them_idle) {
  Machine machine(2);
  machine.set_with_work(1);
  machine.run_for(1s, one_is_twice_as_fast);
  EXPECT_EQ(machine.changes(), 0);
}
TEST(WorkerTuning, nor_are_more_kept_who_found_nothing_to_do) {
  Machine machine(2);
  machine.run_for(50ms, one_is_twice_as_fast);
  ASSERT_EQ(machine.limit(), 1U);
  machine.set_with_work(1);
  // It is measured as twice as much; but it was the machine that got faster.
  for (int ms = 0; ms < 3'000; ++ms) machine.run_for(1ms, [ms](unsigned) { return 6'000 + 100 * ms; });
  EXPECT_EQ(machine.limit(), 1U);
}
TEST(WorkerTuning, a_limit_that_had_held_and_was_lifted_is_there_again_within_10_ms) {
  Machine machine(2);
  machine.run_for(10s, one_is_twice_as_fast);
  ASSERT_EQ(machine.limit(), 1U);
  machine.lift();
  machine.run_for(10ms, one_is_twice_as_fast);
  EXPECT_EQ(machine.limit(), 1U);
}
TEST(WorkerTuning, a_limit_that_had_paid_and_ended_with_the_work_is_tried_with_the_next_at_once) {
  Machine machine(2);
  machine.run_for(4ms, one_is_twice_as_fast);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(machine.limit(), 1U) << i;
    machine.rests_for(10ms);
    machine.run_for(1200us, one_is_twice_as_fast);
    ASSERT_EQ(machine.limit(), 2U) << i;
    machine.run_for(1500us, one_is_twice_as_fast);
  }
}
TEST(WorkerTuning, but_what_comes_next_gets_all_workers_where_it_is_worth_them_also_if_it_begins_slowly) {
  for (const Duration burst : {5ms, 20ms, 100ms}) {
    Machine machine(2);
    machine.run_for(10s, one_is_twice_as_fast);
    const Duration alone = machine.with_fewer();
    for (int i = 0; i < 100; ++i) {
      machine.rests_for(10ms);
      machine.run_for(400us, [](unsigned workers) { return 2'000 / static_cast<int>(workers); });
      machine.run_for(burst - 400us, [](unsigned) { return 5'000; });
    }
    EXPECT_LE(machine.with_fewer() - alone, 100 * burst / 50) << burst / 1ms << " ms";
  }
}
TEST(WorkerTuning, what_was_counted_over_a_rest_says_nothing) {
  Machine machine(2);
  machine.run_for(44ms, one_is_twice_as_fast);
  while (machine.limit() == 1) machine.run_for(100us, one_is_twice_as_fast);
  // All are tried, and in that the work ends. The next is worth all.
  machine.rests_for(50ms);
  const Duration alone = machine.with_fewer();
  machine.run_for(70ms, each_is_worth_itself);
  EXPECT_LE(machine.with_fewer() - alone, 6 * 450us) << "it is tried, and given up";
  EXPECT_EQ(machine.limit(), 2U);
}
TEST(WorkerTuning, a_try_that_is_plainly_worse_ends_after_a_quarter_of_a_window_any_other_after_a_whole_one) {
  Machine plainly(2);
  plainly.run_for(100ms, each_is_worth_itself);
  ASSERT_GT(plainly.changes(), 3);
  EXPECT_EQ(plainly.with_fewer(), plainly.changes() / 2 * 450us);
  Machine nearly(2);
  nearly.run_for(100ms, [](unsigned workers) { return workers == 1 ? 10'000 : 6'000; });
  ASSERT_GT(nearly.changes(), 3);
  EXPECT_EQ(nearly.with_fewer(), nearly.changes() / 2 * 1200us);
}
TEST(WorkerTuning, a_try_that_ended_with_the_work_is_repeated_ever_more_seldom_however_long_the_rests_are) {
  for (const Duration rest : {0ms, 50ms}) {
    Machine machine(2);
    int tried = 0;
    for (int i = 0; i < 1'000; ++i) {
      const Duration alone = machine.with_fewer();
      machine.run_for(1300us, each_is_worth_itself);
      if (machine.with_fewer() != alone) ++tried;
      machine.rests_for(rest);
    }
    EXPECT_GT(tried, 5) << rest / 1ms;
    EXPECT_LT(tried, 40) << rest / 1ms;
  }
}
TEST(WorkerTuning, when_messages_get_long_all_take_part_again) {
  Machine machine(4);
  machine.run_for(50ms, [](unsigned workers) { return workers <= 2 ? 24'000 : 6'000; });
  ASSERT_EQ(machine.limit(), 2U);
  machine.run_for(Machine::rules.longest_pause + 10ms, [](unsigned) { return 150; });
  EXPECT_EQ(machine.limit(), 4U);
}
TEST(WorkerTuning, a_limit_that_is_always_lifted_is_imposed_ever_more_seldom) {
  Machine machine(2);
  int imposed = 0;
  for (int i = 0; i < 10'000; ++i) {  // 10 s
    machine.run_for(1ms, one_is_twice_as_fast);
    if (machine.limit() == 2) continue;
    ++imposed;
    machine.lift();
  }
  EXPECT_GT(imposed, 4);
  EXPECT_LT(imposed, 20) << "a pause of 2 s at the end, and the doubling ones before";
}

}  // namespace
}  // namespace backstage
