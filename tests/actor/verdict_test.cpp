// Restart::ask: the supervisor's Verdict about a child that has ended.
#include <algorithm>
#include <string_view>

#include "life_support.hpp"

namespace {

using namespace life;

/// Counts, fails when told to, and can be moved: its state travels with its Eol.
struct Counter {
  explicit Counter(int from) : count(from) {}
  void init(Context& cx) { cx.log().info("begun", {{"count", count}}); }
  void handle(Say) { ++count; }
  void handle(Break how) { throw std::runtime_error(how.text); }
  void handle(Quit, Context& cx) { cx.stop(); }
  void handle(Nap, Context&) { throw Need::stop(); }
  int handle(Lives) const { return count; }
  int count;
};

/// Cannot be moved.
struct Fixed {
  Fixed() = default;
  Fixed(const Fixed&) = delete;
  Fixed& operator=(const Fixed&) = delete;
  void handle(Say) { ++count; }
  void handle(Break how) { throw std::runtime_error(how.text); }
  int handle(Lives) const { return count; }
  int count = 0;
};

enum class Answer { restart, with_state, mended, stop, escalate, fails, late, too_late };

template <class Kept>
struct Judge {
  Journal* journal;
  Answer answer;
  Strategy strategy = Strategy::one_for_one;
  Judge(Journal* j, Answer a, Strategy s = Strategy::one_for_one) : journal(j), answer(a), strategy(s) {}

