// M5 and M7 as asks see them: an answer, or at once why there is none; deadlines; what a timeout says.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

struct Get {};
struct Work {
  Duration time;
};
struct Keep {};
struct Release {};
struct Throw {};
struct ThrowLater {};
struct Refuse {};

struct Server {
  int handle(Get) { return ++gets; }
  Task<int> handle(Work work, Context& cx) {
    co_await cx.sleep(work.time);
    co_return 7;
  }
  void handle(Keep, Reply<int> reply) { kept.push_back(std::move(reply)); }
  void handle(Release) { kept.clear(); }
  int handle(Throw) { throw std::runtime_error("thrown by the server"); }
  Task<int> handle(ThrowLater, Context& cx) {
    co_await cx.sleep(1s);
    throw std::runtime_error("thrown later");
  }
  Result<int> handle(Refuse) { return Error{"not for you"}; }
  int gets = 0;
  std::vector<Reply<int>> kept;
};

struct Answer {
  Result<int> result;
  Instant at;
};
using Answers = std::shared_ptr<std::vector<Answer>>;
Answers answers() { return std::make_shared<std::vector<Answer>>(); }

template <class M>
struct AskFor {
  M message;
  Duration within;
};
struct Asker {
  Asker(Ref<Server> s, Answers o) : server(s), out(std::move(o)) {}
  template <class M>
  Task<> put(M message, Duration within, Context& cx) {
    auto result = co_await server.ask<M>(std::move(message)).within(within);
    out->push_back({std::move(result), cx.now()});
  }
  Task<> handle(AskFor<Get> a, Context& cx) { return put(a.message, a.within, cx); }
  Task<> handle(AskFor<Work> a, Context& cx) { return put(a.message, a.within, cx); }
  Task<> handle(AskFor<Keep> a, Context& cx) { return put(a.message, a.within, cx); }
  Task<> handle(AskFor<Throw> a, Context& cx) { return put(a.message, a.within, cx); }
  Task<> handle(AskFor<ThrowLater> a, Context& cx) { return put(a.message, a.within, cx); }
  Ref<Server> server;
  Answers out;
};

/// What an actor that asks `server` hears, and after which time.
template <class M>
std::optional<std::pair<Result<int>, Duration>> heard(sim::TestRuntime& world, Ref<Server> server, M message,
                                                      Duration within, Duration wait) {
  const auto out = answers();
  const auto asker = world.spawn<Asker>(unnamed, server, out);
  const Instant began = world.now();
  asker.send(AskFor<M>{message, within});
  world.advance(wait);
  if (out->empty()) return std::nullopt;
  return std::pair(std::move(out->front().result), out->front().at - began);
}

// ------------------------------------------------------------------------------------------------- fails at once

TEST(M5, an_ask_of_a_null_ref_fails_at_once) {
  sim::TestRuntime world;
  const auto answer = heard(world, Ref<Server>(), Get{}, 1h, 0s);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->first.error().code(), Errc::gone);
  EXPECT_EQ(world.ask<Get>(Ref<Server>()).error().code(), Errc::gone);
}

TEST(M5, an_ask_of_an_actor_that_is_gone_for_good_fails_at_once) {
  sim::TestRuntime world;
  const auto server = world.spawn<Server>("server");
  world.runtime().stop(server);
  world.run();
  const auto answer = heard(world, server, Get{}, 1h, 0s);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->first.error().code(), Errc::gone);
  EXPECT_FALSE(answer->first.error().may_have_run());
  EXPECT_NE(answer->first.error().text().find("Server"), std::string_view::npos);
}

TEST(M5, an_ask_of_an_actor_that_is_being_stopped_fails_at_once) {
  sim::TestRuntime world;
  const auto server = world.spawn<Server>("server");
  server.send(Work{1s});
  world.run();
  world.runtime().stop(server);
  world.run();
  const auto answer = heard(world, server, Get{}, 1h, 0s);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->first.error().code(), Errc::stopping);
}

TEST(M5, an_ask_of_a_full_mailbox_fails_at_once) {
  for (const Mailbox box :
       {bounded(1), bounded(1).drop_newest(), bounded(1).bytes(1), bounded(1).bytes(1).drop_newest()}) {
    sim::TestRuntime world;
    const auto server = world.spawn(child<Server>("server").mailbox(box));
    server.send(Work{1s});
    world.run();
    server.send(Release{});
    const auto answer = heard(world, server, Get{}, 1h, 0s);
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->first.error().is(Errc::full) || answer->first.error().is(Errc::dropped));
    EXPECT_FALSE(answer->first.error().may_have_run());
  }
}

