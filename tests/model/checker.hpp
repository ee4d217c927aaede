// A model checker for code whose atomics are a parameter (promise W5): runs a tiny program of a few threads again and
// again, each time in another interleaving and, where C++ allows a load more than one value, with another value.
//
//     struct World {                                  // one fresh one for each schedule
//       Lane<Node, ModelAtomics> lane;
//       void pusher() { lane.push(&node); }           // a model thread
//       void owner() { ... model::require(ok, "what must hold"); }
//       void at_end() { ... }                         // when all threads have ended; sees everything
//     };
//     auto report = model::check<World>({.preemptions = 3}, {{"pusher", &World::pusher}, {"owner", &World::owner}});
//     EXPECT_TRUE(report.passed()) << report.failure;
//
// What it finds: a broken require(); a deadlock, which is what a lost wake-up comes to; a data race on a Plain<T>;
// the use of an atomic or Plain that was destroyed; endless runs.
// What it explores: by default all schedules, depth first (`complete` says that it got through); with `preemptions`
// all that take the processor from a thread no more often than that, with `old_reads` all in which no more loads than
// that read old values; with `random` as many random ones.
// Memory: `weak` follows C++20: a load may read any store that coherence, happens-before and the order S of seq_cst
// operations do not rule out. So a missing acquire, release or seq_cst shows. `sequential` always reads the newest.
// Limits: stores enter the modification order as they are executed and no load reads a later store (no load
// buffering); a read-modify-write, also one that fails, reads the newest; a thread reads old values of one location at
// most twice in a row. See docs/explanation/model-checking.md.
// Threads: everything runs on the calling thread, model threads are fibers; several checks in parallel are fine.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "backstage/base/time.hpp"

namespace backstage {
inline namespace v0 {
namespace model {

enum class Memory { sequential, weak };

struct Options {
  Memory memory = Memory::weak;
  std::optional<unsigned> preemptions = std::nullopt;  // none: no bound
  std::optional<unsigned> old_reads = std::nullopt;    // this many loads may read old values; none: no bound
  unsigned timeouts = 0;                               // this many timed waits may run out in one schedule
  unsigned spurious = 0;                               // this many waits may return for no reason
  std::uint64_t random = 0;                            // 0: depth first; else so many random schedules
  std::uint64_t seed = 1;
  unsigned max_steps = 400;                 // operations in one schedule
  std::uint64_t max_schedules = 3'000'000;  // depth first gives up after these
};

struct Report {
  std::uint64_t schedules = 0;
  bool complete = false;  // depth first: nothing (within the bounds) is left to explore; random: all were run
  std::string failure;    // empty: none; else what happened and the schedule that led there
  [[nodiscard]] bool passed() const { return failure.empty() && complete; }
  [[nodiscard]] std::string summary() const;
};

/// In a model thread or at the end: the schedule fails unless `holds`.
void require(bool holds, const char* what);
/// A line in the printed schedule.
void note(const std::string& text);

namespace engine {

struct Program {
  std::vector<std::string> names;
  std::function<void()> begin;              // makes a fresh world
  std::function<void(std::size_t)> thread;  // runs one thread's body, in its fiber
  std::function<void()> end;                // checks and destroys the world
};
Report run(const Options& options, const Program& program);

using Id = std::uint32_t;
enum class Op { exchange, add, sub, bit_or, bit_and, bit_xor };

Id add_atomic(std::uint64_t value);
void remove_atomic(Id id);
std::uint64_t load(Id id, std::memory_order order);
void store(Id id, std::uint64_t value, std::memory_order order);
std::uint64_t modify(Id id, Op op, std::uint64_t operand, std::uint64_t mask, std::memory_order order);
bool compare_exchange(Id id, std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                      std::memory_order failure);
bool wait(Id id, std::uint64_t expected, bool timed);
void wake(Id id, bool all);
void pause();

Id add_plain();
void remove_plain(Id id);
void read_plain(Id id);
void write_plain(Id id);

Id add_mutex();
void remove_mutex(Id id);
void lock(Id id);
void unlock(Id id);

}  // namespace engine

/// As std::atomic, of what fits into eight bytes.
template <class T>
class Atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  using Order = std::memory_order;

 public:
  using value_type = T;
  Atomic() : Atomic(T{}) {}
  Atomic(T value) : id_(engine::add_atomic(bits(value))) {}  // NOLINT: converts as std::atomic does
  ~Atomic() { engine::remove_atomic(id_); }
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(Order order = Order::seq_cst) const { return value(engine::load(id_, order)); }
  void store(T desired, Order order = Order::seq_cst) { engine::store(id_, bits(desired), order); }
  T exchange(T desired, Order order = Order::seq_cst) { return modify(engine::Op::exchange, bits(desired), order); }
  T fetch_add(T n, Order order = Order::seq_cst) { return modify(engine::Op::add, bits(n), order); }
  T fetch_sub(T n, Order order = Order::seq_cst) { return modify(engine::Op::sub, bits(n), order); }
  T fetch_or(T n, Order order = Order::seq_cst) { return modify(engine::Op::bit_or, bits(n), order); }
  T fetch_and(T n, Order order = Order::seq_cst) { return modify(engine::Op::bit_and, bits(n), order); }
  T fetch_xor(T n, Order order = Order::seq_cst) { return modify(engine::Op::bit_xor, bits(n), order); }

  bool compare_exchange_strong(T& expected, T desired, Order success, Order failure) {
    auto seen = bits(expected);
    const bool done = engine::compare_exchange(id_, seen, bits(desired), success, failure);
    if (!done) expected = value(seen);
    return done;
  }
  bool compare_exchange_strong(T& expected, T desired, Order order = Order::seq_cst) {
    const auto failure = order == Order::acq_rel ? Order::acquire : order == Order::release ? Order::relaxed : order;
    return compare_exchange_strong(expected, desired, order, failure);
  }
  // Never fails spuriously: a spurious failure only repeats the loop that every weak exchange stands in.
  bool compare_exchange_weak(T& expected, T desired, Order success, Order failure) {
    return compare_exchange_strong(expected, desired, success, failure);
  }
  bool compare_exchange_weak(T& expected, T desired, Order order = Order::seq_cst) {
    return compare_exchange_strong(expected, desired, order);
  }

  [[nodiscard]] engine::Id id() const { return id_; }

 private:
  static std::uint64_t bits(T from) {
    std::uint64_t to = 0;
    std::memcpy(&to, &from, sizeof from);
    return to;
  }
  static T value(std::uint64_t from) {
    T to;
    std::memcpy(&to, &from, sizeof to);
    return to;
  }
  T modify(engine::Op op, std::uint64_t operand, Order order) {
    constexpr std::uint64_t mask =
        sizeof(T) == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * sizeof(T) % 64)) - 1;
    return value(engine::modify(id_, op, operand, mask, order));
  }

