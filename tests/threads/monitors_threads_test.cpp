// L9 on real workers: targets die while monitors and links are being set and cancelled and their owners die, and still each
// monitor yields one Down, or was cancelled, or ended with the incarnation that set it.
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "threads/support.hpp"

namespace backstage::threads_test {
namespace {

using namespace std::chrono_literals;

using MonitorsOnThreads = WithWorkers;
INSTANTIATE_TEST_SUITE_P(Workers, MonitorsOnThreads, worker_counts(), named);

struct Die {};
struct Fine {};
/// Ends at its first Die, in one way or another.
struct Target {
  explicit Target(int how) : how_(how) {}
  void handle(Die, Context& cx) {
    if (how_ % 3 == 0) throw std::runtime_error("died");
    if (how_ % 3 == 1) throw Need::stop();
    cx.stop();
  }
  bool handle(Fine) { return true; }
  int how_;
};

struct WatchThis {
  Ref<Target> target;
};
struct CancelOne {};
struct Tally {
  std::uint64_t set = 0;
  std::uint64_t down = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t twice = 0;
};
struct Settled {};

/// Sets monitors, cancels some, and answers Settled when each of the others has had its Down.
class Spy {
 public:
  void handle(WatchThis order, Context& cx) {
    ++tally_.set;
    open_.push_back(cx.monitor(order.target, cx.self(this)));
  }
  void handle(CancelOne) {
    if (open_.empty()) return;
    if (!open_.back().cancel()) ++tally_.twice;
    open_.pop_back();
    ++tally_.cancelled;
    settle();
  }
  void handle(const Down& down) {
    const std::size_t before = open_.size();
    std::erase_if(open_, [&](const Monitor& m) { return m.id() == down.monitor; });
    if (open_.size() + 1 != before) ++tally_.twice;
    ++tally_.down;
    settle();
  }
  void handle(Settled, Reply<Tally> reply) {
    waiting_ = std::move(reply);
    asked_ = true;
    settle();
  }

 private:
  void settle() {
    if (asked_ && open_.empty()) std::exchange(waiting_, {})(tally_);
    if (open_.empty()) asked_ = false;
  }
  std::vector<Monitor> open_;
  Tally tally_;
  Reply<Tally> waiting_;
  bool asked_ = false;
};

TEST_P(MonitorsOnThreads, L9_one_down_each_while_targets_die_and_monitors_are_set_and_cancelled) {
  constexpr int rounds = 200;
  constexpr int spies = 4;
  Runtime runtime(quiet(GetParam()));
  std::vector<Ref<Spy>> all;
  for (int i = 0; i < spies; ++i) all.push_back(runtime.spawn(child<Spy>(unnamed).mailbox(unbounded())));
  for (int round = 0; round < rounds; ++round) {
    const auto target = runtime.spawn(child<Target>(unnamed, round).restart(Restart::never));
    on_threads(2, [&](unsigned index) {
      if (index == 0) {
        for (const auto& spy : all) {
          spy.send(WatchThis{target});
          spy.send(WatchThis{target});
          if (round % 2 == 0) spy.send(CancelOne{});
        }
      } else {
        target.send(Die{});
      }
    });
  }
  for (const auto& spy : all) {
    const Tally tally = runtime.ask<Settled>(spy).within(long_enough).value();
    EXPECT_EQ(tally.set, static_cast<std::uint64_t>(2 * rounds));
    EXPECT_EQ(tally.set, tally.down + tally.cancelled);
    EXPECT_EQ(tally.twice, 0U);
  }
  expect_rest(runtime);
}

/// Watches, links and dies itself, again and again.
class Frail {
 public:
  explicit Frail(const std::vector<Ref<Target>>& targets) : targets_(targets) {}
  void handle(Die, Context& cx) {
    for (const auto& target : targets_) {
      (void)cx.monitor(target, cx.self(this));
      (void)cx.watch_status(target, cx.self(this));
      try {
        cx.link(target);
      } catch (const Need&) {
        // gone already
      }
    }
    throw std::runtime_error("died");
  }
  void handle(const Down&) {}
  void handle(const StatusChanged&) {}
  bool handle(Fine) { return true; }

