// The fault catalogue, A11 to A15, A18, A21 to A23: restarts that go wrong, stops at the wrong moment, things that are gone.
#include <map>
#include <string>
#include <utility>

#include "backstage/application/application.hpp"
#include "catalogue.hpp"

namespace {

using namespace catalogue;

// ------------------------------------------------------------------------------------------- A11: a storm of restarts

struct Doomed {
  explicit Doomed(std::vector<Instant>* at, const Clock* clock) { at->push_back(clock->now()); }
  void init() { throw std::runtime_error("always"); }
  void handle(Poke) {}
};
struct Warden {
  void init(Context& cx) {
    ++*lives;
    cx.spawn(child<Doomed>("doomed", starts, &cx.environment().clock()).backoff(100ms, 30s).at_most(5, per(1min)));
  }
  void handle(Poke) {}
  int* lives;
  std::vector<Instant>* starts;
};

TEST(A11,
     a_child_that_always_fails_is_started_once_more_than_allowed_with_growing_waits_and_then_its_supervisor_fails) {
  sim::explore(sim::seeds(100), [](sim::World& world) {
    int lives = 0;
    auto& starts = world.keep<std::vector<Instant>>();
    const auto warden = world.spawn(child<Warden>("warden", &lives, &starts).restart(Restart::never));
    const auto end = world.runtime().monitor(warden);
    world.run_for(1h);
    ASSERT_EQ(starts.size(), 6U);
    EXPECT_EQ(lives, 1);
    Duration wait = 100ms;
    for (std::size_t i = 1; i < starts.size(); ++i, wait *= 2) {
      const Duration waited = starts[i] - starts[i - 1];
      EXPECT_GE(waited, wait / 10 * 8);
      EXPECT_LE(waited, wait / 10 * 12);
    }
    const auto down = end.poll();
    ASSERT_TRUE(down.has_value());
    EXPECT_EQ(down->reason, EndReason::failed);
    EXPECT_NE(down->result.error().text().find("failed more often than 5 times"), std::string_view::npos);
    EXPECT_EQ(world.runtime().actors(), 1U);
  });
}

// --------------------------------------------------------- A12: another one fails while a group is being restarted

struct Family {
  std::map<std::string, int> alive;
  std::map<std::string, int> made;
};
class Member {
 public:
  Member(Family* family, std::string name) : family_(family), name_(std::move(name)) {
    ++family_->alive[name_];
    ++family_->made[name_];
  }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;
  ~Member() { --family_->alive[name_]; }
  Task<> init(Context& cx) {
    cx.environment().always(family_->alive[name_] == 1, "nobody lives twice");
    if (cx.environment().chance().next() % 3 == 0) co_await cx.sleep(3ms);
    if (cx.environment().maybe_fault("member.init")) throw std::runtime_error("init");
  }
  void handle(Poke) {}
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }
  Task<> terminating(Context& cx) {
    if (cx.environment().chance().next() % 3 == 0) co_await cx.sleep(2ms);
  }

 private:
  Family* family_;
  std::string name_;
};
struct Kin {};
struct Head {
  Head(Family* f, Strategy s) : family(f), strategy(s) {}
  void init(Context& cx) {
    cx.strategy(strategy);
    for (const char* name : {"a", "b", "c"}) {
      kin.push_back(
          cx.spawn(child<Member>(name, family, std::string(name)).backoff(1ms, 4ms).at_most(1'000'000, per(1s))));
    }
  }
  std::vector<Ref<Member>> handle(Kin) { return kin; }
  Family* family;
  Strategy strategy;
  std::vector<Ref<Member>> kin;
};

