// What a Ref and a To are: null, compared, hashed, of an incomplete type, outliving their Runtime; and dead letters (M5).
#include <gtest/gtest.h>

#include <algorithm>
#include <coroutine>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

struct Deposit {
  std::int64_t cents;
};
struct Balance {};
struct Name {
  std::string text;
};
struct Busy {};
struct Account {
  void handle(Deposit deposit) { cents += deposit.cents; }
  std::int64_t handle(Balance) const { return cents; }
  std::string handle(Name name) { return "account of " + name.text; }
  Task<> handle(Busy, Context& cx) { co_await cx.sleep(1s); }
  std::int64_t cents = 0;
};

// -------------------------------------------------------------------------------------------------------- Refs

TEST(M5, a_null_ref_loses_nothing_silently) {
  struct Poke {};
  struct Poker {
    void handle(Poke) {
      nobody.send(Deposit{1});
      nobody.send<Deposit>(2);
    }
    Ref<Account> nobody;
  };
  sim::TestRuntime world;
  world.spawn<Poker>("poker").send(Poke{});
  world.run();
  EXPECT_EQ(world.runtime().counts().count(Undelivered::gone), 2U);
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
  Ref<Account>().send(Deposit{1});  // from outside: nobody's, and no harm
  EXPECT_FALSE(Ref<Account>());
}

TEST(M5, refs_compare_and_hash_by_the_place_they_name) {
  sim::TestRuntime world;
  const auto one = world.spawn<Account>("one");
  const auto two = world.spawn<Account>("two");
  const Ref<Account> again = one;
  EXPECT_EQ(one, again);
  EXPECT_NE(one, two);
  EXPECT_NE(one, Ref<Account>());
  EXPECT_EQ((std::set<Ref<Account>>{one, two, again}.size()), 2U);
  EXPECT_EQ((std::unordered_set<Ref<Account>>{one, two, again, Ref<Account>()}.size()), 3U);
  // A place that is used again is another place.
  world.runtime().stop(one);
  world.run();
  std::vector<Ref<Account>> others;
  for (int i = 0; i < 20; ++i) others.push_back(world.spawn<Account>(unnamed));
  EXPECT_EQ(std::count(others.begin(), others.end(), one), 0);
  one.send(Deposit{5});
  world.run();
  for (const auto& other : others) EXPECT_EQ(world.ask<Balance>(other).value(), 0);
}

TEST(M5, a_ref_may_outlive_its_runtime) {
  Ref<Account> survivor;
  To<void(Deposit), std::int64_t(Balance)> to;
  {
    sim::TestRuntime world;
    survivor = world.spawn<Account>("account");
    to = survivor;
    world.run();
  }
  survivor.send(Deposit{1});
  to.send(Deposit{1});
  Deposit deposit{1};
  EXPECT_EQ(survivor.try_send(deposit).error().code(), Errc::gone);
  sim::TestRuntime other;
  EXPECT_EQ(other.ask<Balance>(survivor).error().code(), Errc::gone);
  struct Try {};
  struct Heir {
    Task<int> handle(Try) {
      ref.send(Deposit{1});
      auto asked = co_await ref.ask<Balance>().within(1h);
      auto sent = co_await ref.send_wait(Deposit{1}).within(1h);
      co_return (asked.error().is(Errc::gone) ? 1 : 0) + (sent.error().is(Errc::gone) ? 2 : 0);
    }
    Ref<Account> ref;
  };
  EXPECT_EQ(other.ask<Try>(other.spawn<Heir>("heir", survivor)).value(), 3);
  EXPECT_EQ(other.runtime().counts().count(Undelivered::gone), 1U);
  other.runtime().stop(survivor);
}

TEST(M5, a_request_that_was_built_before_the_runtime_ended_is_answered_with_that) {
  sim::TestRuntime other;
  auto world = std::make_unique<sim::TestRuntime>();
  const auto account = world->spawn<Account>("account");
  world->run();
  auto request = other.runtime().ask<Balance>(account);
  world.reset();
  const auto answer = std::move(request).within(1h);
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().is(Errc::gone));
  EXPECT_FALSE(answer.error().may_have_run());
  EXPECT_NE(answer.error().text().find("Account is over"), std::string::npos) << answer.error().text();
}

