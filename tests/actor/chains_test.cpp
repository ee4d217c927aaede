// What an actor sends to another in a row is handed over together (M2, M4, M5, M6): nobody can tell, but by the time it takes.
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

using Words = std::shared_ptr<std::vector<std::string>>;

struct Item {
  int n;
};
struct Asked {
  int n;
};
struct Tell {
  std::string what;
};
struct Sleep {
  Duration time;
};

/// Writes down what it hears, and when it ends.
struct Listener {
  explicit Listener(Words w) : words(std::move(w)) {}
  Task<> handle(Sleep sleep, Context& cx) { co_await cx.sleep(sleep.time); }
  void handle(Item item) { words->push_back(std::to_string(item.n)); }
  int handle(Asked asked) {
    words->push_back("?" + std::to_string(asked.n));
    return asked.n;
  }
  void handle(const Tell& tell) { words->push_back(tell.what); }
  void terminating(Context&, const Result<>&) { words->push_back("end"); }
  Words words;
};
/// Tells the listener in its turn.
struct Relay {
  explicit Relay(Ref<Listener> l) : listener(l) {}
  void handle(const Tell& tell) { listener.send(tell); }
  Ref<Listener> listener;
};

struct Go {};
/// Does what the test says, in its turn.
template <class F>
struct Doer {
  explicit Doer(F f) : what(std::move(f)) {}
  auto handle(Go, Context& cx) { return what(cx); }
  F what;
};

struct Chains : ::testing::Test {
  sim::TestRuntime world;
  Words words = std::make_shared<std::vector<std::string>>();

