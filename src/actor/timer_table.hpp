// An actor's timers by number, and those that are due.
//
// The number of a timer says where it stands in a table, and the how-manieth to stand there it is: so it is found without a
// search, and an old number finds nothing. 16 bytes a timer, and no allocation of its own. The table grows by parts, each
// twice as large as the one before, and copies nothing: a million slots in one go, in memory that was never touched, would
// keep the actor for 50 ms. Large parts are had from the system a piece at a time (fresh_pages.hpp), not by a fault for each page.
// Threads: the actor's turn. Stability: internal.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backstage/actor/timer.hpp"
#include "backstage/exec/detail/large_pages.hpp"
#include "backstage/exec/detail/mapped.hpp"
#include "backstage/exec/fresh_pages.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

class TimerTable {
 public:
  /// Its number, which is never 0. The timer learns its place. When there is no memory nothing was changed.
  [[nodiscard]] std::uint64_t insert(TimerRecord& timer, FreshPages& pages) {
    if (free_ == none) {
      add_slot(pages) = {.timer = nullptr, .use = first_use_, .next_free = none};
      free_ = static_cast<std::uint32_t>(slots_ - 1);
    }
    const std::uint32_t at = free_;
    Slot& slot = slot_at(at);
    free_ = slot.next_free;
    slot.timer = &timer;
    timer.place = at;
    ++size_;
    return std::uint64_t{slot.use} << 32U | (at + 1U);
  }
  [[nodiscard]] TimerRecord* find(std::uint64_t number) const noexcept {
    const std::size_t at = static_cast<std::uint32_t>(number) - std::size_t{1};
    if (at >= slots_) return nullptr;
    const Slot& slot = slot_at(at);
    return slot.use == number >> 32U ? slot.timer : nullptr;
  }
  /// Precondition: it is in.
  void erase(const TimerRecord& timer) noexcept {
    const std::uint32_t at = timer.place;
    Slot& slot = slot_at(at);
    slot = {.timer = nullptr, .use = slot.use + 1, .next_free = free_};
    free_ = at;
    if (--size_ == 0 && slots_ > kept_slots) clear();
  }
  /// It will be erased soon: what that takes, which nobody has looked at since the timer was set, is fetched meanwhile.
  void prepare_to_erase(const TimerRecord& timer) const noexcept { __builtin_prefetch(&slot_at(timer.place), 1); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  template <class F>
  void for_each(F f) {
    for (std::size_t i = 0; i < slots_; ++i) {
      if (TimerRecord* const timer = slot_at(i).timer; timer != nullptr) f(*timer);
    }
  }
  /// Of all that there are. Their numbers never come again.
  void clear() noexcept {
    for (std::size_t i = 0; i < slots_; ++i) first_use_ = std::max(first_use_, slot_at(i).use + 1);
    std::vector<Part>().swap(parts_);
    slots_ = 0;
    free_ = none;
    size_ = 0;
  }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;
  static constexpr std::size_t first_part = 16;
  static constexpr std::size_t kept_slots = 64;
  struct Slot {
    TimerRecord* timer;
    std::uint32_t use;
    std::uint32_t next_free;
  };
  struct FreePart {
    std::size_t count;
    void operator()(Slot* slots) const noexcept { MappedAllocator<Slot>().deallocate(slots, count); }
  };
  using Part = std::unique_ptr<Slot[], FreePart>;
  static constexpr std::size_t piece = std::size_t{64} * 1024 / sizeof(Slot);
  static_assert(piece * sizeof(Slot) <= mapped_from);
  /// Part k has first_part << k slots, behind first_part * ((1 << k) - 1) in those before.
  [[nodiscard]] Slot& slot_at(std::size_t at) const noexcept {
    const auto part = static_cast<unsigned>(std::bit_width(at / first_part + 1));  // from 1 on
    return parts_[part - 1][at - first_part * ((std::size_t{1} << part) / 2 - 1)];
  }
  [[nodiscard]] Slot& add_slot(FreshPages& pages) {
    if (slots_ == first_part * ((std::size_t{1} << parts_.size()) - 1)) {
      const std::size_t count = first_part << parts_.size();
      parts_.reserve(parts_.size() + 1);
      Slot* const part = MappedAllocator<Slot>().allocate(count);
      if (is_mapped(count * sizeof(Slot))) refuse_large_pages(part, count * sizeof(Slot));
      parts_.emplace_back(part, FreePart{count});
    }
    Slot& slot = slot_at(slots_);
    // A part that has pages of its own begins with one, and consists of whole pieces.
    const std::size_t last_part = first_part << (parts_.size() - 1);
    if (is_mapped(last_part * sizeof(Slot)) && static_cast<std::size_t>(&slot - parts_.back().get()) % piece == 0)
      pages.take_small(reinterpret_cast<std::byte*>(&slot), piece * sizeof(Slot));
    ++slots_;
    return slot;
  }

  std::vector<Part> parts_;
  std::size_t slots_ = 0;
  std::size_t size_ = 0;
  std::uint32_t free_ = none;
  std::uint32_t first_use_ = 0;
};

/// Ticks that wait to be handled, linked through the timers' own nodes: they are in the wheel no more, nor in the lane.
class DueTimers {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] TimerRecord& front() const noexcept { return static_cast<TimerRecord&>(*first_); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  void push_back(TimerRecord& timer) noexcept {
    timer.is_due = true;
    timer.prev = last_;
    timer.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &timer;
    last_ = &timer;
    ++size_;
  }
  /// Precondition: it is in.
  void remove(TimerRecord& timer) noexcept {
    timer.is_due = false;
    (timer.prev != nullptr ? timer.prev->next : first_) = timer.next;
    (timer.next != nullptr ? timer.next->prev : last_) = timer.prev;
    if (--size_ == 0) in_row = 0;
  }

  /// So many of them still go before the next message: where none is left, none of what is due later.
  std::uint32_t in_row = 0;

 private:
  std::uint32_t size_ = 0;
  TimerNode* first_ = nullptr;
  TimerNode* last_ = nullptr;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
