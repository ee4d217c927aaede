// Messages that are handled again after they made their actor fail (promise L2: only where the spec says so).
#include "life_support.hpp"

namespace {

using namespace life;

/// Taken as const M&: needs no copy. Fails the first `failures` times.
struct Poison {
  std::string text;
  std::shared_ptr<int> failures;
};
struct Small {
  int* failures;
};
struct Slow {
  int* failures;
};
struct Taken {
  std::unique_ptr<int> value;
  int* failures;
};

struct Plain {
  int* failures;
};
struct Uncopied {
  std::unique_ptr<int> failures;
};
struct Waits {
  int* failures;
};
struct Beside {
  int which;
  Duration wait;
  int* failures;
};
struct Given {};

struct Taster {
  explicit Taster(Journal* j) : journal(j) {}
  static void taste(int& failures) {
    if (failures > 0) {
      --failures;
      throw std::runtime_error("bitter");
    }
  }
  void handle(const Poison& poison, Context& cx) {
    journal->note("tastes " + poison.text + " in life " + std::to_string(cx.incarnation()));
    taste(*poison.failures);
  }
  void handle(Small small) {
    journal->note("small");
    taste(*small.failures);
  }
  Task<> handle(Slow slow, Context& cx) {
    journal->note("slow");
    co_await cx.sleep(1ms);
    taste(*slow.failures);
  }
  int handle(Lives) {
    journal->note("asked");
    throw std::runtime_error("bitter");
  }
  // Requests, handled in each way that there is.
  int handle(Plain ask, Context& cx) {
    journal->note("plain in life " + std::to_string(cx.incarnation()));
    taste(*ask.failures);
    return 7;
  }
  Result<int> handle(const Uncopied& ask, Context& cx) {
    journal->note("uncopied in life " + std::to_string(cx.incarnation()));
    taste(*ask.failures);
    return 8;
  }
  Task<int> handle(Waits ask, Context& cx) {
    journal->note("waits in life " + std::to_string(cx.incarnation()));
    co_await cx.sleep(1ms);
    taste(*ask.failures);
    co_return 9;
  }
  Interleaved<int> handle(Beside ask, Context& cx) {
    const int which = ask.which;
    journal->note("beside " + std::to_string(which) + " in life " + std::to_string(cx.incarnation()));
    co_await cx.sleep(ask.wait);
    taste(*ask.failures);
    co_return which;
  }
  void handle(Given, Reply<int> reply) {
    journal->note("given");
    const Reply<int> mine(std::move(reply));
    throw std::runtime_error("bitter");
  }
  void handle(Taken taken) {
    journal->note("taken");
    taste(*taken.failures);
  }
  void handle(Say say) { journal->note(say.text); }
  void handle(Break how) { throw std::runtime_error(how.text); }
  Journal* journal;
};

struct Table {
  explicit Table(std::uint32_t times, bool quarantine = false, std::uint32_t limit = 100) : before(0) {
    auto spec = child<Taster>("t", &journal).retry_failed(times).backoff(1ms, 1ms).at_most(limit, per(1min));
    taster = world.spawn(quarantine ? std::move(spec).quarantine() : std::move(spec));
    world.run();
  }
  Journal journal;
  sim::TestRuntime world;
  Ref<Taster> taster;
  std::int64_t before;
};

TEST(L2, a_failed_message_is_not_handled_again_by_default) {
  Table table(0);
  table.taster.send(Poison{"x", std::make_shared<int>(1)});
  table.world.advance(1s);
  EXPECT_EQ(table.journal.take(), (Lines{"tastes x in life 1"}));
}

TEST(L2, a_failed_message_is_handled_again_before_all_others) {
  Table table(3);
  table.taster.send(Poison{"x", std::make_shared<int>(2)});
  table.taster.send(Say{"next"});
  table.world.advance(1s);
  EXPECT_EQ(table.journal.take(), (Lines{"tastes x in life 1", "tastes x in life 2", "tastes x in life 3", "next"}));
  EXPECT_EQ(table.world.runtime().counts().handled, 2U);  // each once, however often it was tried
  EXPECT_EQ(table.world.runtime().counts().in_flight(), 0U);
}

TEST(L2, a_message_that_fails_more_often_than_it_is_tried_is_given_up) {
  Table table(2);
  table.taster.send(Poison{"x", std::make_shared<int>(100)});
  table.taster.send(Say{"next"});
  table.world.advance(1s);
  EXPECT_EQ(table.journal.take(), (Lines{"tastes x in life 1", "tastes x in life 2", "tastes x in life 3", "next"}));
}

TEST(L2, a_message_taken_by_value_is_tried_from_a_copy) {
  Table table(1);
  int failures = 1;
  table.taster.send(Small{&failures});
  table.world.advance(1s);
  EXPECT_EQ(table.journal.take(), (Lines{"small", "small"}));
}

TEST(L2, a_message_whose_coroutine_failed_is_tried_again) {
  Table table(1);
  int failures = 1;
  table.taster.send(Slow{&failures});
  table.world.advance(1s);
  EXPECT_EQ(table.journal.take(), (Lines{"slow", "slow"}));
}

TEST(L2, a_request_that_failed_is_handled_again_and_its_asker_waits) {
  Table table(3);
  int failures = 2;
  EXPECT_EQ(table.world.ask<Plain>(table.taster, &failures).value(), 7);
  EXPECT_EQ(table.journal.take(), (Lines{"plain in life 1", "plain in life 2", "plain in life 3"}));
  EXPECT_EQ(table.world.runtime().counts().in_flight(), 0U);
}

TEST(L2, a_request_that_cannot_be_copied_is_handled_again_when_it_is_taken_by_reference) {
  Table table(3);
  EXPECT_EQ(table.world.ask<Uncopied>(table.taster, std::make_unique<int>(2)).value(), 8);
  EXPECT_EQ(table.journal.take(), (Lines{"uncopied in life 1", "uncopied in life 2", "uncopied in life 3"}));
}

TEST(L2, a_request_whose_coroutine_failed_is_handled_again) {
  Table table(3);
  int failures = 1;
  EXPECT_EQ(table.world.ask<Waits>(table.taster, &failures).value(), 9);
  EXPECT_EQ(table.journal.take(), (Lines{"waits in life 1", "waits in life 2"}));
}

TEST(L2, a_request_that_fails_more_often_than_it_is_tried_is_told_so) {
  Table table(2);
  const Result<int> answer = table.world.ask<Lives>(table.taster);
  EXPECT_EQ(answer.error().code(), Errc::failed);
  EXPECT_TRUE(answer.error().may_have_run());
  EXPECT_EQ(answer.error().text(), "the actor failed or was ended while it handled the request");
  EXPECT_EQ(table.journal.take(), (Lines{"asked", "asked", "asked"}));
}

TEST(L2, a_request_is_not_handled_again_after_its_deadline) {
  Journal journal;
  sim::TestRuntime world;
  const auto taster = world.spawn(child<Taster>("t", &journal).retry_failed(3).backoff(1s, 1s));
  int failures = 1;
  const Result<int> answer = world.ask_within<Plain>(100ms, taster, &failures);
  EXPECT_EQ(answer.error().code(), Errc::timeout);
  world.advance(10s);
  EXPECT_EQ(journal.take(), (Lines{"plain in life 1"}));
  const MessageCounts counts = world.runtime().counts();
  EXPECT_EQ(counts.count(Undelivered::expired), 1U);
  EXPECT_EQ(counts.in_flight(), 0U);
}

TEST(L2, a_request_whose_handler_took_the_reply_is_not_handled_again) {
  Table table(3);
  EXPECT_EQ(table.world.ask<Given>(table.taster).error().code(), Errc::dropped);
  table.world.advance(1s);
  EXPECT_EQ(table.journal.take(), (Lines{"given"}));
}

TEST(L2, of_several_interleaved_handlers_only_the_one_that_failed_is_tried_again) {
  Table table(3);
  int none = 0;
  int once = 1;
  Runtime& runtime = table.world.runtime();
  auto slow = runtime.ask<Beside>(table.taster, 1, Duration(10ms), &none).polled_within(1s);
  auto fails = runtime.ask<Beside>(table.taster, 2, Duration(5ms), &once).polled_within(1s);
  table.world.advance(1s);
  EXPECT_EQ(fails.poll()->value(), 2);
  // It was under way, and went with the incarnation.
  EXPECT_EQ(slow.poll()->error().code(), Errc::failed);
  EXPECT_EQ(table.journal.take(), (Lines{"beside 1 in life 1", "beside 2 in life 1", "beside 2 in life 2"}));
  EXPECT_EQ(runtime.counts().in_flight(), 0U);
}

TEST(L2, an_interleaved_message_that_keeps_failing_is_given_up) {
  Table table(2);
  int always = 100;
  table.taster.send(Beside{1, 1ms, &always});
  table.taster.send(Say{"next"});
  table.world.advance(1s);
  EXPECT_EQ(always, 97);
  EXPECT_EQ(table.journal.count("next"), 1U);
}

TEST(L2, requests_that_are_kept_leave_no_memory_behind) {
  Table table(3);
  int failures = 0;
  int once = 1;
  (void)table.world.ask<Plain>(table.taster, &failures);
  const auto blocks = table.world.runtime().memory().live_blocks;
  for (int* each : {&failures, &once}) {
    (void)table.world.ask<Plain>(table.taster, each);
    once = 1;
    (void)table.world.ask<Waits>(table.taster, each);
    once = 1;
    (void)table.world.ask<Beside>(table.taster, 1, Duration(1ms), each);
    once = 1;
    (void)table.world.ask<Uncopied>(table.taster, std::make_unique<int>(1));
  }
  table.world.advance(1s);
  EXPECT_EQ(table.world.runtime().memory().live_blocks, blocks);
}

TEST(L2, what_cannot_be_copied_is_not_tried_again) {
  Table table(3);
  int failures = 1;
  table.taster.send<Taken>(std::make_unique<int>(1), &failures);
  table.world.advance(1s);
  EXPECT_EQ(table.journal.take(), (Lines{"taken"}));
}

TEST(L2, a_message_that_was_handled_leaves_nothing_to_try) {
  Table table(3);
  int failures = 0;
  const auto blocks = table.world.runtime().memory().live_blocks;
  for (int i = 0; i < 10; ++i) table.taster.send(Small{&failures});
  table.taster.send(Slow{&failures});
  table.world.advance(1s);
  (void)table.journal.take();
  table.taster.send(Break{"boom"});
  table.world.advance(1s);
  EXPECT_EQ(table.journal.take(), Lines{});
  EXPECT_EQ(table.world.runtime().memory().live_blocks, blocks);
}

TEST(L2, a_message_in_quarantine_is_told_and_not_charged) {
  Table table(1, true, 1);  // one restart a minute
  std::vector<Quarantined> told;
  const auto subscription = table.world.runtime().events().subscribe([&told](const Event& event) {
    if (const auto* one = std::get_if<Quarantined>(&event)) told.push_back(*one);
  });
  table.taster.send(Poison{"x", std::make_shared<int>(100)});
  table.taster.send(Say{"next"});
  table.world.advance(1s);
  // The first failure is charged, the second, which set the message aside, is not.
  EXPECT_EQ(table.journal.take(), (Lines{"tastes x in life 1", "tastes x in life 2", "next"}));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].path, "/t");
  EXPECT_EQ(told[0].tries, 2U);
  EXPECT_EQ(told[0].message.substr(told[0].message.rfind(':') + 1), "Poison");
  EXPECT_EQ(told[0].error.text().substr(0, 26), "std::runtime_error: bitter");
}

TEST(L2, a_message_in_hand_goes_with_its_actor) {
  const auto run = [](std::int64_t& before, std::int64_t& after) {
    Journal journal;
    sim::TestRuntime world;
    before = world.runtime().memory().live_blocks;
    const auto taster = world.spawn(child<Taster>("t", &journal).retry_failed(5).backoff(1h, 1h));
    int failures = 100;
    taster.send(Small{&failures});
    world.run();
    world.runtime().stop(taster);
    world.run();
    EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
    after = world.runtime().memory().live_blocks;
  };
  std::int64_t before = 0;
  std::int64_t after = 1;
  run(before, after);
  EXPECT_EQ(after, before);
}

}  // namespace
