// The fault catalogue, A1 to A5 and A8 to A10: what actors do to themselves and to each other's mailboxes.
#include <array>
#include <memory>

#include "catalogue.hpp"

namespace {

using namespace catalogue;

// ---------------------------------------------------------------------------------------------- A1: throws in init

using Lines = std::vector<std::string>;

struct Part {
  Part(Lines* log, std::string called) : lines(log), name(std::move(called)) {}
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  ~Part() { lines->push_back(name + " gone"); }
  void handle(Poke) {}
  Lines* lines;
  std::string name;
};

/// Fails at one step of its start; 0: in its constructor.
class Fragile {
 public:
  Fragile(Lines* lines, int fails_at) : lines_(lines), fails_at_(fails_at) { reached(0); }
  Task<> init(Context& cx) {
    reached(1);
    cx.spawn<Part>("first", lines_, std::string("first"));
    reached(2);
    (void)cx.send_every(1s, cx.self(this), Poke{});
    reached(3);
    cx.spawn<Part>("second", lines_, std::string("second"));
    reached(4);
    co_await cx.sleep(1ms);
    reached(5);
    cx.spawn<Part>("third", lines_, std::string("third"));
    reached(6);
  }
  void handle(Poke) {}

 private:
  void reached(int step) const {
    if (step == fails_at_) throw std::runtime_error("step " + std::to_string(step));
  }
  Lines* lines_;
  int fails_at_;
};

struct Start {
  using reply = std::string;
  int fails_at;
};
struct Starter {
  Task<std::string> handle(Start start, Context& cx) {
    const auto started = co_await cx.start(child<Fragile>("fragile", lines, start.fails_at)).within(5s);
    if (!started) co_return std::string(started.error().text());
    cx.stop(started.value());
    co_return "started";
  }
  Lines* lines;
};

TEST(A1, a_start_that_fails_at_any_step_says_why_and_all_that_was_begun_is_undone_in_reverse) {
  sim::explore(sim::seeds(30), [](sim::World& world) {
    auto& lines = world.keep<Lines>();
    const auto starter = world.spawn<Starter>("starter", &lines);
    world.run_for(1s);
    const Census before(world);
    for (int step = 0; step <= 6; ++step) {
      lines.clear();
      const auto said = world.ask<Start>(starter, step);
      ASSERT_TRUE(said.has_value());
      EXPECT_NE(said.value().find("step " + std::to_string(step)), std::string::npos) << said.value();
      Lines undone{"first gone"};
      if (step > 3) undone.insert(undone.begin(), "second gone");
      if (step > 5) undone.insert(undone.begin(), "third gone");
      if (step < 2) undone.clear();
      EXPECT_EQ(lines, undone) << "step " << step;
      expect_same(world, before);
      // The name is free at once.
      EXPECT_EQ(world.ask<Start>(starter, -1).value(), "started");
      world.run_for(1s);
      expect_same(world, before);
    }
  });
}

// ------------------------------------------------------------------------------------------ A2: throws in a handler

struct Numbered {
  int number;
};
struct Ledger {
  std::vector<int> begun;
};
struct Worker {
  void handle(Numbered message) {
    ledger->begun.push_back(message.number);
    if (message.number == fatal) throw std::runtime_error("on message " + std::to_string(message.number));
  }
  Ledger* ledger;
  int fatal;
};

TEST(A2, whichever_message_makes_its_handler_throw_is_consumed_once_and_told_once) {
  constexpr int messages = 8;
  sim::explore(sim::seeds(30), [](sim::World& world) {
    for (const OnRestart policy : {OnRestart::keep, OnRestart::drop}) {
      for (int fatal = 0; fatal < messages; ++fatal) {
        auto& ledger = world.keep<Ledger>();
        const Failures failures(world);
        const auto counts = world.runtime().counts();
        const auto worker = world.spawn(child<Worker>("worker", &ledger, fatal).on_restart(policy).backoff(1ms, 1ms));
        for (int i = 0; i < messages; ++i) worker.send(Numbered{i});
        world.run_for(1s);
        // Each once, in order: those behind it by the next life, or dropped and counted, as its policy says.
        std::vector<int> expected;
        const int last = policy == OnRestart::keep ? messages : fatal + 1;
        for (int i = 0; i < last; ++i) expected.push_back(i);
        EXPECT_EQ(ledger.begun, expected);
        ASSERT_EQ(failures.told.size(), 1U);
        EXPECT_NE(failures.told[0].find("Numbered"), std::string::npos);
        EXPECT_EQ(world.runtime().counts().count(Undelivered::restarted) - counts.count(Undelivered::restarted),
                  static_cast<std::uint64_t>(messages - last));
        world.runtime().stop(worker);
        world.run_for(1s);
        EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
      }
    }
  });
}

// --------------------------------------------------------------------------------------- A3: throws in terminating

struct Sore {
  void handle(Poke) {}
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }
  void terminating(Context&) { throw std::runtime_error("cannot let go"); }
};