// ------------------------------------------------------------------------------------------ on the wrong side

/// A coroutine that no actor drives: goes on until something does not end at once, and then for good.
struct Nobodys {
  struct promise_type {
    Nobodys get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() { throw; }
  };
};

TEST(M7, an_ask_that_is_awaited_outside_an_actor_says_at_once_how_to_ask_from_there) {
  sim::TestRuntime world;
  const auto account = world.spawn<Account>("account");
  std::optional<Result<std::int64_t>> answer;
  const auto awaits = [](Ref<Account> to, auto* out) -> Nobodys {
    out->emplace(co_await to.ask<Balance>().within(1h));
  };
  awaits(account, &answer);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->error().describe(),
            "invalid: co_await of an ask outside an actor: use runtime.ask(...).within(...)");
  world.run();
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}

TEST(M4, a_send_wait_that_is_awaited_outside_an_actor_says_so_at_once_and_sends_nothing) {
  sim::TestRuntime world;
  const auto account = world.spawn<Account>("account");
  std::optional<Result<>> sent;
  const auto awaits = [](Ref<Account> to, auto* out) -> Nobodys {
    out->emplace(co_await to.send_wait(Deposit{5}).within(1h));
  };
  awaits(account, &sent);
  ASSERT_TRUE(sent.has_value());
  EXPECT_EQ(sent->error().describe(), "invalid: co_await of send_wait outside an actor");
  EXPECT_EQ(world.ask<Balance>(account).value(), 0);
}

TEST(M7, what_would_block_its_thread_is_refused_inside_an_actor_and_names_what_to_use_there) {
  struct Block {};
  struct Blocker {
    Blocker(Runtime* r, Ref<Account> a) : runtime(r), account(a) {}
    std::vector<std::string> handle(Block) {
      std::vector<std::string> said;
      said.push_back(runtime->ask<Balance>(account).within(1h).error().describe());
      const OutsideMonitor monitor = runtime->monitor(account);
      said.push_back(monitor.within(1h).error().describe());
      return said;
    }
    Runtime* runtime;
    Ref<Account> account;
  };
  sim::TestRuntime world;
  const auto account = world.spawn<Account>("account");
  const auto blocker = world.spawn<Blocker>("blocker", &world.runtime(), account);
  const Instant before = world.now();
  EXPECT_EQ(world.ask<Block>(blocker).value(),
            (std::vector<std::string>{
                "invalid: runtime.ask blocks its thread: inside an actor use co_await ref.ask<...>().within(...)",
                "invalid: a monitor from outside blocks its thread: inside an actor use cx.monitor(ref, self)"}));
  EXPECT_EQ(world.now(), before);
}

// Two actors that hold each other's Ref: neither is whole where the other one is defined.
struct Pong;
struct Hit {
  int left;
};
struct Ping {
  void handle(Hit hit);
  Ref<Pong> other;
};
struct Pong {
  explicit Pong(Ref<Ping> p) : other(p) {}
  void handle(Hit hit) {
    ++hits;
    if (hit.left > 0) other.send(Hit{hit.left - 1});
  }
  int handle(Balance) const { return hits; }
  Ref<Ping> other;
  int hits = 0;
};
void Ping::handle(Hit hit) {
  if (hit.left > 0 && other) other.send(Hit{hit.left - 1});
}

TEST(M5, actors_may_hold_refs_of_incomplete_types) {
  sim::TestRuntime world;
  const auto ping = world.spawn<Ping>("ping", Ref<Pong>());
  const auto pong = world.spawn<Pong>("pong", ping);
  pong.send(Hit{3});
  world.run();
  EXPECT_EQ(world.ask<Balance>(pong).value(), 1);
}

// -------------------------------------------------------------------------------------------------------- To

struct Go {};
struct Feeder {
  using Out = To<void(Deposit), std::int64_t(Balance), std::string(Name)>;
  explicit Feeder(Out o) : out(o) {}
  Task<Result<std::int64_t>> handle(Go) {
    out.send(Deposit{7});
    co_return co_await out.ask<Balance>().within(1s);
  }
  Task<Result<std::string>> handle(Name name) { co_return co_await out.ask<Name>(moved(name)).within(1s); }
  Out out;
};

