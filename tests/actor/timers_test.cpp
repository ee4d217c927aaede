// L10: timers are monotonic, never early, cancelled exactly, and belong to the incarnation that set them.
#include "life_support.hpp"

namespace {

using namespace life;

struct Tick {
  int n;
};
struct Cancel {};
struct Set {
  Duration first;
  Duration period;
  int n;
};
struct SetMany {
  int count;
};

class Ticker {
 public:
  explicit Ticker(std::vector<std::pair<int, Instant>>* ticks) : ticks_(ticks) {}
  void handle(Set set, Context& cx) {
    timers_.push_back(set.period == Duration::zero() ? cx.send_after(set.first, cx.self(this), Tick{set.n})
                                                     : cx.send_every(set.period, cx.self(this), Tick{set.n}));
  }
  void handle(SetMany many, Context& cx) {
    for (int i = 0; i < many.count; ++i) {
      timers_.push_back(cx.send_after(std::chrono::microseconds((i * 7919) % many.count), cx.self(this), Tick{i}));
    }
  }
  void handle(Tick tick, Context& cx) { ticks_->emplace_back(tick.n, cx.now()); }
  int handle(Cancel) {
    int cancelled = 0;
    for (Timer& timer : timers_) cancelled += timer.cancel() ? 1 : 0;
    timers_.clear();
    return cancelled;
  }
  Task<> handle(Nap nap, Context& cx) { co_await cx.sleep(nap.d); }
  void handle(Break how) { throw std::runtime_error(how.text); }
  void handle(Do d, Context& cx) { d.what(cx); }

