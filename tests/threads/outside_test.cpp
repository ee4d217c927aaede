// The border of a runtime: Refs that outlive it (L2), several runtimes side by side, the blocking pool, asks that do
// not block, subscriptions that end while events are told.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "threads/support.hpp"

namespace backstage::threads_test {
namespace {

using namespace std::chrono_literals;

using OutsideOnThreads = WithWorkers;
INSTANTIATE_TEST_SUITE_P(Workers, OutsideOnThreads, worker_counts(), named);

/// A message that is counted by its token: none may be lost to memory.
struct Parcel {
  std::shared_ptr<int> token;
};
struct Size {};

struct Box {
  void handle(const Parcel&) { ++parcels; }
  int handle(Size) const { return parcels; }
  int parcels = 0;
};

TEST_P(OutsideOnThreads, L2_refs_are_used_while_their_runtime_is_destroyed_and_afterwards) {
  for (int round = 0; round < 10; ++round) {
    const auto token = std::make_shared<int>(0);
    std::vector<Ref<Box>> boxes;
    auto runtime = std::make_unique<Runtime>(quiet(GetParam()));
    for (int i = 0; i < 4; ++i) boxes.push_back(runtime->spawn<Box>("box-" + std::to_string(i)));
    std::latch warm(3);
    std::atomic<bool> over{false};
    std::vector<std::thread> senders;
    for (unsigned me = 0; me < 3; ++me) {
      senders.emplace_back([&, me] {
        for (std::size_t n = 0; !over; ++n) {
          const auto& box = boxes[(n + me) % boxes.size()];
          if (n % 3 == 0) {
            (void)box.try_send(Parcel{token});
          } else {
            box.send(Parcel{token});
          }
          if (n == 30) warm.count_down();
        }
      });
    }
    warm.wait();
    runtime.reset();
    over = true;
    for (std::thread& sender : senders) sender.join();
    for (const auto& box : boxes) {
      box.send(Parcel{token});
      EXPECT_EQ(box.try_send(Parcel{token}).error().code(), Errc::gone);
    }
    EXPECT_EQ(token.use_count(), 1) << "every message was handled or destroyed";
  }
}

struct Serve {
  Ref<class Player> to;
};
class Player;
struct Ball {
  Ref<Player> from;
  int left;
};

/// Plays against one in another runtime.
class Player {
 public:
  explicit Player(std::latch* over) : over_(over) {}
  void handle(Serve serve, Context& cx) { serve.to.send(Ball{cx.self(this), 200}); }
  void handle(Ball ball, Context& cx) {
    if (ball.left == 0) {
      over_->count_down();
      return;
    }
    ball.from.send(Ball{cx.self(this), ball.left - 1});
  }

 private:
  std::latch* over_;
};

TEST_P(OutsideOnThreads, runtimes_side_by_side_send_to_each_other) {
  constexpr int pairs = 8;
  std::latch over(pairs);
  Runtime left(quiet(GetParam()));
  Runtime right(quiet(2));
  for (int i = 0; i < pairs; ++i) {
    const auto one = left.spawn<Player>("player-" + std::to_string(i), &over);
    const auto other = right.spawn<Player>("player-" + std::to_string(i), &over);
    one.send(Serve{other});
  }
  over.wait();
  expect_rest(left);
  expect_rest(right);
}

struct Inquire {};
/// Asks one in another runtime, which may be gone.
class Inquirer {
 public:
  explicit Inquirer(Ref<Box> box) : box_(box) {}
  Task<bool> handle(Inquire) {
    const auto size = co_await box_.ask<Size>().within(long_enough);
    co_return size.has_value();
  }

