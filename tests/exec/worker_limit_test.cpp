// Workers that stand aside and come back, on real threads: a tuning that is never content changes their number all the
// time, and every turn is run nevertheless; a limit is lifted when somebody has waited, or is stuck.
#include <atomic>
#include <climits>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "backstage/exec/environment.hpp"
#include "backstage/exec/scheduler.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;
using detail::Runnable;
using detail::Scheduler;
using detail::SchedulerOptions;
using detail::Worker;

struct Job : Runnable {
  void (*run)(Job&, Worker&) = nullptr;
  void* of = nullptr;
};
void run_job(Runnable& runnable, Worker& worker) {
  auto& job = static_cast<Job&>(runnable);
  job.run(job, worker);
}

/// Runs in turn with the next in its circle, until it has made its rounds.
struct Runner : Job {
  Runner() { run = run_runner; }
  static void run_runner(Job& job, Worker& worker);
  Runner* next = nullptr;
  std::atomic<int>* to_go = nullptr;
  int rounds = 0;
};
void Runner::run_runner(Job& job, Worker& worker) {
  auto& runner = static_cast<Runner&>(job);
  (void)worker.after_message();
  Runner* const next = runner.next;
  if (--runner.rounds >= 0) {
    worker.scheduler().schedule(*next);
  } else {
    runner.to_go->fetch_sub(1);
  }
}

/// Circles of them, each with a message under way from outside.
class Circles {
 public:
  Circles(int circles, int rounds) : circles_(circles), to_go_(circles) {
    for (int i = 0; i < circles * runners; ++i) {
      all_.push_back(std::make_unique<Runner>());
      all_.back()->to_go = &to_go_;
      all_.back()->rounds = rounds;
    }
    for (int i = 0; i < circles * runners; ++i) {
      all_[at(i)]->next = all_[at(i - i % runners + (i + 1) % runners)].get();
    }
  }
  void start(Scheduler& scheduler) {
    // From two threads outside, so that workers are woken meanwhile.
    std::thread other([&] {
      for (int c = 1; c < circles_; c += 2) scheduler.schedule(*all_[at(c * runners)]);
    });
    for (int c = 0; c < circles_; c += 2) scheduler.schedule(*all_[at(c * runners)]);
    other.join();
  }
  [[nodiscard]] bool are_over() const { return to_go_.load() == 0; }

 private:
  static constexpr int runners = 5;
  [[nodiscard]] static std::size_t at(int i) { return static_cast<std::size_t>(i); }

  int circles_;
  std::atomic<int> to_go_;
  std::vector<std::unique_ptr<Runner>> all_;
};

/// Everything pays, or nothing does; and looked at all the time.
SchedulerOptions restless(unsigned threads, double margin) {
  SchedulerOptions options;
  options.threads = threads;
  options.tuning.window = 20us;
  options.tuning.settling = 5us;
  options.tuning.first_pause = options.tuning.pause_at_end = options.tuning.longest_pause = 20us;
  options.tuning.longest_message = 1s;
  options.tuning.margin = margin;
  return options;
}

class RestlessWorkers : public testing::TestWithParam<std::tuple<unsigned, double>> {};
INSTANTIATE_TEST_SUITE_P(All, RestlessWorkers,
                         testing::Combine(testing::Values(2U, 3U, 8U), testing::Values(0.0, 1e9)),
                         [](const auto& named) {
                           return std::to_string(std::get<0>(named.param)) +
                                  (std::get<1>(named.param) == 0 ? "_all_pays" : "_nothing_pays");
                         });

TEST_P(RestlessWorkers, F1_whatever_is_scheduled_is_run_while_workers_stand_aside_and_come_back) {
  const auto environment = real_environment();
  SlabPool pool;
  Scheduler scheduler(*environment, pool, restless(std::get<0>(GetParam()), std::get<1>(GetParam())), run_job);
  scheduler.start();
  for (int wave = 0; wave < 5; ++wave) {
    Circles circles(60, 2'000);
    circles.start(scheduler);
    while (!circles.are_over()) std::this_thread::yield();
  }
  while (!scheduler.looks_idle()) std::this_thread::yield();
  EXPECT_TRUE(scheduler.stop_within(60s));
}

/// Keeps its worker until somebody else has come to run `other`, which stands behind it.
struct Blocker : Job {
  Job other;
  std::atomic<bool> other_ran{false};
};

TEST(StandingAside, F1_those_who_do_come_back_when_a_worker_is_stuck) {
  const auto environment = real_environment();
  SlabPool pool;
  auto options = restless(2, 0.0);
  options.tuning.first_pause = options.tuning.longest_pause = 200ms;  // one stays aside for so long
  options.limit_until = 1h;
  Scheduler scheduler(*environment, pool, options, run_job);
  scheduler.start();
  Circles circles(60, INT_MAX);
  circles.start(scheduler);
  while (scheduler.taking_part() != 1) std::this_thread::yield();
  Blocker blocker;
  blocker.other.run = [](Job& other, Worker&) { static_cast<Blocker*>(other.of)->other_ran.store(true); };
  blocker.other.of = &blocker;
  std::atomic<bool> over{false};
  blocker.of = &over;
  blocker.run = [](Job& job, Worker& worker) {
    auto& self = static_cast<Blocker&>(job);
    worker.scheduler().schedule(self.other);
    while (!self.other_ran.load()) std::this_thread::yield();
    static_cast<std::atomic<bool>*>(self.of)->store(true);
  };
  scheduler.schedule(blocker);
  while (!over.load()) std::this_thread::yield();
  EXPECT_TRUE(scheduler.stop_within(60s));
}

/// What could not be given back at the first try.
struct Reluctant {
  std::atomic<int> asked{0};
  int refusals = 0;
  static bool rest(void* self) noexcept {
    auto& it = *static_cast<Reluctant*>(self);
    return ++it.asked > it.refusals;
  }
};

TEST(Resting, M1_what_was_not_given_back_when_all_rested_is_tried_again_and_again_but_not_for_ever) {
  const auto environment = real_environment();
  SlabPool pool;
  SchedulerOptions options;
  Reluctant soon{.refusals = 3};
  Reluctant never{.refusals = INT_MAX};
  for (Reluctant* const reluctant : {&soon, &never}) {
    options.on_rest = &Reluctant::rest;
    options.on_hog_context = reluctant;
    Scheduler scheduler(*environment, pool, options, run_job);
    scheduler.start();
    const int times = reluctant == &soon ? 4 : 16;
    while (reluctant->asked.load() < times) std::this_thread::yield();
    EXPECT_TRUE(scheduler.stop_within(60s));
    EXPECT_EQ(reluctant->asked.load(), times);
  }
}

}  // namespace
