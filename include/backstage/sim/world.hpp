// A simulated world: unchanged actors on one thread, under virtual time, with chance, order and faults drawn from a seed.
//
//     sim::World world(42);
//     auto account = world.spawn<Account>("account", 100);
//     world.inject(sim::Faults::all());
//     world.run_for(1h);                          // an hour of virtual time, with faults
//     world.heal();                               // no more of them ...
//     world.run_for(1min);                        // ... and everything must come right
//     EXPECT_TRUE(world.ask<Balance>(account).has_value());
//
// (1) Same seed, same run, to the last event (W3): hash() is a rolling hash of every decision, delivery, draw and tick.
// (2) The seed draws how order is made (Policy), who is next, how long a turn is; nobody who is ready waits for ever.
// (3) Chance reaches each actor, the scheduler and the faults as streams of their own, split from the seed by name: what
//     one draws does not shift another.
// (4) Timers are never early. Faults happen only between inject() and heal().
// What breaks (1) is what goes past the environment: real clocks, threads of one's own, iteration over hashed or pointer-
// keyed containers, addresses, uninitialised memory (docs/explanation/simulation.md).
//
// Lifetime: the actors live until end() or the World's end; what they refer to has to as well: see keep().
// Threads: one. Stability: settling (v0).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backstage/actor/runtime.hpp"
#include "backstage/base/log_sinks.hpp"
#include "backstage/base/random.hpp"
#include "backstage/sim/choices.hpp"
#include "backstage/sim/manual_clock.hpp"