TEST(A12, whoever_fails_while_its_group_is_restarted_nobody_is_started_twice_and_nobody_is_lost) {
  for (const Strategy strategy : {Strategy::one_for_all, Strategy::rest_for_one}) {
    sim::explore(sim::seeds(200), [strategy](sim::World& world) {
      auto& family = world.keep<Family>();
      const auto head = world.spawn(child<Head>("head", &family, strategy).at_most(unlimited));
      world.run();
      const auto kin = world.ask<Kin>(head).value();
      sim::Faults faults;
      faults.fail_every = 4;
      faults.point_every = 5;
      faults.swarm = false;
      faults.among = [](std::string_view path) { return path.starts_with("/head/"); };
      world.inject(faults);
      for (int round = 0; round < 30; ++round) {
        for (const auto& one : kin) one.send(Poke{});
        world.runtime().fail(kin[world.random().below(3)], Error("made to fail"));
        world.run_for(std::chrono::milliseconds(world.random().below(8)));
      }
      world.heal();
      world.run_for(1s);
      for (const auto& one : kin) EXPECT_TRUE(world.ask<Lives>(one).has_value());
      for (const auto& [name, alive] : family.alive) {
        EXPECT_EQ(alive, 1) << name;
        world.sometimes(family.made[name] > 10, "a member was begun often");
      }
      EXPECT_EQ(world.runtime().actors(), 5U);
    });
  }
}

// --------------------------------------------------------------- A13: a supervisor dies while it restarts a child

/// A tree of three floors: the top restarts the middle, the middle restarts leaves that fail.
struct Leaf13 {
  explicit Leaf13(Tally* tally) : counted(*tally) {}
  Task<> init(Context& cx) { co_await cx.sleep(2ms); }
  void handle(Poke) { throw std::runtime_error("leaf"); }
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }
  Counted counted;
};
struct Middle13 {
  explicit Middle13(Tally* tally) : leaves(tally) {}
  void init(Context& cx) {
    cx.strategy(Strategy::one_for_all);
    for (const char* name : {"one", "two"}) {
      cx.spawn(child<Leaf13>(name, leaves).backoff(1ms, 1ms).at_most(unlimited));
    }
  }
  void handle(Poke, Context& cx) {
    if (auto leaf = cx.child<Leaf13>("one")) leaf.value().send(Poke{});
  }
  std::size_t handle(Lives, Context& cx) { return cx.children(); }
  Tally* leaves;
};
struct Top13 {
  explicit Top13(Tally* tally) : leaves(tally) {}
  void init(Context& cx) {
    middle = cx.spawn(child<Middle13>("middle", leaves).backoff(1ms, 1ms).at_most(unlimited));
  }
  Ref<Middle13> handle(Kin) { return middle; }
  Tally* leaves;
  Ref<Middle13> middle;
};

/// Brings the leaves' restart under way, makes `moment` steps of it, and then lets the supervisor die as told. False: the
/// restart was over before.
bool dies_while_it_restarts(std::uint64_t seed, int moment, bool killed) {
  sim::World world(seed);
  auto& leaves = world.keep<Tally>();
  const Census before(world);
  const auto top = world.spawn(child<Top13>("top", &leaves).at_most(unlimited));
  world.run_for(100ms);
  const auto middle = world.ask<Kin>(top).value();
  EXPECT_EQ(leaves.alive, 2);
  middle.send(Poke{});
  int steps = 0;
  while (steps < moment) {
    if (world.step()) {
      ++steps;
    } else if (world.next_timer() < world.now() + 50ms) {
      world.run_for(world.next_timer() - world.now());
      ++steps;
    } else {
      return false;
    }
  }
  if (killed) {
    world.runtime().kill(middle);
  } else {
    world.runtime().fail(middle, Error("the supervisor dies"));
  }
  world.run_for(1s);
  EXPECT_EQ(leaves.alive, killed ? 0 : 2) << "after " << moment << " steps";
  EXPECT_EQ(world.runtime().actors(), killed ? 2U : 5U) << "after " << moment << " steps";
  if (!killed) {
    EXPECT_EQ(world.ask<Lives>(middle).value(), 2U);
  }
  world.runtime().stop(top);
  world.run_for(10s);
  EXPECT_EQ(leaves.alive, 0);
  expect_same(world, before);
  EXPECT_TRUE(world.broken().empty());
  return true;
}

