// How memory that was never touched is had from the system at the least cost: in large pages, or in small ones.
//
// The first touch of a large page takes 0.12 to 0.25 ms where its memory is at hand, and then nothing is cheaper. On a virtual machine
// whose host gives memory piece by piece, the same large page may take 4 to 6 ms, while small pages, which come from what
// was in use before, take 0.6 to 1 ms for as much; on another it is the other way round. So it is measured: what either
// took of late is known, and the cheaper one is taken.
//
// One for the process: real_environment() opens it as a door; where nobody did, pages are large, and nothing is measured.
// Threads: any. Errors: none; where the system does not take advice, memory comes as it comes. Stability: internal.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "backstage/base/time.hpp"

namespace backstage {
inline namespace v0 {

class Clock;

namespace detail {

/// What as much memory as one large page has cost of late, of either kind, and which to take next.
///
/// A large page that took longer than small ones would have is followed by small ones, 8 MiB of them; then a large one is tried again, and
/// each time that it is slow the next wait is four times as long, up to 512 MiB. Where small ones are slower still, large ones are taken at once.
/// relaxed, all: numbers that stand for themselves. Of two threads that note at once one may be lost: the next one tells.
class PageCosts {
 public:
  [[nodiscard]] bool prefers_large() const noexcept { return wait_.load(std::memory_order_relaxed) <= 0; }

  /// One large page.
  void note_large(Duration took) noexcept {
    const std::int64_t cost = std::min(took, most).count();
    large_.store(cost, std::memory_order_relaxed);
    if (cost <= small_.load(std::memory_order_relaxed)) {
      patience_.store(least_patience, std::memory_order_relaxed);
    } else {
      const std::int64_t patience = patience_.load(std::memory_order_relaxed);
      wait_.store(patience, std::memory_order_relaxed);
      patience_.store(std::min(4 * patience, most_patience), std::memory_order_relaxed);
    }
    // What was not tried for long comes near to what it usually is, and so is tried again.
    approach(small_, usual_small);
  }
  /// `bytes` in small pages, where a large one has `whole`.
  void note_small(Duration took, std::size_t bytes, std::size_t whole) noexcept {
    approach(small_, std::min(took * static_cast<std::int64_t>(whole / bytes), most).count());
    const bool are_slower = small_.load(std::memory_order_relaxed) > large_.load(std::memory_order_relaxed);
    wait_.store(are_slower ? 0 : wait_.load(std::memory_order_relaxed) - static_cast<std::int64_t>(bytes),
                std::memory_order_relaxed);
  }

 private:
  static constexpr std::int64_t usual_small = 1'000'000;          // nanoseconds
  static constexpr Duration most = std::chrono::milliseconds(8);  // beyond it somebody else had the processor
  static constexpr std::int64_t least_patience = std::int64_t{8} << 20;
  static constexpr std::int64_t most_patience = std::int64_t{512} << 20;

  static void approach(std::atomic<std::int64_t>& cost, std::int64_t to) noexcept {
    const std::int64_t now = cost.load(std::memory_order_relaxed);
    cost.store(now + (to - now) / 8, std::memory_order_relaxed);
  }

  std::atomic<std::int64_t> large_{0};
  std::atomic<std::int64_t> small_{usual_small};
  std::atomic<std::int64_t> wait_{0};  // bytes in small pages, until a large one is tried
  std::atomic<std::int64_t> patience_{least_patience};
};

}  // namespace detail

/// Takes fresh memory, which belongs to the caller and was never touched.
class FreshPages {
 public:
  /// Without a clock: large pages, and nothing is measured.
  FreshPages() noexcept = default;
  explicit FreshPages(const Clock& clock) noexcept : clock_(&clock) {}
  FreshPages(const FreshPages&) = delete;
  FreshPages& operator=(const FreshPages&) = delete;

  [[nodiscard]] bool prefers_large() const noexcept { return costs_.prefers_large(); }
  /// A whole large page, `begin` aligned to it, is resident afterwards, where the system takes advice.
  void take_large(std::byte* begin) noexcept;
  /// `bytes` in small pages are: a multiple of 4 KiB that divides a large page.
  void take_small(std::byte* begin, std::size_t bytes) noexcept;

 private:
  [[nodiscard]] Instant now() const noexcept;

  const Clock* const clock_ = nullptr;
  detail::PageCosts costs_;
};

}  // namespace v0
}  // namespace backstage
