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
  const unsigned level = (static_cast<unsigned>(std::bit_width((tick ^ tick_) | 1U)) - 1) / digit_bits;
  const auto slot = static_cast<unsigned>(tick >> (level * digit_bits)) % slots;
  append(node, level * slots + slot);
  occupied_[level] |= std::uint64_t{1} << slot;
  occupied_levels_ |= 1U << level;
}

void TimerWheel::append(TimerNode& node, std::uint32_t slot) noexcept {
  Bucket& bucket = buckets_[slot];
  TimerNode* after = bucket.last;
  if (slot != firing_slot && after != nullptr) {
    Order& order = order_[slot / slots];
    const std::uint64_t bit = std::uint64_t{1} << (slot % slots);
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
  Order& order = order_[slot / slots];
  const std::uint64_t bit = std::uint64_t{1} << (slot % slots);
  if (was_first) order.fronted &= ~bit;
  if (bucket.first == nullptr) {
    order.unsorted &= ~bit;
    order.seen &= ~bit;
    const std::uint32_t level = slot / slots;
    occupied_[level] &= ~bit;
    if (occupied_[level] == 0) occupied_levels_ &= ~(1U << level);
  }
}

void TimerWheel::front(std::uint32_t slot) const noexcept {
  Order& order = order_[slot / slots];
  const std::uint64_t bit = std::uint64_t{1} << (slot % slots);
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
  Order& order = order_[slot / slots];
  const std::uint64_t bit = std::uint64_t{1} << (slot % slots);
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

std::uint32_t TimerWheel::first_slot() const noexcept {
  if (occupied_levels_ == 0) return firing_slot;
  const auto level = static_cast<std::uint32_t>(std::countr_zero(occupied_levels_));
  return level * slots + static_cast<std::uint32_t>(std::countr_zero(occupied_[level]));
}

Instant TimerWheel::next_due() const noexcept {
  // What is being handed out is due before all that stays in the wheel.
  if (const TimerNode* firing = buckets_[firing_slot].first) return firing->due();
  const std::uint32_t slot = first_slot();
  if (slot == firing_slot) return Instant::never();
  front(slot);
  return buckets_[slot].first->due();
}

void TimerWheel::collect(Instant now) noexcept {
  assert(!expiring_ && "expire() is not called from within expire()");
  expiring_ = true;
  const std::uint64_t target = static_cast<std::uint64_t>(std::max<std::int64_t>(now.ns, 0)) >> tick_bits;
  for (std::uint32_t slot = first_slot(); slot != firing_slot; slot = first_slot()) {
    const std::uint32_t level = slot / slots;
    Bucket& bucket = buckets_[slot];
    if (level == 0) {
      sort(slot);
      while (bucket.first != nullptr && bucket.first->due_ns <= now.ns) {
        TimerNode& node = *bucket.first;
        unlink(node);
        append(node, firing_slot);
      }
      if (bucket.first != nullptr) break;
      continue;
    }
    // The slot's first tick: the current tick's upper digits, this slot's digit, zeros below.
    const unsigned shift = level * digit_bits;
    const std::uint64_t start = ((tick_ >> shift >> digit_bits << digit_bits) | (slot % slots)) << shift;
    if (start > target) break;
    // Every lower level is empty here, so the tick may advance; in list order a sorted bucket falls into sorted ones.
    tick_ = start;
    while (bucket.first != nullptr) {
      TimerNode& node = *bucket.first;
      unlink(node);
      place(node);
    }
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
