// An actor's timers by number, and those that are due.
//
// The number of a timer says where it stands in a table, and the how-manieth to stand there it is: so it is found without a
// search, and an old number finds nothing. 16 bytes a timer, and no allocation of its own.
// Threads: the actor's turn. Stability: internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "backstage/actor/timer.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

class TimerTable {
 public:
  /// Its number, which is never 0. When there is no memory nothing was changed.
  [[nodiscard]] std::uint64_t insert(TimerRecord& timer) {
    if (free_ == none) {
      slots_.push_back({.timer = nullptr, .use = first_use_, .next_free = none});
      free_ = static_cast<std::uint32_t>(slots_.size() - 1);
    }
    const std::uint32_t at = free_;
    Slot& slot = slots_[at];
    free_ = slot.next_free;
    slot.timer = &timer;
    ++size_;
    return std::uint64_t{slot.use} << 32U | (at + 1U);
  }
  [[nodiscard]] TimerRecord* find(std::uint64_t number) const noexcept {
    const std::size_t at = static_cast<std::uint32_t>(number) - std::size_t{1};
    return at < slots_.size() && slots_[at].use == number >> 32U ? slots_[at].timer : nullptr;
  }
  /// Precondition: it finds one.
  void erase(std::uint64_t number) noexcept {
    const auto at = static_cast<std::uint32_t>(number) - 1U;
    Slot& slot = slots_[at];
    slot = {.timer = nullptr, .use = slot.use + 1, .next_free = free_};
    free_ = at;
    if (--size_ == 0 && slots_.size() > kept_slots) clear();
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  template <class F>
  void for_each(F f) {
    for (const Slot& slot : slots_) {
      if (slot.timer != nullptr) f(*slot.timer);
    }
  }
  /// Of all that there are. Their numbers never come again.
  void clear() noexcept {
    for (const Slot& slot : slots_) first_use_ = slot.use >= first_use_ ? slot.use + 1 : first_use_;
    std::vector<Slot>().swap(slots_);
    free_ = none;
    size_ = 0;
  }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;
  static constexpr std::size_t kept_slots = 64;
  struct Slot {
    TimerRecord* timer;
    std::uint32_t use;
    std::uint32_t next_free;
  };
  std::vector<Slot> slots_;
  std::size_t size_ = 0;
  std::uint32_t free_ = none;
  std::uint32_t first_use_ = 0;
};

/// Ticks that wait to be handled, linked through the timers themselves.
class DueTimers {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] TimerRecord& front() const noexcept { return *first_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  void push_back(TimerRecord& timer) noexcept {
    timer.queued = true;
    timer.before = last_;
    timer.behind = nullptr;
    (last_ != nullptr ? last_->behind : first_) = &timer;
    last_ = &timer;
    ++size_;
  }
  /// Precondition: it is in.
  void remove(TimerRecord& timer) noexcept {
    timer.queued = false;
    (timer.before != nullptr ? timer.before->behind : first_) = timer.behind;
    (timer.behind != nullptr ? timer.behind->before : last_) = timer.before;
    --size_;
  }

 private:
  TimerRecord* first_ = nullptr;
  TimerRecord* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
