// W1, F1: whoever opens the door Scheduling decides the order of a scheduler without threads; without it nothing changes.
#include "backstage/exec/scheduling.hpp"

#include <memory>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "backstage/exec/scheduler.hpp"

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

struct Job : Runnable {
  std::vector<int>* ran = nullptr;
  int number = 0;
  int messages = 0;         // of a turn, handled until it has to end
  Job* follower = nullptr;  // scheduled by its turn
};

void run_job(Runnable& runnable, Worker& worker) {
  auto& job = static_cast<Job&>(runnable);
  job.ran->push_back(job.number);
  if (job.follower != nullptr) worker.scheduler().schedule(*std::exchange(job.follower, nullptr));
  do {
    ++job.messages;
  } while (!worker.after_message());
}

/// The newest first, three messages a turn; then indices that are far too large.
class NewestFirst final : public Scheduling {
 public:
  std::size_t choose(std::span<Runnable* const> ready) noexcept override {
    most_ready = std::max(most_ready, ready.size());
    return ready.size() - 1 + times_too_large * ready.size();
  }
  unsigned bound(unsigned usual) noexcept override {
    usual_bound = usual;
    return 3;
  }
  void handled(Runnable& running, const void*) noexcept override { handled_by.push_back(&running); }
  void ended(Runnable& ran) noexcept override { ended_of.push_back(&ran); }

  std::size_t times_too_large = 0;
  std::size_t most_ready = 0;
  unsigned usual_bound = 0;
  std::vector<Runnable*> handled_by;
  std::vector<Runnable*> ended_of;
};

struct Bench {
  explicit Bench(std::shared_ptr<Scheduling> door) {
    if (door) environment.open<Scheduling>(std::move(door));
    scheduler = std::make_unique<Scheduler>(environment, pool, detail::SchedulerOptions{.threads = 0}, &run_job);
    for (int i = 0; i < 5; ++i) {
      jobs[i].ran = &ran;
      jobs[i].number = i;
    }
  }
  Environment environment{std::make_shared<StoppedClock>(), std::make_shared<NoChance>()};
  SlabPool pool;
  std::unique_ptr<Scheduler> scheduler;
  std::vector<int> ran;
  Job jobs[5];
};

TEST(W1, the_door_decides_who_is_next_and_for_how_long) {
  const auto door = std::make_shared<NewestFirst>();
  Bench bench(door);
  for (int i = 0; i < 4; ++i) bench.scheduler->schedule(bench.jobs[i]);
  bench.jobs[3].follower = &bench.jobs[4];
  EXPECT_EQ(bench.scheduler->run_ready(SIZE_MAX), 5U);
  EXPECT_EQ(bench.ran, (std::vector<int>{3, 4, 2, 1, 0}));
  EXPECT_EQ(door->most_ready, 4U);
  EXPECT_EQ(door->usual_bound, 64U);
  for (const Job& job : bench.jobs) EXPECT_EQ(job.messages, 3);
  EXPECT_EQ(door->handled_by.size(), 15U);
  ASSERT_EQ(door->ended_of.size(), 5U);
  EXPECT_EQ(door->ended_of[1], &bench.jobs[4]);
}

TEST(W1, whatever_the_door_says_each_is_run_once) {
  const auto door = std::make_shared<NewestFirst>();
  door->times_too_large = 1'000;
  Bench bench(door);
  for (Job& job : bench.jobs) bench.scheduler->schedule(job);
  EXPECT_EQ(bench.scheduler->run_ready(2), 2U);
  bench.scheduler->run_leftovers();
  EXPECT_EQ(std::set<int>(bench.ran.begin(), bench.ran.end()).size(), 5U);
  EXPECT_EQ(bench.ran.size(), 5U);
}

TEST(W1, without_the_door_the_order_is_the_schedulers_own) {
  Bench bench(nullptr);
  for (int i = 0; i < 4; ++i) bench.scheduler->schedule(bench.jobs[i]);
  EXPECT_EQ(bench.scheduler->run_ready(SIZE_MAX), 4U);
  EXPECT_EQ(bench.ran, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(bench.jobs[3].messages, 64);  // the others end at once: work from outside waits
}

}  // namespace
