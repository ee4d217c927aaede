// M1, M2, M3: one turn, one order per sender, and a lane for the runtime's commands that no mailbox can block.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

using Notes = std::vector<std::string>;
using SharedNotes = std::shared_ptr<Notes>;
SharedNotes notes() { return std::make_shared<Notes>(); }

struct Word {
  std::string text;
};
struct Slow {
  std::string text;
};
struct Number {
  int sender;
  int n;
};

// ---------------------------------------------------------------------------------------------------------- M1

struct Starter {
  explicit Starter(SharedNotes n) : log(std::move(n)) {}
  Task<Result<>> init(Context& cx) {
    log->push_back("init begins");
    co_await cx.sleep(1s);
    log->push_back("init ends");
    co_return {};
  }
  void handle(const Word& word) { log->push_back(word.text); }
  Task<> handle(Slow slow, Context& cx) {
    log->push_back(slow.text + " begins");
    co_await cx.sleep(1s);
    co_await cx.yield();
    log->push_back(slow.text + " ends");
  }
  Task<> terminating(Context& cx) {
    log->push_back("terminating begins");
    co_await cx.sleep(100ms);
    log->push_back("terminating ends");
  }
  SharedNotes log;
};

TEST(M1, init_ends_before_the_first_message_and_earlier_ones_wait) {
  sim::TestRuntime world;
  const auto log = notes();
  const auto actor = world.spawn<Starter>("starter", log);
  actor.send(Word{"one"});
  actor.send(Word{"two"});
  world.advance(999ms);
  EXPECT_EQ(*log, (Notes{"init begins"}));
  EXPECT_EQ(world.runtime().counts().in_flight(), 2U);
  world.advance(1ms);
  EXPECT_EQ(*log, (Notes{"init begins", "init ends", "one", "two"}));
}

TEST(M1, a_handler_that_awaits_keeps_the_turn_from_other_messages_and_hooks) {
  sim::TestRuntime world;
  const auto log = notes();
  const auto actor = world.spawn<Starter>("starter", log);
  world.advance(1s);
  log->clear();
  actor.send(Slow{"first"});
  actor.send(Word{"second"});
  actor.send(Slow{"third"});
  world.run();
  world.runtime().stop(actor);
  world.advance(500ms);
  EXPECT_EQ(*log, (Notes{"first begins"}));
  world.advance(10s);
  EXPECT_EQ(*log, (Notes{"first begins", "first ends", "second", "third begins", "third ends", "terminating begins",
                         "terminating ends"}));
}

struct Echo {
  int handle(Number n) { return n.n; }
};
struct Start {};

/// Both an interleaved and a turn-keeping handler, so that one's wait can end while the other keeps the turn.
struct Mixed {
  Mixed(Ref<Echo> e, SharedNotes n) : echo(e), log(std::move(n)) {}
  Interleaved<> handle(Start, Context& cx) {
    log->push_back("interleaved begins");
    co_await cx.sleep(10ms);
    const auto answer = co_await echo.ask<Number>(0, 7).within(1s);
    log->push_back("interleaved ends with " + std::to_string(answer.value()));
  }
  Task<> handle(Slow slow, Context& cx) {
    log->push_back(slow.text + " begins");
    co_await cx.sleep(1s);
    log->push_back(slow.text + " ends");
  }
  Ref<Echo> echo;
  SharedNotes log;
};

TEST(M1, what_an_interleaved_handler_awaited_resumes_only_when_the_turn_is_free) {
  sim::TestRuntime world;
  const auto log = notes();
  const auto mixed = world.spawn<Mixed>("mixed", world.spawn<Echo>("echo"), log);
  mixed.send(Start{});
  mixed.send(Slow{"slow"});
  world.advance(999ms);
  EXPECT_EQ(*log, (Notes{"interleaved begins", "slow begins"}));
  world.advance(1s);
  EXPECT_EQ(*log, (Notes{"interleaved begins", "slow begins", "slow ends", "interleaved ends with 7"}));
}

// ---------------------------------------------------------------------------------------------------------- M2

