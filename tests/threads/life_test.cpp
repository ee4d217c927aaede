// Life and death under load on real workers: restarts (L2, L3), ends (L4), timers (L10), with exact accounting (M6).
#include <atomic>
#include <latch>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "threads/support.hpp"

namespace backstage::threads_test {
namespace {

using namespace std::chrono_literals;

using LifeOnThreads = WithWorkers;
INSTANTIATE_TEST_SUITE_P(Workers, LifeOnThreads, worker_counts(), named);

struct Work {
  std::uint64_t number;
};
struct Done {};

/// Breaks at every fiftieth message.
class Fragile {
 public:
  Fragile(std::atomic<std::uint64_t>* handled, std::atomic<std::uint64_t>* lives) : handled_(handled) {
    lives->fetch_add(1);
  }
  void handle(Work work) {
    handled_->fetch_add(1);
    if (work.number % 50 == 49) throw std::runtime_error("broke");
  }
  bool handle(Done) { return true; }

 private:
  std::atomic<std::uint64_t>* handled_;
};

TEST_P(LifeOnThreads, L2_restarts_under_load_lose_no_message) {
  constexpr unsigned producers = 3;
  constexpr unsigned actors = 4;
  constexpr std::uint64_t each = 400;
  std::atomic<std::uint64_t> handled{0};
  std::atomic<std::uint64_t> lives{0};
  Runtime runtime(quiet(GetParam()));
  std::vector<Ref<Fragile>> to;
  for (unsigned i = 0; i < actors; ++i) {
    to.push_back(runtime.spawn(child<Fragile>("fragile-" + std::to_string(i), &handled, &lives)
                                   .mailbox(unbounded())
                                   .backoff(1us, 10us)
                                   .at_most(unlimited)));
  }
  on_threads(producers, [&to](unsigned) {
    for (std::uint64_t n = 0; n < each; ++n) {
      for (const auto& actor : to) actor.send(Work{n});
    }
  });
  for (const auto& actor : to) EXPECT_TRUE(runtime.ask<Done>(actor).within(long_enough).value());
  EXPECT_EQ(handled, producers * actors * each);
  EXPECT_EQ(lives, actors + producers * actors * each / 50) << "each failure ended one life, and one only";
  EXPECT_EQ(runtime.counts().dead_letters(), 0U);
  expect_rest(runtime);
}

struct Breed {
  int children;
};
struct Nothing {};

struct Mayfly {
  void handle(Nothing) {}
};

/// Starts children, sends to them and stops them at once; answers when all have ended.
class Breeder {
 public:
  void handle(Breed breed, Reply<int> reply, Context& cx) {
    reply_ = std::move(reply);
    missing_ = breed.children;
    for (int i = 0; i < breed.children; ++i) {
      auto mayfly = cx.spawn(child<Mayfly>(unnamed).on_end(cx.self(this)));
      mayfly.send(Nothing{});
      cx.stop(mayfly);
      mayfly.send(Nothing{});
    }
  }
  void handle(Eol<Mayfly>, Context&) {
    ++ended_;
    if (--missing_ == 0) std::move(reply_)(ended_);
  }