TEST(A3, a_terminating_that_throws_is_told_once_and_neither_a_stop_nor_a_restart_is_held_up_by_it) {
  sim::explore(sim::seeds(30), [](sim::World& world) {
    const Census before(world);
    const auto told = [&] { return world.log().count("terminating failed"); };
    const auto sore = world.spawn<Sore>("sore");
    const auto other = world.spawn<Sore>("other");
    world.run();
    world.runtime().restart(sore);
    world.run_for(10s);
    EXPECT_EQ(told(), 1U);
    EXPECT_EQ(world.ask<Lives>(sore).value(), 2U);
    EXPECT_EQ(world.ask<Lives>(other).value(), 1U);
    world.runtime().stop(sore);
    world.runtime().stop(other);
    world.run_for(1s);
    EXPECT_EQ(told(), 3U);
    expect_same(world, before);
  });
}

// -------------------------------------------------------------------------------- A5: throws what is no exception

struct Thrower {
  void handle(Poke) { throw 42; }
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }
};

TEST(A5, an_int_that_is_thrown_ends_one_incarnation_and_is_told_by_its_type) {
  sim::explore(sim::seeds(30), [](sim::World& world) {
    std::vector<std::string> errors;
    const auto subscription = world.runtime().events().subscribe([&](const Event& event) {
      if (const auto* failed = std::get_if<ActorFailed>(&event)) errors.emplace_back(failed->error.text());
    });
    const auto thrower = world.spawn(child<Thrower>("thrower").backoff(1ms, 1ms));
    thrower.send(Poke{});
    world.run_for(1s);
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_NE(errors[0].find("int"), std::string::npos) << errors[0];
    EXPECT_EQ(world.ask<Lives>(thrower).value(), 2U);
  });
}

// ------------------------------------------------------------------------------------------ A8: mailbox overflow

struct Sink {
  void handle(Numbered message) { taken->push_back(message.number); }
  std::vector<int>* taken;
};

TEST(A8, at_ten_times_its_bound_a_mailbox_does_what_its_policy_says_and_every_message_is_accounted_for) {
  constexpr int bound = 16;
  constexpr int sent = 10 * bound;
  sim::explore(sim::seeds(30), [](sim::World& world) {
    struct Case {
      Mailbox kind;
      Undelivered why;
    };
    for (const Case& one : {Case{bounded(bound).refuse(), Undelivered::full},
                            Case{bounded(bound).drop_newest(), Undelivered::drop_newest},
                            Case{bounded(bound).drop_oldest(), Undelivered::drop_oldest}}) {
      auto& taken = world.keep<std::vector<int>>();
      const auto before = world.runtime().counts();
      const auto sink = world.spawn(child<Sink>(unnamed, &taken).mailbox(one.kind));
      world.run();
      for (int i = 0; i < sent; ++i) sink.send(Numbered{i});
      // Who asks for it is told.
      const Result<> told = sink.try_send(Numbered{sent});
      ASSERT_FALSE(told.has_value());
      EXPECT_TRUE(told.error().is(Errc::full));
      world.run();
      const auto now = world.runtime().counts();
      EXPECT_EQ(taken.size(), static_cast<std::size_t>(bound));
      EXPECT_EQ(taken.front(), one.why == Undelivered::drop_oldest ? sent - bound : 0);
      EXPECT_EQ(now.sent - before.sent, static_cast<std::uint64_t>(sent));
      EXPECT_EQ(now.handled - before.handled, static_cast<std::uint64_t>(bound));
      EXPECT_EQ(now.count(one.why) - before.count(one.why), static_cast<std::uint64_t>(sent - bound));
      world.runtime().stop(sink);
      world.run();
    }
  });
}

TEST(A8, a_sender_that_waits_gets_every_message_in_through_mailboxes_that_are_made_full_at_random) {
  struct Slow {
    Task<> handle(Numbered message, Context& cx) {
      co_await cx.sleep(1ms);
      taken->push_back(message.number);
    }
    std::vector<int>* taken;
  };
  struct Pump {
    Task<> handle(Poke, Context&) {
      for (int i = 0; i < 40; ++i) {
        Result<> in = co_await to.send_wait(Numbered{i}).within(1s);
        while (!in && in.error().is(Errc::timeout)) in = co_await to.send_wait(Numbered{i}).within(1s);
      }
    }
    Ref<Slow> to;
  };
  sim::explore(sim::seeds(60), [](sim::World& world) {
    auto& taken = world.keep<std::vector<int>>();
    const auto slow = world.spawn(child<Slow>("slow", &taken).mailbox(bounded(4)));
    const auto pump = world.spawn<Pump>("pump", slow);
    world.run();
    pump.send(Poke{});
    sim::Faults faults;
    faults.full_every = 3;
    faults.swarm = false;
    faults.among = [](std::string_view path) { return path == "/slow"; };
    world.inject(faults);
    world.run_for(1min);
    world.sometimes(world.faults_injected() > 5, "made full often");
    world.heal();
    world.run_for(1min);
    std::vector<int> all;
    for (int i = 0; i < 40; ++i) all.push_back(i);
    EXPECT_EQ(taken, all);
  });
}

