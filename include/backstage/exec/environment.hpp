// The environment: the only way by which time, chance, scheduling, files, network and signals reach code.
//
// A Runtime is built on one Environment, real or simulated, and hands it to whoever asks (Context::environment()).
// Clock and Chance are always there. Everything else is a *door*: an interface that a higher floor declares
// (net::Network, files::Files, ...) and registers here under its type, so that this file needs to know none of them:
//
//     environment.open<net::Network>(std::make_shared<net::AsioNetwork>());
//     auto& network = environment.door<net::Network>();
//
// Threads: doors are opened before the Runtime starts; afterwards everything here may be read from any thread.
// Stability: settling (v0).
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <typeindex>
#include <typeinfo>
#include <unordered_map>
#include <utility>

#include "backstage/base/result.hpp"
#include "backstage/base/time.hpp"
#include "backstage/exec/rehearsal.hpp"

namespace backstage {
inline namespace v0 {

/// Monotonic and calendar time. Any thread.
class Clock {
 public:
  /// The last reading of a thread, and what the processor's own count said then.
  struct Reading {
    Instant at{};
    std::uint64_t ticks = 0;
    std::uint64_t pace = 0;        // nanoseconds for 2^32 ticks
    std::uint64_t good_until = 0;  // ticks after it; 0: nothing is reckoned from it
  };
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const noexcept = 0;
  [[nodiscard]] virtual WallTime wall() const noexcept = 0;
  /// Now, give or take recent_error: where a deadline is set with each message, reading the clock would cost as much as the
  /// message. `last` is the calling thread's own.
  virtual Instant recent(Reading& last) const noexcept { return last.at = now(); }
  /// The same, reckoned here where a clock has left a pace to reckon with.
  [[nodiscard]] Instant recently(Reading& last) const noexcept {
    // A count that went back makes this a huge number. (Whole numbers: a product of fractions would take as long as the count itself.)
    const std::uint64_t passed = ticks() - last.ticks;
    if (passed < last.good_until) [[likely]]
      return last.at + Duration(static_cast<std::int64_t>((passed * last.pace) >> 32U));
    return recent(last);
  }
  static constexpr Duration recent_error = std::chrono::microseconds(1);

 protected:
  static constexpr double stretch = 100'000;  // nanoseconds from a reading within which may be reckoned
  static_assert(stretch / 0.1 < 0x1p32, "of a count that has a tick each tenth of a nanosecond: the product fits");
  /// The processor's own count; 0 where there is none that is known to be cheap and fine: then nothing is ever reckoned.
  static std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
  }
};

/// Random bits. Any thread. The real one is seeded from the system, a simulated one from its seed.
class Chance {
 public:
  virtual ~Chance() = default;
  [[nodiscard]] virtual std::uint64_t next() noexcept = 0;
};

class Environment {
 public:
  Environment(std::shared_ptr<Clock> clock, std::shared_ptr<Chance> chance)
      : clock_(std::move(clock)), chance_(std::move(chance)) {}

  [[nodiscard]] const Clock& clock() const noexcept { return *clock_; }
  [[nodiscard]] Chance& chance() const noexcept { return *chance_; }

  /// Opens (or replaces) the door of type Door. Before the Runtime starts.
  template <class Door>
  void open(std::shared_ptr<Door> door) {
    if constexpr (std::is_same_v<Door, Rehearsal>) rehearsal_ = door.get();
    doors_[typeid(Door)] = std::move(door);
  }
  template <class Door>
  [[nodiscard]] bool has() const {
    return doors_.contains(typeid(Door));
  }
  /// The door of type Door. Throws Need (Errc::not_found, naming the type) when nobody opened it.
  template <class Door>
  [[nodiscard]] Door& door() const {
    const auto found = doors_.find(typeid(Door));
    if (found == doors_.end()) throw_no_door(typeid(Door).name());
    return *static_cast<Door*>(found->second.get());
  }

  // ---- for code that wants to be tried hard: no-ops outside a simulated world (rehearsal.hpp)
  /// Whether the fault of that name shall happen here and now: `if (environment.maybe_fault("store.append")) ...`.
  /// Never outside a simulated world.
  [[nodiscard]] bool maybe_fault(std::string_view point) const noexcept {
    return rehearsal_ != nullptr && rehearsal_->strikes(point);
  }
  void always(bool holds, std::string_view name) const noexcept {
    if (rehearsal_ != nullptr) rehearsal_->always(holds, name);
  }
  void sometimes(bool happens, std::string_view name) const noexcept {
    if (rehearsal_ != nullptr) rehearsal_->sometimes(happens, name);
  }
  void unreachable(std::string_view name) const noexcept {
    if (rehearsal_ != nullptr) rehearsal_->unreachable(name);
  }

 private:
  [[noreturn]] static void throw_no_door(const char* type);

  std::shared_ptr<Clock> clock_;
  std::shared_ptr<Chance> chance_;
  std::unordered_map<std::type_index, std::shared_ptr<void>> doors_;
  Rehearsal* rehearsal_ = nullptr;  // the door of that type: asked for often
};

/// The real world's clock and chance; no door is open yet but the runtime's own (FreshPages).
[[nodiscard]] std::shared_ptr<Environment> real_environment();

}  // namespace v0
}  // namespace backstage
