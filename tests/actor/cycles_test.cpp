// M7: a circle of actors that keep their turn while they ask each other is found, and named, within 100 ms.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

struct Ask {};
struct Held {};
struct Later {
  Duration after;
};
struct Both {};
struct Patient {};
struct Passed {};
struct Kept {};
struct PassOn {};
/// Asks the next one with an M.
template <class M>
struct AskBy {};
struct Heard {
  std::string who;
  Result<int> result;
  Instant at;
};
using Log = std::shared_ptr<std::vector<Heard>>;

struct Link;
struct Next {
  Ref<Link> next;
};
/// One link of a chain: asked, it asks the next one and keeps its turn.
struct Link {
  explicit Link(Log l) : log(std::move(l)) {}
  void handle(Next n) { next.push_back(n.next); }
  Task<int> handle(Ask, Context& cx);
  Task<> handle(Later later, Context& cx);
  Task<> handle(Both, Context& cx);
  Task<> handle(Held, Reply<int> reply, Context& cx);
  Task<int> handle(Patient, Context& cx) {
    co_await cx.sleep(10s);
    co_return 5;
  }
  void handle(Passed, Reply<int> reply);
  void handle(Kept, Reply<int> reply) { kept.push_back(std::move(reply)); }
  void handle(PassOn);
  Task<> handle(AskBy<Held>, Context& cx) { return ask_by<Held>(cx); }
  Task<> handle(AskBy<Kept>, Context& cx) { return ask_by<Kept>(cx); }
  Task<> handle(AskBy<Passed>, Context& cx) { return ask_by<Passed>(cx); }
  template <class M>
  Task<> ask_by(Context& cx);
  std::vector<Reply<int>> kept;
  std::vector<Ref<Link>> next;
  Log log;
};
Task<int> Link::handle(Ask, Context& cx) {
  if (next.empty()) co_return 1;
  auto answer = co_await next.front().ask<Ask>().within(1h);
  log->push_back({cx.path(), answer, cx.now()});
  co_return answer ? answer.value() + 1 : -1;
}
Task<> Link::handle(Later later, Context& cx) {
  co_await cx.sleep(later.after);
  auto answer = co_await next.front().ask<Ask>().within(1h);
  log->push_back({cx.path(), answer, cx.now()});
}
Task<> Link::handle(Both, Context& cx) {
  auto [patient, answer] =
      co_await when_all(next.front().ask<Ask>().within(1h), next.back().ask<Patient>().within(1h));
  log->push_back({cx.path(), answer, cx.now()});
  log->push_back({cx.path(), patient, cx.now()});
}
Task<> Link::handle(Held, Reply<int> reply, Context& cx) {
  auto answer = co_await next.front().ask<Ask>().within(1h);
  log->push_back({cx.path(), answer, cx.now()});
  std::move(reply)(7);
}
template <class M>
Task<> Link::ask_by(Context& cx) {
  auto answer = co_await next.front().ask<M>().within(1h);
  log->push_back({cx.path(), answer, cx.now()});
}
void Link::handle(PassOn) { next.front().forward(Ask{}, std::move(kept.front())); }
void Link::handle(Passed, Reply<int> reply) { next.front().forward(Ask{}, std::move(reply)); }

struct Ring {
  explicit Ring(std::vector<std::string> names) {
    for (const std::string& name : names) links.push_back(world.spawn<Link>(name, log));
  }
  void join(std::size_t from, std::size_t to) {
    links[from].send(Next{links[to]});
    world.run();
  }
  /// Each of `times` asks failed, with exactly these names.
  void expect_all_named(const std::vector<std::string>& names, std::size_t times) const {
    EXPECT_EQ(log->size(), times);
    for (const Heard& heard : *log) {
      ASSERT_FALSE(heard.result.has_value()) << heard.who;
      EXPECT_EQ(heard.result.error().code(), Errc::cycle) << heard.result.error().describe();
      for (const std::string& name : names) {
        EXPECT_NE(heard.result.error().text().find("/" + name), std::string_view::npos)
            << heard.result.error().text();
      }
    }
  }
  sim::TestRuntime world;
  Log log = std::make_shared<std::vector<Heard>>();
  std::vector<Ref<Link>> links;
};

TEST(M7, an_actor_that_asks_itself_is_told) {
  Ring ring({"alone"});
  ring.join(0, 0);
  ring.links[0].send(Ask{});
  ring.world.advance(100ms);
  ring.expect_all_named({"alone"}, 1);
}

TEST(M7, a_circle_of_two_is_found_within_100_ms) {
  Ring ring({"left", "right"});
  ring.join(0, 1);
  ring.join(1, 0);
  ring.links[0].send(Ask{});
  ring.world.advance(100ms);
  ring.expect_all_named({"left", "right"}, 2);
}

