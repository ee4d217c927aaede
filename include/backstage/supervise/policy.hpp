// How a child is supervised: plain data and pure functions on it (promise L6). All defaults stand here.
//
// Stability: settling (v0).
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "backstage/base/time.hpp"
#include "backstage/mailbox/mailbox.hpp"

namespace backstage {
inline namespace v0 {

enum class Restart : std::uint8_t {
  always,      ///< also after a normal end
  on_failure,  ///< after a failure only
  never,
  ask,  ///< its supervisor's `Verdict handle(Eol<Child>, Context&)` says
};

/// Whom a supervisor restarts when one child is to be restarted. Those who go with it are stopped first, in the reverse
/// order of their start; then all are started again in that order, each when the one before it runs. Children under
/// Restart::never are stopped with the others, and are gone.
enum class Strategy : std::uint8_t {
  one_for_one,   ///< that child only
  one_for_all,   ///< all children
  rest_for_one,  ///< that child and those started after it
};

/// Whether a child's own end, for good, ends its supervisor in order: for units of work.
enum class Significant : std::uint8_t {
  no,
  any,  ///< its end
  all,  ///< the end of the last child that is significant so
};

/// What becomes of the messages that are queued when an actor is restarted after a failure.
enum class OnRestart : std::uint8_t {
  keep,  ///< the next incarnation handles them
  drop,  ///< they become dead letters
};

/// What happens to queued messages when the actor is stopped.
enum class OnStop : std::uint8_t {
  drain,  ///< they are handled first
  drop,   ///< they become dead letters
};
inline constexpr OnStop drain = OnStop::drain;
inline constexpr OnStop drop = OnStop::drop;

/// The window of at_most: `at_most(5, per(1min))`.
struct Per {
  Duration window;
};
template <class Rep, class Period>
constexpr Per per(std::chrono::duration<Rep, Period> window) {
  return Per{window};
}

/// A restart limit: `restarts` may lie in (t - window, t]; the next failure fails the supervisor.
struct Intensity {
  std::uint32_t restarts = 5;
  Duration window = std::chrono::minutes(1);

  static constexpr Intensity unlimited() {
    return {std::numeric_limits<std::uint32_t>::max(), std::chrono::minutes(1)};
  }
};
inline constexpr Intensity unlimited = Intensity::unlimited();

/// The wait before a restart: doubling from `first` to `most`, each spread by +-20 %.
struct Backoff {
  Duration first = std::chrono::milliseconds(50);
  Duration most = std::chrono::seconds(30);

  /// The wait before the n-th restart in a row (n from 0). `chance` spreads it: 64 random bits.
  [[nodiscard]] constexpr Duration wait(std::uint32_t n, std::uint64_t chance) const {
    const std::int64_t cap = std::max<std::int64_t>(most.count(), 0);
    std::int64_t base = std::clamp<std::int64_t>(first.count(), 0, cap);
    for (std::uint32_t i = 0; i < n && base < cap; ++i) base = base > cap / 2 ? cap : base * 2;
    // 80 % to 120 %, in steps of a 1/65536th.
    const auto spread = static_cast<std::int64_t>(chance >> 48U);
    return Duration(base / 10 * 8 + static_cast<std::int64_t>(static_cast<double>(base) * 0.4 *
                                                              (static_cast<double>(spread) / 65536.0)));
  }
};

/// The policy of one child. docs/reference/defaults.md is made from this struct.
struct ChildPolicy {
  Restart restart = Restart::on_failure;
  /// A restart goes on with the object as the failure left it: init runs again, the constructor does not.
  bool with_state = false;
  /// Its arguments can be moved only: it has one life.
  bool once = false;
  Backoff backoff{};
  Intensity intensity{};
  Duration start_within = std::chrono::seconds(30);
  Duration stop_within = std::chrono::seconds(5);
  Duration grace = std::chrono::seconds(1);
  /// Under Restart::ask: how long its supervisor may take over a Verdict; then the supervisor fails.
  Duration verdict_within = std::chrono::seconds(30);
  OnStop on_stop = OnStop::drain;
  Mailbox mailbox{};
  std::uint32_t interleaved = 64;
  Duration start_after{0};  ///< before the first start; messages wait meanwhile
  Duration live_for{0};     ///< of each incarnation, from its init on; 0: for ever
  Significant significant = Significant::no;
  OnRestart on_restart = OnRestart::keep;
  /// How often a message, sent and copyable, is handled again after it made its actor fail.
  std::uint32_t retry_failed = 0;
  /// A message that fails for the last time is set aside by name, and that failure is not charged to the limits.
  bool quarantine = false;
  std::uint8_t scheduling_group = 0;  ///< room kept: inherited at spawn
};
/// For Runtime::shutdown and the launcher.
inline constexpr Duration default_shutdown_within = std::chrono::seconds(10);

/// The restarts of one child, as far as its intensity needs to remember them: at most `intensity.restarts` instants.
class RestartHistory {
 public:
  /// A failure at `now`: may the child be restarted? If so it is counted.
  [[nodiscard]] bool admit(const Intensity& intensity, Instant now) {
    if (intensity.restarts == std::numeric_limits<std::uint32_t>::max()) {
      ++in_a_row_;
      return true;
    }
    // (t - w, t]: a restart exactly one window ago no longer counts.
    while (first_ < at_.size() && at_[first_] + intensity.window <= now) ++first_;
    if (in_window() >= intensity.restarts) return false;
    // In place of those that count no more, once they are half of it: it grows to twice what counts at most.
    if (first_ != 0 && first_ * 2 >= at_.size()) {
      at_.erase(at_.begin(), at_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
    at_.push_back(now);
    ++in_a_row_;
    return true;
  }
  /// How many restarts in a row came before this one (for the back-off), after the last admit().
  [[nodiscard]] std::uint32_t in_a_row() const { return in_a_row_ == 0 ? 0 : in_a_row_ - 1; }
  /// The child has lived for `lived`: long enough resets the back-off.
  void lived(Duration lived, const Intensity& intensity, const Backoff& backoff) {
    if (lived >= std::max(intensity.window, backoff.most)) in_a_row_ = 0;
  }
  [[nodiscard]] std::size_t in_window() const { return at_.size() - first_; }

 private:
  std::vector<Instant> at_;  // no memory until the first failure: nearly nobody has one
  std::size_t first_ = 0;    // those before it count no more
  std::uint32_t in_a_row_ = 0;
};

}  // namespace v0
}  // namespace backstage