 private:
  std::vector<Ref<Target>> targets_;
};

TEST_P(MonitorsOnThreads, L9_owners_and_targets_that_die_at_the_same_time_leave_nothing_behind) {
  constexpr int rounds = 60;
  Runtime runtime(quiet(GetParam()));
  for (int round = 0; round < rounds; ++round) {
    std::vector<Ref<Target>> targets;
    for (int i = 0; i < 4; ++i) {
      const auto restart = (round + i) % 2 == 0 ? Restart::never : Restart::on_failure;
      targets.push_back(runtime.spawn(child<Target>(unnamed, i).restart(restart).backoff(1us, 10us)));
    }
    std::vector<Ref<Frail>> owners;
    for (int i = 0; i < 4; ++i) {
      owners.push_back(runtime.spawn(child<Frail>(unnamed, targets).backoff(1us, 10us).at_most(unlimited)));
    }
    on_threads(2, [&](unsigned index) {
      if (index == 0) {
        for (const auto& owner : owners) owner.send(Die{});
      } else {
        for (const auto& target : targets) target.send(Die{});
      }
    });
    for (const auto& owner : owners) EXPECT_TRUE(runtime.ask<Fine>(owner).within(long_enough).has_value());
    for (const auto& owner : owners) runtime.stop(owner);
  }
  expect_rest(runtime);
}

TEST_P(MonitorsOnThreads, L9_from_outside_each_end_is_told_once_or_cancelled) {
  constexpr int rounds = 100;
  Runtime runtime(quiet(GetParam()));
  std::atomic<int> notified{0};
  int kept = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto target = runtime.spawn(child<Target>(unnamed, round).restart(Restart::never));
    target.send(Die{});
    auto monitor = runtime.monitor(target);
    monitor.on_ready([&] { notified.fetch_add(1); });
    {
      auto brief = runtime.monitor(target);
    }
    const auto down = monitor.within(long_enough);
    ASSERT_TRUE(down.has_value());
    const EndReason expected = round % 3 == 0 ? EndReason::failed : EndReason::finished;
    EXPECT_TRUE(down->reason == expected || down->reason == EndReason::gone) << to_string(down->reason);
    ++kept;
  }
  expect_rest(runtime);
  EXPECT_EQ(notified, kept);
}

TEST_P(MonitorsOnThreads, L9_monitors_and_links_between_two_runtimes_survive_the_end_of_either) {
  constexpr int rounds = 15;
  for (int round = 0; round < rounds; ++round) {
    Runtime here(quiet(GetParam()));
    Runtime there(quiet(1));
    std::vector<Ref<Target>> targets;
    for (int i = 0; i < 4; ++i) targets.push_back(there.spawn(child<Target>(unnamed, i).restart(Restart::never)));
    const auto spy = here.spawn(child<Spy>(unnamed).mailbox(unbounded()));
    const auto frail = here.spawn(child<Frail>(unnamed, targets).backoff(1us, 10us).at_most(unlimited));
    for (const auto& target : targets) spy.send(WatchThis{target});
    frail.send(Die{});
    on_threads(2, [&](unsigned index) {
      if (index == 0 && round % 2 == 0) {
        EXPECT_TRUE(there.shutdown(long_enough).has_value());
      } else if (index == 0) {
        EXPECT_TRUE(here.shutdown(long_enough).has_value());
      } else {
        for (const auto& target : targets) target.send(Die{});
      }
    });
    if (round % 2 == 0) {
      EXPECT_EQ(here.ask<Settled>(spy).within(long_enough).value().down, targets.size());
    }
    expect_rest(there);
    expect_rest(here);
  }
}

}  // namespace
}  // namespace backstage::threads_test
