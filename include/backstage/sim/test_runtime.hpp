// The test kit: a Runtime on the test's own thread, under virtual time, stepped by the test.
//
//     sim::TestRuntime world;
//     auto account = world.runtime().spawn<Account>("account", 100);
//     account.send(Deposit{50});
//     world.run();                      // until nothing is left to do at this instant
//     world.advance(5s);                // runs timers and what follows from them, each at its own instant
//     EXPECT_EQ(world.ask<Balance>(account).value(), 150);
//
// No thread, no sleep, no wall clock: the same test does the same every time. The clock starts at 1 s (monotonic) and
// at 2026-01-01T00:00:00Z (calendar) and moves only in advance(). Chance is drawn from the seed.
// Threads: one. Stability: settling (v0).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "backstage/actor/runtime.hpp"
#include "backstage/base/log_sinks.hpp"
#include "backstage/base/random.hpp"
#include "backstage/exec/environment.hpp"
#include "backstage/sim/manual_clock.hpp"

namespace backstage {
inline namespace v0 {
namespace sim {

class SeededChance final : public Chance {
 public:
  explicit SeededChance(std::uint64_t seed) noexcept : random_(seed) {}
  std::uint64_t next() noexcept override { return random_.next(); }

 private:
  Random random_;
};

struct TestOptions {
  std::uint64_t seed = 1;
  /// More doors than clock and chance: called once with the environment, before the runtime starts.
  void (*open_doors)(Environment&) = nullptr;
  Level log_level = Level::debug;
};

class TestRuntime {
 public:
  explicit TestRuntime(TestOptions options = {});
  ~TestRuntime();
  TestRuntime(const TestRuntime&) = delete;
  TestRuntime& operator=(const TestRuntime&) = delete;

  [[nodiscard]] Runtime& runtime() noexcept { return *runtime_; }
  [[nodiscard]] Instant now() const noexcept { return clock_->now(); }
  [[nodiscard]] ManualClock& clock() noexcept { return *clock_; }
  [[nodiscard]] MemorySink& log() noexcept { return *log_; }

  template <class A, class... X>
  Ref<A> spawn(std::string_view name, X&&... arguments) {
    return runtime_->spawn<A>(name, std::forward<X>(arguments)...);
  }
  template <class A>
  Ref<A> spawn(Child<A> spec) {
    return runtime_->spawn(std::move(spec));
  }

  /// Runs whatever can run now. Returns how many turns that took. Fails the process after `most` turns: an endless
  /// exchange of messages at one instant would hang the test.
  std::size_t run(std::size_t most = 10'000'000);
  /// Runs one turn of one actor, if there is one.
  bool step();
  /// Runs, then moves the clock by `d`, stopping at each timer on the way.
  void advance(Duration d);
  /// The instant of the next timer, or never.
  [[nodiscard]] Instant next_timer();

  /// Asks and runs until the answer is there or virtual time has passed the deadline.
  template <class M, class A, class... X>
  Result<reply_t<A, M>> ask(const Ref<A>& actor, X&&... parts) {
    return ask_within<M>(std::chrono::seconds(10), actor, std::forward<X>(parts)...);
  }
  template <class M, class A, class... X>
  Result<reply_t<A, M>> ask_within(Duration within, const Ref<A>& actor, X&&... parts) {
    auto pending = runtime_->template ask<M>(actor, std::forward<X>(parts)...).polled_within(within);
    const Instant deadline = now() + within;
    run();
    for (;;) {
      if (auto answer = pending.poll()) return std::move(*answer);
      const Instant next = next_timer();
      advance(next < deadline ? next - now() : deadline - now());
    }
  }

 private:
  std::shared_ptr<ManualClock> clock_;
  std::shared_ptr<MemorySink> log_;
  std::unique_ptr<Runtime> runtime_;
};

}  // namespace sim
}  // namespace v0
}  // namespace backstage
