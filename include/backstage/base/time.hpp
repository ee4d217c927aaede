// Durations and instants. All durations are nanoseconds; an Instant is a point of the environment's monotonic
// clock (real or virtual), a WallTime one of its calendar clock. Neither is ever read from the system directly:
// ask the environment (exec/environment.hpp).
// Stability: settling (v0).
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace backstage {
inline namespace v0 {

using Duration = std::chrono::nanoseconds;

/// A point of the monotonic clock, in nanoseconds since that clock's own start.
struct Instant {
  std::int64_t ns = 0;

  static constexpr Instant never() { return Instant{INT64_MAX}; }
  friend constexpr auto operator<=>(Instant, Instant) = default;
  /// Saturates: an instant after `never` is `never`.
  friend constexpr Instant operator+(Instant at, Duration d) {
    if (at.ns == INT64_MAX || (d.count() > 0 && at.ns > INT64_MAX - d.count())) return never();
    return Instant{at.ns + d.count()};
  }
  friend constexpr Duration operator-(Instant a, Instant b) { return Duration(a.ns - b.ns); }
};

/// A point of the calendar clock (UTC), in nanoseconds since 1970-01-01.
struct WallTime {
  std::int64_t ns = 0;

  friend constexpr auto operator<=>(WallTime, WallTime) = default;
  friend constexpr WallTime operator+(WallTime at, Duration d) { return WallTime{at.ns + d.count()}; }
};

/// "500ms", "1.5s", "2min", "17us": at most three significant digits, for people.
[[nodiscard]] std::string to_string(Duration d);
/// "2026-11-22T21:30:29.123456Z" (RFC 3339, microseconds).
[[nodiscard]] std::string to_string(WallTime at);

}  // namespace v0
}  // namespace backstage
