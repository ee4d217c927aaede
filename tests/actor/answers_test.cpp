// How an answer gets to who waits for it (M1, M3, M7): who answers in a turn puts it into the waiting coroutine's hands, if its actor has
// been left no other word; whatever else happens to that actor before it goes on comes in its own order.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

using Diary = std::vector<std::string>;

struct Get {};
struct GetAnd {
  std::string then;
};
struct Work {};
struct AskTwice {};
struct AskInPipe {};
struct AskInterleaved {};
struct Piped {
  int value;
};

struct Another {
  explicit Another(Diary* d) : diary(*d) {}
  void handle(Work) { diary.push_back("another worked"); }
  Diary& diary;
};

struct Client;
struct Server {
  explicit Server(Diary* d) : diary(*d) {}
  int handle(Get) { return ++gets; }
  /// Answers, and does something else to the asker before that goes on.
  void handle(GetAnd what, Reply<int> reply, Context& cx);
  void handle(Ref<Client> who) { client = who; }
  void handle(Ref<Another> who) { another = who; }
  Diary& diary;
  Ref<Client> client;
  Ref<Another> another;
  int gets = 0;
};

struct Client {
  Client(Ref<Server> s, Diary* d) : server(s), diary(*d) {}
  ~Client() { diary.push_back("ended"); }
  Task<> handle(GetAnd what, Context& cx) {
    const bool yields = what.then == "yield";
    struct Guard {
      Diary& diary;
      ~Guard() { diary.push_back("left"); }
    } const guard{diary};
    const auto got = co_await server.ask<GetAnd>(moved(what)).within(1s);
    diary.push_back("got " + std::to_string(got.value()));
    if (!yields) co_return;
    co_await cx.yield();
    diary.push_back("went on");
  }
  Task<> handle(AskTwice) {
    auto ask = server.ask<Get>().within(1s);
    for (int i = 0; i < 2; ++i) {
      const auto got = co_await std::move(ask);
      diary.push_back(got ? "got " + std::to_string(got.value()) : std::string(to_string(got.error().code())));
    }
  }
  void handle(Work) { diary.push_back("worked"); }
  Interleaved<> handle(AskInterleaved) {
    const auto got = co_await server.ask<Get>().within(1s);
    diary.push_back("interleaved got " + std::to_string(got.value()));
  }
  void handle(AskInPipe, Context& cx) { cx.pipe(beside(), cx.self(this)); }
  Task<Piped> beside() {
    int sum = 0;
    for (int i = 0; i < 3; ++i) sum += (co_await server.ask<Get>().within(1s)).value();
    co_return Piped{sum};
  }
  void handle(Piped piped) { diary.push_back("piped " + std::to_string(piped.value)); }

  Ref<Server> server;
  Diary& diary;
};

void Server::handle(GetAnd what, Reply<int> reply, Context& cx) {
  if (what.then == "yield") another.send(Work{});  // runs behind the asker, who comes in line before it
  std::move(reply)(++gets);
  if (what.then == "stop") cx.stop(client);
  if (what.then == "kill") cx.kill(client);
  if (what.then == "restart") cx.restart(client);
  if (what.then == "suspend") cx.suspend(client);
  if (what.then == "send") client.send(Work{});
}

struct Answers : testing::Test {
  Diary diary;
  sim::TestRuntime world;
  Ref<Server> server = world.spawn<Server>("server", &diary);
  Ref<Client> client = world.spawn<Client>("client", server, &diary);
  void SetUp() override {
    server.send(client);
    server.send(world.spawn<Another>("another", &diary));
    world.run();
  }
  Diary of(const char* then) {
    client.send(GetAnd{then});
    world.run();
    return std::exchange(diary, {});
  }
};

TEST_F(Answers, M1_who_waits_goes_on_in_a_turn_of_its_own) {
  EXPECT_EQ(of("nothing"), (Diary{"got 1", "left"}));
  EXPECT_EQ(of("nothing"), (Diary{"got 2", "left"}));
  EXPECT_EQ(world.runtime().counts().dead_letters(), 0U);
}
TEST_F(Answers, M1_what_is_sent_behind_the_answer_is_handled_behind_what_it_let_go_on) {
  EXPECT_EQ(of("send"), (Diary{"got 1", "left", "worked"}));
}
TEST_F(Answers, M3_an_order_to_stop_lets_who_has_its_answer_end_what_it_does) {
  EXPECT_EQ(of("stop"), (Diary{"got 1", "left", "ended"}));
}
TEST_F(Answers, M3_an_order_to_kill_comes_behind_an_answer_that_was_there_before_it) {
  EXPECT_EQ(of("kill"), (Diary{"got 1", "left", "ended"}));
}
TEST_F(Answers, F1_who_gives_way_behind_an_answer_lets_others_go_first) {
  EXPECT_EQ(of("yield"), (Diary{"got 1", "another worked", "went on", "left"}));
}
TEST_F(Answers, M5_a_request_that_is_awaited_twice_is_sent_once) {
  client.send(AskTwice{});
  world.run();
  EXPECT_EQ(diary, (Diary{"got 1", "gone"}));
}
TEST_F(Answers, M3_an_order_to_restart_is_obeyed_and_the_next_incarnation_asks_anew) {
  const Diary first = of("restart");
  EXPECT_EQ(first.back(), "ended");
  EXPECT_EQ(of("nothing"), (Diary{"got 2", "left"}));
}
TEST_F(Answers, M1_who_is_suspended_with_its_answer_in_hand_ends_what_it_does_and_handles_nothing_more) {
  EXPECT_EQ(of("suspend"), (Diary{"got 1", "left"}));
  client.send(Work{});
  world.run();
  EXPECT_TRUE(diary.empty());
  world.runtime().resume(client);
  world.run();
  EXPECT_EQ(diary, (Diary{"worked"}));
}
TEST_F(Answers, M1_a_piped_task_goes_on_with_each_answer_while_its_actor_is_idle) {
  client.send(AskInPipe{});
  world.run();
  EXPECT_EQ(diary, (Diary{"piped 6"}));
}
TEST_F(Answers, M1_an_interleaved_handler_with_its_answer_waits_for_the_turn_that_another_keeps) {
  // Its request is answered before that of the handler that keeps the turn.
  client.send(AskInterleaved{});
  client.send(GetAnd{"nothing"});
  world.run();
  EXPECT_EQ(diary, (Diary{"got 2", "left", "interleaved got 1"}));
}

}  // namespace
