// Strategies: whom a supervisor restarts when one child is to be restarted, in which order, and what a second failure
// does meanwhile (promises L2, L6).
#include "life_support.hpp"

namespace {

using namespace life;

struct Fail {
  std::string who;
};
struct StopOne {
  std::string who;
};
struct RestartOne {
  std::string who;
};
struct Add {
  std::string name;
  Restart restart = Restart::on_failure;
};
struct Change {
  Strategy strategy;
};
struct Children {};

/// Notes begin and end of its life; its init waits as long as it is told to, or fails.
class Member {
 public:
  Member(Journal* journal, Duration init, int* failing_inits)
      : journal_(journal), init_(init), failing_(failing_inits) {}
  Task<> init(Context& cx) {
    name_ = cx.name();
    if (init_ > Duration::zero()) co_await cx.sleep(init_);
    if (failing_ != nullptr && *failing_ > 0) {
      --*failing_;
      journal_->note("!" + name_);
      throw std::runtime_error("init of " + name_);
    }
    journal_->note("+" + name_ + std::to_string(cx.incarnation()));
  }
  void terminating(Context&) { journal_->note("-" + name_); }
  void handle(Break how) { throw std::runtime_error(how.text); }
  void handle(Say say) { journal_->note(name_ + ":" + say.text); }
  void handle(Quit, Context& cx) { cx.stop(); }

 private:
  Journal* journal_;
  Duration init_;
  int* failing_;
  std::string name_;
};

struct Setup {
  Journal* journal = nullptr;
  Strategy strategy = Strategy::one_for_all;
  std::vector<std::string> names{"a", "b", "c"};
  Duration init{0};
  std::vector<std::string> never{};
  std::uint32_t limit = 5;
  std::optional<std::uint32_t> budget{};
  int* failing_inits_of_b = nullptr;
};

class Boss {
 public:
  explicit Boss(const Setup& setup) : setup_(setup) {}
  void init(Context& cx) {
    cx.strategy(setup_.strategy);
    if (setup_.budget) cx.at_most(*setup_.budget, per(1min));
    for (const std::string& name : setup_.names) add(cx, name, never(name) ? Restart::never : Restart::on_failure);
  }
  void handle(Fail who, Context& cx) { cx.child<Member>(who.who).or_fail().send(Break{"boom"}); }
  void handle(StopOne who, Context& cx) { cx.stop(cx.child<Member>(who.who).or_fail()); }
  void handle(RestartOne who, Context& cx) { cx.restart(cx.child<Member>(who.who).or_fail()); }
  void handle(const Add& what, Context& cx) { add(cx, what.name, what.restart); }
  void handle(Change change, Context& cx) { cx.strategy(change.strategy); }
  void handle(Do what, Context& cx) { what.what(cx); }
  std::size_t handle(Children, Context& cx) { return cx.children(); }