TEST(M5, an_ask_that_drop_oldest_drops_hears_it_at_once) {
  sim::TestRuntime world;
  const auto server = world.spawn(child<Server>("server").mailbox(bounded(1).drop_oldest()));
  server.send(Work{1s});
  world.run();
  const auto out = answers();
  world.spawn<Asker>("asker", server, out).send(AskFor<Get>{{}, 1h});
  world.run();
  EXPECT_TRUE(out->empty());
  server.send(Release{});
  world.run();
  ASSERT_EQ(out->size(), 1U);
  EXPECT_EQ(out->front().result.error().code(), Errc::dropped);
}

TEST(M5, an_ask_whose_handler_throws_fails_at_once_and_may_have_run) {
  sim::TestRuntime world;
  const auto server = world.spawn<Server>("server");
  const auto thrown = heard(world, server, Throw{}, 1h, 0s);
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->first.error().code(), Errc::failed);
  EXPECT_TRUE(thrown->first.error().may_have_run());
  world.advance(1s);
  const auto later = heard(world, server, ThrowLater{}, 1h, 2s);
  ASSERT_TRUE(later);
  EXPECT_EQ(later->first.error().code(), Errc::failed);
  EXPECT_EQ(later->second, 1s);
  EXPECT_TRUE(later->first.error().may_have_run());
}

/// An answer whose own move throws, the n-th from now on.
struct Touchy {
  static inline int moves_left = 0;
  Touchy() = default;
  Touchy(Touchy&&) {
    if (moves_left > 0 && --moves_left == 0) throw std::runtime_error("the answer does not like to be moved");
  }
  Touchy& operator=(Touchy&&) = default;
};
struct Give {
  int throws_at_move;
};
struct Giver {
  Touchy handle(Give give) {
    Touchy::moves_left = give.throws_at_move;
    return {};
  }
};
template <class Asked>
struct Taker {
  Taker(Ref<Asked> g, Answers o) : giver(g), out(std::move(o)) {}
  Task<> handle(Give give, Context& cx) {
    const auto taken = co_await giver.template ask<Give>(give).within(1h);
    out->push_back({taken ? Result<int>(1) : Result<int>(taken.error()), cx.now()});
  }
  Ref<Asked> giver;
  Answers out;
};

TEST(M5, an_answer_whose_own_move_throws_on_its_way_fails_the_ask_at_once) {
  sim::TestRuntime world;
  const auto giver = world.spawn<Giver>("giver");
  const auto out = answers();
  const auto taker = world.spawn<Taker<Giver>>("taker", giver, out);
  // Out of the handler, and into the hands of the asker.
  for (const int move : {1, 2}) {
    out->clear();
    const Instant asked = world.now();
    taker.send(Give{move});
    world.advance(1min);
    ASSERT_EQ(out->size(), 1U) << "move " << move;
    ASSERT_FALSE(out->front().result) << "move " << move;
    EXPECT_EQ(out->front().result.error().code(), Errc::failed) << "move " << move;
    EXPECT_EQ(out->front().at, asked) << "move " << move;
  }
  out->clear();
  taker.send(Give{0});
  world.advance(1min);
  ASSERT_EQ(out->size(), 1U);
  EXPECT_TRUE(out->front().result);
}

struct Keeper {
  explicit Keeper(std::vector<Reply<Touchy>>* k) : kept(*k) {}
  void handle(Give, Reply<Touchy> reply) { kept.push_back(std::move(reply)); }
  std::vector<Reply<Touchy>>& kept;
};

TEST(M5, an_answer_whose_own_move_throws_when_it_is_given_from_outside_may_be_given_again) {
  std::vector<Reply<Touchy>> kept;
  sim::TestRuntime world;
  const auto keeper = world.spawn<Keeper>("keeper", &kept);
  const auto out = answers();
  world.spawn<Taker<Keeper>>("taker", keeper, out).send(Give{0});
  world.run();
  ASSERT_EQ(kept.size(), 1U);
  Result<Touchy> answer = Touchy();
  Touchy::moves_left = 2;  // into the hands of Reply, and then into the node that goes through the lane
  EXPECT_THROW(std::move(kept[0])(std::move(answer)), std::runtime_error);
  world.run();
  EXPECT_TRUE(out->empty());
  std::move(kept[0])(Result<Touchy>(Touchy()));
  world.run();
  ASSERT_EQ(out->size(), 1U);
  EXPECT_TRUE(out->front().result);
}

