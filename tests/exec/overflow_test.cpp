// F1: what runs over a worker's own queue (256) waits no longer than in a queue without a bound, keeps nobody else waiting, and
// is nothing from outside: turns stay as long as they were. In counts of turns: no threads, the clock stands still.
#include <algorithm>
#include <iterator>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "backstage/exec/scheduler.hpp"
#include "backstage/exec/scheduling.hpp"

namespace {

using namespace backstage;
using detail::Runnable;
using detail::Scheduler;
using detail::Worker;

class StoppedClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const noexcept override { return Instant{1'000}; }
  [[nodiscard]] WallTime wall() const noexcept override { return WallTime{0}; }
};
class NoChance final : public Chance {
 public:
  std::uint64_t next() noexcept override { return 0; }
};

enum class Then { ends, gives_way, schedules_itself };

struct Job : Runnable {
  std::vector<Job*>* ran = nullptr;  // whose turns there were, in their order
  Then then = Then::ends;
  int messages = 0;                   // of the last turn, handled until it had to end
  std::vector<Job>* lets = nullptr;   // go first, all of them, once
  Job* makes = nullptr;               // scheduled as new, once
  std::vector<Job>* until = nullptr;  // all of these have run, it goes on; then it ends
};

bool all_ran(const std::vector<Job>& jobs) {
  return std::all_of(jobs.begin(), jobs.end(), [](const Job& job) { return job.messages != 0; });
}

void run_job(Runnable& runnable, Worker& worker) {
  auto& job = static_cast<Job&>(runnable);
  job.ran->push_back(&job);
  job.messages = 0;
  do {
    ++job.messages;
  } while (!worker.after_message());
  if (job.makes != nullptr) worker.scheduler().schedule_new(*std::exchange(job.makes, nullptr));
  if (job.lets != nullptr) {
    for (Job& first : *std::exchange(job.lets, nullptr)) worker.give_way(first);
  }
  if (job.until != nullptr && (all_ran(*job.until) || job.ran->size() > 10'000)) return;
  if (job.then == Then::gives_way) worker.give_way(job);
  if (job.then == Then::schedules_itself) worker.scheduler().schedule(job);
}

struct Bench {
  /// Of one worker that is cranked by hand; or of as many as have not been started: run_leftovers() is what the first of them does.
  explicit Bench(unsigned threads = 0, std::shared_ptr<Scheduling> door = nullptr)
      : environment(with(std::move(door))),
        scheduler(environment, pool, detail::SchedulerOptions{.threads = threads}, &run_job) {}
  std::vector<Job> jobs(std::size_t count, Then then) {
    std::vector<Job> made(count);
    for (Job& job : made) {
      job.ran = &ran;
      job.then = then;
    }
    return made;
  }
  /// All of them wait from now on, the first first. `ran` begins with the turn after this.
  void let(std::vector<Job>& all) {
    std::vector<Job> starter = jobs(1, Then::ends);
    starter[0].lets = &all;
    scheduler.schedule(starter[0]);
    EXPECT_EQ(scheduler.run_ready(1), 1U);
    ran.clear();
  }
  static Environment with(std::shared_ptr<Scheduling> door) {
    Environment made{std::make_shared<StoppedClock>(), std::make_shared<NoChance>()};
    if (door) made.open<Scheduling>(std::move(door));
    return made;
  }
  Environment environment;
  SlabPool pool;
  Scheduler scheduler;
  std::vector<Job*> ran;
};

/// Sizes that came out badly once: some of the first ever let in ran over again each time before it was their turn.
constexpr std::size_t sizes[] = {256, 257, 300, 600, 712, 768, 1'000, 1'104, 1'384, 5'000};
constexpr std::size_t rounds = 20;

/// The bound: between two turns of one each of the others has exactly one, so the last of N runs after N - 1 others and no two
/// are ever more than one turn apart.
TEST(F1, of_those_that_give_way_for_ever_each_runs_once_in_each_round_however_many_run_over) {
  for (const std::size_t count : sizes) {
    Bench bench;
    std::vector<Job> all = bench.jobs(count, Then::gives_way);
    bench.let(all);
    ASSERT_EQ(bench.scheduler.run_ready(rounds * count), rounds * count);
    for (std::size_t turn = 0; turn < rounds * count; ++turn) {
      ASSERT_EQ(bench.ran[turn], &all[turn % count]) << "turn " << turn << " of " << count;
    }
  }
}

/// The bound: 17 times that, since who schedules itself is run sixteen times more before the queue gets a turn.
TEST(F1, of_those_that_schedule_themselves_for_ever_each_runs_17_times_in_each_round) {
  constexpr std::size_t streak = 17;
  for (const std::size_t count : sizes) {
    Bench bench;
    std::vector<Job> all = bench.jobs(count, Then::schedules_itself);
    bench.let(all);
    const std::size_t turns = streak * count * 3;
    ASSERT_EQ(bench.scheduler.run_ready(turns), turns);
    for (std::size_t turn = 0; turn < turns; ++turn) {
      ASSERT_EQ(bench.ran[turn], &all[turn / streak % count]) << "turn " << turn << " of " << count;
    }
  }
}

/// The bound: what comes from outside alternates with all else, so N of it run within 2 N turns.
TEST(F1, what_comes_from_outside_takes_turns_with_what_ran_over) {
  constexpr std::size_t guests = 20;
  Bench bench;
  std::vector<Job> all = bench.jobs(1'000, Then::gives_way);
  bench.let(all);
  for (int time = 0; time < 300; ++time) {
    std::vector<Job> outside = bench.jobs(guests, Then::ends);
    for (Job& job : outside) bench.scheduler.schedule(job);
    bench.ran.clear();
    ASSERT_EQ(bench.scheduler.run_ready(2 * guests), 2 * guests);
    for (Job& job : outside) ASSERT_EQ(std::count(bench.ran.begin(), bench.ran.end(), &job), 1) << "time " << time;
    // An odd number, so that each time finds another moment.
    ASSERT_EQ(bench.scheduler.run_ready(7), 7U);
  }
}

/// The bound: who comes when nobody from outside was before is run next, however many are ready, and of several the next after one turn.
TEST(F1, what_comes_from_outside_after_a_time_without_goes_first_and_then_every_second) {
  for (const std::size_t local : {1U, 2U, 3U, 1'000U}) {
    Bench bench;
    std::vector<Job> all = bench.jobs(local, Then::gives_way);
    bench.let(all);
    for (std::size_t time = 1; time <= 20; ++time) {
      ASSERT_EQ(bench.scheduler.run_ready(time), time);
      std::vector<Job> outside = bench.jobs(3, Then::ends);
      for (Job& job : outside) bench.scheduler.schedule(job);
      bench.ran.clear();
      ASSERT_EQ(bench.scheduler.run_ready(6), 6U);
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(bench.ran[2 * i], &outside[i]) << local << " of its own, time " << time;
        EXPECT_EQ(std::count(bench.ran.begin(), bench.ran.end(), &outside[i]), 1);
      }
    }
  }
}

TEST(F1, what_ran_over_ends_no_turn) {
  Bench bench;
  std::vector<Job> all = bench.jobs(1'000, Then::gives_way);
  bench.let(all);
  for (int turn = 0; turn < 3'000; ++turn) {
    ASSERT_EQ(bench.scheduler.run_ready(1), 1U);
    ASSERT_EQ(bench.ran.back()->messages, 64) << "turn " << turn;
  }
  std::vector<Job> outside = bench.jobs(2, Then::ends);
  for (Job& job : outside) bench.scheduler.schedule(job);
  bench.ran.clear();
  ASSERT_EQ(bench.scheduler.run_ready(1), 1U);
  EXPECT_EQ(bench.ran.back()->messages, 1) << "what comes from outside does";
  ASSERT_EQ(bench.scheduler.run_ready(3), 3U);
}

/// The most turns of `whose` without one of others in between.
std::size_t longest_row(const std::vector<Job*>& ran, const std::vector<Job>& whose, std::size_t from,
                        std::size_t to) {
  std::size_t longest = 0;
  std::size_t row = 0;
  for (std::size_t turn = from; turn < to; ++turn) {
    row = ran[turn] >= whose.data() && ran[turn] < whose.data() + whose.size() ? row + 1 : 0;
    longest = std::max(longest, row);
  }
  return longest;
}

/// The bound: 32 and 31 take turns, so of N that ran over elsewhere the last runs within 2 N turns, and 5 times 31 more since
/// of the last few each worker takes its share only.
TEST(F1, what_ran_over_another_workers_queue_takes_turns_with_what_a_worker_has_itself) {
  constexpr std::size_t over = 384;  // of 600: the older half three times
  Bench bench(2);
  std::vector<Job> elsewhere = bench.jobs(600, Then::ends);
  std::vector<Job> own = bench.jobs(3, Then::gives_way);
  for (Job& job : elsewhere) bench.scheduler.worker(1).give_way(job);
  for (Job& job : own) {
    job.until = &elsewhere;
    bench.scheduler.worker(0).give_way(job);
  }
  // They never end before all have run, and nothing but what ran over is run beside them: the rest stands in the other's queue.
  for (std::size_t i = over; i < elsewhere.size(); ++i) elsewhere[i].messages = 1;
  bench.scheduler.run_leftovers();
  const auto last = std::find(bench.ran.begin(), bench.ran.end(), &elsewhere[over - 1]);
  const auto turns = static_cast<std::size_t>(last - bench.ran.begin()) + 1;
  EXPECT_LE(turns, 2 * over + 5 * 31);
  EXPECT_EQ(longest_row(bench.ran, elsewhere, 0, turns), 32U);
  EXPECT_EQ(longest_row(bench.ran, own, 0, turns), 31U);
  // In their order, and each once.
  std::vector<Job*> others;
  std::copy_if(bench.ran.begin(), bench.ran.end(), std::back_inserter(others),
               [&](Job* job) { return job >= elsewhere.data() && job < elsewhere.data() + elsewhere.size(); });
  ASSERT_EQ(others.size(), elsewhere.size());
  for (std::size_t i = 0; i < others.size(); ++i) ASSERT_EQ(others[i], &elsewhere[i]);
}

/// The bound: one of 16 turns is for the new.
TEST(F1, what_is_new_runs_although_much_ran_over) {
  for (const unsigned by : {0U, 1U}) {
    Bench bench(2);
    std::vector<Job> over = bench.jobs(2'000, Then::ends);
    std::vector<Job> made = bench.jobs(1, Then::ends);
    over[0].makes = &made[0];
    for (Job& job : over) bench.scheduler.worker(by).give_way(job);
    bench.scheduler.run_leftovers();
    ASSERT_EQ(bench.ran.size(), 2'001U);
    EXPECT_LE(std::find(bench.ran.begin(), bench.ran.end(), &made[0]) - bench.ran.begin(), 16) << "by worker " << by;
  }
}

/// Always who has waited longest.
class OldestFirst final : public Scheduling {
 public:
  std::size_t choose(std::span<Runnable* const>) noexcept override { return 0; }
  unsigned bound(unsigned usual) noexcept override { return usual; }
  void handled(Runnable&, const void*) noexcept override {}
  void ended(Runnable&) noexcept override {}
};

TEST(W1, the_door_is_shown_the_ready_in_the_order_scheduled_however_many_run_over) {
  Bench bench(0, std::make_shared<OldestFirst>());
  std::vector<Job> all = bench.jobs(1'000, Then::gives_way);
  bench.let(all);
  ASSERT_EQ(bench.scheduler.run_ready(2 * all.size()), 2 * all.size());
  for (std::size_t turn = 0; turn < 2 * all.size(); ++turn) ASSERT_EQ(bench.ran[turn], &all[turn % all.size()]);
}

}  // namespace
