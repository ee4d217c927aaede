// An actor that owns its loop: the Inbox says what may be sent and asked; promises M1, M2, M5 and M8 hold for it, too.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

struct Reading {
  std::string text;
};
struct Get {
  using reply = std::string;
  std::string key;
};
struct Both {
  using reply = int;
};
struct Ignore {};
struct Quit {};
struct Fail {};
using Notes = std::shared_ptr<std::vector<std::string>>;

struct Own {
  explicit Own(Notes l) : log(std::move(l)) {}
  Task<Result<>> init(Context& cx) {
    co_await cx.sleep(10ms);
    co_return {};
  }
  Task<Result<>> event_loop(Context& cx,
                            Inbox<Reading, Asked<Get>, Both, Asked<Both>, Asked<Ignore>, Quit, Fail>& inbox) {
    while (auto event = co_await inbox.next()) {
      if (auto* reading = std::get_if<Reading>(&*event)) {
        log->push_back(reading->text + " begins");
        co_await cx.sleep(100ms);
        log->push_back(reading->text + " ends");
      } else if (auto* get = std::get_if<Asked<Get>>(&*event)) {
        std::move(*get).answer("value of " + get->message.key);
      } else if (std::holds_alternative<Both>(*event)) {
        log->push_back("both, sent");
      } else if (auto* both = std::get_if<Asked<Both>>(&*event)) {
        std::move(*both).answer(2);
      } else if (std::holds_alternative<Quit>(*event)) {
        co_return {};
      } else if (std::holds_alternative<Fail>(*event)) {
        co_return Error{"the loop failed"};
      }
    }
    log->push_back("closed");
    co_return {};
  }
  void terminating() { log->push_back("terminating"); }
  Notes log;
};

struct OwnLoop : testing::Test {
  sim::TestRuntime world;
  Notes log = std::make_shared<std::vector<std::string>>();
  Ref<Own> own = world.spawn<Own>("own", log);
  using Log = std::vector<std::string>;
};

TEST_F(OwnLoop, M1_M2_gets_its_messages_one_at_a_time_in_order_after_init) {
  own.send(Reading{"a"});
  own.send(Reading{"b"});
  world.run();
  EXPECT_TRUE(log->empty());
  world.advance(1s);
  EXPECT_EQ(*log, (Log{"a begins", "a ends", "b begins", "b ends"}));
}

TEST_F(OwnLoop, M5_answers_what_is_asked) {
  EXPECT_EQ(world.ask<Get>(own, "key").value(), "value of key");
  EXPECT_EQ(world.ask<Ignore>(own).error().code(), Errc::dropped);
}

TEST_F(OwnLoop, M5_tells_a_message_that_was_sent_from_the_same_one_asked) {
  own.send(Both{});
  EXPECT_EQ(world.ask<Both>(own).value(), 2);
  EXPECT_EQ(*log, (Log{"both, sent"}));
}

TEST_F(OwnLoop, M5_ends_when_it_returns_and_what_is_queued_becomes_dead_letters) {
  own.send(Quit{});
  own.send(Reading{"late"});
  world.advance(1s);
  EXPECT_EQ(*log, (Log{"terminating"}));
  EXPECT_EQ(world.runtime().counts().count(Undelivered::ended), 1U);
  EXPECT_EQ(world.ask<Get>(own, "key").error().code(), Errc::gone);
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}

TEST_F(OwnLoop, M5_asks_in_its_mailbox_outlive_its_restart) {
  own.send(Fail{});
  EXPECT_EQ(world.ask<Get>(own, "key").value(), "value of key");
}

TEST_F(OwnLoop, M1_a_stop_drains_the_queue_and_then_closes_the_inbox) {
  own.send(Reading{"a"});
  own.send(Reading{"b"});
  world.advance(10ms);
  world.runtime().stop(own);
  world.advance(1s);
  EXPECT_EQ(*log, (Log{"a begins", "a ends", "b begins", "b ends", "closed", "terminating"}));
  EXPECT_EQ(world.runtime().actors(), 1U);
}

/// Waits for a message or for time, whichever comes first.
struct Patient {
  explicit Patient(Notes l) : log(std::move(l)) {}
  Task<> nap(Context& cx) { co_await cx.sleep(1s); }
  Task<Result<>> event_loop(Context& cx, Inbox<Reading>& inbox) {
    for (;;) {
      auto first = co_await when_any(inbox.next(), nap(cx));
      if (first.index() == 1) {
        log->push_back("tick");
      } else if (auto& event = std::get<0>(first)) {
        log->push_back(std::get<Reading>(*event).text);
      } else {
        co_return {};
      }
    }
  }
  Notes log;
};

TEST(M8, a_loop_may_wait_for_a_message_or_for_time) {
  sim::TestRuntime world;
  const auto log = std::make_shared<std::vector<std::string>>();
  const auto patient = world.spawn<Patient>("patient", log);
  world.advance(2500ms);
  patient.send(Reading{"a"});
  patient.send(Reading{"b"});
  world.advance(1500ms);
  EXPECT_EQ(*log, (std::vector<std::string>{"tick", "tick", "a", "b", "tick"}));
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
  EXPECT_TRUE(world.runtime().shutdown());
}

}  // namespace
