// Time that moves only when told to: the clock of test kits and simulated worlds. It starts at 1 s (monotonic) and at
// 2026-01-01T00:00:00Z (calendar).
// Threads: one sets it, any may read it. Stability: settling (v0).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "backstage/exec/environment.hpp"

namespace backstage {
inline namespace v0 {
namespace sim {

/// A clock that moves only when told to. Any thread may read it.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const noexcept override { return Instant{now_.load(std::memory_order_relaxed)}; }
  [[nodiscard]] WallTime wall() const noexcept override {
    return WallTime{now_.load(std::memory_order_relaxed) + wall_offset_.load(std::memory_order_relaxed)};
  }
  void set(Instant at) noexcept { now_.store(at.ns, std::memory_order_relaxed); }
  /// Makes the calendar clock jump; the monotonic one does not notice.
  void jump_wall(Duration by) noexcept { wall_offset_.fetch_add(by.count(), std::memory_order_relaxed); }

 private:
  // relaxed throughout: a single thread moves it, others want just the number.
  std::atomic<std::int64_t> now_{1'000'000'000};
  std::atomic<std::int64_t> wall_offset_{1'767'225'600'000'000'000 - 1'000'000'000};
};

}  // namespace sim
}  // namespace v0
}  // namespace backstage
