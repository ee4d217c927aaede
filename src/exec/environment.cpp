#include "backstage/exec/environment.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string>

#include <cxxabi.h>
#include <sys/random.h>

#include "backstage/exec/fresh_pages.hpp"

namespace backstage {
inline namespace v0 {
namespace {

class SystemClock final : public Clock {
 public:
  Instant now() const noexcept override {
    return Instant{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()).count()};
  }
  WallTime wall() const noexcept override {
    return WallTime{
        std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()).count()};
  }
  /// Reckoned from the processor's own count for as long as that is no longer than `stretch` from the last reading. What is
  /// reckoned is compared with each new reading: when it was wrong by more than it may be (the count jumped, another
  /// processor's differs, its pace changed), nothing is reckoned until the pace has been measured anew.
  Instant recent(Reading& last) const noexcept override {
    const std::uint64_t present = ticks();
    // relaxed, all: one number, and nothing else is read through it.
    const double pace = nanoseconds_a_tick_.load(std::memory_order_relaxed);
    // A count that went back makes this a huge number.
    const double passed = static_cast<double>(present - last.ticks) * pace;
    if (pace > 0 && last.ticks != 0 && passed < stretch) {
      last.pace = static_cast<std::uint64_t>(pace * 0x1p32);
      last.good_until = static_cast<std::uint64_t>(stretch / pace);
      return last.at + Duration(static_cast<std::int64_t>(passed));
    }
    Reading read{.at = now(), .ticks = present};
    // A thread may be put off its processor between the two halves: nothing is reckoned from such a reading, and an older
    // one stays what the next is compared with.
    if (ticks() - present > most_apart) return read.at;
    if (last.ticks != 0) {
      if (pace > 0) {
        compare(last, read, pace);
      } else if (read.at - last.at < measured_over) {
        last.good_until = 0;
        return read.at;  // the older one stays until the two are far enough apart
      } else {
        measure(last, read);
      }
    }
    // Reckoned from by the pace that holds when this is called the next time; what is read then is compared with it.
    last = read;
    return read.at;
  }

 private:
  static constexpr std::uint64_t most_apart = 1'500;                       // ticks: half a microsecond, more or less
  static constexpr Duration measured_over = std::chrono::milliseconds(5);  // then the pace is right to 10^-4
  static constexpr Duration compared_over =
      std::chrono::milliseconds(1);  // at most: longer ones say less of a stretch

  [[nodiscard]] static double counted(const Reading& from, const Reading& to) noexcept {
    return static_cast<double>(static_cast<std::int64_t>(to.ticks - from.ticks));
  }
  void compare(const Reading& from, const Reading& to, double pace) const noexcept {
    if (to.at - from.at > compared_over) return;
    const double wrong = counted(from, to) * pace - static_cast<double>((to.at - from.at).count());
    constexpr auto allowed = static_cast<double>(recent_error.count());
    if (wrong > allowed || wrong < -allowed) nanoseconds_a_tick_.store(0, std::memory_order_relaxed);
  }
  void measure(const Reading& from, const Reading& to) const noexcept {
    const double ticks_passed = counted(from, to);
    const double pace = ticks_passed > 0 ? static_cast<double>((to.at - from.at).count()) / ticks_passed : 0;
    // Of a processor, and fine enough for `most_apart` to mean what it says.
    if (pace > 0.1 && pace < 1) nanoseconds_a_tick_.store(pace, std::memory_order_relaxed);
  }

  mutable std::atomic<double> nanoseconds_a_tick_{0};  // 0: not known
};

/// SplitMix64 over an atomic counter (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014):
/// any thread may draw without a lock, and no two draws share a state.
class SystemChance final : public Chance {
 public:
  SystemChance() {
    std::uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) {
      seed = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
    }
    state_.store(seed, std::memory_order_relaxed);
  }
  std::uint64_t next() noexcept override {
    // relaxed: only the number itself matters, nothing is published through it.
    std::uint64_t z = state_.fetch_add(0x9e3779b97f4a7c15U, std::memory_order_relaxed) + 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }

 private:
  std::atomic<std::uint64_t> state_{0};
};

}  // namespace

void Environment::throw_no_door(const char* type) {
  int status = 0;
  char* readable = abi::__cxa_demangle(type, nullptr, nullptr, &status);
  const std::string name = status == 0 && readable != nullptr ? readable : type;
  std::free(readable);  // NOLINT(cppcoreguidelines-no-malloc): __cxa_demangle allocates with malloc
  throw Need::fail(Error(Errc::not_found, "the environment has no door '" + name + "': call environment.open<" +
                                              name + ">(...) before the Runtime is built"));
}

std::shared_ptr<Environment> real_environment() {
  // One for the process: how fast its processor counts, and what fresh memory costs, is measured once. Never destroyed: who ends late may still ask.
  static const auto& clock = *new auto(std::make_shared<SystemClock>());
  static const auto& pages = *new auto(std::make_shared<FreshPages>(*clock));
  auto environment = std::make_shared<Environment>(clock, std::make_shared<SystemChance>());
  environment->open<FreshPages>(pages);
  return environment;
}

}  // namespace v0
}  // namespace backstage
