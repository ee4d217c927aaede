// The accounting of messages (promise M6): sent = handled + dead + dropped + in flight, exactly, whenever the runtime
// rests. Each worker counts for itself; whoever reads adds them up.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace backstage {
inline namespace v0 {

/// Why a message was not handled.
enum class Undelivered : std::uint8_t {
  gone,         ///< dead letter: its actor had ended, or never was
  stopping,     ///< dead letter: its actor was being stopped
  full,         ///< dead letter: refused by a full mailbox
  expired,      ///< dead letter: a request whose deadline had passed
  ended,        ///< dead letter: queued when its actor ended for good
  drop_newest,  ///< dropped by the mailbox's policy
  drop_oldest,  ///< dropped by the mailbox's policy
  restarted,    ///< dead letter: queued when its actor was restarted under OnRestart::drop
  cancelled,    ///< dropped: news of a monitor or status watch that was cancelled, or whose incarnation had ended
};
inline constexpr std::size_t undelivered_kinds = 9;

[[nodiscard]] constexpr std::string_view to_string(Undelivered why) noexcept {
  constexpr std::array<std::string_view, undelivered_kinds> names{
      "gone", "stopping", "full", "expired", "ended", "drop_newest", "drop_oldest", "restarted", "cancelled"};
  return names[static_cast<std::size_t>(why)];
}

/// The sums, as read.
struct MessageCounts {
  std::uint64_t sent = 0;
  std::uint64_t handled = 0;
  std::array<std::uint64_t, undelivered_kinds> undelivered{};

  [[nodiscard]] std::uint64_t count(Undelivered why) const { return undelivered[static_cast<std::size_t>(why)]; }
  [[nodiscard]] std::uint64_t dead_letters() const {
    return count(Undelivered::gone) + count(Undelivered::stopping) + count(Undelivered::full) +
           count(Undelivered::expired) + count(Undelivered::ended) + count(Undelivered::restarted);
  }
  [[nodiscard]] std::uint64_t dropped() const {
    return count(Undelivered::drop_newest) + count(Undelivered::drop_oldest) + count(Undelivered::cancelled);
  }
  [[nodiscard]] std::uint64_t in_flight() const { return sent - handled - dead_letters() - dropped(); }
};

namespace detail {

/// One writer (a worker) or, for threads outside, many under `fetch_add`.
struct MessageCounters {
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> handled{0};
  std::array<std::atomic<std::uint64_t>, undelivered_kinds> undelivered{};

  /// By the one writer. relaxed, and no read-modify-write: nobody else writes; readers want sums, not order.
  static void bump(std::atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  /// By the same: what it counted has not happened.
  static void take_back(std::atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  }
  void add_to(MessageCounts& sum) const noexcept {
    sum.sent += sent.load(std::memory_order_relaxed);
    sum.handled += handled.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < undelivered_kinds; ++i) {
      sum.undelivered[i] += undelivered[i].load(std::memory_order_relaxed);
    }
  }
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
