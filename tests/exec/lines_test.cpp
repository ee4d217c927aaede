// F1: turns that one worker runs in a row, each from where the last one left its successor, are bounded as one. Exact counts: the
// worker's thread is never begun, run_leftovers() does what it would do; the clock moves only when it is read.
#include <cstdint>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "backstage/exec/scheduler.hpp"

namespace {

using namespace backstage;
using detail::Runnable;
using detail::Scheduler;
using detail::Worker;

class SteppingClock final : public Clock {
 public:
  explicit SteppingClock(std::int64_t step) : step_(step) {}
  [[nodiscard]] Instant now() const noexcept override { return Instant{at_ += step_}; }
  [[nodiscard]] WallTime wall() const noexcept override { return WallTime{0}; }

 private:
  const std::int64_t step_;  // nanoseconds, from one reading to the next
  mutable std::int64_t at_ = 1'000;
};
class NoChance final : public Chance {
 public:
  std::uint64_t next() noexcept override { return 0; }
};

enum Who { starter, left, right, waiting };
struct World;
struct Job : Runnable {
  World* world = nullptr;
  Who who = starter;
};
struct Turn {
  Who who;
  int messages;
};
bool operator==(const Turn& a, const Turn& b) { return a.who == b.who && a.messages == b.messages; }
void PrintTo(const Turn& turn, std::ostream* out) { *out << turn.who << " handled " << turn.messages; }
using Line = std::vector<Turn>;

/// Two that schedule each other after each turn, and one that waits in the queue.
struct World {
  explicit World(std::int64_t step)
      : environment{std::make_shared<SteppingClock>(step), std::make_shared<NoChance>()} {
    for (const Who who : {starter, left, right, waiting}) {
      jobs[who].world = this;
      jobs[who].who = who;
    }
  }
  /// As the run loop: a turn, and then whoever stands in line.
  static void run(Runnable& first, Worker& worker) {
    World& world = *static_cast<Job&>(first).world;
    world.lines.emplace_back();
    for (Runnable* next = &first; next != nullptr; next = worker.next_in_line()) {
      world.turn(static_cast<Job&>(*next), worker);
    }
  }
  void turn(Job& job, Worker& worker) {
    if (job.who == starter) {
      worker.give_way(jobs[waiting]);
      return worker.push(&jobs[left]);
    }
    const Worker::Counts before = worker.counts();
    Turn done{job.who, 0};
    bool must_end = false;
    while (done.messages < messages && !must_end) {
      ++done.messages;
      must_end = worker.after_message();
    }
    lines.back().push_back(done);
    if (job.who == waiting || ++turns > 100) return;
    if (done.messages == 0) worker.after_long_turn(before);
    worker.push(&jobs[job.who == left ? right : left]);
    if (must_end) worker.give_way(job);  // it is run again, a turn of the other's between
  }
  /// Each has so many messages in a turn. The lines behind the starter's.
  std::vector<Line> play(int each) {
    messages = each;
    scheduler.schedule(jobs[starter]);
    scheduler.run_leftovers();
    lines.erase(lines.begin());
    return lines;
  }

  Environment environment;
  SlabPool pool;
  Scheduler scheduler{environment, pool, detail::SchedulerOptions{.threads = 1}, &run};
  std::vector<Job> jobs = std::vector<Job>(4);
  std::vector<Line> lines;
  int messages = 0;
  int turns = 0;
};

TEST(F1, a_line_has_64_turns_of_one_message_and_then_the_queue_has_one) {
  const auto lines = World(0).play(1);
  ASSERT_GE(lines.size(), 2U);
  Line all;
  for (int i = 0; i < 64; ++i) all.push_back({i % 2 == 0 ? left : right, 1});
  EXPECT_EQ(lines[0], all);
  EXPECT_EQ(lines[1].front(), (Turn{waiting, 1}));
}

TEST(F1, a_line_has_64_messages_however_many_turns_handle_them) {
  const auto lines = World(0).play(10);
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines[0], (Line{{left, 10}, {right, 10}, {left, 10}, {right, 10}, {left, 10}, {right, 10}, {left, 4}}));
}

TEST(F1, a_line_has_its_100_microseconds_however_many_turns_take_them) {
  // Each reading is 60 us later than the last: after the first message of the line, and after its second.
  const auto lines = World(60'000).play(1);
  ASSERT_GE(lines.size(), 4U);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_LE(lines[i].size(), 2U) << "line " << i;
}

TEST(F1, turns_without_messages_are_counted_and_end_too) {
  const auto lines = World(0).play(0);
  ASSERT_GE(lines.size(), 2U);
  EXPECT_EQ(lines[0].size(), 64U);
  EXPECT_EQ(lines[1].front().who, waiting);
}

}  // namespace