  Ref<Listener> listener(Mailbox box = bounded(1'000)) {
    return world.spawn(child<Listener>("listener", words).mailbox(box));
  }
  template <class F>
  void in_a_turn(F what) {
    const auto doer = world.spawn<Doer<F>>("doer", std::move(what));
    doer.send(Go{});
    world.run();
  }
  [[nodiscard]] MessageCounts counts() { return world.runtime().counts(); }
  [[nodiscard]] std::string heard() const {
    std::string all;
    for (const auto& word : *words) all += (all.empty() ? "" : " ") + word;
    return all;
  }
};

void send_some(const Ref<Listener>& to, int first, int last) {
  for (int n = first; n <= last; ++n) to.send(Item{n});
}
std::string numbers(int first, int last) {
  std::string all;
  for (int n = first; n <= last; ++n) all += (all.empty() ? "" : " ") + std::to_string(n);
  return all;
}

/// Sends some, and fails; its supervisor says when it hears of the end.
struct Failing {
  explicit Failing(Ref<Listener> l) : listener(l) {}
  void handle(Go) {
    send_some(listener, 1, 3);
    throw std::runtime_error("on purpose");
  }
  Ref<Listener> listener;
};
struct Parent {
  explicit Parent(Ref<Listener> l) : listener(l) {}
  void init(Context& cx) {
    cx.spawn(child<Failing>("failing", listener).restart(Restart::never).on_end(cx.self(this))).send(Go{});
  }
  void handle(const Eol<Failing>&) { listener.send(Tell{"eol"}); }
  Ref<Listener> listener;
};

TEST_F(Chains, M2_more_than_a_chain_holds_arrive_in_their_order) {
  in_a_turn([to = listener()](Context&) { send_some(to, 1, 50); });
  EXPECT_EQ(heard(), numbers(1, 50));
  EXPECT_EQ(counts().in_flight(), 0U);
}
TEST_F(Chains, M2_what_another_passes_on_comes_behind_what_was_sent_before) {
  const auto to = listener();
  const auto relay = world.spawn<Relay>("relay", to);
  in_a_turn([to, relay](Context&) {
    send_some(to, 1, 3);
    relay.send(Tell{"relayed"});
    send_some(to, 4, 6);
  });
  EXPECT_EQ(heard().substr(0, 6), "1 2 3 ");
  EXPECT_EQ(words->size(), 7U);
}
Task<> asks_between(Ref<Listener> to) {
  send_some(to, 1, 3);
  const auto answer = co_await to.ask<Asked>(4).within(1s);
  EXPECT_EQ(answer.value(), 4);
  send_some(to, 5, 7);
}
TEST_F(Chains, M2_a_request_comes_behind_what_was_sent_before_and_goes_before_what_comes_after) {
  in_a_turn([to = listener()](Context&) { return asks_between(to); });
  EXPECT_EQ(heard(), "1 2 3 ?4 5 6 7");
}
Task<> sends_in_all_ways(Ref<Listener> to) {
  send_some(to, 1, 3);
  EXPECT_TRUE(to.try_send(Item{4}).has_value());
  send_some(to, 5, 7);
  EXPECT_TRUE((co_await to.send_wait(Item{8}).within(1s)).has_value());
  send_some(to, 9, 10);
}
TEST_F(Chains, M2_try_send_and_send_wait_keep_their_place_in_a_row) {
  in_a_turn([to = listener()](Context&) { return sends_in_all_ways(to); });
  EXPECT_EQ(heard(), numbers(1, 10));
}
TEST_F(Chains, M2_who_is_told_to_stop_handles_what_was_sent_before) {
  in_a_turn([to = listener(), this](Context&) {
    send_some(to, 1, 3);
    world.runtime().stop(to);
  });
  EXPECT_EQ(heard(), "1 2 3 end");
  EXPECT_EQ(counts().in_flight(), 0U);
}
TEST_F(Chains, M2_what_a_handler_sent_before_it_failed_arrives_and_before_its_end) {
  world.spawn<Parent>("parent", listener());
  world.run();
  EXPECT_EQ(heard(), "1 2 3 eol");
  EXPECT_EQ(counts().in_flight(), 0U);
}
TEST_F(Chains, M4_a_bound_holds_and_what_is_too_much_is_a_dead_letter) {
  const auto to = listener(bounded(10));
  to.send(Sleep{1s});
  world.advance(1ms);
  in_a_turn([to](Context&) { send_some(to, 1, 40); });
  EXPECT_EQ(counts().count(Undelivered::full), 30U);
  world.advance(2s);
  EXPECT_EQ(heard(), numbers(1, 10));
}
TEST_F(Chains, M4_drop_oldest_keeps_the_latest_of_a_row) {
  const auto to = listener(bounded(10).drop_oldest());
  to.send(Sleep{1s});
  world.advance(1ms);
  in_a_turn([to](Context&) { send_some(to, 1, 40); });
  world.advance(2s);
  EXPECT_EQ(heard(), numbers(31, 40));
}
TEST_F(Chains, M5_M6_what_is_sent_in_a_row_to_one_that_is_gone_is_counted) {
  const auto to = listener();
  world.runtime().kill(to);
  world.run();
  in_a_turn([to](Context&) { send_some(to, 1, 20); });
  EXPECT_EQ(counts().count(Undelivered::gone), 20U);
  EXPECT_EQ(counts().in_flight(), 0U);
}
TEST_F(Chains, M6_who_hears_of_a_dead_letter_of_a_row_may_send_in_a_row) {
  const auto full = listener(bounded(1));
  full.send(Sleep{1s});
  world.advance(1ms);
  full.send(Item{1});
  const auto other = world.spawn<Listener>("other", words);
  const auto subscription = world.runtime().events().subscribe([&](const Event& event) {
    if (!std::holds_alternative<DeadLetter>(event)) return;
    for (int n = 0; n < 3; ++n) other.send(Tell{"dead"});
    for (int n = 0; n < 3; ++n) full.send(Item{9});  // dead letters again, which it is not told of
  });
  in_a_turn([full, other](Context&) {
    send_some(full, 2, 5);
    other.send(Tell{"last"});
  });
  EXPECT_EQ(counts().count(Undelivered::full), 4U + 4U * 3U);
  world.advance(2s);
  EXPECT_EQ(words->size(), 4U * 3U + 2U);
  EXPECT_EQ(counts().in_flight(), 0U);
}
Task<> sleeps_between(Ref<Listener> to, Words words, Context& cx) {
  send_some(to, 1, 3);
  co_await cx.sleep(1s);
  EXPECT_EQ(words->size(), 3U);
  send_some(to, 4, 6);
}
TEST_F(Chains, M8_what_was_sent_before_a_wait_arrives_during_it) {
  in_a_turn([to = listener(), this](Context& cx) { return sleeps_between(to, words, cx); });
  world.advance(2s);
  EXPECT_EQ(heard(), "1 2 3 4 5 6");
}
/// Sends some in init, and fails if it is told to.
struct Beginner {
  Beginner(Ref<Listener> l, bool f) : listener(l), fails(f) {}
  void init(Context&) {
    send_some(listener, 1, 3);
    if (fails) throw std::runtime_error("on purpose");
  }
  void handle(Go) {}
  Ref<Listener> listener;
  bool fails;
};
struct Waiter {
  Waiter(Ref<Listener> l, bool f) : listener(l), fails(f) {}
  Task<> handle(Go, Context& cx) {
    const auto started =
        co_await cx.start(child<Beginner>("beginner", listener, fails).restart(Restart::never)).within(1s);
    EXPECT_EQ(started.has_value(), !fails);
    listener.send(Tell{"started"});
  }
  Ref<Listener> listener;
  bool fails;
};
TEST_F(Chains, M2_what_init_sent_arrives_before_what_its_end_causes) {
  const auto to = listener();
  for (const bool fails : {false, true}) {
    const auto waiter = world.spawn<Waiter>(fails ? "fails" : "succeeds", to, fails);
    waiter.send(Go{});
    world.run();
    EXPECT_EQ(heard(), "1 2 3 started") << fails;
    words->clear();
  }
}
TEST_F(Chains, M2_one_that_sends_to_itself_hears_all_in_order) {
  struct Self {
    explicit Self(Words w) : words(std::move(w)) {}
    void handle(Go, Context& cx) {
      for (int n = 1; n <= 20; ++n) cx.self(this).send(Item{n});
    }
    void handle(Item item) { words->push_back(std::to_string(item.n)); }
    Words words;
  };
  const auto self = world.spawn<Self>("self", words);
  self.send(Go{});
  world.run();
  EXPECT_EQ(heard(), numbers(1, 20));
}

}  // namespace
