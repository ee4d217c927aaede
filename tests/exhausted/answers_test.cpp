// M5 with no memory left: whoever asked gets its answer, and hears of a request that failed, was dropped, or found its actor
// gone; a place closes, an actor fails and lives again.
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>

#include "backstage/actor/actor.hpp"
#include "no_memory.hpp"

// Under a sanitizer operator new refuses nothing.
#ifndef BACKSTAGE_SANITIZED
namespace backstage {
namespace {

using namespace std::chrono_literals;
using namespace exhausted;  // NOLINT(google-build-using-namespace): this program's own

enum class How : std::uint8_t { answer, error, fail, drop, later };
struct Get {
  How how;
};
struct Later {};
struct Lives {
  using reply = std::uint32_t;
};

/// Takes the memory away before it answers.
struct Store {
  void handle(Get get, Reply<int> reply) {
    refuse_all(true);
    switch (get.how) {
      case How::answer: return std::move(reply)(7);
      case How::error: return std::move(reply)(Error(Errc::unavailable));
      case How::drop: return;
      case How::later: kept = std::move(reply); return;
      case How::fail: throw std::bad_alloc();
    }
  }
  void handle(Later) {
    refuse_all(true);
    std::move(kept)(8);
  }
  std::uint32_t handle(Lives, Context& cx) {
    refuse_all(true);
    if (cx.incarnation() == 1) throw std::bad_alloc();
    return cx.incarnation();
  }
  Reply<int> kept;
};

struct Try {
  How how;
};
struct Client {
  Ref<Store> store;
  std::optional<Result<int>>* got;
  Client(Ref<Store> s, std::optional<Result<int>>* g) : store(s), got(g) {}
  Task<> handle(Try one) {
    Result<int> answer = co_await store.ask<Get>(one.how).within(1s);
    refuse_all(false);
    *got = std::move(answer);
  }
};

struct World {
  std::optional<Result<int>> got;
  Runtime runtime{manual_options()};
  Ref<Store> store = runtime.spawn(child<Store>("store").backoff(0ns, 0ns));
  Ref<Client> client = runtime.spawn<Client>("client", store, &got);
  void turn() { (void)runtime.inspect(client).within(1s); }
  Result<int> ask(How how) {
    client.send(Try{how});
    turn();
    turn();
    refuse_all(false);
    return got.value_or(Result<int>(Error("no answer came")));
  }
};

TEST(M5, without_memory_an_actor_is_answered) {
  World world;
  EXPECT_EQ(world.ask(How::answer).value(), 7);
}
TEST(M5, without_memory_an_answer_may_be_an_error) {
  World world;
  EXPECT_EQ(world.ask(How::error).error().code(), Errc::unavailable);
}
TEST(M5, without_memory_a_dropped_request_is_told) {
  World world;
  const Result<int> got = world.ask(How::drop);
  EXPECT_EQ(got.error().code(), Errc::dropped);
  EXPECT_TRUE(got.error().may_have_run());
}
TEST(M5, without_memory_a_request_that_failed_is_told_and_its_actor_lives_again) {
  World world;
  const Result<int> got = world.ask(How::fail);
  // The Reply went with the handler that threw.
  EXPECT_EQ(got.error().code(), Errc::dropped);
  EXPECT_EQ(world.runtime.inspect(world.store).within(1s).value().incarnation, 2U);
}
TEST(M5, without_memory_a_thread_outside_is_answered) {
  World world;
  Result<std::uint32_t> answer = world.runtime.ask<Lives>(world.store).within(1s);
  refuse_all(false);
  EXPECT_EQ(answer.error().code(), Errc::failed);
  answer = world.runtime.ask<Lives>(world.store).within(1s);
  refuse_all(false);
  EXPECT_EQ(answer.value(), 2U);
}
TEST(M5, without_memory_an_answer_that_was_put_off_comes) {
  World world;
  world.client.send(Try{How::later});
  world.turn();
  refuse_all(false);
  world.store.send(Later{});
  world.turn();
  world.turn();
  refuse_all(false);
  ASSERT_TRUE(world.got.has_value());
  EXPECT_EQ(world.got->value(), 8);
}
TEST(M5, without_memory_those_who_wait_in_the_mailbox_of_a_place_that_closes_are_told) {
  World world;
  world.runtime.suspend(world.store);
  world.turn();
  world.client.send(Try{How::answer});
  world.turn();
  ASSERT_FALSE(world.got.has_value());
  {
    const NoMemory none;
    world.runtime.kill(world.store);
    world.turn();
    world.turn();
  }
  ASSERT_TRUE(world.got.has_value());
  EXPECT_EQ(world.got->error().code(), Errc::gone);
}

// ---- who has no cold part yet (extras), and needs one to die and to live again

struct Fall {};
struct Plain {
  void handle(Fall) {
    refuse_all(true);
    throw std::runtime_error("short");
  }
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }
};
TEST(L3, without_memory_plain_actors_fail_and_live_again) {
  Runtime runtime(manual_options());
  std::vector<Ref<Plain>> all;
  for (int i = 0; i < 4; ++i) all.push_back(runtime.spawn<Plain>(std::string(unnamed)));
  for (const Ref<Plain>& one : all) (void)runtime.ask<Lives>(one).within(1s);
  const auto idle = runtime.spawn<Plain>("idle");
  (void)runtime.ask<Lives>(idle).within(1s);
  for (const Ref<Plain>& one : all) one.send(Fall{});
  (void)runtime.inspect(idle).within(1s);
  refuse_all(false);
  // Their back-off is real time, which does not pass here: they wait for their restart.
  for (const Ref<Plain>& one : all) {
    EXPECT_EQ(runtime.inspect(one).within(1s).value().phase, "failed: waits for its restart");
  }
}

}  // namespace
}  // namespace backstage
#endif
