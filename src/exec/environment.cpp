#include "backstage/exec/environment.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string>

#include <cxxabi.h>
#include <sys/random.h>

namespace backstage {
inline namespace v0 {
namespace {

class SystemClock final : public Clock {
 public:
  SystemClock() noexcept : began_{now(), ticks()} {}

  Instant now() const noexcept override {
    return Instant{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()).count()};
  }
  WallTime wall() const noexcept override {
    return WallTime{
        std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()).count()};
  }
  /// The processor's own count says whether a reading is recent. Should it jump (another processor, a machine that was
  /// moved), a reading is taken for old: a difference below zero is a large one.
  Instant recent(Reading& last) const noexcept override {
    const std::uint64_t present = ticks();
    // relaxed: the pace alone.
    if (present - last.ticks < recent_ticks_.load(std::memory_order_relaxed)) return last.at;
    last = {now(), present};
    measure(last);
    return last.at;
  }

 private:
  /// 0 where there is none that is cheap: then no reading is ever recent.
  static std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    std::uint64_t count = 0;
    asm volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
#else
    return 0;
#endif
  }
  /// Its pace, from the first ten milliseconds on.
  void measure(const Reading& present) const noexcept {
    const Duration passed = present.at - began_.at;
    if (recent_ticks_.load(std::memory_order_relaxed) != 0 || passed < std::chrono::milliseconds(10)) return;
    const double pace =
        static_cast<double>(present.ticks - began_.ticks) / static_cast<double>(passed.count());
    recent_ticks_.store(static_cast<std::uint64_t>(pace * static_cast<double>(recent_enough.count())),
                        std::memory_order_relaxed);
  }

  const Reading began_;
  mutable std::atomic<std::uint64_t> recent_ticks_{0};
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
  return std::make_shared<Environment>(std::make_shared<SystemClock>(), std::make_shared<SystemChance>());
}

}  // namespace v0
}  // namespace backstage