TEST(A13, a_supervisor_that_dies_at_any_step_of_a_restart_leaves_no_orphan_and_its_tree_comes_back_whole) {
  int moments = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    for (const bool killed : {false, true}) {
      for (int moment = 0; moment < 200 && dies_while_it_restarts(seed, moment, killed); ++moment) ++moments;
    }
  }
  EXPECT_GT(moments, 300);
}

// ---------------------------------------------------------------------------------------- A14: an init that hangs

struct Hangs {
  Task<> init(Context& cx) {
    if (cx.incarnation() < 3) co_await cx.sleep(24h);
  }
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }
};

TEST(A14, an_init_that_hangs_is_a_failure_at_its_deadline_to_the_nanosecond_and_counts_as_one) {
  sim::explore(sim::seeds(50), [](sim::World& world) {
    std::vector<std::pair<Instant, std::string>> failed;
    const auto subscription = world.runtime().events().subscribe([&](const Event& event) {
      if (const auto* one = std::get_if<ActorFailed>(&event)) failed.emplace_back(world.now(), one->error.text());
    });
    const Instant begun = world.now();
    const auto hangs =
        world.spawn(child<Hangs>("hangs").start_within(2s).backoff(Duration(0), Duration(0)).at_most(2, per(1min)));
    world.run_for(10s);
    ASSERT_EQ(failed.size(), 2U);
    EXPECT_EQ(failed[0].first, begun + 2s);
    EXPECT_EQ(failed[1].first, begun + 4s);
    EXPECT_NE(failed[0].second.find("init did not end within 2s"), std::string::npos) << failed[0].second;
    EXPECT_EQ(world.ask<Lives>(hangs).value(), 3U);
  });
}

// --------------------------------------------------------------------------------- A15: told to stop during its init

struct Hooks {
  bool init_ended = false;
  bool saw_stop = false;
  bool terminated = false;
};
struct Bystander {
  void handle(Poke) {}
};
struct Careful {
  Task<> init(Context& cx) {
    const std::stop_token stop = cx.stop_token();
    for (int i = 0; i < 5; ++i) {
      co_await cx.sleep(10ms);
      if (stop.stop_requested()) hooks->saw_stop = true;
      (void)cx.spawn<Bystander>(unnamed);
    }
    hooks->init_ended = true;
  }
  void terminating(Context&) { hooks->terminated = true; }
  void handle(Poke) {}
  Hooks* hooks;
};

bool stopped_in_init(std::uint64_t seed, int moment, bool by_shutdown) {
  sim::World world(seed);
  auto& hooks = world.keep<Hooks>();
  const auto careful = world.spawn(child<Careful>("careful", &hooks).stop_within(25ms));
  for (int steps = 0; steps < moment; ++steps) {
    if (!world.step()) {
      if (world.next_timer() > world.now() + 1s) return false;
      world.run_for(world.next_timer() - world.now());
    }
  }
  const bool had_begun = hooks.init_ended;
  if (by_shutdown) {
    world.end();
  } else {
    world.runtime().stop(careful);
    world.run_for(25ms);  // its deadline; it has no children that need longer
  }
  EXPECT_EQ(hooks.terminated, hooks.init_ended) << "after " << moment << " steps";
  EXPECT_TRUE(hooks.terminated || !had_begun);
  EXPECT_TRUE(by_shutdown || world.runtime().actors() == 1U) << "after " << moment << " steps";
  return true;
}

TEST(A15, a_stop_at_any_moment_of_an_init_ends_in_time_and_terminating_runs_only_if_it_had_ended) {
  int moments = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    for (const bool by_shutdown : {false, true}) {
      for (int moment = 0; moment < 100 && stopped_in_init(seed, moment, by_shutdown); ++moment) ++moments;
    }
  }
  EXPECT_GT(moments, 100);
}