 private:
  [[nodiscard]] bool never(const std::string& name) const {
    return std::find(setup_.never.begin(), setup_.never.end(), name) != setup_.never.end();
  }
  void add(Context& cx, const std::string& name, Restart restart) {
    cx.spawn(child<Member>(name, setup_.journal, setup_.init, name == "b" ? setup_.failing_inits_of_b : nullptr)
                 .restart(restart)
                 .backoff(100ms, 100ms)
                 .at_most(setup_.limit, per(1min)));
  }
  Setup setup_;
};

/// A world with a Boss above three members that run.
struct Team {
  explicit Team(Setup setup = {}) {
    setup.journal = &journal;
    boss = world.spawn<Boss>("boss", setup);
    world.advance(1s);
    (void)journal.take();
  }
  Lines after(auto message, Duration wait = 200ms) {
    boss.send(std::move(message));
    world.run();
    world.advance(wait);
    return journal.take();
  }
  Journal journal;  // first: it is noted in until the world has ended
  sim::TestRuntime world;
  Ref<Boss> boss;
};

/// Of a supervisor that was restarted: its children are begun beside each other.
Lines sorted_from(Lines lines, std::size_t first) {
  std::sort(lines.begin() + static_cast<std::ptrdiff_t>(first), lines.end());
  return lines;
}

TEST(L2, one_for_one_restarts_the_one_that_failed) {
  Team team({.strategy = Strategy::one_for_one});
  EXPECT_EQ(team.after(Fail{"b"}), (Lines{"-b", "+b2"}));
}

TEST(L2, one_for_all_stops_the_others_youngest_first_and_starts_all_oldest_first) {
  Team team;
  EXPECT_EQ(team.after(Fail{"b"}), (Lines{"-b", "-c", "-a", "+a2", "+b2", "+c2"}));
}

TEST(L2, rest_for_one_takes_those_started_later) {
  Team team({.strategy = Strategy::rest_for_one, .names = {"a", "b", "c", "d"}});
  EXPECT_EQ(team.after(Fail{"b"}), (Lines{"-b", "-d", "-c", "+b2", "+c2", "+d2"}));
  EXPECT_EQ(team.after(Fail{"d"}), (Lines{"-d", "+d3"}));
}

TEST(L2, children_added_later_belong_to_the_group) {
  Team team({.strategy = Strategy::rest_for_one});
  EXPECT_EQ(team.after(Add{"late"}), (Lines{"+late1"}));
  EXPECT_EQ(team.after(Fail{"c"}), (Lines{"-c", "-late", "+c2", "+late2"}));
}

TEST(L2, a_member_is_started_when_the_one_before_it_runs) {
  Team team({.init = 1s});
  team.world.advance(5s);
  (void)team.journal.take();
  EXPECT_EQ(team.after(Fail{"a"}, 100ms), (Lines{"-a", "-c", "-b"}));
  team.world.advance(1100ms);
  EXPECT_EQ(team.journal.take(), (Lines{"+a2"}));
  team.world.advance(1s);
  EXPECT_EQ(team.journal.take(), (Lines{"+b2"}));
  team.world.advance(1s);
  EXPECT_EQ(team.journal.take(), (Lines{"+c2"}));
}

TEST(L2, a_group_waits_for_the_back_off_of_the_one_that_failed) {
  Team team;
  EXPECT_EQ(team.after(Fail{"b"}, 79ms), (Lines{"-b", "-c", "-a"}));  // 100 ms, spread by 20 %
  team.world.advance(42ms);
  EXPECT_EQ(team.journal.take(), (Lines{"+a2", "+b2", "+c2"}));
}

TEST(L2, messages_wait_for_a_member_that_is_being_restarted_with_its_group) {
  Team team;
  team.boss.send(Fail{"b"});
  team.world.run();
  (void)team.journal.take();
  team.boss.send(Do{[](Context& cx) { cx.child<Member>("c").or_fail().send(Say{"kept"}); }});
  team.world.advance(200ms);
  EXPECT_EQ(team.journal.take(), (Lines{"+a2", "+b2", "+c2", "c:kept"}));
}

TEST(L2, a_child_that_is_never_restarted_is_stopped_with_its_group_and_forgotten) {
  Team team({.never = {"a"}});
  EXPECT_EQ(team.after(Fail{"b"}), (Lines{"-b", "-c", "-a", "+b2", "+c2"}));
  EXPECT_EQ(team.world.ask<Children>(team.boss).value(), 2U);
}

TEST(L2, a_child_that_is_never_restarted_takes_nobody_along_when_it_fails) {
  Team team({.never = {"b"}});
  EXPECT_EQ(team.after(Fail{"b"}), (Lines{"-b"}));
  EXPECT_EQ(team.world.ask<Children>(team.boss).value(), 2U);
}

TEST(L2, a_normal_end_takes_nobody_along) {
  Team team;
  EXPECT_EQ(team.after(StopOne{"b"}), (Lines{"-b"}));
  EXPECT_EQ(team.world.ask<Children>(team.boss).value(), 2U);
}

TEST(L2, a_member_whose_init_fails_in_the_group_restarts_the_group_once_more) {
  int failing = 0;
  Team team({.failing_inits_of_b = &failing});
  failing = 1;
  EXPECT_EQ(team.after(Fail{"c"}, 150ms), (Lines{"-c", "-b", "-a", "+a2", "!b", "-a"}));
  team.world.advance(200ms);
  EXPECT_EQ(team.journal.take(), (Lines{"+a3", "+b3", "+c2"}));
}

TEST(L2, another_child_that_fails_while_the_group_restarts_makes_it_restart_once_more) {
  Team team;
  team.boss.send(Do{[](Context& cx) {
    cx.child<Member>("a").or_fail().send(Break{"one"});
    cx.child<Member>("c").or_fail().send(Break{"two"});
  }});
  team.world.advance(1s);
  // c fails first. The message that fails a waits in its place, through the first round.
  EXPECT_EQ(team.journal.take(), (Lines{"-c", "-b", "-a", "+a2", "-a", "+b2", "-b", "+a3", "+b3", "+c2"}));
  EXPECT_EQ(team.world.ask<Children>(team.boss).value(), 3U);
}

TEST(L6, a_group_restart_counts_once_and_for_the_one_that_failed) {
  Team team({.limit = 2});
  EXPECT_EQ(team.after(Fail{"a"}).size(), 6U);
  EXPECT_EQ(team.after(Fail{"b"}).size(), 6U);
  EXPECT_EQ(team.after(Fail{"a"}).size(), 6U);
  EXPECT_EQ(team.after(Fail{"b"}).size(), 6U);
  // The third of "a" in the window: its supervisor fails, and comes back with all of them.
  Lines lines = team.after(Fail{"a"}, 1s);
  EXPECT_EQ(sorted_from(lines, 3), (Lines{"-a", "-c", "-b", "+a6", "+b6", "+c6"}));
}

TEST(L6, one_budget_for_all_children_fails_the_supervisor) {
  Team team({.strategy = Strategy::one_for_one, .limit = 5, .budget = 2});
  EXPECT_EQ(team.after(Fail{"a"}), (Lines{"-a", "+a2"}));
  EXPECT_EQ(team.after(Fail{"b"}), (Lines{"-b", "+b2"}));
  EXPECT_EQ(sorted_from(team.after(Fail{"c"}, 1s), 3), (Lines{"-c", "-b", "-a", "+a3", "+b3", "+c2"}));
}

TEST(L6, a_budget_that_cannot_be_meant_is_refused_and_the_former_stays) {
  Team team({.strategy = Strategy::one_for_one, .budget = 1});
  std::string refused;
  team.boss.send(Do{[&](Context& cx) {
    try {
      cx.at_most(9, per(0s));
    } catch (const Need& need) {
      refused = need.error().text();
    }
  }});
  team.world.run();
  EXPECT_EQ(refused, "cx.at_most: a window of 0s");
  EXPECT_EQ(team.after(Fail{"a"}), (Lines{"-a", "+a2"}));
  EXPECT_EQ(sorted_from(team.after(Fail{"b"}, 1s), 3), (Lines{"-b", "-c", "-a", "+a3", "+b2", "+c2"}));
}

TEST(L2, a_strategy_changed_at_run_time_takes_effect) {
  Team team({.strategy = Strategy::one_for_one});
  EXPECT_EQ(team.after(Change{Strategy::one_for_all}), Lines{});
  EXPECT_EQ(team.after(Fail{"b"}), (Lines{"-b", "-c", "-a", "+a2", "+b2", "+c2"}));
}

TEST(L4, a_supervisor_told_to_stop_while_its_group_restarts_stops_at_once_and_whole) {
  Team team;
  team.boss.send(Fail{"b"});
  team.world.run();  // all members rest, and wait for the back-off
  team.world.runtime().stop(team.boss);
  team.world.run();
  EXPECT_EQ(team.world.runtime().actors(), 1U);
}

TEST(L4, a_supervisor_told_to_stop_while_a_member_starts_anew_waits_for_nobody_else) {
  Team team({.init = 1s});
  team.world.advance(5s);
  team.boss.send(Fail{"a"});
  team.world.advance(500ms);
  team.world.runtime().stop(team.boss);
  team.world.advance(1s);
  EXPECT_EQ(team.world.runtime().actors(), 1U);
}

TEST(L2, a_member_stopped_for_good_while_its_group_rests_does_not_come_back) {
  Team team;
  team.boss.send(Fail{"b"});
  team.world.run();
  (void)team.journal.take();
  EXPECT_EQ(team.after(StopOne{"c"}), (Lines{"+a2", "+b2"}));
  EXPECT_EQ(team.world.ask<Children>(team.boss).value(), 2U);
}

TEST(L8, the_name_of_a_member_that_rests_with_its_group_is_taken) {
  Team team;
  std::string refused;
  team.boss.send(Fail{"b"});
  team.world.run();
  team.boss.send(Do{[&](Context& cx) {
    try {
      cx.spawn(child<Member>("c", nullptr, Duration(0), nullptr));
    } catch (const Need& need) {
      refused = need.error().text();
    }
  }});
  team.world.advance(1s);
  EXPECT_EQ(refused, "'c' below /boss is taken by a living actor: choose another name, or backstage::unnamed");
  EXPECT_EQ(team.world.ask<Children>(team.boss).value(), 3U);
}

TEST(L2, a_restart_by_order_keeps_the_place_and_is_not_counted) {
  Team team({.strategy = Strategy::one_for_all, .limit = 1});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(team.after(RestartOne{"b"}, 0ms), (Lines{"-b", "+b" + std::to_string(i + 2)}));
  }
}

}  // namespace