TEST(M5, an_answer_whose_own_move_throws_fails_an_ask_from_outside_at_once_too) {
  sim::TestRuntime world;
  const auto giver = world.spawn<Giver>("giver");
  const auto heard_after = [&](int move) {
    auto pending = world.runtime().ask<Give>(giver, move).polled_within(1h);
    world.advance(1min);     // its actor is restarted meanwhile
    Touchy::moves_left = 0;  // to take it out is a move, too
    auto answer = pending.poll();
    return !answer ? "nothing" : *answer ? "an answer" : std::string(to_string(answer->error().code()));
  };
  // Out of the handler, into the hands of who answers, and into the place that the asker looks at.
  for (const int move : {1, 2, 3}) EXPECT_EQ(heard_after(move), "failed") << "move " << move;
  EXPECT_EQ(heard_after(0), "an answer");
}

TEST(M5, an_ask_hears_at_once_that_the_actor_was_ended_in_the_middle_of_it) {
  sim::TestRuntime world;
  const auto server = world.spawn(child<Server>("server").on_stop(drop));
  const auto out = answers();
  world.spawn<Asker>("asker", server, out).send(AskFor<Work>{{1h}, 10h});
  world.spawn<Asker>("other", server, out).send(AskFor<Get>{{}, 10h});
  world.run();
  world.runtime().stop(server);
  world.run();
  ASSERT_EQ(out->size(), 2U);
  EXPECT_EQ(out->front().result.error().code(), Errc::failed);
  EXPECT_TRUE(out->front().result.error().may_have_run());
  EXPECT_EQ(out->back().result.error().code(), Errc::gone);  // it stood behind, and was not begun
  EXPECT_FALSE(out->back().result.error().may_have_run());
}

TEST(M5, an_ask_whose_reply_is_dropped_hears_it_at_once) {
  sim::TestRuntime world;
  const auto server = world.spawn<Server>("server");
  const auto out = answers();
  world.spawn<Asker>("asker", server, out).send(AskFor<Keep>{{}, 1h});
  world.run();
  EXPECT_TRUE(out->empty());
  server.send(Release{});
  world.run();
  ASSERT_EQ(out->size(), 1U);
  EXPECT_EQ(out->front().result.error().code(), Errc::dropped);
  EXPECT_TRUE(out->front().result.error().may_have_run());
}

TEST(M5, a_refusal_by_result_is_an_answer_and_no_failure) {
  sim::TestRuntime world;
  const auto server = world.spawn<Server>("server");
  EXPECT_EQ(world.ask<Refuse>(server).error().text(), "not for you");
  EXPECT_EQ(world.ask<Get>(server).value(), 1);
  EXPECT_EQ(world.ask<Get>(server).value(), 2);  // the same incarnation
}

TEST(M5, asks_that_wait_in_the_mailbox_outlive_a_restart) {
  sim::TestRuntime world;
  const auto server = world.spawn<Server>("server");
  const auto out = answers();
  server.send(Work{1s});
  world.run();
  server.send(Throw{});
  world.spawn<Asker>("asker", server, out).send(AskFor<Get>{{}, 1min});
  world.spawn<Asker>("impatient", server, out).send(AskFor<Get>{{}, 1010ms});  // its deadline is within the back-off
  world.advance(1005ms);
  EXPECT_TRUE(out->empty());
  world.advance(10s);
  ASSERT_EQ(out->size(), 2U);
  EXPECT_EQ(out->front().result.error().code(), Errc::timeout);
  EXPECT_EQ(out->back().result.value(), 1);  // by the new incarnation
  EXPECT_EQ(world.runtime().counts().count(Undelivered::expired), 1U);
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}

// ----------------------------------------------------------------------------------------------------- deadlines

TEST(M7, an_expired_request_is_not_handled) {
  sim::TestRuntime world;
  const auto server = world.spawn<Server>("server");
  server.send(Work{2s});
  const auto answer = heard(world, server, Get{}, 1s, 5s);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->first.error().code(), Errc::timeout);
  EXPECT_EQ(answer->second, 1s);
  EXPECT_FALSE(answer->first.error().may_have_run());
  EXPECT_EQ(world.ask<Get>(server).value(), 1);
  EXPECT_EQ(world.runtime().counts().count(Undelivered::expired), 1U);
}

TEST(M7, a_late_reply_is_dropped) {
  sim::TestRuntime world;
  const auto server = world.spawn<Server>("server");
  const auto out = answers();
  const auto asker = world.spawn<Asker>("asker", server, out);
  asker.send(AskFor<Work>{{2s}, 1s});
  asker.send(AskFor<Get>{{}, 10s});  // its answer must not be taken for the other's
  world.advance(10s);
  ASSERT_EQ(out->size(), 2U);
  EXPECT_EQ(out->front().result.error().code(), Errc::timeout);
  EXPECT_TRUE(out->front().result.error().may_have_run());
  EXPECT_EQ(out->back().result.value(), 1);
}