TEST(A15, an_init_that_is_told_to_stop_sees_it_in_its_token) {
  sim::World world(1);
  auto& hooks = world.keep<Hooks>();
  const auto careful = world.spawn<Careful>("careful", &hooks);
  world.run_for(15ms);
  world.runtime().stop(careful);
  world.run_for(1s);
  EXPECT_TRUE(hooks.saw_stop);
  EXPECT_TRUE(hooks.init_ended);
  EXPECT_TRUE(hooks.terminated);
}

// --------------------------------------------------------------------------------------------- A18: in which order

struct Rank {
  explicit Rank(std::vector<std::string>* log, int depth) : lines(log), below(depth) {}
  void init(Context& cx) {
    lines->push_back("+" + cx.path());
    for (const char* name : {"1", "2", "3"}) {
      if (below > 0) cx.spawn<Rank>(name, lines, below - 1);
    }
  }
  Task<> terminating(Context& cx) {
    if (cx.environment().chance().next() % 2 == 0) co_await cx.sleep(1ms);
    lines->push_back("-" + cx.path());
  }
  void handle(Poke) {}
  std::vector<std::string>* lines;
  int below;
};

TEST(A18, everybody_ends_after_its_children_and_they_youngest_first_whatever_the_order_of_turns) {
  sim::explore(sim::seeds(100), [](sim::World& world) {
    auto& lines = world.keep<std::vector<std::string>>();
    const auto top = world.spawn<Rank>("top", &lines, 2);
    world.run_for(1s);
    EXPECT_EQ(lines.size(), 13U);
    lines.clear();
    world.runtime().stop(top);
    world.run_for(10s);
    const std::vector<std::string> expected{"-/top/3/3", "-/top/3/2", "-/top/3/1", "-/top/3",   "-/top/2/3",
                                            "-/top/2/2", "-/top/2/1", "-/top/2",   "-/top/1/3", "-/top/1/2",
                                            "-/top/1/1", "-/top/1",   "-/top"};
    EXPECT_EQ(lines, expected);
  });
}

// ------------------------------------------------------------------- A21: a message that no incarnation survives

struct Dose {
  int strength;
};
struct Patient {
  void handle(const Dose& dose) {
    if (dose.strength > 9) throw std::runtime_error("poison");
    *taken += dose.strength;
  }
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }
  int* taken;
};

TEST(A21, a_message_that_no_incarnation_survives_is_set_aside_after_its_tries_and_the_others_are_handled) {
  sim::explore(sim::seeds(50), [](sim::World& world) {
    int taken = 0;
    std::vector<std::pair<std::string, std::uint32_t>> aside;
    const auto subscription = world.runtime().events().subscribe([&](const Event& event) {
      if (const auto* one = std::get_if<Quarantined>(&event)) aside.emplace_back(one->message, one->tries);
    });
    const auto patient = world.spawn(
        child<Patient>("patient", &taken).retry_failed(3).quarantine().backoff(1ms, 1ms).at_most(3, per(1min)));
    for (const int strength : {1, 10, 2}) patient.send(Dose{strength});
    world.run_for(1min);
    EXPECT_EQ(taken, 3);
    ASSERT_EQ(aside.size(), 1U);
    EXPECT_NE(aside[0].first.find("Dose"), std::string::npos);
    EXPECT_EQ(aside[0].second, 4U);  // the first, and three more
    EXPECT_EQ(world.ask<Lives>(patient).value(), 5U);
    EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
  });
}

// ---------------------------------------------------------------- A22: what is in use is taken out of the registry