 private:
  Reply<int> reply_;
  int missing_ = 0;
  int ended_ = 0;
};

TEST_P(LifeOnThreads, L4_each_of_many_short_lives_ends_once) {
  constexpr unsigned breeders = 4;
  Runtime runtime(quiet(GetParam()));
  std::vector<Ref<Breeder>> actors;
  for (unsigned i = 0; i < breeders; ++i) actors.push_back(runtime.spawn<Breeder>("breeder-" + std::to_string(i)));
  on_threads(breeders, [&](unsigned me) {
    for (int round = 1; round <= 5; ++round) {
      EXPECT_EQ(runtime.ask<Breed>(actors[me], 100).within(long_enough).value(), 100 * round);
    }
  });
  EXPECT_EQ(runtime.actors(), breeders + 1) << "every place was given back";
  expect_rest(runtime);
}

TEST_P(LifeOnThreads, L8_outside_threads_start_send_and_stop_without_losing_count) {
  Runtime runtime(quiet(GetParam()));
  on_threads(4, [&runtime](unsigned me) {
    for (int i = 0; i < 200; ++i) {
      const auto mayfly = runtime.spawn<Mayfly>("mayfly-" + std::to_string(me) + "-" + std::to_string(i));
      mayfly.send(Nothing{});
      runtime.stop(mayfly);
      // Its place goes to another sooner or later: this one must not reach that.
      for (int late = 0; late < 5; ++late) mayfly.send(Nothing{});
    }
  });
  expect_rest(runtime);
}

TEST_P(LifeOnThreads, L1_the_service_tree_is_whole_while_everything_churns) {
  Runtime runtime(quiet(GetParam()));
  const auto breeder = runtime.spawn<Breeder>("breeder");
  const auto steady = runtime.spawn<Mayfly>("steady");
  std::atomic<bool> over{false};
  std::thread churn([&] {
    for (int round = 0; round < 15; ++round) (void)runtime.ask<Breed>(breeder, 40).within(long_enough);
    over = true;
  });
  int looks = 0;
  do {
    const ServiceTree tree = runtime.service_tree(long_enough);
    bool found = false;
    for (const Service& service : tree.root.children) found = found || service.name == "steady";
    EXPECT_TRUE(found) << tree.text();
    ++looks;
  } while (!over);
  churn.join();
  EXPECT_GT(looks, 0);
  steady.send(Nothing{});
  expect_rest(runtime);
}

struct Arm {};
struct Ring {};
struct Rung {};

/// Sets timers for itself and for another, and cancels every second one.
class Alarm {
 public:
  Alarm(std::latch* all, std::atomic<int>* wrong) : all_(all), wrong_(wrong) {}
  Task<> handle(Arm, Context& cx) {
    for (int i = 0; i < 20; ++i) {
      (void)cx.send_after(Duration(i * 100'000), cx.self(this), Ring{});
      Timer never = cx.send_after(Duration(i * 100'000), cx.self(this), Rung{});
      if (!never.cancel()) wrong_->fetch_add(1);
      const Instant began = cx.now();
      co_await cx.sleep(Duration(i * 50'000));
      if (cx.now() - began < Duration(i * 50'000)) wrong_->fetch_add(1);
    }
  }
  void handle(Ring) { all_->count_down(); }
  void handle(Rung) { wrong_->fetch_add(1); }

 private:
  std::latch* all_;
  std::atomic<int>* wrong_;
};

TEST_P(LifeOnThreads, L10_timers_set_on_all_workers_fire_once_and_cancelled_ones_never) {
  constexpr unsigned alarms = 32;
  std::latch all(alarms * 20);
  std::atomic<int> wrong{0};
  Runtime runtime(quiet(GetParam()));
  for (unsigned i = 0; i < alarms; ++i) {
    runtime.spawn<Alarm>("alarm-" + std::to_string(i), &all, &wrong).send(Arm{});
  }
  all.wait();
  EXPECT_EQ(wrong, 0);
  expect_rest(runtime);
}

struct Nap {};
struct Napper {
  Task<bool> handle(Nap, Context& cx) {
    const Instant began = cx.now();
    co_await cx.sleep(1ms);
    co_return cx.now() - began >= 1ms;
  }
};

TEST_P(LifeOnThreads, L10_a_timer_wakes_a_runtime_in_which_everybody_sleeps) {
  Runtime runtime(quiet(GetParam()));
  const auto napper = runtime.spawn<Napper>("napper");
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(runtime.ask<Nap>(napper).within(long_enough).value());
  expect_rest(runtime);
}

struct Chat {};
class Chatter;
struct Meet {
  std::vector<Ref<Chatter>> others;
};

/// Passes what it hears on to another, for ever.
class Chatter {
 public:
  Chatter(std::atomic<std::uint64_t>* heard, std::uint64_t seed) : heard_(heard), random_(seed) {}
  void handle(Meet meet) { others_ = std::move(meet.others); }
  void handle(Chat chat) {
    heard_->fetch_add(1);
    heard_->notify_all();
    if (!others_.empty()) others_[random_() % others_.size()].send(chat);
  }

 private:
  std::atomic<std::uint64_t>* heard_;
  std::mt19937_64 random_;
  std::vector<Ref<Chatter>> others_;
};

TEST_P(LifeOnThreads, L4_a_shutdown_in_the_middle_of_everything_is_orderly) {
  std::mt19937_64 random(GetParam());
  const std::int64_t nothing = blocks_of_nothing();
  for (int round = 0; round < 15; ++round) {
    const auto chatters = static_cast<unsigned>(2 + random() % 30);
    std::atomic<std::uint64_t> heard{0};
    std::atomic<bool> over{false};
    Runtime runtime(quiet(GetParam()));
    std::vector<Ref<Chatter>> all;
    for (unsigned i = 0; i < chatters; ++i) {
      // Small boxes: what they hold is all handled before the end, and what they refuse is counted as well.
      all.push_back(
          runtime.spawn(child<Chatter>("chatter-" + std::to_string(i), &heard, random()).mailbox(bounded(200))));
    }
    for (const auto& chatter : all) chatter.send(Meet{all});
    for (const auto& chatter : all) chatter.send(Chat{});
    std::thread outside([&all, &over] {
      for (std::size_t n = 0; !over; ++n) all[n % all.size()].send(Chat{});
    });
    // Some moment or other: after as many messages as chance says.
    const std::uint64_t moment = random() % 5'000;
    for (std::uint64_t now = heard; now < moment; now = heard) heard.wait(now);
    const Result<> end = runtime.shutdown(long_enough);
    EXPECT_TRUE(end.has_value()) << end.error().describe();
    over = true;
    outside.join();
    EXPECT_EQ(runtime.counts().in_flight(), 0U);
    EXPECT_EQ(runtime.memory().live_blocks, nothing);
  }
}

}  // namespace
}  // namespace backstage::threads_test