 private:
  std::vector<std::pair<int, Instant>>* ticks_;
  std::vector<Timer> timers_;
};

using Ticks = std::vector<std::pair<int, Instant>>;

TEST(L10, a_timer_fires_at_its_instant_and_not_a_nanosecond_before) {
  Ticks ticks;
  sim::TestRuntime world;
  const auto ticker = world.spawn<Ticker>("t", &ticks);
  ticker.send(Set{1s, 0s, 1});
  world.run();
  const Instant due = world.now() + 1s;
  world.advance(Duration(1s) - Duration(1));
  EXPECT_TRUE(ticks.empty());
  world.advance(10s);
  EXPECT_EQ(ticks, (Ticks{{1, due}}));
}

TEST(L10, a_jump_of_the_calendar_clock_moves_no_timer) {
  Ticks ticks;
  sim::TestRuntime world;
  const auto ticker = world.spawn<Ticker>("t", &ticks);
  ticker.send(Set{1s, 0s, 1});
  world.run();
  world.clock().jump_wall(24h);
  world.advance(999ms);
  EXPECT_TRUE(ticks.empty());
  world.clock().jump_wall(-48h);
  world.advance(1ms);
  EXPECT_EQ(ticks.size(), 1U);
}

TEST(L10, missed_ticks_are_skipped_and_the_grid_is_kept) {
  Ticks ticks;
  sim::TestRuntime world;
  const auto ticker = world.spawn<Ticker>("t", &ticks);
  ticker.send(Set{0s, 1s, 1});
  world.run();
  const Instant start = world.now();
  world.advance(2s);
  ticker.send(Nap{3500ms});
  world.advance(6s);
  Ticks expected;
  for (const auto at : {1000, 2000, 5500, 6000, 7000, 8000}) {
    expected.emplace_back(1, start + std::chrono::milliseconds(at));
  }
  EXPECT_EQ(ticks, expected);
}

// Few leave their places in the table to be used again; many let the table go.
TEST(L10, an_old_handle_reaches_no_later_timer) {
  for (const int many : {1, 10, 1'000}) {
    sim::TestRuntime world;
    Ticks ticks;
    const auto ticker = world.spawn<Ticker>("ticker", &ticks);
    ticker.send(Do{[many](Context& cx) {
      const Ref<Ticker> me = cx.self(static_cast<Ticker*>(nullptr));
      std::vector<Timer> old;
      for (int i = 0; i < many; ++i) old.push_back(cx.send_after(1s, me, Tick{i}));
      for (Timer& timer : old) EXPECT_TRUE(timer.cancel());
      for (int i = 0; i < many; ++i) (void)cx.send_after(1s, me, Tick{many + i});
      for (Timer& timer : old) EXPECT_FALSE(timer.cancel());
    }});
    world.advance(2s);
    ASSERT_EQ(ticks.size(), static_cast<std::size_t>(many));
    for (const auto& tick : ticks) EXPECT_GE(tick.first, many);
  }
}
TEST(L10, a_cancelled_timer_is_not_handled_even_if_it_was_due_already) {
  Ticks ticks;
  sim::TestRuntime world;
  const auto ticker = world.spawn<Ticker>("t", &ticks);
  for (int i = 0; i < 65; ++i) ticker.send(Set{1s, 0s, i});
  ticker.send(Set{0s, 1s, 65});
  ticker.send(Nap{2s});
  world.run();
  // All are due while the turn is kept. 64 ticks go before a message that waits, then comes the cancel.
  auto cancelled = world.runtime().ask<Cancel>(ticker).polled_within(1h);
  world.advance(1500ms);
  EXPECT_TRUE(ticks.empty());
  world.advance(10s);
  EXPECT_EQ(ticks.size(), 64U);
  EXPECT_EQ(cancelled.poll()->value(), 2);
  world.advance(1min);
  EXPECT_EQ(ticks.size(), 64U);
  EXPECT_EQ(world.next_timer(), Instant::never());
}

TEST(L10, a_cancel_from_the_handler_of_the_first_of_two_due_ticks_prevents_the_second) {
  struct Pair {
    int handled = 0;
    Timer one;
    Timer two;
    void handle(Set, Context& cx) {
      one = cx.send_after(1s, cx.self(this), Tick{1});
      two = cx.send_after(1s, cx.self(this), Tick{2});
    }
    void handle(Tick tick) {
      ++handled;
      EXPECT_EQ(tick.n, 1);
      EXPECT_FALSE(one.cancel()) << "it is being handled";
      EXPECT_TRUE(two.cancel());
      EXPECT_FALSE(two.cancel());
    }
    int handle(Cancel) { return handled; }
  };
  sim::TestRuntime world;
  const auto pair = world.spawn<Pair>("p");
  pair.send(Set{});
  world.advance(10s);
  EXPECT_EQ(world.ask<Cancel>(pair).value(), 1);
}

TEST(L2, no_timer_of_an_older_incarnation_is_ever_handled) {
  Ticks ticks;
  sim::TestRuntime world;
  const auto ticker = world.spawn(child<Ticker>("t", &ticks).backoff(1ms, 1ms));
  for (int i = 0; i < 70; ++i) ticker.send(Set{1s, 0s, i});
  ticker.send(Set{0s, 100ms, 70});
  ticker.send(Nap{1500ms});  // all are due, and wait for the turn
  ticker.send(Break{"boom"});
  world.advance(500ms);
  EXPECT_TRUE(ticks.empty());
  // 64 ticks come before the queued failure; what is left after it is gone.
  world.advance(10s);
  EXPECT_EQ(ticks.size(), 64U);
  EXPECT_EQ(world.next_timer(), Instant::never());
}

/// A message that sets a timer when it goes.
struct LastWish {
  explicit LastWish(std::function<void()> f) : wish(std::move(f)) {}
  LastWish(LastWish&& other) noexcept : wish(std::exchange(other.wish, nullptr)) {}
  LastWish& operator=(LastWish&&) = delete;
  ~LastWish() {
    if (wish) wish();
  }
  std::function<void()> wish;
};
struct Seen {
  int lives = 0;
  int wishes = 0;
  int ticks = 0;
};
struct Begin {};
class Mourned {
 public:
  explicit Mourned(Seen* seen) : seen_(seen) { ++seen->lives; }
  void handle(Begin, Context& cx) {
    context_ = &cx;
    // Of its place in the table, which is in front of the other's and free when that goes, the last wish makes use.
    Timer first = cx.send_after(1s, cx.self(this), Tick{0});
    cx.send_after(1s, cx.self(this), LastWish([this, &cx] {
                    ++seen_->wishes;
                    cx.send_after(2s, cx.self(this), Tick{1});
                  }));
    EXPECT_TRUE(first.cancel());
  }
  void handle(LastWish) {}
  void handle(Tick) { ++seen_->ticks; }
  void handle(Break how) { throw std::runtime_error(how.text); }
  ~Mourned() {
    if (context_ != nullptr) context_->send_after(1s, context_->self(this), Tick{2});
  }

 private:
  Seen* seen_;
  Context* context_ = nullptr;
};

TEST(L2, a_timer_that_is_set_while_those_of_its_incarnation_are_dropped_goes_with_them) {
  Seen seen;
  sim::TestRuntime world;
  const auto mourned = world.spawn<Mourned>("m", &seen);
  mourned.send(Begin{});
  mourned.send(Break{"boom"});
  world.advance(500ms);
  EXPECT_EQ(seen.lives, 2);
  EXPECT_EQ(seen.wishes, 1);
  EXPECT_EQ(world.next_timer(), Instant::never());
  world.advance(1min);
  EXPECT_EQ(seen.ticks, 0);
}

TEST(L10, a_timer_for_another_actor_sends_until_it_is_cancelled_or_its_owner_ends) {
  Ticks ticks;
  sim::TestRuntime world;
  const auto ticker = world.spawn<Ticker>("t", &ticks);
  const auto owner = world.spawn<Part>("owner", Plan{});
  Timer every;
  owner.send(Do{[&](Context& cx) { every = cx.send_every(1s, ticker, Tick{7}); }});
  owner.send(Do{[&](Context& cx) { (void)cx.send_after(10s, ticker, Tick{8}); }});
  world.advance(3s);
  EXPECT_EQ(ticks.size(), 3U);
  EXPECT_FALSE(every.cancel()) << "only in its owner's turn";
  owner.send(Do{[&](Context&) { EXPECT_TRUE(every.cancel()); }});
  world.advance(3s);
  EXPECT_EQ(ticks.size(), 3U);
  world.runtime().stop(owner);
  world.advance(1min);
  EXPECT_EQ(ticks.size(), 3U);
}

TEST(L10, ten_thousand_timers_fire_each_once_in_the_order_of_their_instants) {
  Ticks ticks;
  sim::TestRuntime world;
  const auto ticker = world.spawn<Ticker>("t", &ticks);
  ticker.send(SetMany{10'000});
  world.run();
  const Instant start = world.now();
  world.advance(1s);
  ASSERT_EQ(ticks.size(), 10'000U);
  std::vector<bool> seen(10'000);
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    const auto [n, at] = ticks[i];
    EXPECT_FALSE(seen[static_cast<std::size_t>(n)]);
    seen[static_cast<std::size_t>(n)] = true;
    ASSERT_EQ(at, start + std::chrono::microseconds((n * 7919) % 10'000));
    if (i != 0) {
      ASSERT_GE(at, ticks[i - 1].second);
    }
  }
}

TEST(L10, ten_thousand_timers_can_be_cancelled_when_all_of_them_are_due) {
  Ticks ticks;
  sim::TestRuntime world;
  const auto blocks = world.runtime().memory().live_blocks;
  const auto ticker = world.spawn<Ticker>("t", &ticks);
  ticker.send(SetMany{10'000});
  ticker.send(Nap{1s});
  world.run();
  auto cancelled = world.runtime().ask<Cancel>(ticker).polled_within(1h);
  world.advance(2s);
  EXPECT_EQ(static_cast<std::size_t>(cancelled.poll()->value()) + ticks.size(), 10'000U);
  EXPECT_LE(ticks.size(), 4'096U) << "no more go before a message that waits";
  world.runtime().stop(ticker);
  world.run();
  expect_nothing_left(world, blocks);
}

/// The ticks that each of so many messages found handled, of those that were all due before the first.
std::vector<std::size_t> ticks_before_messages(int due, int messages) {
  Ticks ticks;
  sim::TestRuntime world;
  const auto ticker = world.spawn<Ticker>("t", &ticks);
  ticker.send(SetMany{due});
  ticker.send(Nap{1s});
  world.run();
  std::vector<std::size_t> before;
  for (int i = 0; i < messages; ++i) ticker.send(Do{[&](Context&) { before.push_back(ticks.size()); }});
  world.advance(2s);
  return before;
}

TEST(F1, half_of_the_timers_that_are_due_go_before_the_next_message_or_64_and_4096_at_most) {
  EXPECT_EQ(ticks_before_messages(63, 2), (std::vector<std::size_t>{63, 63}));
  EXPECT_EQ(ticks_before_messages(200, 5), (std::vector<std::size_t>{100, 164, 200, 200, 200}));
  EXPECT_EQ(ticks_before_messages(20'000, 6),
            (std::vector<std::size_t>{4'096, 8'192, 12'288, 16'144, 18'072, 19'036}));
}

/// What is left of a row when the rest of it is cancelled is none of the next.
TEST(F1, a_row_of_ticks_ends_where_all_that_were_due_are_cancelled) {
  struct Quitter {
    std::vector<std::size_t>* before;
    std::size_t handled = 0;
    std::vector<Timer> timers{};
    void handle(SetMany many, Context& cx) {
      for (int i = 0; i < many.count; ++i) timers.push_back(cx.send_after(Duration(i), cx.self(this), Tick{i}));
    }
    void handle(Tick) {
      if (++handled != 1) return;
      for (Timer& timer : timers) timer.cancel();
    }
    Task<> handle(Nap nap, Context& cx) { co_await cx.sleep(nap.d); }
    void handle(Say) { before->push_back(handled); }
  };
  std::vector<std::size_t> before;
  sim::TestRuntime world;
  const auto quitter = world.spawn<Quitter>("q", Quitter{&before});
  quitter.send(SetMany{10'000});
  quitter.send(Nap{1s});
  world.advance(2s);
  quitter.send(SetMany{200});
  quitter.send(Nap{1s});
  world.run();
  for (int i = 0; i < 3; ++i) quitter.send(Say{"x"});
  world.advance(2s);
  EXPECT_EQ(before, (std::vector<std::size_t>{101, 165, 201}));
}

/// 200 are due with each message of 1 ms, and with 64 of them handled behind each the last would be late by 70 ms.
TEST(F1, timers_that_come_faster_than_messages_are_handled_are_late_by_three_messages_at_most) {
  struct Punctual {
    Duration most{};
    int ticks = 0;
    int said = 0;
  } seen;
  struct Late {
    Punctual* seen;
    Instant start{};
    void handle(SetMany many, Context& cx) {
      for (int i = 0; i < many.count; ++i) (void)cx.send_after(i * 5us, cx.self(this), Tick{i});
      start = cx.now();
    }
    void handle(Tick tick, Context& cx) {
      seen->most = std::max(seen->most, cx.now() - (start + tick.n * 5us));
      ++seen->ticks;
    }
    void handle(Say) { ++seen->said; }
  };
  sim::TestRuntime world;
  const auto late = world.spawn<Late>("late", Late{&seen});
  late.send(SetMany{20'000});
  world.run();
  for (int message = 1; message <= 100; ++message) {
    world.clock().set(world.now() + 1ms);
    late.send(Say{"x"});
    while (seen.said != message) ASSERT_TRUE(world.step());
  }
  world.advance(1s);
  EXPECT_EQ(seen.ticks, 20'000);
  EXPECT_LE(seen.most, 3ms);
  EXPECT_GT(seen.most, 1ms) << "each waits for one message at least";
}

TEST(F1, a_fast_timer_does_not_starve_the_mailbox) {
  struct Busy {
    sim::TestRuntime* world;
    int said = 0;
    explicit Busy(sim::TestRuntime* w) : world(w) {}
    void handle(Set, Context& cx) { (void)cx.send_every(1us, cx.self(this), Tick{1}); }
    // Time passes while a tick is handled: the next one is due before this one is over.
    void handle(Tick) { world->clock().set(world->now() + 5us); }
    void handle(Say, Context& cx) {
      if (++said == 3) cx.stop();
    }
  };
  sim::TestRuntime world;
  const auto busy = world.spawn(child<Busy>("b", &world).on_stop(drop));
  busy.send(Set{});
  for (int i = 0; i < 3; ++i) busy.send(Say{"x"});
  world.advance(1ms);
  EXPECT_EQ(world.runtime().actors(), 1U);
}

TEST(L10, a_tick_that_waits_while_others_are_handled_is_one_and_the_next_comes_on_the_grid_after_it) {
  struct Slow {
    sim::TestRuntime* world;
    Ticks* ticks;
    void handle(Set set, Context& cx) {
      (void)cx.send_after(set.period, cx.self(this), Tick{0});
      (void)cx.send_every(set.period, cx.self(this), Tick{1});
    }
    void handle(Tick tick, Context& cx) {
      if (tick.n == 0) world->clock().set(cx.now() + 2500ms);
      ticks->emplace_back(tick.n, cx.now());
    }
  };
  Ticks ticks;
  sim::TestRuntime world;
  const auto slow = world.spawn<Slow>("slow", Slow{&world, &ticks});
  slow.send(Set{0s, 1s, 0});
  world.run();
  const Instant start = world.now();
  world.advance(5s);
  EXPECT_EQ(ticks, (Ticks{{0, start + 3500ms}, {1, start + 3500ms}, {1, start + 4s}, {1, start + 5s}}));
}

TEST(L10, a_timer_of_a_suspended_actor_wakes_nobody_and_goes_on_upon_its_grid) {
  Ticks ticks;
  sim::TestRuntime world;
  const auto ticker = world.spawn<Ticker>("t", &ticks);
  ticker.send(Set{0s, 1s, 1});
  world.run();
  const Instant start = world.now();
  world.runtime().suspend(ticker);
  world.advance(1s);
  EXPECT_EQ(world.next_timer(), Instant::never()) << "its tick waits, and what is missed is skipped";
  world.advance(2500ms);
  EXPECT_TRUE(ticks.empty());
  world.runtime().resume(ticker);
  world.advance(1s);
  EXPECT_EQ(ticks, (Ticks{{1, start + 3500ms}, {1, start + 4s}}));
}

TEST(L10, a_timer_that_comes_again_is_cancelled_while_its_tick_waits_and_while_it_is_handled) {
  struct Two {
    int handled = 0;
    Timer first;
    Timer second;
    void handle(Set set, Context& cx) {
      first = cx.send_every(set.period, cx.self(this), Tick{1});
      second = cx.send_every(set.period, cx.self(this), Tick{2});
    }
    void handle(Tick tick) {
      EXPECT_EQ(tick.n, 1);
      ++handled;
      EXPECT_TRUE(second.cancel()) << "it waits";
      EXPECT_FALSE(second.cancel());
      EXPECT_TRUE(first.cancel()) << "it is set again before it is handled";
      EXPECT_FALSE(first.cancel());
    }
    int handle(Cancel) { return handled; }
  };
  sim::TestRuntime world;
  const auto two = world.spawn<Two>("two");
  const auto blocks = world.runtime().memory().live_blocks;
  two.send(Set{0s, 1s, 0});
  world.advance(10s);
  EXPECT_EQ(world.ask<Cancel>(two).value(), 1);
  EXPECT_EQ(world.next_timer(), Instant::never());
  EXPECT_EQ(world.runtime().memory().live_blocks, blocks);
}

TEST(L10, ticks_that_wait_when_their_actor_ends_leave_nothing_behind) {
  for (const bool restarts : {true, false}) {
    Ticks ticks;
    sim::TestRuntime world;
    const auto blocks = world.runtime().memory().live_blocks;
    const auto ticker = world.spawn(child<Ticker>("t", &ticks).backoff(1ms, 1ms));
    ticker.send(Set{1s, 0s, 1});
    ticker.send(Set{0s, 1s, 2});
    ticker.send(Nap{10s});
    world.advance(2s);
    if (restarts) {
      world.runtime().restart(ticker);
    } else {
      world.runtime().kill(ticker);
    }
    world.advance(1min);
    EXPECT_EQ(world.next_timer(), Instant::never());
    world.runtime().stop(ticker);
    world.run();
    EXPECT_TRUE(ticks.empty());
    expect_nothing_left(world, blocks);
  }
}

}  // namespace