struct Lamp {
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }
};
struct Look {};
struct Reader {
  void init(Context& cx) { lamp = cx.sibling<Lamp>("lamp").or_fail(); }
  Task<> handle(Look, Context& cx) {
    if (!watched) (void)cx.monitor(lamp, cx.self(this));
    watched = true;
    const auto answer = co_await lamp.ask<Lives>().within(1s);
    ++*(answer ? lit : dark);
    if (!answer)
      cx.environment().always(
          answer.error().is(Errc::gone) || answer.error().is(Errc::stopping) || answer.error().is(Errc::failed),
          "who is gone is said to be gone");
  }
  void handle(Down) { ++*told; }
  Ref<Lamp> lamp{};
  bool watched = false;
  int* lit;
  int* dark;
  int* told;
};

TEST(A22, who_holds_a_ref_to_what_is_taken_out_of_use_is_told_once_and_never_reaches_its_successor) {
  sim::explore(sim::seeds(100), [](sim::World& world) {
    int& lit = world.keep<int>(0);
    int& dark = world.keep<int>(0);
    int& told = world.keep<int>(0);
    auto lamp = world.spawn<Lamp>("lamp");
    world.run();
    const auto reader = world.spawn(child<Reader>("reader").made_by([&] {
      Reader made;
      made.lit = &lit;
      made.dark = &dark;
      made.told = &told;
      return made;
    }));
    reader.send(Look{});
    world.run_for(1s);
    EXPECT_EQ(lit, 1);
    for (int i = 0; i < 20; ++i) reader.send(Look{});
    for (std::uint64_t steps = world.random().below(40); steps != 0 && world.step(); --steps) {
    }
    world.runtime().stop(lamp);
    for (std::uint64_t steps = world.random().below(10); steps != 0 && world.step(); --steps) {
    }
    world.run_for(1s);
    // The same name, and most likely the same cell: not the one that the reader holds.
    lamp = world.spawn<Lamp>("lamp");
    reader.send(Look{});
    world.run_for(1min);
    EXPECT_EQ(told, 1);
    EXPECT_GE(dark, 1);
    EXPECT_EQ(lit + dark, 22);
    EXPECT_EQ(world.ask<Lives>(lamp).value(), 1U);
  });
}

// ------------------------------------------------------------------------------------ A23: topologies that cannot be

struct Nobody {
  void handle(Poke) {}
};

TEST(A23, a_topology_that_cannot_be_is_refused_by_name_before_anything_starts) {
  struct Case {
    std::vector<std::pair<const char*, std::vector<const char*>>> apps;
    Errc code;
    std::vector<const char*> named;
  };
  const std::vector<Case> cases{
      {{{"a", {"b"}}}, Errc::not_found, {"'a'", "'b'"}},
      {{{"a", {"a"}}}, Errc::cycle, {"a -> a"}},
      {{{"a", {"b"}}, {"b", {"a"}}}, Errc::cycle, {"a", "b"}},
      {{{"a", {"b"}}, {"b", {"c"}}, {"c", {"a"}}}, Errc::cycle, {"a", "b", "c"}},
      {{{"x", {}}, {"a", {"x", "b"}}, {"b", {"x", "c"}}, {"c", {"b"}}}, Errc::cycle, {"b", "c"}},
      {{{"a", {}}, {"a", {}}}, Errc::exists, {"'a'"}},
      {{{"a", {}}, {"b", {"a", "nowhere"}}}, Errc::not_found, {"'b'", "'nowhere'", "a"}},
  };
  for (const Case& one : cases) {
    std::vector<App> apps;
    for (const auto& [name, needs] : one.apps) {
      App made = app<Nobody>(name);
      for (const char* need : needs) made.add_dependency(Dependency(need));
      apps.push_back(std::move(made));
    }
    const Result<> checked = App::check(apps);
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().code(), one.code) << checked.error().describe();
    for (const char* name : one.named) {
      EXPECT_NE(checked.error().text().find(name), std::string_view::npos) << checked.error().describe();
    }
  }
}

}  // namespace