TEST(M5, a_to_sends_and_asks_whoever_fits) {
  sim::TestRuntime world;
  const auto account = world.spawn<Account>("account");
  const auto feeder = world.spawn<Feeder>("feeder", account);
  EXPECT_EQ(world.ask<Go>(feeder).value(), 7);
  EXPECT_EQ(world.ask<Go>(feeder).value(), 14);
  EXPECT_EQ(world.ask<Name>(feeder, "Ada").value(), "account of Ada");
  EXPECT_EQ(Feeder::Out(account), Feeder::Out(account));
  EXPECT_TRUE(Feeder::Out(account));
}

TEST(M5, an_ask_through_a_to_fails_like_any_other) {
  sim::TestRuntime world;
  const auto account = world.spawn<Account>("account");
  const auto feeder = world.spawn<Feeder>("feeder", account);
  const auto lost = world.spawn<Feeder>("lost", Feeder::Out());
  EXPECT_EQ(world.ask<Go>(lost).error().code(), Errc::gone);
  account.send(Busy{});
  account.send(Busy{});
  const auto late = world.ask<Go>(feeder);
  EXPECT_EQ(late.error().code(), Errc::timeout);
  EXPECT_NE(late.error().text().find("Account"), std::string_view::npos);
  world.advance(10s);
  world.runtime().stop(account);
  world.run();
  EXPECT_EQ(world.ask<Go>(feeder).error().code(), Errc::gone);
}

// ------------------------------------------------------------------------------------------------ dead letters

struct Listener {
  explicit Listener(std::shared_ptr<std::vector<DeadLetter>> s) : seen(std::move(s)) {}
  void handle(Event event) {
    if (auto* letter = std::get_if<DeadLetter>(&event)) seen->push_back(*letter);
  }
  std::shared_ptr<std::vector<DeadLetter>> seen;
};

TEST(M5, dead_letters_say_why_and_are_open_to_subscribers) {
  sim::TestRuntime world;
  const auto seen = std::make_shared<std::vector<DeadLetter>>();
  world.runtime().events().subscribe(world.spawn<Listener>("listener", seen));
  const auto account = world.spawn(child<Account>("account").mailbox(bounded(1)));
  account.send(Busy{});
  world.run();
  account.send(Deposit{1});
  account.send(Deposit{2});  // full
  world.run();
  world.runtime().stop(account);
  world.run();
  account.send(Deposit{3});  // stopping
  world.advance(10s);
  account.send(Deposit{4});  // gone
  world.run();
  std::vector<Undelivered> why;
  for (const DeadLetter& letter : *seen) {
    why.push_back(letter.why);
    EXPECT_NE(letter.message.find("Deposit"), std::string_view::npos);
    EXPECT_NE(letter.actor.find("Account"), std::string_view::npos);
  }
  EXPECT_EQ(why, (std::vector{Undelivered::full, Undelivered::stopping, Undelivered::gone}));
  EXPECT_EQ(world.runtime().counts().dead_letters(), 3U);
}

TEST(M5, the_log_gets_a_sample_of_a_storm_of_dead_letters) {
  sim::TestRuntime world;
  const auto account = world.spawn<Account>("account");
  world.runtime().stop(account);
  world.run();
  for (int i = 0; i < 1'000; ++i) account.send(Deposit{i});
  EXPECT_EQ(world.runtime().counts().count(Undelivered::gone), 1'000U);
  const std::size_t logged = world.log().count("dead letter");
  EXPECT_GE(logged, 8U);
  EXPECT_LE(logged, 32U);
}

TEST(M5, a_subscriber_that_has_ended_or_is_full_makes_no_storm_of_its_own) {
  sim::TestRuntime world;
  const auto seen = std::make_shared<std::vector<DeadLetter>>();
  const auto listener = world.spawn(child<Listener>("listener", seen).mailbox(bounded(1)));
  world.runtime().events().subscribe(listener);
  const auto account = world.spawn<Account>("account");
  world.runtime().stop(account);
  world.run();
  for (int i = 0; i < 10; ++i) account.send(Deposit{i});
  world.run();
  EXPECT_EQ(seen->size(), 1U);
  world.runtime().stop(listener);
  world.run();
  account.send(Deposit{1});
  world.run();
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}

}  // namespace
