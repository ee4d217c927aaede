// F3 on real threads: a handler that keeps its worker is named, its worker's work goes on elsewhere, also when all
// workers are kept. The hogs give their threads back only after the news of them has come: a broken promise hangs.
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <latch>
#include <mutex>
#include <string>
#include <vector>

#include "backstage/actor/service.hpp"
#include "threads/support.hpp"

#if defined(__has_feature)
#define BACKSTAGE_TEST_TSAN __has_feature(thread_sanitizer)
#else
#define BACKSTAGE_TEST_TSAN 0
#endif

namespace backstage::threads_test {
namespace {

using namespace std::chrono_literals;

struct Poke {};
struct Ping {};

/// Hog events of actors whose path begins so, as they come, for a test thread that waits for them. (Of those only: on
/// a machine that is busy enough any actor may find itself stuck.)
class HogDiary {
 public:
  HogDiary(Runtime& runtime, std::string whose)
      : whose_(std::move(whose)), subscription_(runtime.events().subscribe([this](const Event& event) {
          const auto* hog = std::get_if<Hog>(&event);
          if (hog != nullptr && hog->path.starts_with(whose_)) {
            const std::lock_guard lock(mutex_);
            hogs_.push_back(*hog);
            came_.notify_all();
          }
        })) {}
  std::vector<Hog> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [&] { return hogs_.size() >= count; });
    return hogs_;
  }
  std::vector<Hog> so_far() {
    const std::lock_guard lock(mutex_);
    return hogs_;
  }

 private:
  const std::string whose_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<Hog> hogs_;
  Events::Subscription subscription_;
};

/// Blocks its thread.
struct Blocker {
  explicit Blocker(std::latch* free) : free_(free) {}
  bool handle(Poke) {
    free_->wait();
    return true;
  }
  std::latch* free_;
};
/// Keeps its core busy.
struct Spinner {
  explicit Spinner(std::atomic<bool>* free) : free_(free) {}
  void handle(Poke) {
    while (!free_->load(std::memory_order_relaxed)) {
    }
  }
  std::atomic<bool>* free_;
};
struct Echo {
  bool handle(Ping) const { return true; }
};

TEST(HogOnThreads, A6_F3_a_handler_that_never_yields_is_named_and_others_go_on) {
  std::atomic<bool> free{false};
  Runtime runtime(quiet(2));
  HogDiary diary(runtime, "/spinner");
  const auto spinner = runtime.spawn<Spinner>("spinner", &free);
  const auto echo = runtime.spawn<Echo>("echo");
  spinner.send(Poke{});
  const Hog hog = diary.wait_for(1).front();
  EXPECT_EQ(hog.path, "/spinner");
  EXPECT_TRUE(hog.message.ends_with("Poke")) << hog.message;
  EXPECT_TRUE(hog.actor.ends_with("Spinner")) << hog.actor;
  EXPECT_FALSE(hog.over);
  EXPECT_GE(hog.kept, 50ms);
  EXPECT_TRUE(hog.stack.empty()) << "a Runtime alone uses no signals";
  EXPECT_TRUE(runtime.ask<Ping>(echo).within(long_enough).value());
  EXPECT_GE(runtime.hogs().found, 1U);
  EXPECT_GE(runtime.hogs().now, 1U);
  free.store(true);
  const Hog end = diary.wait_for(2).back();
  EXPECT_TRUE(end.over);
  EXPECT_EQ(end.path, "/spinner");
  EXPECT_GE(end.kept, hog.kept);
  EXPECT_GE(runtime.hogs().longest, 50ms);
  EXPECT_EQ(diary.so_far().size(), 2U) << "once per episode";
  expect_rest(runtime);
}

TEST(HogOnThreads, F3_the_service_tree_shows_who_is_stuck_and_in_what) {
  std::latch free(1);
  Runtime runtime(quiet(2));
  HogDiary diary(runtime, "/blocker");
  const auto blocker = runtime.spawn<Blocker>("blocker", &free);
  blocker.send(Poke{});
  (void)diary.wait_for(1);
  const ServiceTree tree = runtime.service_tree(500ms);
  ASSERT_EQ(tree.root.children.size(), 1U);
  const Service& service = tree.root.children.front();
  EXPECT_TRUE(service.stuck);
  EXPECT_FALSE(service.responding);
  EXPECT_TRUE(service.handling.ends_with("Poke")) << service.handling;
  EXPECT_NE(tree.text().find("DOES NOT RESPOND  STUCK, in "), std::string::npos) << tree.text();
  free.count_down();
  EXPECT_TRUE(diary.wait_for(2).back().over);
  expect_rest(runtime);
}