TEST(M7, a_circle_of_three_is_found_within_100_ms_and_who_only_waits_for_it_is_not_in_it) {
  Ring ring({"one", "two", "three", "outside"});
  ring.join(0, 1);
  ring.join(1, 2);
  ring.join(2, 0);
  ring.join(3, 0);
  ring.links[0].send(Ask{});
  ring.world.run();
  ring.links[3].send(Ask{});
  ring.world.advance(90ms);  // what comes after the circle, the request from outside, would only go round it again
  std::erase_if(*ring.log, [](const Heard& heard) { return heard.who == "/outside"; });
  ring.expect_all_named({"one", "two", "three"}, 3);
  for (const Heard& heard : *ring.log) {
    EXPECT_EQ(heard.result.error().text().find("outside"), std::string_view::npos);
  }
}

TEST(M7, a_circle_that_closes_late_is_found_within_100_ms_from_then_on) {
  Ring ring({"first", "second"});
  ring.join(0, 1);
  ring.join(1, 0);
  const Instant began = ring.world.now();
  ring.links[1].send(Later{5s});
  ring.links[0].send(Ask{});
  ring.world.advance(5s + 100ms);
  // The first one's ask waits in the second one's mailbox while that keeps its turn: a circle all the same.
  ring.expect_all_named({"first", "second"}, 2);
  for (const Heard& heard : *ring.log) EXPECT_LE(heard.at, began + 5s + 100ms);
}

TEST(M7, a_circle_through_a_reply_that_a_handler_holds_is_found) {
  Ring ring({"asker", "holder"});
  ring.join(0, 1);
  ring.join(1, 0);
  ring.links[0].send(AskBy<Held>{});
  ring.world.advance(100ms);
  ring.expect_all_named({"asker", "holder"}, 2);
}

TEST(M7, a_circle_through_a_reply_that_an_actor_keeps_is_found) {
  Ring ring({"asker", "keeper"});
  ring.join(0, 1);
  ring.join(1, 0);
  ring.links[0].send(AskBy<Kept>{});
  ring.world.advance(1s);
  EXPECT_TRUE(ring.log->empty());  // the keeper's turn is free: it may still answer
  ring.links[1].send(Ask{});
  ring.world.advance(100ms);
  ring.expect_all_named({"asker", "keeper"}, 2);
}

/// Hands the right to answer on, in a message, to somebody who answers after a second, and then asks who asked.
struct Handed {};
struct Work {
  Reply<int> reply;
};
struct Worker {
  Task<> handle(Work work, Context& cx) {
    Reply<int> reply = std::move(work.reply);
    co_await cx.sleep(1s);
    std::move(reply)(41);
  }
};
struct Asker;
struct Broker {
  Ref<Worker> worker;
  Ref<Asker> asker;
  std::optional<Result<int>> heard;
  explicit Broker(Ref<Worker> w) : worker(w) {}
  void handle(Ref<Asker> who) { asker = who; }
  Task<> handle(Handed, Reply<int> reply, Context& cx);
  std::optional<Result<int>> handle(Both) { return heard; }
};
struct Asker {
  Ref<Broker> broker;
  explicit Asker(Ref<Broker> b) : broker(b) {}
  Task<int> handle(Ask) {
    const Result<int> answer = co_await broker.ask<Handed>().within(1h);
    co_return answer ? answer.value() : -1;
  }
  int handle(Patient) { return 5; }
};
Task<> Broker::handle(Handed, Reply<int> reply, Context&) {
  worker.send(Work{std::move(reply)});
  heard = co_await asker.ask<Patient>().within(1h);
}

TEST(M7, who_handed_the_reply_on_owes_nothing_and_is_in_no_circle) {
  sim::TestRuntime world;
  const auto worker = world.spawn<Worker>("worker");
  const auto broker = world.spawn<Broker>("broker", worker);
  const auto asker = world.spawn<Asker>("asker", broker);
  broker.send(asker);
  // The broker waits for the asker, which waits for the worker: it answers after a second, and all goes on.
  EXPECT_EQ(world.ask<Ask>(asker).value(), 41);
  world.run();
  const auto heard = world.ask<Both>(broker).value();
  ASSERT_TRUE(heard.has_value());
  EXPECT_EQ(heard->value(), 5);
}

/// Who owes an answer asks the one who waits for it. It was handed the right to answer in a request.
struct Debt {
  Reply<int> reply;
};
/// Takes it otherwise than most.
struct Assigned {
  explicit Assigned(Reply<int>&& r) { reply = std::move(r); }
  Reply<int> reply;
};
struct Begin {};
struct BeginAssigned {};
struct Creditor;
struct Debtor {
  Ref<Creditor> creditor;
  void handle(Ref<Creditor> who) { creditor = who; }
  Task<> handle(Debt debt) { return owe(std::move(debt.reply)); }
  Task<> handle(Assigned debt) { return owe(std::move(debt.reply)); }
  Task<> owe(Reply<int> owed);
};
/// Keeps no turn while it waits, so that it is in no circle.
struct Agent {
  Ref<Debtor> debtor;
  explicit Agent(Ref<Debtor> d) : debtor(d) {}
  template <class M>
  Interleaved<> hand_on(Reply<int> reply) {
    auto ask = debtor.ask<M>(std::move(reply));
    (void)co_await std::move(ask).within(1h);
  }
  Interleaved<> handle(Begin, Reply<int> reply) { return hand_on<Debt>(std::move(reply)); }
  Interleaved<> handle(BeginAssigned, Reply<int> reply) { return hand_on<Assigned>(std::move(reply)); }
};
struct Creditor {
  Ref<Agent> agent;
  explicit Creditor(Ref<Agent> a) : agent(a) {}
  template <class M>
  Task<Errc> ask() {
    const Result<int> answer = co_await agent.ask<M>().within(1h);
    co_return answer.error().code();
  }
  Task<Errc> handle(Begin) { return ask<Begin>(); }
  Task<Errc> handle(BeginAssigned) { return ask<BeginAssigned>(); }
  int handle(Patient) { return 5; }
};
Task<> Debtor::owe(Reply<int> owed) {
  const Reply<int> kept = std::move(owed);
  (void)co_await creditor.ask<Patient>().within(1h);
}