struct Relay {
  explicit Relay(Ref<Server> s) : server(s) {}
  Task<std::string> handle(Get, Context& cx) {
    const Instant began = cx.now();
    auto answer = co_await server.ask<Work>(1h).within(1min);
    const Duration took = cx.now() - began;
    heard = std::string(to_string(answer.error().code())) + " after " + to_string(took);
    co_return heard;
  }
  std::string handle(Keep) { return heard; }
  Ref<Server> server;
  std::string heard;
};

TEST(M7, a_nested_ask_gets_the_shorter_deadline) {
  sim::TestRuntime world;
  const auto relay = world.spawn<Relay>("relay", world.spawn<Server>("server"));
  (void)world.ask_within<Get>(2s, relay);
  EXPECT_EQ(world.ask<Keep>(relay).value(), "timeout after 2s");
}

struct Forwarder {
  explicit Forwarder(Ref<Server> s) : server(s) {}
  void handle(Work work, Reply<int> reply) { server.forward(work, std::move(reply)); }
  Ref<Server> server;
};

TEST(M7, forward_keeps_the_deadline_and_the_asker) {
  sim::TestRuntime world;
  const auto server = world.spawn<Server>("server");
  const auto forwarder = world.spawn<Forwarder>("forwarder", server);
  EXPECT_EQ(world.ask<Work>(forwarder, 1s).value(), 7);
  server.send(Work{3s});
  EXPECT_EQ(world.ask_within<Work>(2s, forwarder, 1s).error().code(), Errc::timeout);
  world.advance(10s);
  EXPECT_EQ(world.runtime().counts().count(Undelivered::expired), 1U);
  EXPECT_EQ(world.ask<Work>(world.spawn<Forwarder>("to-nobody", Ref<Server>()), 1s).error().code(), Errc::gone);
}

// ------------------------------------------------------------------------------------------- what a timeout says

class TimeoutText : public testing::TestWithParam<Mailbox> {};
INSTANTIATE_TEST_SUITE_P(M7, TimeoutText, testing::Values(bounded(100), bounded(100).drop_oldest(), unbounded()));

TEST_P(TimeoutText, M7_says_how_long_it_queued_and_how_many_stood_before_it) {
  sim::TestRuntime world;
  const auto server = world.spawn(child<Server>("server").mailbox(GetParam()));
  server.send(Work{500ms});
  world.run();
  for (int i = 0; i < 3; ++i) server.send(Work{1s});
  const auto answer = heard(world, server, Get{}, 2s, 3s);
  ASSERT_TRUE(answer);
  const std::string text(answer->first.error().text());
  EXPECT_NE(text.find("within 2s"), std::string::npos) << text;
  EXPECT_NE(text.find("queued for 2s"), std::string::npos) << text;
  EXPECT_NE(text.find("was not begun"), std::string::npos) << text;
  EXPECT_NE(text.find("3 stood before it"), std::string::npos) << text;
  EXPECT_NE(text.find("1 still do"), std::string::npos) << text;
}

TEST_P(TimeoutText, M7_says_how_long_it_ran) {
  sim::TestRuntime world;
  const auto server = world.spawn(child<Server>("server").mailbox(GetParam()));
  server.send(Work{500ms});
  world.run();
  server.send(Release{});
  const auto answer = heard(world, server, Work{1h}, 2s, 3s);
  ASSERT_TRUE(answer);
  const std::string text(answer->first.error().text());
  EXPECT_NE(text.find("queued for 500ms"), std::string::npos) << text;
  EXPECT_NE(text.find("running for 1.5s"), std::string::npos) << text;
  EXPECT_NE(text.find("1 stood before it"), std::string::npos) << text;
  EXPECT_TRUE(answer->first.error().may_have_run());
}

TEST(M7, an_ask_from_outside_that_does_not_block_ends_at_its_deadline) {
  sim::TestRuntime world;
  const auto server = world.spawn<Server>("server");
  auto pending = world.runtime().ask<Work>(server, 1h).polled_within(1s);
  world.advance(999ms);
  EXPECT_FALSE(pending.poll());
  world.advance(1ms);
  const auto late = pending.poll();
  ASSERT_TRUE(late);
  EXPECT_EQ(late->error().code(), Errc::timeout);
}

}  // namespace
