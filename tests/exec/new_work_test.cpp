// What a worker has that is new is its own until it has waited for 50 us, by its clock; then others may come for it. Exact: no thread is
// ever begun, run_leftovers() does what the worker would do, and the clock moves only when a message says so.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backstage/exec/scheduler.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;
using detail::Runnable;
using detail::Scheduler;
using detail::Worker;

class HandClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const noexcept override { return at; }
  [[nodiscard]] WallTime wall() const noexcept override { return WallTime{0}; }
  Instant at{1'000};
};
class NoChance final : public Chance {
 public:
  std::uint64_t next() noexcept override { return 0; }
};

struct Job : Runnable {
  std::function<void(Worker&)> does = [](Worker&) {};
};

struct World {
  static void run(Runnable& first, Worker& worker) {
    for (Runnable* next = &first; next != nullptr; next = worker.next_in_line())
      static_cast<Job&>(*next).does(worker);
  }
  /// In a turn of the worker's.
  void play(std::function<void(Worker&)> does) {
    Job job;
    job.does = std::move(does);
    scheduler.schedule(job);
    scheduler.run_leftovers();
  }
  /// Messages until the clock is read, so much later.
  void pass(Worker& worker, Duration time) const {
    clock->at = clock->at + time;
    for (int i = 0; i < 64; ++i) (void)worker.after_message();
  }

  std::shared_ptr<HandClock> clock = std::make_shared<HandClock>();
  Environment environment{clock, std::make_shared<NoChance>()};
  SlabPool pool;
  Scheduler scheduler{environment, pool, detail::SchedulerOptions{.threads = 1}, &run};
};

TEST(F1, new_work_is_for_others_when_it_has_waited_for_50_microseconds_and_not_before) {
  World world;
  std::vector<Job> made(3);
  world.play([&](Worker& worker) {
    world.pass(worker, 1us);
    for (Job& job : made) world.scheduler.schedule_new(job);
    EXPECT_FALSE(worker.has_for_visitors());
    world.pass(worker, 1us);  // seen: from now on it waits
    world.pass(worker, 49us);
    EXPECT_FALSE(worker.has_for_visitors());
    world.pass(worker, 1us);
    EXPECT_TRUE(worker.has_for_visitors());
  });
}

TEST(F1, new_work_beside_messages_of_6_milliseconds_is_for_others_all_the_time) {
  World world;
  std::vector<Job> made(40);
  world.play([&](Worker& worker) {
    for (Job& job : made) world.scheduler.schedule_new(job);
    world.pass(worker, 1us);
    for (int i = 0; i < 3; ++i) {
      world.pass(worker, 6ms);
      EXPECT_TRUE(worker.has_for_visitors()) << i;
    }
  });
}

TEST(F1, one_that_is_new_stays_with_its_worker_however_long_it_waits) {
  World world;
  Job made;
  world.play([&](Worker& worker) {
    world.scheduler.schedule_new(made);
    for (int i = 0; i < 4; ++i) world.pass(worker, 60us);
    EXPECT_FALSE(worker.has_for_visitors());
  });
}

TEST(F1, what_is_made_after_the_new_was_run_waits_anew) {
  World world;
  std::vector<Job> made(4);
  bool looked = false;
  world.play([&](Worker& worker) {
    world.scheduler.schedule_new(made[0]);
    world.scheduler.schedule_new(made[1]);
    world.pass(worker, 1us);
    world.pass(worker, 60us);
    EXPECT_TRUE(worker.has_for_visitors());
    // Newest first: the other is run behind this turn, and the one that runs last makes two more.
    made[0].does = [&](Worker& later) {
      world.scheduler.schedule_new(made[2]);
      world.scheduler.schedule_new(made[3]);
      world.pass(later, 1us);
      EXPECT_FALSE(later.has_for_visitors());
      looked = true;
    };
  });
  EXPECT_TRUE(looked);
}

/// The order in which 20 that are new run, of which the first has waited for 5 ms, and so many that were made meanwhile.
std::string order_after_5_milliseconds(std::size_t made_meanwhile) {
  World world;
  std::vector<Job> made(20 + made_meanwhile);
  std::string order;
  for (std::size_t i = 0; i < made.size(); ++i) {
    made[i].does = [&order, i](Worker&) { order += static_cast<char>('a' + i); };
  }
  world.play([&](Worker& worker) {
    for (std::size_t i = 0; i < 20; ++i) world.scheduler.schedule_new(made[i]);
    world.pass(worker, 1us);  // seen: from now on they wait
    for (std::size_t i = 20; i < made.size(); ++i) world.scheduler.schedule_new(made[i]);
    world.pass(worker, 5ms);
  });
  return order;
}

TEST(F1, of_what_is_new_the_oldest_eight_go_before_all_others_when_they_have_waited_for_5_milliseconds) {
  EXPECT_EQ(order_after_5_milliseconds(0), "abcdefghtsrqponmlkji");
}