// ------------------------------------------------------------------------------------ A9: a storm to a dead actor

TEST(A9, ten_million_messages_to_the_dead_are_counted_and_leave_no_memory_and_few_lines_behind) {
#ifdef BACKSTAGE_SANITIZED
  constexpr std::uint64_t sent = 1'000'000;
#else
  constexpr std::uint64_t sent = 10'000'000;
#endif
  sim::WorldOptions options;
  options.log_level = Level::info;
  sim::World world(1, std::move(options));
  auto& taken = world.keep<std::vector<int>>();
  const auto dead = world.spawn<Sink>("dead", &taken);
  world.run();
  world.runtime().kill(dead);
  world.run();
  const Census before(world);
  for (std::uint64_t i = 0; i < sent; ++i) dead.send(Numbered{1});
  world.run();
  EXPECT_EQ(world.runtime().counts().count(Undelivered::gone), sent);
  expect_same(world, before);
  const Result<> told = dead.try_send(Numbered{1});
  ASSERT_FALSE(told.has_value());
  EXPECT_TRUE(told.error().is(Errc::gone));
  // Sampled: eight, then at each power of two.
  EXPECT_LE(world.log().entries().size(), 8U + 24U);
  EXPECT_TRUE(taken.empty());
}

// -------------------------------------------------------------------------- A10: an actor dies with a full mailbox

struct Wanted {
  using reply = int;
};
struct Busy {
  Task<int> handle(Wanted, Context& cx) {
    co_await cx.sleep(1h);
    co_return 1;
  }
};

TEST(A10, ten_thousand_who_wait_for_an_answer_hear_at_once_that_it_will_not_come) {
  sim::explore(sim::seeds(5), [](sim::World& world) {
    const auto busy = world.spawn<Busy>("busy");
    std::vector<PendingAnswer<int>> waiting;
    for (int i = 0; i < 10'000; ++i) waiting.push_back(world.runtime().ask<Wanted>(busy).polled_within(2h));
    world.run_for(1s);
    world.runtime().kill(busy);
    world.run();  // at this very instant
    int gone = 0;
    int under_way = 0;
    for (auto& one : waiting) {
      const auto answer = one.poll();
      ASSERT_TRUE(answer.has_value());
      ASSERT_FALSE(answer->has_value());
      gone += answer->error().is(Errc::gone) ? 1 : 0;
      under_way += answer->error().is(Errc::failed) && answer->error().may_have_run() ? 1 : 0;
    }
    EXPECT_EQ(gone, 9'999);
    EXPECT_EQ(under_way, 1);
    EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
  });
}

// ------------------------------------------------------------------- A20: to oneself, from a destructor, at the end

struct Recorder {
  void handle(Numbered message) { taken->push_back(message.number); }
  std::vector<int>* taken;
};
struct Odd {
  explicit Odd(const Ref<Recorder>& recorder, Lines* log) : to(recorder), lines(log) {}
  Odd(const Odd&) = delete;
  Odd& operator=(const Odd&) = delete;
  ~Odd() { to.send(Numbered{2}); }
  void handle(Poke, Context& cx) { cx.self(this).send(Numbered{0}); }
  void handle(Numbered message) { to.send(message); }
  void terminating(Context& cx) {
    cx.self(this).send(Numbered{1});
    try {
      (void)cx.spawn<Recorder>("late", nullptr);
    } catch (const Need& need) {
      lines->emplace_back(need.error().text());
    }
  }
  Ref<Recorder> to;
  Lines* lines;
};

TEST(A20, a_message_to_oneself_is_handled_one_from_a_destructor_arrives_and_nobody_is_started_at_the_end) {
  sim::explore(sim::seeds(30), [](sim::World& world) {
    auto& taken = world.keep<std::vector<int>>();
    auto& lines = world.keep<Lines>();
    const auto recorder = world.spawn<Recorder>("recorder", &taken);
    const auto odd = world.spawn<Odd>("odd", recorder, &lines);
    odd.send(Poke{});
    world.run();
    EXPECT_EQ(taken, std::vector<int>{0});
    world.runtime().stop(odd);
    world.run();
    EXPECT_EQ(taken, (std::vector<int>{0, 2}));  // 1 went to a place that refuses
    EXPECT_EQ(world.runtime().counts().count(Undelivered::stopping), 1U);
    EXPECT_EQ(lines, Lines{"/odd is being stopped and starts no children"});
    EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
  });
}

}  // namespace
