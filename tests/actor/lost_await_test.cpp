// M8: a handler that stops without waiting for anything would keep its turn for ever. It fails instead, and says why.
#include <coroutine>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

struct Get {
  using reply = int;
};
struct Try {};
struct Stray {};
struct Store {
  int handle(Get) { return 1; }
};
struct Hasty {
  Hasty(Ref<Store> s, std::shared_ptr<int> a) : store(s), answers(std::move(a)) {}
  Task<> handle(Try) {
    // check_awaits: what g++ 12 makes of it is what this test is about
    if ((co_await store.ask<Get>().within(1s)).has_value()) ++*answers;
  }
  Task<> handle(Stray) { co_await std::suspend_always{}; }  // check_awaits: a foreign one, on purpose
  Ref<Store> store;
  std::shared_ptr<int> answers;
};

struct LostAwait : testing::Test {
  [[nodiscard]] std::string last_error() {
    const auto seen = world.runtime().inspect(hasty).within(1s);
    EXPECT_TRUE(seen.has_value());
    return seen ? seen.value().last_error : "";
  }
  sim::TestRuntime world;
  std::shared_ptr<int> answers = std::make_shared<int>(0);
  Ref<Store> store = world.spawn<Store>("store");
  Ref<Hasty> hasty = world.spawn(child<Hasty>("hasty", store, answers).backoff(1s, 1s));
};

TEST_F(LostAwait, M8_an_await_that_the_compiler_lost_fails_its_actor_and_names_the_cure) {
  hasty.send(Try{});
  world.run();
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
  EXPECT_EQ(*answers, 0);
  EXPECT_NE(last_error().find("put what it yields into a variable first"), std::string::npos) << last_error();
  EXPECT_NE(last_error().find("Try"), std::string::npos) << "names the message: " << last_error();
#else
  EXPECT_EQ(*answers, 1);
  EXPECT_EQ(last_error(), "");
#endif
}

TEST_F(LostAwait, M8_who_awaits_what_nobody_resumes_fails_and_is_restarted) {
  hasty.send(Stray{});
  world.run();
  EXPECT_NE(last_error().find("without waiting for anything"), std::string::npos) << last_error();
  world.advance(2s);
  EXPECT_EQ(world.ask<Get>(store).value(), 1);
  const auto seen = world.runtime().inspect(hasty).within(1s);
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen.value().incarnation, 2U);
  EXPECT_EQ(seen.value().phase, "running");
}

}  // namespace