struct Collector {
  explicit Collector(std::shared_ptr<std::vector<Number>> s) : seen(std::move(s)) {}
  void handle(Number n) { seen->push_back(n); }
  std::shared_ptr<std::vector<Number>> seen;
};
struct Burst {
  int from;
  int to;
};
struct Sender {
  Sender(int i, Ref<Collector> t) : id(i), target(t) {}
  Task<> handle(Burst burst, Context& cx) {
    for (int n = burst.from; n < burst.to; ++n) {
      target.send(Number{id, n});
      if (n % 3 == id) co_await cx.yield();
      if (n % 5 == id) co_await cx.sleep(1ms);
    }
  }
  int id;
  Ref<Collector> target;
};

TEST(M2, messages_of_one_sender_to_one_receiver_come_in_order) {
  sim::TestRuntime world;
  const auto seen = std::make_shared<std::vector<Number>>();
  const auto collector = world.spawn<Collector>("collector", seen);
  for (int id = 0; id < 3; ++id) {
    const auto sender = world.spawn<Sender>("sender-" + std::to_string(id), id, collector);
    sender.send(Burst{0, 100});
    sender.send(Burst{100, 200});
  }
  for (int n = 0; n < 200; ++n) collector.send(Number{3, n});  // a thread from outside is a sender, too
  world.advance(1s);
  ASSERT_EQ(seen->size(), 800U);
  std::vector<int> next(4, 0);
  for (const Number& one : *seen) EXPECT_EQ(one.n, next[static_cast<std::size_t>(one.sender)]++);
}

struct Report {
  int n;
};
struct Parent;
struct Child {
  explicit Child(Ref<Parent> p) : parent(p) {}
  void handle(Burst burst);
  void terminating();
  Ref<Parent> parent;
};
struct Tick {};
struct Parent {
  explicit Parent(SharedNotes n) : log(std::move(n)) {}
  void handle(Start, Context& cx) {
    one = cx.spawn(child<Child>("child", cx.self(this)).restart(Restart::never).on_end(cx.self(this)));
    one.send(Burst{0, 3});
  }
  void handle(Report report) { log->push_back("report " + std::to_string(report.n)); }
  void handle(Eol<Child> end) { log->push_back("end of " + end.name + (end.result ? "" : ", failed")); }
  void handle(Tick, Context& cx) { cx.stop(one); }
  SharedNotes log;
  Ref<Child> one;
};
void Child::handle(Burst burst) {
  for (int n = burst.from; n < burst.to; ++n) parent.send(Report{n});
}
void Child::terminating() { parent.send(Report{99}); }

TEST(M2, the_end_comes_after_everything_that_the_child_sent) {
  sim::TestRuntime world;
  const auto log = notes();
  const auto parent = world.spawn<Parent>("parent", log);
  parent.send(Start{});
  world.run();
  parent.send(Tick{});
  world.run();
  EXPECT_EQ(*log, (Notes{"report 0", "report 1", "report 2", "report 99", "end of child"}));
}

struct Guard;
struct Kid {
  explicit Kid(Ref<Guard> g) : guard(g) {}
  void handle(Start);
  Ref<Guard> guard;
};
struct Guard {
  explicit Guard(SharedNotes n) : log(std::move(n)) {}
  /// Busy while its kid reports and fails, so that all of it waits in the mailbox.
  Task<> handle(Start, Context& cx) {
    cx.spawn(child<Kid>("kid", cx.self(this)).restart(Restart::never).on_end(cx.self(this))).send(Start{});
    co_await cx.sleep(1s);
  }
  void handle(Report report) { log->push_back("report " + std::to_string(report.n)); }
  void handle(Eol<Kid> end) { log->push_back(end.result ? "end" : "failed: " + end.result.error().describe()); }
  SharedNotes log;
};
void Kid::handle(Start) {
  for (int n = 0; n < 5; ++n) guard.send(Report{n});
  throw std::runtime_error("enough");
}

class EndAtAFullMailbox : public testing::TestWithParam<Mailbox> {};