TEST(F1, the_more_was_made_meanwhile_the_fewer_of_the_oldest_go_before_and_one_in_any_case) {
  EXPECT_EQ(order_after_5_milliseconds(5), "abcyxwvutsrqponmlkjihgfed");
  EXPECT_EQ(order_after_5_milliseconds(6), "abzyxwvutsrqponmlkjihgfedc");
  for (const std::size_t made : {7U, 8U, 100U}) {
    const std::string order = order_after_5_milliseconds(made);
    EXPECT_EQ(order.size(), 20 + made);
    EXPECT_EQ(order[0], 'a') << made;
    EXPECT_EQ(order[1], static_cast<char>('a' + 19 + made)) << made << ": the newest";
  }
}

/// How many of those there was no room for go before what there was room for, when they have waited for 5 ms, and so many were made meanwhile.
/// Room is for 256; it is the oldest that others may come for, 128 at a time. (One of what is new goes between each 15.)
std::size_t spilled_that_go_before(std::size_t count, std::size_t made_meanwhile) {
  World world;
  std::vector<Job> made(count + made_meanwhile);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < made.size(); ++i) {
    made[i].does = [&order, i](Worker&) { order.push_back(i); };
  }
  world.play([&](Worker& worker) {
    for (std::size_t i = 0; i < count; ++i) world.scheduler.schedule_new(made[i]);
    world.pass(worker, 1us);  // seen
    for (std::size_t i = count; i < made.size(); ++i) world.scheduler.schedule_new(made[i]);
    world.pass(worker, 5ms);
  });
  EXPECT_EQ(order.size(), made.size());
  const std::size_t spilled = (made.size() - 256 + 127) / 128 * 128;
  const auto first_with_room = std::find(order.begin(), order.end(), spilled);
  return static_cast<std::size_t>(
      std::count_if(order.begin(), first_with_room, [spilled](std::size_t i) { return i < spilled; }));
}

TEST(F1, of_what_there_was_no_room_for_64_go_before_all_others_fewer_where_much_was_made_and_some_in_any_case) {
  EXPECT_EQ(spilled_that_go_before(1'000, 0), 64U);
  EXPECT_EQ(spilled_that_go_before(1'000, 40), 24U);
  EXPECT_EQ(spilled_that_go_before(300, 100), 1U);
  EXPECT_EQ(spilled_that_go_before(900, 100), 3U) << "of 768";
  EXPECT_EQ(spilled_that_go_before(9'900, 100), 38U) << "of 9,856";
  EXPECT_EQ(spilled_that_go_before(20'000, 100), 64U);
}

/// Who runs, in their order, where each of the new work, as it runs, has something for the same one: '.' new work, 'm' that one, which is
/// scheduled when it is not.
std::string order_of_new_work_that_wakes_its_maker(std::size_t count) {
  World world;
  std::vector<Job> made(count);
  Job maker;
  std::string order;
  bool is_scheduled = false;
  maker.does = [&](Worker& worker) {
    is_scheduled = false;
    order += 'm';
    (void)worker.after_message();
  };
  for (Job& job : made) {
    job.does = [&](Worker& worker) {
      order += '.';
      (void)worker.after_message();
      if (!std::exchange(is_scheduled, true)) worker.push(&maker);
    };
  }
  world.play([&](Worker&) {
    for (Job& job : made) world.scheduler.schedule_new(job);
  });
  return order;
}

struct Bell : detail::TimerEntry {
  void fire() noexcept override {}
};

/// Until when a worker sleeps for a timer that is due 10 us after so many others, at once with which it looked at its clock.
Duration sleeps_after(std::size_t timers) {
  World world;
  std::vector<Bell> bells(timers);
  Duration sleeps{};
  world.play([&](Worker& worker) {
    const Instant due = world.clock->at + 1ms;
    for (Bell& bell : bells) world.scheduler.arm(bell, due);
    world.pass(worker, 1ms);
    EXPECT_EQ(worker.wakes_for(Instant::never()), Instant::never());
    sleeps = worker.wakes_for(due + 10us) - due;
  });
  return sleeps;
}

TEST(L10, timers_that_are_due_by_the_eight_let_the_next_wait_until_100_microseconds_later) {
  EXPECT_EQ(sleeps_after(1), 10us) << "a timer that comes alone, or with few others, is exact";
  EXPECT_EQ(sleeps_after(7), 10us);
  EXPECT_EQ(sleeps_after(8), 100us);
}

TEST(F1, whoever_new_work_wakes_is_next_behind_it) {
  EXPECT_EQ(order_of_new_work_that_wakes_its_maker(1), ".m");
  EXPECT_EQ(order_of_new_work_that_wakes_its_maker(10), "..........m") << "and has all of it at once";
}

TEST(F1, whoever_new_work_wakes_waits_for_16_of_it_and_no_more) {
  const std::string sixteen(16, '.');
  EXPECT_EQ(order_of_new_work_that_wakes_its_maker(40), sixteen + "m" + sixteen + "m........m");
}

}  // namespace