TEST(M7, who_was_handed_the_reply_in_a_request_owes_the_answer) {
  sim::TestRuntime world;
  const auto debtor = world.spawn<Debtor>("debtor");
  const auto creditor = world.spawn<Creditor>("creditor", world.spawn<Agent>("agent", debtor));
  debtor.send(creditor);
  const Instant began = world.now();
  EXPECT_EQ(world.ask<Begin>(creditor).value(), Errc::cycle);
  EXPECT_EQ(world.ask<BeginAssigned>(creditor).value(), Errc::cycle);
  EXPECT_LE(world.now() - began, 200ms);
}

TEST(M7, a_circle_through_a_forwarded_request_is_found) {
  Ring ring({"asker", "middle", "end"});
  ring.join(0, 1);
  ring.join(1, 2);
  ring.join(2, 0);
  ring.links[0].send(AskBy<Passed>{});
  ring.world.advance(100ms);
  ring.expect_all_named({"asker", "end"}, 2);  // the middle one keeps no turn: it is not in the circle
}

TEST(M7, a_circle_that_a_late_forward_closes_is_found_within_100_ms_from_then_on) {
  Ring ring({"asker", "middle", "end"});
  ring.join(0, 1);
  ring.join(1, 2);
  ring.join(2, 0);
  ring.links[0].send(AskBy<Kept>{});
  ring.world.run();
  ring.links[2].send(Ask{});  // waits for the asker, whose turn is kept
  ring.world.advance(5s);
  EXPECT_TRUE(ring.log->empty());
  ring.links[1].send(PassOn{});
  ring.world.advance(100ms);
  ring.expect_all_named({"asker", "end"}, 2);
}

TEST(M7, a_circle_through_one_of_several_asks_at_once_is_found) {
  Ring ring({"many", "back", "idle"});
  ring.join(0, 1);
  ring.join(0, 2);
  ring.join(1, 0);
  ring.links[0].send(Both{});
  ring.world.advance(100ms);
  // back's ask fails at once; the other one of many is still waited for.
  ASSERT_EQ(ring.log->size(), 1U);
  EXPECT_EQ(ring.log->front().who, "/back");
  EXPECT_EQ(ring.log->front().result.error().code(), Errc::cycle);
  ring.world.advance(10s);
  ASSERT_EQ(ring.log->size(), 3U);
  EXPECT_EQ(ring.log->at(1).result.value(), 5);
  EXPECT_EQ(ring.log->at(2).result.error().code(), Errc::cycle);
}

TEST(M7, a_long_chain_without_a_circle_is_left_alone) {
  std::vector<std::string> names;
  for (int i = 0; i < 50; ++i) names.push_back("link-" + std::to_string(i));
  Ring ring(names);
  for (std::size_t i = 0; i + 1 < names.size(); ++i) ring.join(i, i + 1);
  ring.links.back().send(Patient{});
  ring.links[0].send(Ask{});
  ring.world.advance(5s);
  EXPECT_TRUE(ring.log->empty());
  ring.world.advance(6s);
  ASSERT_EQ(ring.log->size(), 49U);
  EXPECT_EQ(ring.log->back().result.value(), 49);
}

/// Interleaved handlers give the turn back.
struct Polite {
  Interleaved<int> handle(Ref<Polite> other, Context& cx) {
    co_await cx.sleep(200ms);
    if (!other) co_return 1;
    co_return (co_await other.ask<Ref<Polite>>(Ref<Polite>()).within(1s)).or_fail() + 1;
  }
};

TEST(M7, interleaved_handlers_that_ask_each_other_are_no_circle) {
  sim::TestRuntime world;
  const auto a = world.spawn<Polite>("a");
  const auto b = world.spawn<Polite>("b");
  auto one = world.runtime().ask<Ref<Polite>>(a, b).polled_within(1s);
  auto two = world.runtime().ask<Ref<Polite>>(b, a).polled_within(1s);
  world.advance(1s);
  EXPECT_EQ(one.poll()->value(), 2);
  EXPECT_EQ(two.poll()->value(), 2);
}

}  // namespace
