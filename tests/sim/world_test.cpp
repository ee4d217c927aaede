// W1, W3, F1: what a simulated world promises of its order, its chance and its hash.
#include "backstage/sim/world.hpp"

#include <set>

#include <gtest/gtest.h>

#include "storm.hpp"

namespace {

using namespace storm;

TEST(W3, the_same_seed_gives_the_same_run_to_the_last_event) {
  std::set<std::uint64_t> hashes;
  std::uint64_t events = 0;
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    const Outcome first = run_storm(seed);
    const Outcome second = run_storm(seed);
    ASSERT_EQ(first.hash, second.hash) << "seed " << seed;
    ASSERT_EQ(first.events, second.events) << "seed " << seed;
    ASSERT_EQ(first.trail, second.trail) << "seed " << seed;
    hashes.insert(first.hash);
    events += first.events;
  }
  EXPECT_EQ(hashes.size(), 120U);
  EXPECT_GT(events, 120U * 500U);
}

TEST(W3, a_replay_of_the_recorded_choices_is_the_same_run) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Outcome drawn = run_storm(seed);
    sim::WorldOptions options;
    options.replay = drawn.choices;
    const Outcome replayed = run_storm(seed, std::move(options));
    EXPECT_EQ(drawn.hash, replayed.hash) << "seed " << seed;
    EXPECT_EQ(drawn.choices, replayed.choices) << "seed " << seed;
  }
}

TEST(W1, seeds_draw_all_policies) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const sim::World world(seed);
    const std::string policy = world.policy();
    seen.insert(policy.substr(0, policy.find_first_of(" ,")));
  }
  EXPECT_EQ(seen.size(), sim::policies);
}

struct Go {};
struct Done {
  int who;
};

struct Book {
  std::vector<int> order;
};

struct Runner {
  Book* book;
  int who;
  void handle(Go) { book->order.push_back(who); }
};

std::vector<int> order_of(std::uint64_t seed, sim::Policy policy) {
  Book book;
  sim::WorldOptions options;
  options.policy = policy;
  sim::World world(seed, std::move(options));
  std::vector<Ref<Runner>> runners;
  for (int i = 0; i < 6; ++i) runners.push_back(world.spawn<Runner>("r" + std::to_string(i), &book, i));
  world.run();
  for (const auto& one : runners) one.send(Go{});
  world.run();
  world.end();
  return book.order;
}

TEST(W1, the_order_of_ready_actors_is_the_policys) {
  EXPECT_EQ(order_of(1, sim::Policy::round_robin), (std::vector<int>{0, 1, 2, 3, 4, 5}));
  std::set<std::vector<int>> uniform;
  std::set<std::vector<int>> priority;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    uniform.insert(order_of(seed, sim::Policy::uniform));
    priority.insert(order_of(seed, sim::Policy::priority));
  }
  EXPECT_GT(uniform.size(), 40U);
  EXPECT_GT(priority.size(), 40U);
}

/// Sends to itself for ever, until told to end.
struct Busy {
  Book* book;
  std::uint64_t turns = 0;
  void handle(Go, Context& cx) {
    if (book->order.empty()) cx.self(this).send(Go{});
    ++turns;
  }
};

TEST(F1, nobody_who_is_ready_waits_for_ever_whatever_the_policy) {
  for (std::size_t policy = 0; policy < sim::policies; ++policy) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Book book;
      sim::WorldOptions options;
      options.policy = static_cast<sim::Policy>(policy);
      options.most_turns = 20'000;
      sim::World world(seed, std::move(options));
      std::vector<Ref<Busy>> busy;
      for (int i = 0; i < 4; ++i) busy.push_back(world.spawn<Busy>("busy" + std::to_string(i), &book));
      const auto patient = world.spawn<Runner>("patient", &book, 7);
      world.run();
      for (const auto& one : busy) one.send(Go{});
      patient.send(Go{});
      world.run();
      EXPECT_EQ(book.order, std::vector<int>{7}) << sim::to_string(static_cast<sim::Policy>(policy)) << seed;
    }
  }
}