 private:
  Ref<Box> box_;
};

TEST_P(OutsideOnThreads, L2_an_ask_into_a_runtime_that_goes_away_is_answered_or_refused_at_once) {
  for (int round = 0; round < 10; ++round) {
    Runtime asking(quiet(GetParam()));
    auto asked = std::make_unique<Runtime>(quiet(2));
    const auto box = asked->spawn<Box>("box");
    const auto inquirer = asking.spawn<Inquirer>("inquirer", box);
    EXPECT_TRUE(asking.ask<Inquire>(inquirer).within(long_enough).value());
    std::atomic<bool> over{false};
    std::thread asker([&] {
      do {
        EXPECT_TRUE(asking.ask<Inquire>(inquirer).within(long_enough).has_value());
      } while (!over);
    });
    asked.reset();
    over = true;
    asker.join();
    EXPECT_FALSE(asking.ask<Inquire>(inquirer).within(long_enough).value());
    expect_rest(asking);
  }
}

// ------------------------------------------------------------------------------------------------ blocking pool

struct Block {};

/// Its work on the pool says that it has begun and waits for leave to end.
class Blocker {
 public:
  Blocker(std::latch* begun, std::latch* leave) : begun_(begun), leave_(leave) {}
  Task<Result<>> handle(Block, Context& cx) {
    auto work = [begun = begun_, leave = leave_] {
      if (begun != nullptr) begun->count_down();
      leave->wait();
    };
    co_return co_await cx.blocking(moved(work)).within(long_enough);
  }

 private:
  std::latch* begun_;
  std::latch* leave_;
};

/// The same, with a deadline that passes first.
class Impatient {
 public:
  explicit Impatient(std::latch* leave) : leave_(leave) {}
  Task<Result<>> handle(Block, Context& cx) {
    auto work = [leave = leave_] { leave->wait(); };
    co_return co_await cx.blocking(moved(work)).within(1ms);
  }

