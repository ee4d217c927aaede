// M7: an expired request is not handled, although its handling needs no reading of the clock when it comes right behind its sending on
// the same worker. One worker; a clock that moves when an actor moves it, and counts how often it is read.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/exec/when.hpp"
#include "backstage/sim/test_runtime.hpp"
#include "threads/support.hpp"

namespace backstage::threads_test {
namespace {

using namespace std::chrono_literals;

class CountingClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const noexcept override {
    readings_.fetch_add(1);
    return Instant{at_.load()};
  }
  [[nodiscard]] WallTime wall() const noexcept override { return WallTime{0}; }
  void wind(Duration by) noexcept { at_.fetch_add(by.count()); }
  [[nodiscard]] int readings() const noexcept { return readings_.load(); }

 private:
  std::atomic<std::int64_t> at_{1'000'000'000};
  mutable std::atomic<int> readings_{0};
};

struct Get {};
struct AskBeside {};
struct AskInterleaved {};
struct AskNewcomer {};
struct AskInPipe {};
struct AskInPipeOnly {};
struct AskOften {
  int asks;
};
struct Wind {};
using Diary = std::vector<std::string>;
struct Read {};

struct Server {
  int handle(Get) { return ++gets; }
  int gets = 0;
};

struct Newcomer {
  explicit Newcomer(CountingClock* clock) { clock->wind(20ms); }
  int handle(Get) { return 1; }
};

struct Asker {
  Asker(Ref<Server> s, CountingClock* c) : server(s), clock(*c) {}
  void write(const Result<int>& got) {
    diary.push_back(got ? "got " + std::to_string(got.value()) : std::string(to_string(got.error().code())));
  }
  Task<Result<int>> ask() { co_return co_await server.ask<Get>().within(10ms); }
  Task<Result<int>> wind() {
    clock.wind(20ms);
    co_return 0;
  }
  /// Somebody's code runs in the same turn, between the sending and the handling.
  Task<> handle(AskBeside) {
    for (int i = 0; i < 3; ++i) {
      auto [got, wound] = co_await when_all(ask(), wind());
      write(got);
    }
  }
  Interleaved<> handle(AskInterleaved) {
    for (int i = 0; i < 2; ++i) write(co_await server.ask<Get>().within(10ms));
  }
  void handle(Wind) { clock.wind(20ms); }
  Task<> handle(AskNewcomer, Context& cx) {
    const auto newcomer = cx.spawn<Newcomer>(unnamed, &clock);
    write(co_await newcomer.ask<Get>().within(10ms));
  }
  void handle(AskInPipe, Context& cx) {
    cx.pipe(ask(), cx.self(this));
    clock.wind(20ms);
  }
  void handle(AskInPipeOnly, Context& cx) { cx.pipe(ask(), cx.self(this)); }
  void handle(Result<int> piped) { write(piped); }
  /// How often the clock is read for so many asks.
  Task<int> handle(AskOften often) {
    const int before = clock.readings();
    for (int i = 0; i < often.asks; ++i) (void)co_await server.ask<Get>().within(1h);
    co_return clock.readings() - before;
  }
  Diary handle(Read) { return diary; }
  Ref<Server> server;
  CountingClock& clock;
  Diary diary;
};

/// Sends in one turn, so that the receiver handles them in one.
struct Sender {
  explicit Sender(Ref<Asker> a) : asker(a) {}
  void handle(AskInterleaved) {
    asker.send(AskInterleaved{});
    asker.send(Wind{});
  }
  Ref<Asker> asker;
};

struct ExpiryOnThreads : testing::Test {
  /// Once there is as much in it.
  void expect_diary(const Diary& expected) {
    Diary diary;
    for (int look = 0; look < 100'000 && diary.size() < expected.size(); ++look)
      diary = runtime.ask<Read>(asker).within(1min).value();
    EXPECT_EQ(diary, expected);
  }
  std::shared_ptr<CountingClock> clock = std::make_shared<CountingClock>();
  Runtime runtime{[this] {
    RuntimeOptions options = quiet(1);
    options.environment = std::make_shared<Environment>(clock, std::make_shared<sim::SeededChance>(1));
    return options;
  }()};
  Ref<Server> server = runtime.spawn<Server>("server");
  Ref<Asker> asker = runtime.spawn<Asker>("asker", server, clock.get());
};

TEST_F(ExpiryOnThreads, M7_what_runs_beside_the_ask_in_the_same_turn_counts) {
  asker.send(AskBeside{});
  EXPECT_EQ(runtime.ask<Read>(asker).within(1min).value(), (Diary{"timeout", "timeout", "timeout"}));
  EXPECT_EQ(runtime.ask<Get>(server).within(1min).value(), 1) << "none of them was handled";
}
TEST_F(ExpiryOnThreads, M7_so_does_a_message_that_is_handled_behind_an_interleaved_ask) {
  runtime.spawn<Sender>("sender", asker).send(AskInterleaved{});
  expect_diary({"timeout", "got 1"});
}
TEST_F(ExpiryOnThreads, M7_so_does_what_the_receiver_takes_to_begin) {
  asker.send(AskNewcomer{});
  EXPECT_EQ(runtime.ask<Read>(asker).within(1min).value(), (Diary{"timeout"}));
}
TEST_F(ExpiryOnThreads, M7_so_does_the_rest_of_a_handler_behind_what_it_piped) {
  asker.send(AskInPipe{});
  expect_diary({"timeout"});
}
TEST_F(ExpiryOnThreads, M7_so_does_a_rest_of_the_worker) {
  runtime.suspend(server);
  (void)runtime.ask<Read>(asker).within(1min);
  asker.send(AskInPipeOnly{});
  (void)runtime.ask<Read>(asker).within(1min);  // by now it is sent
  clock->wind(20ms);
  runtime.resume(server);
  expect_diary({"timeout"});
  EXPECT_EQ(runtime.ask<Get>(server).within(1min).value(), 1) << "it was not handled";
}
TEST_F(ExpiryOnThreads, M7_with_nothing_between_the_clock_is_read_once_an_ask) {
  // And once in 64 messages or answers, of which an ask has two.
  const int readings = runtime.ask<AskOften>(asker, 1'000).within(1min).value();
  EXPECT_GE(readings, 1'000);
  EXPECT_LT(readings, 1'400);
}

}  // namespace
}  // namespace backstage::threads_test