TEST(HogOnThreads, F3_hooks_and_constructors_are_named_too) {
  struct Late {
    explicit Late(std::latch* free) { free->wait(); }
    void handle(Ping) {}
  };
  std::latch free(1);
  Runtime runtime(quiet(2));
  HogDiary diary(runtime, "/late");
  runtime.spawn<Late>("late", &free);
  const Hog hog = diary.wait_for(1).front();
  EXPECT_EQ(hog.path, "/late");
  EXPECT_EQ(hog.message, "constructor");
  free.count_down();
  expect_rest(runtime);
}

void expect_others_run_though_all_are_kept(unsigned workers, unsigned blockers) {
  std::latch free(1);
  RuntimeOptions options = quiet(workers);
  options.spare_workers = 64;
  Runtime runtime(options);
  const auto echo = runtime.spawn<Echo>("echo");
  std::vector<Ref<Blocker>> all;
  for (unsigned i = 0; i < blockers; ++i) {
    all.push_back(runtime.spawn<Blocker>("blocker-" + std::to_string(i), &free));
    all.back().send(Poke{});
  }
  // Behind all of them.
  EXPECT_TRUE(runtime.ask<Ping>(echo).within(long_enough).value());
  free.count_down();
  for (const auto& one : all) EXPECT_TRUE(runtime.ask<Poke>(one).within(long_enough).value());
  expect_rest(runtime);
}
TEST(HogOnThreads, F3_others_run_though_the_only_worker_is_kept) { expect_others_run_though_all_are_kept(1, 1); }
TEST(HogOnThreads, A7_F3_64_blocking_handlers_on_2_workers_starve_nobody) {
  expect_others_run_though_all_are_kept(2, 64);
}

TEST(HogOnThreads, A7_spare_workers_are_bounded_and_what_waits_then_is_not_lost) {
  std::latch free(1);
  std::atomic<int> inside{0};
  struct Counting {
    Counting(std::latch* f, std::atomic<int>* in) : free_(f), inside_(in) {}
    bool handle(Poke) {
      inside_->fetch_add(1);
      inside_->notify_all();
      free_->wait();
      return true;
    }
    std::latch* free_;
    std::atomic<int>* inside_;
  };
  RuntimeOptions options = quiet(2);
  options.spare_workers = 3;
  Runtime runtime(options);
  HogDiary diary(runtime, "/blocker");
  std::vector<Ref<Counting>> all;
  for (unsigned i = 0; i < 20; ++i) {
    all.push_back(runtime.spawn<Counting>("blocker-" + std::to_string(i), &free, &inside));
    all.back().send(Poke{});
  }
  for (int seen = 0; (seen = inside.load()) < 5;) inside.wait(seen);
  // Five of them hog, by what the watch says: there is no sixth thread to say it of.
  (void)diary.wait_for(5);
  EXPECT_EQ(inside.load(), 5);
  free.count_down();
  for (const auto& one : all) EXPECT_TRUE(runtime.ask<Poke>(one).within(long_enough).value());
  EXPECT_EQ(inside.load(), 40);
  expect_rest(runtime);
}

TEST(HogOnThreads, A7_a_saturated_blocking_pool_pushes_back_and_does_not_grow) {
  std::latch free(1);
  std::atomic<int> most{0};
  std::atomic<int> now{0};
  struct Job {
    Job(std::latch* f, std::atomic<int>* n, std::atomic<int>* m) : free_(f), now_(n), most_(m) {}
    Task<Result<>> handle(Poke, Context& cx) {
      auto work = [free = free_, now = now_, most = most_] {
        const int here = now->fetch_add(1) + 1;
        now->notify_all();
        for (int seen = most->load(); seen < here && !most->compare_exchange_weak(seen, here);) {
        }
        free->wait();
        now->fetch_sub(1);
        return true;
      };
      auto done = co_await cx.blocking(moved(work)).within(long_enough);
      if (!done.has_value()) co_return done.error();
      co_return {};
    }
    std::latch* free_;
    std::atomic<int>* now_;
    std::atomic<int>* most_;
  };
  RuntimeOptions options = quiet(2);
  options.blocking_threads = 4;
  options.blocking_queue = 10;
  Runtime runtime(options);
  std::vector<PendingAnswer<void>> answers;
  std::vector<Ref<Job>> jobs;
  for (unsigned i = 0; i < 64; ++i) {
    jobs.push_back(runtime.spawn<Job>("job-" + std::to_string(i), &free, &now, &most));
    answers.push_back(runtime.ask<Poke>(jobs.back()).polled_within(long_enough));
    if (i + 1 != 4) continue;
    for (int seen = 0; (seen = now.load()) < 4;) now.wait(seen);  // each thread has one
  }
  // Of the other 60, ten are taken on; 50 hear at once that there is no room, while those still run.
  std::atomic<int> refused{0};
  for (auto& answer : answers) {
    answer.on_ready([&] {
      refused.fetch_add(1);
      refused.notify_all();
    });
  }
  for (int seen = 0; (seen = refused.load()) < 50;) refused.wait(seen);
  EXPECT_EQ(refused.load(), 50);
  free.count_down();
  for (int seen = 0; (seen = refused.load()) < 64;) refused.wait(seen);
  unsigned full = 0;
  for (auto& answer : answers) {
    const auto result = answer.poll();
    ASSERT_TRUE(result.has_value());
    if (!result->has_value()) {
      EXPECT_TRUE(result->error().is(Errc::full)) << result->error().describe();
      ++full;
    }
  }
  EXPECT_EQ(full, 50U);
  EXPECT_EQ(most.load(), 4);
  expect_rest(runtime);
}