namespace backstage {
inline namespace v0 {
namespace sim {

/// How the next actor is picked among those that are ready. Each finds mistakes that others miss.
enum class Policy : std::uint8_t {
  uniform,        ///< any
  priority,       ///< by a random order of importance that is changed a few times (probabilistic concurrency testing)
  delay_bounded,  ///< first come, first served, but a few times somebody is held up
  starve_one,     ///< somebody is passed over for as long as fairness allows; then it is another's lot
  round_robin,    ///< first come, first served
  newest_first,   ///< as a real worker does while its caches are warm, up to 16 times in a row
};
inline constexpr std::size_t policies = 6;
[[nodiscard]] std::string_view to_string(Policy policy) noexcept;

/// What may go wrong. Each `_every` is a mean: one in so many turns; 0 is never.
struct Faults {
  std::uint32_t fail_every =
      0;  ///< any actor fails, between two messages or at what it awaits, in handlers and hooks
  std::uint32_t kill_every = 0;  ///< any actor is killed
  std::uint32_t stop_every = 0;  ///< any actor is told to stop
  /// One in so many calls of maybe_fault strikes. The runtime's own are "actor.constructor", "actor.init",
  /// "actor.event_loop" and "actor.terminating": the hook fails before its first line.
  std::uint32_t point_every = 0;
  std::uint32_t late_every = 0;  ///< one in so many timers is late, with whatever is due meanwhile
  Duration late_up_to{0};
  std::uint32_t jump_every = 0;  ///< the calendar clock jumps, either way
  Duration jump_up_to{0};
  /// Any mailbox has room for a single message for the next 1 to 64 turns, whatever its bound. What the runtime itself
  /// sends still gets in (M3).
  std::uint32_t full_every = 0;
  /// One in so many allocations that an actor makes in its turn fails, by std::bad_alloc: messages, children, coroutines,
  /// timers.
  std::uint32_t memory_every = 0;
  /// The so-many-th of them from now on fails, whatever memory_every says; 0: none. For sweeps over all.
  std::uint64_t memory_at = 0;
  /// Each kind exists in this seed or not, by the toss of a coin: some mistakes need one fault and none of the others.
  bool swarm = true;
  /// Who may be hit, by path; empty: everybody but the root.
  std::function<bool(std::string_view path)> among{};

  /// Everything there is, not too often.
  [[nodiscard]] static Faults all();
};

struct WorldOptions {
  /// Not drawn, but this one.
  std::optional<Policy> policy{};
  /// Not drawn, but these; after their end all choices are 0. Chance in actors still comes from the seed.
  std::optional<Choices> replay{};
  /// More doors than clock, chance and order: called once with the environment, before the runtime starts.
  std::function<void(Environment&)> open_doors{};
  Level log_level = Level::error;
  /// Turns at one instant before run() calls it an endless exchange.
  std::size_t most_turns = 1'000'000;
  /// Lines of the diary that are kept.
  std::size_t diary_lines = 100;
};

class Director;  // who decides, and keeps the book

class World {
 public:
  explicit World(std::uint64_t seed, WorldOptions options = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // ---- what is in it
  [[nodiscard]] Runtime& runtime() noexcept { return *runtime_; }
  [[nodiscard]] const Environment& environment() const noexcept { return *environment_; }
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
  /// Something that actors may refer to: it outlives them all.
  template <class T, class... X>
  T& keep(X&&... arguments) {
    auto made = std::make_shared<T>(std::forward<X>(arguments)...);
    kept_.push_back(made);
    return *made;
  }
  /// Chance for the test itself; its own stream.
  [[nodiscard]] Random& random() noexcept { return random_; }

  // ---- time
  /// Runs whatever can run at this instant. Returns the turns it took. Throws std::runtime_error after most_turns.
  std::size_t run();
  /// Runs one turn of one actor, if any is ready.
  bool step();
  /// Lets `d` of virtual time pass, with all timers on the way.
  void run_for(Duration d);
  /// The instant of the next timer, or never.
  [[nodiscard]] Instant next_timer();
  /// Asks, and runs until the answer is there or the deadline has passed.
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
      run_for((next < deadline ? std::max(next, now()) : deadline) - now());
    }
  }
  /// Ends all actors, as Runtime::shutdown does, at this instant: what would take time is ended where it waits. Afterwards
  /// nothing happens here any more. The destructor does the same.
  void end();

  // ---- faults
  /// From now on these happen.
  void inject(Faults faults);
  /// No fault from now on: what is broken may recover.
  void heal();
  [[nodiscard]] std::uint64_t faults_injected() const noexcept;
  /// How often actors have asked for memory since the last inject(); counted while faults of memory are asked for.
  [[nodiscard]] std::uint64_t allocations() const noexcept;

  // ---- claims (the same as Environment's, for the test itself)
  void always(bool holds, std::string_view name);
  void sometimes(bool happens, std::string_view name);
  void unreachable(std::string_view name);
  /// What was claimed and did not hold, each once.
  [[nodiscard]] const std::vector<std::string>& broken() const noexcept;
  /// How often each `sometimes` was true (0: it was only asked).
  [[nodiscard]] const std::vector<std::pair<std::string, std::uint64_t>>& seen() const noexcept;

  // ---- what happened
  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
  /// "uniform", "priority (3 changes within 4096 turns)" ...
  [[nodiscard]] std::string policy() const;
  [[nodiscard]] std::uint64_t hash() const noexcept;
  /// Decisions, deliveries, draws and ticks so far.
  [[nodiscard]] std::uint64_t events() const noexcept;
  /// hash() after each 256 events: two runs differ first within the first block that differs.
  [[nodiscard]] const std::vector<std::uint64_t>& trail() const noexcept;
  [[nodiscard]] const Choices& choices() const noexcept;
  /// The last decisions in plain words, a line each.
  [[nodiscard]] std::string diary() const;

 private:
  const std::uint64_t seed_;
  const std::size_t most_turns_;
  Random random_;
  std::vector<std::shared_ptr<void>> kept_;
  std::shared_ptr<ManualClock> clock_;
  std::shared_ptr<MemorySink> log_;
  std::shared_ptr<Director> director_;
  std::shared_ptr<Environment> environment_;
  std::unique_ptr<Runtime> runtime_;
  bool ended_ = false;
};

}  // namespace sim
}  // namespace v0
}  // namespace backstage
