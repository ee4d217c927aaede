#include "backstage/exec/timer_wheel.hpp"

#include <algorithm>
#include <bit>

namespace backstage {
inline namespace v0 {
namespace {

// How far an arriving node is walked back from a bucket's end before the bucket is left for sort().
constexpr int max_steps = 4;

bool before(const TimerNode& a, const TimerNode& b) noexcept {
  return a.due_ns != b.due_ns ? a.due_ns < b.due_ns : a.sequence < b.sequence;
}

// Merges two chains (by `next` only) that are sorted and end in null.
TimerNode* merge(TimerNode* a, TimerNode* b) noexcept {
  TimerNode* head = nullptr;
  TimerNode** end = &head;
  while (a != nullptr && b != nullptr) {
    TimerNode*& less = before(*b, *a) ? b : a;
    *end = less;
    end = &less->next;
    less = less->next;
  }
  *end = a != nullptr ? a : b;
  return head;
}

}  // namespace

TimerWheel::TimerWheel(Instant base) noexcept
    : tick_(static_cast<std::uint64_t>(std::max<std::int64_t>(base.ns, 0)) >> tick_bits) {}

TimerWheel::~TimerWheel() {
  for (Bucket& bucket : buckets_) {
    for (TimerNode* node = bucket.first; node != nullptr;) {
      TimerNode* const next = node->next;
      node->prev = node->next = nullptr;
      node->slot_info = 0;
      node = next;
    }
  }
}

void TimerWheel::arm(TimerNode& node, Instant due) noexcept {
  if (node.armed()) cancel(node);
  node.due_ns = due.ns;
  node.sequence = next_sequence_++;
  place(node);
  ++size_;
}

bool TimerWheel::cancel(TimerNode& node) noexcept {
  if (!node.armed()) return false;
  unlink(node);
  --size_;
  return true;
}

void TimerWheel::place(TimerNode& node) noexcept {
  // An overdue node stands in the current tick's bucket, where the exact order is kept all the same.
  const auto own = static_cast<std::uint64_t>(std::max<std::int64_t>(node.due_ns, 0)) >> tick_bits;
  const std::uint64_t tick = std::max(own, tick_);
  // The highest digit in which they differ: there, or one below if it is of the very next unit of that level, and so on.
  unsigned level = (static_cast<unsigned>(std::bit_width((tick ^ tick_) | 1U)) - 1) / digit_bits;
  while (level != 0 && (tick >> (level * digit_bits)) - current_unit(level) <= 1) --level;
  const std::uint32_t slot = slot_of(level, tick >> (level * digit_bits));
  append(node, slot);
  occupied_[slot / units] |= bit_of(slot);
  occupied_levels_ |= 1U << level;
}

void TimerWheel::append(TimerNode& node, std::uint32_t slot) noexcept {
  Bucket& bucket = buckets_[slot];
  TimerNode* after = bucket.last;
  if (slot != firing_slot && after != nullptr) {
    Order& order = order_[slot / units];
    const std::uint64_t bit = bit_of(slot);
    if ((order.fronted & bit) != 0) {
      if (before(node, *bucket.first)) after = nullptr;
    } else if ((order.unsorted & bit) == 0) {
      for (int step = 0; after != nullptr && before(node, *after); ++step, after = after->prev) {
        if (step == max_steps) {
          after = bucket.last;
          order.unsorted |= bit;
          break;
        }
      }
    }
  }
  TimerNode* const next = after != nullptr ? after->next : bucket.first;
  node.prev = after;
  node.next = next;
  (after != nullptr ? after->next : bucket.first) = &node;
  (next != nullptr ? next->prev : bucket.last) = &node;
  node.slot_info = slot + 1;
}

void TimerWheel::unlink(TimerNode& node) noexcept {
  const std::uint32_t slot = node.slot_info - 1;
  Bucket& bucket = buckets_[slot];
  const bool was_first = node.prev == nullptr;
  (node.prev != nullptr ? node.prev->next : bucket.first) = node.next;
  (node.next != nullptr ? node.next->prev : bucket.last) = node.prev;
  node.prev = node.next = nullptr;
  node.slot_info = 0;
  if (slot == firing_slot) return;
  Order& order = order_[slot / units];
  const std::uint64_t bit = bit_of(slot);
  if (was_first) order.fronted &= ~bit;
  if (bucket.first == nullptr) {
    order.unsorted &= ~bit;
    order.seen &= ~bit;
    occupied_[slot / units] &= ~bit;
    const std::uint32_t level = slot / slots;
    if ((occupied_[2 * level] | occupied_[2 * level + 1]) == 0) occupied_levels_ &= ~(1U << level);
  }
}

void TimerWheel::front(std::uint32_t slot) const noexcept {
  Order& order = order_[slot / units];
  const std::uint64_t bit = bit_of(slot);
  if ((order.unsorted & bit) == 0 || (order.fronted & bit) != 0) return;
  // The lowest level's buckets are small and soon need their whole order anyway.
  if (slot < slots || (order.seen & bit) != 0) return sort(slot);
  order.seen |= bit;
  order.fronted |= bit;

  Bucket& bucket = buckets_[slot];
  TimerNode* least = bucket.first;
  for (TimerNode* node = least->next; node != nullptr; node = node->next) {
    if (before(*node, *least)) least = node;
  }
  if (least == bucket.first) return;
  least->prev->next = least->next;
  (least->next != nullptr ? least->next->prev : bucket.last) = least->prev;
  least->prev = nullptr;
  least->next = bucket.first;
  bucket.first->prev = least;
  bucket.first = least;
}

void TimerWheel::sort(std::uint32_t slot) const noexcept {
  Order& order = order_[slot / units];
  const std::uint64_t bit = bit_of(slot);
  if ((order.unsorted & bit) == 0) return;
  order.unsorted &= ~bit;
  order.fronted &= ~bit;
  order.seen &= ~bit;

  // Natural merge sort: piles_[i] holds about 2^i ascending runs, so nearly sorted buckets cost little.
  std::array<TimerNode*, 64> piles{};
  Bucket& bucket = buckets_[slot];
  for (TimerNode* rest = bucket.first; rest != nullptr;) {
    TimerNode* run = rest;
    TimerNode* end = rest;
    while (end->next != nullptr && before(*end, *end->next)) end = end->next;
    rest = end->next;
    end->next = nullptr;
    std::size_t i = 0;
    for (; piles[i] != nullptr; ++i) {
      run = merge(piles[i], run);
      piles[i] = nullptr;
    }
    piles[i] = run;
  }
  TimerNode* sorted = nullptr;
  for (TimerNode* pile : piles) sorted = merge(pile, sorted);

  bucket.first = sorted;
  TimerNode* prev = nullptr;
  for (TimerNode* node = sorted; node != nullptr; prev = node, node = node->next) node->prev = prev;
  bucket.last = prev;
}

std::uint64_t TimerWheel::first_unit(unsigned level) const noexcept {
  // What stands there is of the present unit of the level above, or of the next one: one half of the buckets each.
  const std::uint64_t above = current_unit(level) / units;
  const std::uint64_t present = occupied_[2 * level + above % 2];
  if (present != 0) return above * units + static_cast<unsigned>(std::countr_zero(present));
  return (above + 1) * units + static_cast<unsigned>(std::countr_zero(occupied_[2 * level + (above + 1) % 2]));
}

TimerWheel::First TimerWheel::first() const noexcept {
  First found;
  for (std::uint32_t rest = occupied_levels_; rest != 0; rest &= rest - 1) {
    const auto level = static_cast<unsigned>(std::countr_zero(rest));
    const unsigned shift = level * digit_bits;
    const std::uint64_t unit = first_unit(level);
    if (found.slot == firing_slot || unit << shift <= found.start) found = {slot_of(level, unit), unit << shift};
  }
  return found;
}

Instant TimerWheel::next_due() const noexcept {
  // What is being handed out is due before all that stays in the wheel.
  if (const TimerNode* firing = buckets_[firing_slot].first) return firing->due();
  Instant due = Instant::never();
  // A bucket that begins later than the earliest so far is not looked into. Between two expiries all of an upper level begins later, from the
  // next unit on.
  for (std::uint32_t rest = occupied_levels_; rest != 0; rest &= rest - 1) {
    const auto level = static_cast<unsigned>(std::countr_zero(rest));
    const unsigned shift = level * digit_bits;
    const auto earliest = static_cast<std::uint64_t>(std::max<std::int64_t>(due.ns, 0)) >> tick_bits;
    if (level != 0 && earliest < (current_unit(level) + 1) << shift) break;
    const std::uint64_t unit = first_unit(level);
    if (earliest < unit << shift) continue;
    const std::uint32_t slot = slot_of(level, unit);
    front(slot);
    due = std::min(due, buckets_[slot].first->due());
  }
  return due;
}

void TimerWheel::move_down(std::uint32_t slot, std::size_t most) noexcept {
  // In list order: a sorted bucket falls into sorted ones.
  Bucket& bucket = buckets_[slot];
  for (; bucket.first != nullptr && most != 0; --most) {
    TimerNode& node = *bucket.first;
    unlink(node);
    place(node);
  }
}

/// Of the unit that comes next in each level.
void TimerWheel::move_ahead(std::size_t most) noexcept {
  for (std::uint32_t rest = occupied_levels_ & ~1U; rest != 0; rest &= rest - 1) {
    const auto level = static_cast<unsigned>(std::countr_zero(rest));
    move_down(slot_of(level, current_unit(level) + 1), most);
  }
}

void TimerWheel::collect(Instant now) noexcept {
  assert(!expiring_ && "expire() is not called from within expire()");
  expiring_ = true;
  const std::uint64_t target = static_cast<std::uint64_t>(std::max<std::int64_t>(now.ns, 0)) >> tick_bits;
  for (First next = first(); next.slot != firing_slot; next = first()) {
    if (next.start > std::max(target, tick_)) break;  // overdue ones stand in the present tick, whatever `now` says
    // Nothing stands before it, so the tick may advance.
    tick_ = std::max(tick_, next.start);
    if (next.slot >= slots) {
      move_down(next.slot, SIZE_MAX);
      continue;
    }
    Bucket& bucket = buckets_[next.slot];
    sort(next.slot);
    while (bucket.first != nullptr && bucket.first->due_ns <= now.ns) {
      TimerNode& node = *bucket.first;
      unlink(node);
      append(node, firing_slot);
    }
    if (bucket.first != nullptr) break;
  }
  // What is left is due in later slots (or later within this very tick), so it stands right for this tick as well.
  tick_ = std::max(tick_, target);
}

TimerNode* TimerWheel::pop_firing() noexcept {
  TimerNode* const node = buckets_[firing_slot].first;
  if (node == nullptr) return nullptr;
  unlink(*node);
  --size_;
  return node;
}

void TimerWheel::put_back() noexcept {
  while (TimerNode* node = buckets_[firing_slot].first) {
    unlink(*node);
    place(*node);
  }
  expiring_ = false;
}

}  // namespace v0
}  // namespace backstage