TEST_P(EndAtAFullMailbox, M3_is_delivered_whatever_the_bound_and_after_what_the_child_sent) {
  sim::TestRuntime world;
  const auto log = notes();
  const auto guard = world.spawn(child<Guard>("guard", log).mailbox(GetParam()));
  guard.send(Start{});
  world.advance(500ms);
  guard.send(Report{50});
  guard.send(Report{51});
  world.advance(10s);
  ASSERT_FALSE(log->empty());
  std::size_t ends = 0;
  std::size_t end_at = 0;
  for (std::size_t i = 0; i < log->size(); ++i) {
    if (log->at(i).find("enough") != std::string::npos) {
      ++ends;
      end_at = i;
    }
  }
  EXPECT_EQ(ends, 1U);
  for (std::size_t i = end_at; i < log->size(); ++i) {
    for (int n = 0; n < 5; ++n) EXPECT_NE(log->at(i), "report " + std::to_string(n));
  }
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}
INSTANTIATE_TEST_SUITE_P(M3, EndAtAFullMailbox,
                         testing::Values(bounded(2), bounded(2).drop_newest(), bounded(2).drop_oldest(),
                                         bounded(1).drop_oldest(), bounded(2).bytes(8),
                                         bounded(3).bytes(8).drop_oldest(), unbounded()));

// ---------------------------------------------------------------------------------------------------------- M3

struct Counter {
  explicit Counter(std::shared_ptr<int> c) : count(std::move(c)) {}
  void handle(Tick) { ++*count; }
  Task<> handle(Slow, Context& cx) { co_await cx.sleep(1h); }
  void handle(Start, Context& cx) { cx.stop(); }
  std::shared_ptr<int> count;
};

TEST(M3, a_stop_overtakes_a_full_mailbox) {
  sim::TestRuntime world;
  const auto count = std::make_shared<int>(0);
  const auto actor = world.spawn(child<Counter>("counter", count).mailbox(bounded(100)).on_stop(drop));
  world.run();
  for (int i = 0; i < 150; ++i) actor.send(Tick{});
  world.runtime().stop(actor);
  world.run();
  EXPECT_EQ(*count, 0);
  const MessageCounts counts = world.runtime().counts();
  EXPECT_EQ(counts.count(Undelivered::full), 50U);
  EXPECT_EQ(counts.count(Undelivered::ended), 100U);
  EXPECT_EQ(counts.in_flight(), 0U);
}

TEST(M3, a_stop_is_taken_between_two_messages) {
  sim::TestRuntime world;
  const auto count = std::make_shared<int>(0);
  const auto actor = world.spawn(child<Counter>("counter", count).on_stop(drop));
  for (int i = 0; i < 3; ++i) actor.send(Tick{});
  actor.send(Start{});
  for (int i = 0; i < 3; ++i) actor.send(Tick{});
  world.run();
  EXPECT_EQ(*count, 3);
  EXPECT_EQ(world.runtime().counts().count(Undelivered::ended), 3U);
}

TEST(M3, commands_are_taken_while_a_handler_awaits) {
  sim::TestRuntime world;
  const auto count = std::make_shared<int>(0);
  const auto actor = world.spawn(child<Counter>("counter", count).mailbox(bounded(1)).stop_within(2s));
  actor.send(Slow{});
  world.run();
  actor.send(Tick{});
  // An inspection is answered in the middle of the handler, past the full mailbox.
  EXPECT_NE(world.runtime().service_tree().text().find("counter"), std::string::npos);
  world.runtime().stop(actor);
  world.run();
  // The stop is known already: the place refuses.
  EXPECT_EQ(actor.try_send(Tick{}).error().code(), Errc::stopping);
  world.advance(2s);
  EXPECT_EQ(world.runtime().actors(), 1U);  // the root
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}

TEST(M3, a_stop_for_a_place_that_is_over_does_not_reach_its_next_owner) {
  sim::TestRuntime world;
  const auto count = std::make_shared<int>(0);
  const auto first = world.spawn<Counter>("first", count);
  world.runtime().stop(first);
  world.run();
  const auto second = world.spawn<Counter>("second", count);
  world.runtime().stop(first);
  world.run();
  second.send(Tick{});
  first.send(Tick{});
  world.run();
  EXPECT_EQ(*count, 1);
  EXPECT_EQ(world.runtime().counts().count(Undelivered::gone), 1U);
}

}  // namespace
