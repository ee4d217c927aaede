#include "backstage/exec/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

namespace backstage {
namespace {

struct Timer : TimerNode {
  int id = 0;
};

std::vector<int> fire(TimerWheel& wheel, std::int64_t now) {
  std::vector<int> ids;
  wheel.expire(Instant{now}, [&](TimerNode& node) { ids.push_back(static_cast<Timer&>(node).id); });
  return ids;
}

std::deque<Timer> timers(int count) {
  std::deque<Timer> all(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) all[static_cast<std::size_t>(i)].id = i;
  return all;
}

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t year = 365 * 24 * 3600 * second;

TEST(TimerWheel, l10_fires_at_its_very_nanosecond_and_never_before) {
  for (const std::int64_t due :
       {std::int64_t{1}, std::int64_t{32'767}, std::int64_t{32'768}, 5 * second, 100 * year}) {
    auto all = timers(1);
    TimerWheel wheel(Instant{0});
    wheel.arm(all[0], Instant{due});
    EXPECT_TRUE(fire(wheel, due - 1).empty());
    EXPECT_EQ(wheel.next_due(), Instant{due});
    EXPECT_TRUE(all[0].armed());
    EXPECT_EQ(fire(wheel, due), std::vector<int>{0});
    EXPECT_FALSE(all[0].armed());
    EXPECT_EQ(wheel.next_due(), Instant::never());
  }
}

TEST(TimerWheel, l10_a_cancelled_timer_does_not_fire_and_cancel_says_whether_it_came_in_time) {
  auto all = timers(2);
  TimerWheel wheel(Instant{0});
  EXPECT_FALSE(wheel.cancel(all[0]));
  wheel.arm(all[0], Instant{10});
  wheel.arm(all[1], Instant{10});
  EXPECT_TRUE(wheel.cancel(all[0]));
  EXPECT_FALSE(wheel.cancel(all[0]));
  EXPECT_EQ(fire(wheel, 10), std::vector<int>{1});
  EXPECT_FALSE(wheel.cancel(all[1]));
  EXPECT_TRUE(wheel.empty());
}

TEST(TimerWheel, equal_dues_fire_in_the_order_of_arming_even_after_moving_through_all_levels) {
  auto all = timers(6);
  TimerWheel wheel(Instant{0});
  const std::int64_t due = 3 * year + 17;
  wheel.arm(all[3], Instant{due});
  wheel.arm(all[1], Instant{due});
  EXPECT_TRUE(fire(wheel, due - 2 * second).empty());
  wheel.arm(all[2], Instant{due});
  EXPECT_TRUE(fire(wheel, due - 2).empty());
  wheel.arm(all[0], Instant{due - 1});
  wheel.arm(all[4], Instant{due});
  EXPECT_EQ(fire(wheel, due + year), (std::vector<int>{0, 3, 1, 2, 4}));
}

TEST(TimerWheel, arming_again_moves_the_timer) {
  auto all = timers(1);
  TimerWheel wheel(Instant{0});
  wheel.arm(all[0], Instant{second});
  wheel.arm(all[0], Instant{5});
  EXPECT_EQ(wheel.size(), 1U);
  EXPECT_EQ(wheel.next_due(), Instant{5});
  wheel.arm(all[0], Instant{2 * second});
  EXPECT_TRUE(fire(wheel, second).empty());
  EXPECT_EQ(fire(wheel, 2 * second).size(), 1U);
}

TEST(TimerWheel, overdue_timers_fire_at_once_and_in_order) {
  auto all = timers(3);
  TimerWheel wheel(Instant{year});
  wheel.arm(all[0], Instant{year - 1});
  wheel.arm(all[1], Instant{-5});
  wheel.arm(all[2], Instant{7});
  EXPECT_EQ(wheel.next_due(), Instant{-5});
  EXPECT_EQ(fire(wheel, year), (std::vector<int>{1, 2, 0}));
}

TEST(TimerWheel, a_clock_reading_of_the_past_fires_only_what_was_due_by_then) {
  auto all = timers(2);
  TimerWheel wheel(Instant{0});
  EXPECT_TRUE(fire(wheel, second).empty());
  wheel.arm(all[0], Instant{100});
  wheel.arm(all[1], Instant{200});
  EXPECT_EQ(fire(wheel, 150), std::vector<int>{0});
  EXPECT_EQ(fire(wheel, 250), std::vector<int>{1});
}

TEST(TimerWheel, a_timer_of_never_waits_for_the_end_of_time) {
  auto all = timers(1);
  TimerWheel wheel(Instant{0});
  wheel.arm(all[0], Instant::never());
  EXPECT_EQ(wheel.next_due(), Instant::never());
  EXPECT_TRUE(fire(wheel, INT64_MAX - 1).empty());
  EXPECT_EQ(fire(wheel, INT64_MAX).size(), 1U);
}

TEST(TimerWheel, the_callback_may_cancel_a_timer_that_is_due_in_the_same_expiry) {
  auto all = timers(3);
  TimerWheel wheel(Instant{0});
  for (auto& timer : all) wheel.arm(timer, Instant{10 + timer.id});
  std::vector<int> fired;
  wheel.expire(Instant{100}, [&](TimerNode& node) {
    fired.push_back(static_cast<Timer&>(node).id);
    if (fired.size() == 1) {
      EXPECT_EQ(wheel.next_due(), Instant{11});
      EXPECT_TRUE(wheel.cancel(all[1]));
      EXPECT_FALSE(wheel.cancel(all[0]));
    }
  });
  EXPECT_EQ(fired, (std::vector<int>{0, 2}));
}

TEST(TimerWheel, what_the_callback_arms_waits_for_the_next_expiry_even_when_overdue) {
  auto all = timers(2);
  TimerWheel wheel(Instant{0});
  wheel.arm(all[0], Instant{10});
  wheel.arm(all[1], Instant{20});
  int calls = 0;
  wheel.expire(Instant{30}, [&](TimerNode& node) {
    ++calls;
    wheel.arm(node, Instant{5});
  });
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(wheel.next_due(), Instant{5});
  EXPECT_EQ(fire(wheel, 30), (std::vector<int>{0, 1}));
}

TEST(TimerWheel, the_callback_may_destroy_its_own_timer) {
  TimerWheel wheel(Instant{0});
  for (int i = 0; i < 3; ++i) wheel.arm(*new Timer, Instant{i});
  EXPECT_EQ(wheel.expire(Instant{5}, [](TimerNode& node) { delete static_cast<Timer*>(&node); }), 3U);
}

TEST(TimerWheel, a_throwing_callback_leaves_the_rest_armed) {
  auto all = timers(3);
  TimerWheel wheel(Instant{0});
  for (auto& timer : all) wheel.arm(timer, Instant{timer.id});
  const auto refuse = [](TimerNode&) { throw std::runtime_error("no"); };
  EXPECT_THROW(wheel.expire(Instant{5}, refuse), std::runtime_error);
  EXPECT_EQ(wheel.size(), 2U);
  EXPECT_EQ(fire(wheel, 5), (std::vector<int>{1, 2}));
}

TEST(TimerWheel, a_wheel_that_dies_disarms_its_timers) {
  auto all = timers(2);
  {
    TimerWheel wheel(Instant{0});
    wheel.arm(all[0], Instant{5});
    wheel.arm(all[1], Instant{year});
  }
  EXPECT_FALSE(all[0].armed());
  EXPECT_FALSE(all[1].armed());
}

TEST(TimerWheel, a_jump_of_years_costs_no_walk_over_the_ticks_between) {
  // 3000 jumps of a month are 2.4e14 ticks: were the cost linear in ticks, this test would not end.
  auto all = timers(1);
  TimerWheel wheel(Instant{0});
  std::int64_t now = 0;
  for (int i = 0; i < 3000; ++i) {
    wheel.arm(all[0], Instant{now + 1});
    now += 30 * 24 * 3600 * second;
    ASSERT_EQ(fire(wheel, now).size(), 1U);
  }
}

TEST(TimerWheel, a_million_timers_of_which_99_percent_are_cancelled) {
  constexpr int count = 1'000'000;
  auto all = timers(count);
  TimerWheel wheel(Instant{0});
  std::mt19937_64 random(7);
  for (auto& timer : all) wheel.arm(timer, Instant{static_cast<std::int64_t>(random() % (60 * second))});
  int kept = 0;
  for (auto& timer : all) {
    if (timer.id % 100 == 0) {
      ++kept;
    } else {
      ASSERT_TRUE(wheel.cancel(timer));
    }
  }
  Instant last{-1};
  int fired = 0;
  while (!wheel.empty()) {
    const Instant due = wheel.next_due();
    ASSERT_GT(due, last);
    last = due;
    wheel.expire(due, [&](TimerNode& node) {
      ASSERT_EQ(node.due(), due);
      ASSERT_EQ(static_cast<Timer&>(node).id % 100, 0);
      ++fired;
    });
  }
  EXPECT_EQ(fired, kept);
}

TEST(TimerWheel, l10_what_has_moved_ahead_and_what_has_not_fires_in_order) {
  // Forty at the beginning of a unit of 134 ms: sixteen of them move down ahead of it, which stands first among the units of 2 ms, too.
  constexpr std::int64_t tick = std::int64_t{1} << 15;
  constexpr std::int64_t unit = tick << 12;
  auto all = timers(41);
  TimerWheel wheel(Instant{0});
  std::vector<int> expected;
  for (int i = 0; i < 40; ++i) {
    wheel.arm(all[static_cast<std::size_t>(i)], Instant{2 * unit + (i + 1) * tick});
    expected.push_back(i);
  }
  wheel.arm(all[40], Instant{unit + tick});
  EXPECT_EQ(fire(wheel, unit + 2 * tick), std::vector<int>{40});
  std::vector<int> fired;
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(wheel.next_due(), (Instant{2 * unit + (i + 1) * tick}));
    for (const int id : fire(wheel, 2 * unit + (i + 1) * tick)) fired.push_back(id);
    EXPECT_EQ(fired.size(), static_cast<std::size_t>(i + 1));
  }
  EXPECT_EQ(fired, expected);
}

TEST(TimerWheel, l10_timers_that_are_spread_evenly_are_never_moved_by_the_thousand_at_once) {
  constexpr int count = 100'000;
  constexpr std::int64_t span = 20 * second;
  constexpr std::int64_t base = 4'711 * second;
  auto all = timers(count);
  TimerWheel wheel(Instant{base});
  std::mt19937_64 random(1);
  for (Timer& timer : all) wheel.arm(timer, Instant{base + static_cast<std::int64_t>(random() % span)});
  const auto places = [&all] {
    std::vector<std::uint32_t> where;
    where.reserve(all.size());
    for (const Timer& timer : all) where.push_back(timer.slot_info);
    return where;
  };
  // Where the clock enters units of 134 ms, of which some are also of 8.6 s, 670 and 43,000 timers were moved at once.
  std::int64_t now = base;
  int entered = 0;
  std::size_t worst = 0;
  while (!wheel.empty()) {
    const std::int64_t next = wheel.next_due().ns + 50'000;  // as somebody does who is woken a little late
    const bool enters = now >> 27 != next >> 27;
    now = next;
    const std::vector<std::uint32_t> before = enters ? places() : std::vector<std::uint32_t>();
    const std::size_t fired = wheel.expire(Instant{now}, [](TimerNode&) {});
    ASSERT_LT(fired, 100U);
    if (!enters) continue;
    ++entered;
    const std::vector<std::uint32_t> after = places();
    std::size_t moved = 0;
    for (std::size_t i = 0; i < after.size(); ++i) moved += before[i] != after[i] && after[i] != 0 ? 1 : 0;
    // Of each of the three levels above the lowest: two for each that fired, and sixteen.
    EXPECT_LE(moved, 3 * (2 * fired + 16)) << "at " << now - base;
    worst = std::max(worst, moved);
  }
  EXPECT_GE(entered, 148);
  EXPECT_GT(worst, 0U);
}

// The model: a map from (due, sequence of arming) to the timer. Every answer of the wheel is compared with it.
class WheelAgainstModel : public ::testing::TestWithParam<int> {};

TEST_P(WheelAgainstModel, agrees_on_every_answer_over_random_operations) {
  std::mt19937_64 random(static_cast<unsigned>(GetParam()));
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  std::int64_t now = below(2) == 0 ? 0 : below(static_cast<std::uint64_t>(10 * year));
  constexpr int count = 300;
  auto all = timers(count);
  TimerWheel wheel(Instant{now});
  using Key = std::pair<std::int64_t, std::uint64_t>;
  std::map<Key, int> model;
  std::vector<Key> key_of(count);
  std::uint64_t sequence = 0;

  // Odd seeds: spans from within one tick to decades. Even seeds: half a minute at most, so that buckets are crowded
  // and in no order. Due instants are often made equal on purpose.
  const bool crowded = GetParam() % 2 == 0;
  const auto span = [&] { return below(std::uint64_t{1} << (crowded ? 35 : 1 + below(60))); };
  const std::uint64_t stride = crowded ? 28 : 36;
  const auto arm_at = [&](int id, std::int64_t due) {
    Timer& timer = all[static_cast<std::size_t>(id)];
    if (timer.armed()) model.erase(key_of[static_cast<std::size_t>(id)]);
    wheel.arm(timer, Instant{due});
    key_of[static_cast<std::size_t>(id)] = {due, sequence++};
    model.emplace(key_of[static_cast<std::size_t>(id)], id);
  };
  const auto arm = [&](int id) {
    std::int64_t due = now + span();
    if (below(8) == 0) due = now - below(1000);
    if (below(4) == 0 && !model.empty()) due = model.begin()->first.first;
    arm_at(id, due);
  };
  const auto cancel = [&](int id) {
    const bool was = all[static_cast<std::size_t>(id)].armed();
    ASSERT_EQ(wheel.cancel(all[static_cast<std::size_t>(id)]), was);
    ASSERT_EQ(model.erase(key_of[static_cast<std::size_t>(id)]), was ? 1U : 0U);
  };

  std::size_t fired = 0;
  for (int step = 0; step < 400'000; ++step) {
    const std::int64_t dice = below(16);
    if (below(256) == 0) {
      // A crowd at the beginning of a unit of some level, more than move down at once.
      const std::int64_t unit = std::int64_t{1} << (15 + 6 * (1 + below(3)));
      const std::int64_t start = (now / unit + 1 + below(3)) * unit;
      for (int i = 0; i < 60; ++i)
        arm_at(static_cast<int>(below(count)), start + below(64) * (std::int64_t{1} << 15));
    } else if (dice < 8) {
      arm(static_cast<int>(below(count)));
    } else if (dice < 12) {
      cancel(static_cast<int>(below(count)));
    } else {
      // Time passes by a nanosecond to a minute, now and then by a year, or to (or just before) the first due.
      const std::int64_t first_due = model.empty() ? now : model.begin()->first.first;
      if (below(2) == 0 && first_due > now && first_due - now < year) {
        now = first_due - below(2);
      } else {
        now += below(5000) == 0 ? below(static_cast<std::uint64_t>(year))
                                : below(std::uint64_t{1} << (1 + below(stride)));
      }
      const std::uint64_t armed_before = sequence;
      wheel.expire(Instant{now}, [&](TimerNode& node) {
        const int id = static_cast<Timer&>(node).id;
        // The first of the model that was armed before this expiry began.
        auto first = model.begin();
        while (first != model.end() && first->first.second >= armed_before) ++first;
        ASSERT_NE(first, model.end());
        ASSERT_EQ(first->second, id);
        ASSERT_LE(first->first.first, now);
        model.erase(first);
        ++fired;
        if (below(4) == 0) arm(static_cast<int>(below(count)));
        if (below(4) == 0) cancel(static_cast<int>(below(count)));
        if (below(8) == 0) arm(id);
      });
      if (::testing::Test::HasFatalFailure()) return;
      for (const auto& [key, id] : model) {
        if (key.first > now) break;
        ASSERT_GE(key.second, armed_before) << "due, armed before this expiry, and not fired";
      }
    }
    if (::testing::Test::HasFatalFailure()) return;
    ASSERT_EQ(wheel.size(), model.size());
    const Instant expected = model.empty() ? Instant::never() : Instant{model.begin()->first.first};
    ASSERT_EQ(wheel.next_due(), expected) << "at step " << step;
  }
  EXPECT_GT(fired, 10'000U);  // the walk did not run dry
}

INSTANTIATE_TEST_SUITE_P(Seeds, WheelAgainstModel, ::testing::Range(1, 9));

}  // namespace
}  // namespace backstage