 private:
  std::latch* leave_;
};

TEST_P(OutsideOnThreads, work_on_the_blocking_pool_that_does_not_end_in_time_goes_on_without_its_actor) {
  std::latch leave(1);
  Runtime runtime(quiet(GetParam()));
  const auto actor = runtime.spawn<Impatient>("impatient", &leave);
  const Result<> late = runtime.ask<Block>(actor).within(long_enough);
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code(), Errc::timeout);
  EXPECT_TRUE(late.error().may_have_run());
  leave.count_down();
  expect_rest(runtime);
}

TEST_P(OutsideOnThreads, the_blocking_pool_is_bounded_and_says_full) {
  std::latch begun(2);
  std::latch leave(1);
  RuntimeOptions options = quiet(GetParam());
  options.blocking_threads = 2;
  options.blocking_queue = 4;
  Runtime runtime(options);
  std::vector<PendingAnswer<void>> answers;
  for (int i = 0; i < 2; ++i) {
    const auto actor = runtime.spawn<Blocker>("first-" + std::to_string(i), &begun, &leave);
    answers.push_back(runtime.ask<Block>(actor).polled_within(long_enough));
  }
  begun.wait();
  // Both threads are taken: of twelve more, four wait and eight are refused.
  std::latch refused(8);
  std::atomic<int> notified{0};
  for (int i = 0; i < 12; ++i) {
    const auto actor = runtime.spawn<Blocker>("then-" + std::to_string(i), static_cast<std::latch*>(nullptr), &leave);
    answers.push_back(runtime.ask<Block>(actor).polled_within(long_enough));
    answers.back().on_ready([&] {
      if (notified.fetch_add(1) < 8) refused.count_down();
    });
  }
  refused.wait();
  int full = 0;
  for (auto& answer : answers) {
    const auto now = answer.poll();
    if (!now) continue;
    EXPECT_EQ(now->error().code(), Errc::full);
    ++full;
  }
  EXPECT_EQ(full, 8);
  leave.count_down();
  expect_rest(runtime);
}

// ------------------------------------------------------------------------------------- a main loop of one's own

TEST_P(OutsideOnThreads, a_main_loop_waits_for_answers_on_a_descriptor) {
  Runtime runtime(quiet(GetParam()));
  std::vector<Ref<Box>> boxes;
  for (int i = 0; i < 4; ++i) boxes.push_back(runtime.spawn<Box>("box-" + std::to_string(i)));
  const int descriptor = eventfd(0, EFD_CLOEXEC);
  ASSERT_GE(descriptor, 0);
  constexpr int requests = 300;
  std::vector<PendingAnswer<int>> under_way;
  int sent = 0;
  int answered = 0;
  while (answered < requests) {
    while (sent < requests && under_way.size() < 16) {
      auto pending =
          runtime.ask<Size>(boxes[static_cast<std::size_t>(sent++) % boxes.size()]).polled_within(long_enough);
      pending.on_ready([descriptor] {
        const std::uint64_t one = 1;
        EXPECT_EQ(write(descriptor, &one, sizeof one), static_cast<ssize_t>(sizeof one));
      });
      under_way.push_back(std::move(pending));
    }
    pollfd waiting{descriptor, POLLIN, 0};
    ASSERT_EQ(poll(&waiting, 1, 60'000), 1) << "somebody is told of every answer";
    std::uint64_t woken = 0;
    ASSERT_EQ(read(descriptor, &woken, sizeof woken), static_cast<ssize_t>(sizeof woken));
    std::erase_if(under_way, [&](PendingAnswer<int>& pending) {
      const auto answer = pending.poll();
      if (!answer) return false;
      EXPECT_EQ(answer->value(), 0);
      ++answered;
      return true;
    });
  }
  expect_rest(runtime);  // every notification has been made: nobody writes to it any more
  close(descriptor);
}

// ------------------------------------------------------------------------------------------------------- events

TEST_P(OutsideOnThreads, L1_a_subscription_that_has_ended_is_not_called_any_more) {
  Runtime runtime(quiet(GetParam()));
  std::atomic<bool> over{false};
  std::thread churn([&] {
    for (int i = 0; !over; ++i) {
      const auto box = runtime.spawn<Box>("box-" + std::to_string(i));
      runtime.stop(box);
      EXPECT_TRUE(!box.try_send(Parcel{}) || true);
    }
  });
  for (int round = 0; round < 100; ++round) {
    // Gone right after end(): a late call would be seen by the sanitizers.
    auto calls = std::make_unique<std::pair<std::latch, int>>(std::piecewise_construct, std::forward_as_tuple(1),
                                                              std::forward_as_tuple(0));
    auto subscription = runtime.events().subscribe([c = calls.get()](const Event&) {
      if (c->second++ == 0) c->first.count_down();
    });
    calls->first.wait();
    subscription.end();
    calls.reset();
  }
  over = true;
  churn.join();
  expect_rest(runtime);
}

// ----------------------------------------------------------------------------------------------------- shutdown

TEST_P(OutsideOnThreads, L4_calls_of_shutdown_side_by_side_all_wait_for_the_one) {
  Runtime runtime(quiet(GetParam()));
  for (int i = 0; i < 50; ++i) runtime.spawn<Box>("box-" + std::to_string(i)).send(Parcel{});
  on_threads(3, [&runtime](unsigned) {
    EXPECT_TRUE(runtime.shutdown(long_enough).has_value());
    EXPECT_EQ(runtime.actors(), 1U);
    EXPECT_EQ(runtime.counts().in_flight(), 0U);
  });
}

struct EndAll {
  Runtime* runtime;
};
struct Suicidal {
  Errc handle(EndAll all) {
    const Result<> end = all.runtime->shutdown();
    return end.has_value() ? Errc::application : end.error().code();
  }
};

TEST_P(OutsideOnThreads, L4_a_shutdown_from_within_is_refused_instead_of_waiting_for_itself) {
  Runtime runtime(quiet(GetParam()));
  const auto actor = runtime.spawn<Suicidal>("suicidal");
  EXPECT_EQ(runtime.ask<EndAll>(actor, &runtime).within(long_enough).value(), Errc::invalid);
  expect_rest(runtime);
}

}  // namespace
}  // namespace backstage::threads_test