struct Draw {
  using reply = std::uint64_t;
};
struct Gambler {
  std::uint64_t handle(Draw, Context& cx) { return cx.environment().chance().next(); }
};

std::vector<std::uint64_t> draws_of_one(bool with_another) {
  sim::World world(5);
  const auto one = world.spawn<Gambler>("one");
  const auto other = world.spawn<Gambler>("other");
  std::vector<std::uint64_t> drawn;
  for (int i = 0; i < 10; ++i) {
    if (with_another) {
      EXPECT_TRUE(world.ask<Draw>(other).has_value());
    }
    drawn.push_back(world.ask<Draw>(one).value());
  }
  return drawn;
}

TEST(W1, what_one_actor_draws_does_not_shift_another) {
  const auto alone = draws_of_one(false);
  EXPECT_EQ(alone, draws_of_one(true));
  EXPECT_EQ(std::set<std::uint64_t>(alone.begin(), alone.end()).size(), 10U);
}

/// Lets the blocking pool note when its job was run, and notes when it went on.
struct Worker {
  Book* book;
  int who;
  Task<> handle(Go, Context& cx) {
    Job job{book, who};
    (void)co_await cx.blocking(moved(job)).within(1s);
    book->order.push_back(who + 10);
  }
  struct Job {
    Book* book;
    int who;
    int operator()() const {
      book->order.push_back(who);
      return who;
    }
  };
};

TEST(W1, blocking_jobs_are_run_at_any_time_and_in_any_order) {
  std::set<std::vector<int>> orders;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Book book;
    sim::World world(seed);
    std::vector<Ref<Worker>> workers;
    for (int i = 0; i < 3; ++i) workers.push_back(world.spawn<Worker>("w" + std::to_string(i), &book, i));
    world.run();
    for (const auto& one : workers) one.send(Go{});
    world.run();
    EXPECT_EQ(book.order.size(), 6U);
    orders.insert(book.order);
    world.end();
  }
  // There are 90 in which each job comes before what follows from it; first come, first served has one.
  EXPECT_GE(orders.size(), 8U);
}

struct Endless {
  void handle(Go, Context& cx) { cx.self(this).send(Go{}); }
};

TEST(W3, an_endless_exchange_is_an_error_and_not_a_hang) {
  sim::WorldOptions options;
  options.most_turns = 5'000;
  sim::World world(1, std::move(options));
  const auto endless = world.spawn<Endless>("endless");
  endless.send(Go{});
  EXPECT_THROW(world.run(), std::runtime_error);
}

struct Restless {
  Task<> init(Context& cx) {
    for (;;) co_await cx.yield();
  }
};

TEST(W3, a_world_with_somebody_who_never_rests_ends_all_the_same) {
  sim::WorldOptions options;
  options.most_turns = 5'000;
  sim::World world(1, std::move(options));
  (void)world.spawn<Restless>("restless");
  EXPECT_THROW(world.run(), std::runtime_error);
  world.end();
  EXPECT_EQ(world.runtime().actors(), 1U);
}

TEST(W3, the_diary_tells_the_last_decisions_in_words) {
  sim::World world(1);
  (void)world.ask<Draw>(world.spawn<Gambler>("one"));
  const std::string diary = world.diary();
  EXPECT_NE(diary.find("/one is next of"), std::string::npos) << diary;
  EXPECT_NE(diary.find("/one takes "), std::string::npos) << diary;
  EXPECT_NE(diary.find("/one drew "), std::string::npos) << diary;
}

TEST(W1, nothing_strikes_outside_a_world_and_claims_do_nothing) {
  const auto real = real_environment();
  for (int i = 0; i < 1'000; ++i) ASSERT_FALSE(real->maybe_fault("anything"));
  real->always(false, "no claim");
  real->unreachable("no claim");
  sim::World world(1);
  for (int i = 0; i < 1'000; ++i) ASSERT_FALSE(world.environment().maybe_fault("not injected"));
  EXPECT_TRUE(world.broken().empty());
}

}  // namespace