  engine::Id id_;
};

/// Memory without atomics: reading or writing it checks that every other thread's access happens before or after.
template <class T>
class Plain {
 public:
  Plain() : Plain(T{}) {}
  Plain(T value) : value_(std::move(value)), id_(engine::add_plain()) {}  // NOLINT: stands for a bare T
  ~Plain() { engine::remove_plain(id_); }
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain& from) { return *this = static_cast<T>(from); }
  Plain& operator=(T value) {
    engine::write_plain(id_);
    value_ = std::move(value);
    return *this;
  }
  operator T() const {  // NOLINT: stands for a bare T
    engine::read_plain(id_);
    return value_;
  }
  T operator->() const { return *this; }

 private:
  T value_;
  engine::Id id_;
};

class Mutex {
 public:
  Mutex() : id_(engine::add_mutex()) {}
  ~Mutex() { engine::remove_mutex(id_); }
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  void lock() { engine::lock(id_); }
  void unlock() { engine::unlock(id_); }

 private:
  engine::Id id_;
};

template <class World>
struct Thread {
  const char* name;
  void (World::*body)();
};

/// Explores the program of these threads. World is made afresh for each schedule; its at_end() closes it.
template <class World>
Report check(const Options& options, const std::vector<Thread<World>>& threads) {
  std::unique_ptr<World> world;
  engine::Program program;
  for (const auto& thread : threads) program.names.emplace_back(thread.name);
  program.begin = [&] {
    world.reset();
    world = std::make_unique<World>();
  };
  program.thread = [&](std::size_t i) { ((*world).*(threads[i].body))(); };
  program.end = [&] {
    if constexpr (requires { world->at_end(); }) world->at_end();
  };
  return engine::run(options, program);
}

}  // namespace model

/// The twin of detail::StdAtomics (exec/detail/atomics.hpp).
struct ModelAtomics {
  template <class T>
  using Atomic = model::Atomic<T>;
  using Mutex = model::Mutex;
  static void pause() { model::engine::pause(); }
  static bool wait(Atomic<std::uint32_t>& word, std::uint32_t expected,
                   std::optional<Duration> timeout = std::nullopt) {
    return model::engine::wait(word.id(), expected, timeout.has_value());
  }
  static bool can_expedite() { return true; }
  template <class T>
  static void announce(Atomic<T>& word, std::type_identity_t<T> value, bool) {
    word.exchange(value);
  }
  static void expedite(bool) {}
  static void wake_one(Atomic<std::uint32_t>& word) { model::engine::wake(word.id(), false); }
  static void wake_all(Atomic<std::uint32_t>& word) { model::engine::wake(word.id(), true); }
};

}  // namespace v0
}  // namespace backstage
