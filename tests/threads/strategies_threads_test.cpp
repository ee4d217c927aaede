// Groups that are restarted on real workers, while their members are sent to, stopped, restarted and looked at from
// outside (L2, L4, L6), with exact accounting (M6).
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "backstage/base/random.hpp"
#include "threads/support.hpp"

namespace backstage::threads_test {
namespace {

using namespace std::chrono_literals;

using StrategiesOnThreads = WithWorkers;
INSTANTIATE_TEST_SUITE_P(Workers, StrategiesOnThreads, worker_counts(), named);

struct Tap {};
struct Crash {};
struct Alive {
  using reply = bool;
};
struct WhoAreThey {
  using reply = std::vector<Ref<class Member>>;
};

class Member {
 public:
  explicit Member(std::atomic<int>* lives) { lives->fetch_add(1); }
  void handle(Tap) {}
  void handle(Crash) { throw std::runtime_error("crash"); }
  bool handle(Alive) { return true; }
};

/// Three to restart, and one that a Verdict decides about.
class Team {
 public:
  Team(Strategy strategy, std::atomic<int>* lives) : strategy_(strategy), lives_(lives) {}
  void init(Context& cx) {
    cx.strategy(strategy_);
    members_.clear();
    for (const char* name : {"a", "b", "c"}) {
      members_.push_back(
          cx.spawn(child<Member>(name, lives_).restart(Restart::always).backoff(1us, 10us).at_most(unlimited)));
    }
    members_.push_back(cx.spawn(child<Member>("asked", lives_)
                                    .restart(Restart::ask)
                                    .backoff(1us, 10us)
                                    .at_most(unlimited)
                                    .on_end(cx.self(this))));
  }
  std::vector<Ref<Member>> handle(WhoAreThey) { return members_; }
  Verdict handle(Eol<Member> end) {
    return end.state ? Verdict::restart_with_state(std::move(end.state)) : Verdict::restart();
  }
  void handle(Crash) { throw std::runtime_error("the team crashes"); }
  bool handle(Alive) { return true; }

 private:
  Strategy strategy_;
  std::atomic<int>* lives_;
  std::vector<Ref<Member>> members_;
};

TEST_P(StrategiesOnThreads, L2_groups_come_back_whole_whatever_fails_beside_each_other) {
  for (const Strategy strategy : {Strategy::one_for_one, Strategy::one_for_all, Strategy::rest_for_one}) {
    std::atomic<int> lives{0};
    Runtime runtime(quiet(GetParam()));
    std::vector<Ref<Team>> teams;
    std::vector<Ref<Member>> all;
    for (int i = 0; i < 3; ++i) {
      teams.push_back(runtime.spawn(
          child<Team>("team-" + std::to_string(i), strategy, &lives).backoff(1us, 10us).at_most(unlimited)));
      for (const auto& member : runtime.ask<WhoAreThey>(teams.back()).within(long_enough).value())
        all.push_back(member);
    }
    on_threads(3, [&](unsigned me) {
      Random random(me);
      for (int i = 0; i < 120; ++i) {
        const auto& one = all[random.below(all.size())];
        switch (random.below(8)) {
          case 0: runtime.restart(one); break;
          case 1: teams[random.below(teams.size())].send(Crash{}); break;
          case 2: (void)runtime.ask<Alive>(one).within(long_enough); break;
          case 3: (void)runtime.service_tree(long_enough); break;
          case 4: one.send(Tap{}); break;
          default: one.send(Crash{});
        }
      }
    });
    // Nobody was ended for good: each place answers, when all is over, under the Ref it had at first.
    for (const auto& team : teams) EXPECT_TRUE(runtime.ask<Alive>(team).within(long_enough).has_value());
    for (const auto& one : all) EXPECT_TRUE(runtime.ask<Alive>(one).within(long_enough).has_value());
    EXPECT_EQ(runtime.actors(), 1 + teams.size() + all.size());
    EXPECT_GT(lives, 12);
    expect_rest(runtime);
  }
}

TEST_P(StrategiesOnThreads, L4_a_stop_in_the_middle_of_group_restarts_ends_all) {
  for (int round = 0; round < 6; ++round) {
    std::atomic<int> lives{0};
    Runtime runtime(quiet(GetParam()));
    const auto team =
        runtime.spawn(child<Team>("team", Strategy::one_for_all, &lives).backoff(1us, 10us).at_most(unlimited));
    const auto all = runtime.ask<WhoAreThey>(team).within(long_enough).value();
    on_threads(2, [&](unsigned me) {
      for (int i = 0; i < 40; ++i) {
        all[static_cast<std::size_t>(i) % all.size()].send(Crash{});
        if (i == 20 && me == 0) runtime.stop(all[static_cast<std::size_t>(round) % all.size()]);
        if (i == 30 && me == 1 && round % 2 == 0) runtime.stop(team);
      }
    });
    expect_rest(runtime);
  }
}

}  // namespace
}  // namespace backstage::threads_test