  void init(Context& cx) {
    cx.strategy(strategy);
    journal->note("judge " + std::to_string(cx.incarnation()));
    if constexpr (std::is_same_v<Kept, Fixed>) {
      kept = cx.spawn(
          child<Kept>("kept").restart(Restart::ask).backoff(10ms, 10ms).at_most(3, per(1min)).on_end(cx.self(this)));
    } else {
      kept = cx.spawn(child<Kept>("kept", 100)
                          .restart(Restart::ask)
                          .backoff(10ms, 10ms)
                          .at_most(3, per(1min))
                          .verdict_within(answer == Answer::late ? Duration(2h) : ChildPolicy{}.verdict_within)
                          .on_end(cx.self(this)));
    }
    other = cx.spawn(child<Counter>("other", 0).backoff(10ms, 10ms));
  }
  Task<Verdict> handle(Eol<Kept> end, Context& cx) {
    journal->note("eol " + std::to_string(end.incarnation) + (end.asks ? " asks " : " over ") +
                  (end.result ? "ok" : std::string(end.result.error().text())) +
                  (end.state ? " count " + std::to_string(end.state->count) : ""));
    if (!end.asks) co_return Verdict::stop();
    if (answer == Answer::late || answer == Answer::too_late) co_await cx.sleep(1h);
    if (answer == Answer::fails) throw std::runtime_error("no idea");
    if (answer == Answer::stop) co_return Verdict::stop();
    if (answer == Answer::escalate) co_return Verdict::escalate();
    if (answer == Answer::restart) co_return Verdict::restart();
    if constexpr (std::is_move_constructible_v<Kept>) {
      if (answer == Answer::mended) end.state->count = 7;
      co_return Verdict::restart_with_state(std::move(end.state));
    } else {
      co_return Verdict::restart_with_state();
    }
  }
  Ref<Kept> handle(Lives) const { return kept; }
  Ref<Counter> handle(Say) const { return other; }
  Ref<Kept> kept;
  Ref<Counter> other;
};

template <class Kept = Counter>
struct Court {
  explicit Court(Answer answer) {
    judge = world.spawn<Judge<Kept>>("judge", &journal, answer);
    world.run();
    kept = world.ask<Lives>(judge).value();
    (void)journal.take();
  }
  void fail() {
    kept.send(Say{"one more"});
    kept.send(Break{"boom"});
    world.advance(1s);
  }
  Journal journal;
  sim::TestRuntime world;
  Ref<Judge<Kept>> judge;
  Ref<Kept> kept;
};

TEST(L2, a_verdict_restarts_from_the_arguments) {
  Court court(Answer::restart);
  court.fail();
  EXPECT_EQ(court.journal.take(), (Lines{"eol 1 asks std::runtime_error: boom (in life::Break) count 101"}));
  EXPECT_EQ(court.world.ask<Lives>(court.kept).value(), 100);
}

TEST(L2, a_verdict_restarts_with_the_state_that_it_was_given) {
  Court court(Answer::with_state);
  court.fail();
  EXPECT_EQ(court.world.ask<Lives>(court.kept).value(), 101);
}

TEST(L2, a_verdict_may_mend_the_state_before_it_hands_it_back) {
  Court court(Answer::mended);
  court.fail();
  EXPECT_EQ(court.world.ask<Lives>(court.kept).value(), 7);
}

TEST(L2, what_cannot_be_moved_goes_on_as_the_failure_left_it) {
  Court<Fixed> court(Answer::with_state);
  court.fail();
  EXPECT_EQ(court.world.ask<Lives>(court.kept).value(), 1);
}

TEST(L2, a_verdict_to_stop_ends_the_child_and_no_second_eol_comes) {
  Court court(Answer::stop);
  court.fail();
  EXPECT_EQ(court.journal.take().size(), 1U);
  EXPECT_EQ(court.world.runtime().actors(), 3U);  // the root, the judge, the other child
  EXPECT_FALSE(court.kept.try_send(Say{"gone"}));
}

TEST(L2, a_verdict_to_escalate_fails_the_supervisor_with_the_childs_error) {
  Court court(Answer::escalate);
  Watch watch(court.world.runtime());
  court.fail();
  const auto told = std::find_if(watch.lines.begin(), watch.lines.end(),
                                 [](const std::string& line) { return line.starts_with("/judge failed 1"); });
  ASSERT_NE(told, watch.lines.end());
  EXPECT_TRUE(told->starts_with("/judge failed 1: child 'kept' ("));
  EXPECT_TRUE(
      told->ends_with("::Counter) ended, and its supervisor escalates: std::runtime_error: boom (in life::Break)"))
      << *told;
  EXPECT_EQ(court.journal.take(),
            (Lines{"eol 1 asks std::runtime_error: boom (in life::Break) count 101", "judge 2"}));
  EXPECT_EQ(court.world.ask<Lives>(court.kept).value(), 100);  // the place lives on below the new judge
}

TEST(L2, a_supervisor_that_fails_over_a_verdict_is_restarted_with_its_child) {
  Court court(Answer::fails);
  court.fail();
  EXPECT_TRUE(court.journal.has("judge 2"));
  EXPECT_EQ(court.world.ask<Lives>(court.kept).value(), 100);
}

TEST(L2, a_normal_end_is_asked_about_too) {
  Court court(Answer::restart);
  court.kept.send(Nap{});  // throws Need::stop
  court.world.advance(1s);
  EXPECT_EQ(court.journal.take(), (Lines{"eol 1 asks ok count 100"}));
  EXPECT_EQ(court.world.ask<Lives>(court.kept).value(), 100);
}

TEST(L2, an_end_by_order_is_told_and_not_asked_about) {
  Court court(Answer::restart);
  court.world.runtime().stop(court.kept);
  court.world.advance(1s);
  EXPECT_EQ(court.journal.take(), (Lines{"eol 1 over ok count 100"}));
  EXPECT_EQ(court.world.runtime().actors(), 3U);  // the root, the judge, the other child
}

TEST(L6, verdicts_to_restart_are_counted) {
  Court court(Answer::restart);
  for (int i = 0; i < 3; ++i) court.fail();
  EXPECT_EQ(court.journal.count("judge 2"), 0U);
  court.fail();
  EXPECT_EQ(court.journal.count("judge 2"), 1U);
}

TEST(L2, messages_wait_for_a_verdict) {
  Court court(Answer::with_state);
  court.kept.send(Break{"boom"});
  for (int i = 0; i < 3; ++i) court.kept.send(Say{"later"});
  court.world.advance(1s);
  EXPECT_EQ(court.world.ask<Lives>(court.kept).value(), 103);
}

TEST(L4, a_supervisor_that_is_stopped_before_its_verdict_takes_the_child_along) {
  Court court(Answer::late);
  court.fail();
  court.world.runtime().stop(court.judge);
  court.world.advance(10s);
  EXPECT_EQ(court.world.runtime().actors(), 1U);
}

TEST(L4, a_child_killed_while_its_verdict_is_awaited_ends_when_it_is_given) {
  Court court(Answer::late);
  court.kept.send(Break{"boom"});
  court.world.advance(1s);
  court.world.runtime().kill(court.kept);
  court.world.advance(1s);
  EXPECT_EQ(court.world.runtime().actors(), 4U);
  court.world.advance(1h);
  EXPECT_EQ(court.world.runtime().actors(), 3U);
}

TEST(L2, a_verdict_that_waits_long_holds_up_no_other_child) {
  Court court(Answer::late);
  const Ref<Counter> other = court.world.ask<Say>(court.judge, "").value();
  court.kept.send(Break{"boom"});
  court.world.advance(1s);  // the judge ponders
  other.send(Say{"one"});
  other.send(Break{"boom"});
  other.send(Say{"two"});
  court.world.advance(1s);
  EXPECT_EQ(court.world.ask<Lives>(other).value(), 1);  // begun anew meanwhile
  court.world.runtime().stop(other);
  court.world.advance(1s);
  EXPECT_EQ(court.world.ask<Lives>(other).error().code(), Errc::gone);
}

TEST(L2, a_verdict_that_does_not_come_within_its_time_fails_the_supervisor) {
  Court court(Answer::too_late);
  court.kept.send(Break{"boom"});
  court.world.advance(30s - 1ns);
  EXPECT_EQ(court.journal.count("judge 2"), 0U);
  court.world.advance(1s);
  EXPECT_EQ(court.journal.count("judge 2"), 1U);
  const auto entries = court.world.log().entries();
  EXPECT_TRUE(std::any_of(entries.begin(), entries.end(), [](const MemorySink::Entry& entry) {
    return entry.field("error").find(
               "no Verdict came within 30s: answer sooner (move what takes long into an actor of "
               "its own), or say .verdict_within(d)") != std::string_view::npos;
  }));
  // Its child's place was taken over.
  court.kept.send(Say{"again"});
  EXPECT_EQ(court.world.ask<Lives>(court.kept).value(), 101);
}

TEST(L2, a_verdict_in_time_leaves_no_deadline_behind) {
  Court court(Answer::restart);
  for (int i = 0; i < 3; ++i) {
    court.fail();
    court.world.advance(20s);
  }
  court.world.advance(1h);
  EXPECT_EQ(court.journal.count("judge 2"), 0U);
}

TEST(L2, a_time_for_verdicts_that_cannot_be_meant_is_refused) {
  sim::TestRuntime world;
  try {
    world.spawn(child<Counter>("c", 1).verdict_within(0s));
    FAIL() << "accepted";
  } catch (const Need& need) {
    EXPECT_EQ(need.error().text(), "the spec of 'c': verdict_within: 0s");
  }
}

/// Gives no verdicts.
struct Deaf {
  void handle(Eol<Counter>) {}
  std::string handle(Say, Context& cx) {
    try {
      cx.spawn(child<Counter>("c", 1).restart(Restart::ask).on_end(cx.self(this)));
    } catch (const Need& need) {
      return std::string(need.error().text());
    }
    return "accepted";
  }
};

TEST(L2, asking_a_supervisor_that_gives_no_verdicts_is_refused) {
  sim::TestRuntime world;
  const auto deaf = world.spawn<Deaf>("deaf");
  EXPECT_EQ(world.ask<Say>(deaf, "").value(),
            "the spec of 'c': restart: Restart::ask needs on_end(cx.self(this)) and, there, Verdict handle(Eol<...>, "
            "Context&)");
}

TEST(L2, only_the_supervisor_itself_gives_verdicts) {
  Court court(Answer::restart);
  try {
    court.world.spawn(child<Counter>("far", 1).restart(Restart::ask).on_end(court.judge));
    FAIL() << "accepted";
  } catch (const Need& need) {
    EXPECT_EQ(need.error().text(),
              "the spec of 'far': on_end: under Restart::ask its target must be the supervisor itself: "
              "on_end(cx.self(this))");
  }
}

struct Fail {};

/// Supervises one child that it is asked about and a younger one that takes its time to end.
struct Sentenced {
  struct Slow {
    Task<> terminating(Context& cx) { co_await cx.sleep(500ms); }
    void handle(Say) {}
  };
  explicit Sentenced(Journal* j) : journal(j) {}
  void init(Context& cx) {
    cx.strategy(Strategy::one_for_all);
    asked = cx.spawn(child<Counter>("asked", 1).restart(Restart::ask).backoff(0ms, 0ms).on_end(cx.self(this)));
    (void)cx.spawn(child<Slow>("slow"));
  }
  Verdict handle(Eol<Counter> end, Context& cx) {
    if (!end.asks) return Verdict::stop();
    journal->note("verdict on life " + std::to_string(end.incarnation));
    cx.stop();  // its own signal: obeyed before what lies in its lane, and there lies the Verdict
    return Verdict::restart();
  }
  void handle(Fail) { asked.send(Break{"boom"}); }
  Journal* journal;
  Ref<Counter> asked;
};

// The family of seed 754 found the child begun anew below a supervisor that ended, stopped, and begun again, for as long as its
// sibling took to end.
TEST(L2, a_verdict_that_is_heard_when_the_supervisor_is_on_its_way_out_begins_nobody_anew) {
  sim::TestRuntime world;
  const auto blocks = world.runtime().memory().live_blocks;
  Journal journal;
  Watch watch(world.runtime());
  // It drops what is queued: it ends at once, and waits for its slow child, which is the youngest.
  const auto supervisor = world.spawn(child<Sentenced>("s", &journal).on_stop(drop));
  world.run();
  supervisor.send(Fail{});
  world.advance(10s);
  EXPECT_EQ(journal.take(), Lines{"verdict on life 1"});
  EXPECT_EQ(watch.count("/s/asked restarting 1"), 0U);
  EXPECT_EQ(watch.count("/s/asked initializing>running 2"), 0U);
  EXPECT_EQ(watch.count("/s/asked ended failed"), 1U);
  EXPECT_EQ(watch.count("/s ended ok"), 1U);
  expect_nothing_left(world, blocks);
}

}  // namespace