#if defined(__GNUC__)
#define BACKSTAGE_TEST_NOINLINE __attribute__((noinline))
#endif

std::atomic<bool> spin_on{true};
BACKSTAGE_TEST_NOINLINE void spin_in_poke() {
  while (spin_on.load(std::memory_order_relaxed)) {
  }
}
struct DeepSpinner {
  void handle(Poke) { spin_in_poke(); }
};

TEST(HogOnThreads, F3_the_stack_names_the_function_where_signals_are_allowed_and_the_signal_is_given_back) {
  struct sigaction before{};
  sigaction(SIGRTMIN + 3, nullptr, &before);
  {
    RuntimeOptions options = quiet(2);
    options.stacks = std::make_shared<StackSignal>();
    Runtime runtime(options);
    options.stacks.reset();
    HogDiary diary(runtime, "/deep");
    spin_on.store(true);
    runtime.spawn<DeepSpinner>("deep").send(Poke{});
    const Hog hog = diary.wait_for(1).front();
    ASSERT_FALSE(hog.stack.empty());
    std::string text;
    for (const std::string& line : describe_stack(hog.stack)) text += line + '\n';
    EXPECT_NE(text.find("spin_in_poke"), std::string::npos) << text;
    spin_on.store(false);
    expect_rest(runtime);
  }
  struct sigaction after{};
  sigaction(SIGRTMIN + 3, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
  EXPECT_EQ(before.sa_flags & SA_SIGINFO, after.sa_flags & SA_SIGINFO);
}

TEST(HogOnThreads, F3_a_signal_that_somebody_has_is_not_taken_away) {
  const StackSignal mine;
  try {
    const StackSignal again;
    FAIL() << "two own one signal";
  } catch (const Need& need) {
    EXPECT_TRUE(need.error().is(Errc::exists)) << need.error().describe();
  }
  try {
    const StackSignal wrong(SIGUSR1);
    FAIL() << "no real-time signal";
  } catch (const Need& need) {
    EXPECT_TRUE(need.error().is(Errc::invalid)) << need.error().describe();
  }
}

/// In a process of its own, since what it gives up is never freed. Exits 0 when what must hold holds.
[[noreturn]] void give_up_on_a_stubborn_one() {
  static std::latch never(1);
  struct Stubborn {
    void handle(Poke) { never.wait(); }
  };
  RuntimeOptions options = quiet(2);
  options.stacks = std::make_shared<StackSignal>();
  Runtime runtime(options);
  HogDiary diary(runtime, "/stubborn");
  runtime.spawn<Stubborn>("stubborn").send(Poke{});
  (void)diary.wait_for(1);
  const Instant began = runtime.environment().clock().now();
  const Result<> end = runtime.shutdown(200ms);
  const Duration took = runtime.environment().clock().now() - began;
  EXPECT_FALSE(end.has_value());
  EXPECT_TRUE(!end.has_value() && end.error().is(Errc::timeout));
  EXPECT_GE(took, 200ms);
  EXPECT_EQ(runtime.stuck().size(), 1U);
  for (const StuckActor& stuck : runtime.stuck()) {
    EXPECT_EQ(stuck.path, "/stubborn");
    EXPECT_TRUE(stuck.message.ends_with("Poke")) << stuck.message;
#if !BACKSTAGE_TEST_TSAN
    // (The thread sanitizer holds signals back until the thread calls something that it knows: here it never does.)
    EXPECT_FALSE(stuck.stack.empty());
#endif
  }
  std::fprintf(stderr, "given up after %s of 200 ms and a grace of 1 s\n", to_string(took).c_str());
  _exit(testing::Test::HasFailure() ? 1 : 0);
}

TEST(HogOnThreads, A16_L4_a_blocked_child_at_shutdown_is_named_with_its_stack_within_the_deadline) {
  EXPECT_EXIT(give_up_on_a_stubborn_one(), testing::ExitedWithCode(0), "given up after");
}

}  // namespace
}  // namespace backstage::threads_test
