// A hierarchical timer wheel with intrusive nodes: many timers, most of them cancelled, none of them early.
//
// Threads: none of its own and no lock; the caller locks (const functions too: next_due() may tidy a bucket).
// Promises:
//  (1) expire(now) hands out exactly the armed nodes with due <= now, in the order of (due, sequence of arming).
//      The wheel's granularity only sorts nodes into buckets; the exact nanosecond decides.
//  (2) After cancel() returned true the node is not handed out, not even by an expire() that is under way.
//  (3) next_due() is the exact earliest due instant, or never(): who sleeps until then neither misses nor idles.
//  (4) arm() and cancel() are O(1) and allocate nothing; a jump of hours costs no more than the timers it passes.
//  (5) A node armed from within expire()'s callback waits for the next expire(), however early it is due.
//
// The geometry: time is cut into ticks of 2^15 ns (33 us) and a tick's number into digits of 6 bits. A node stands
// in the level of the highest digit in which its tick differs from the wheel's current tick, in that digit's slot.
// So every node of a lower level is due before every node of a higher one, and slots ascend within a level: two
// bit searches find the first bucket. When the current tick enters a slot of an upper level, its nodes move down.
// A bucket is kept sorted while nodes come in about the right order. One that is not has its earliest node brought
// to the front when looked into, and is sorted when that node was taken away and it is looked into again: so neither
// nodes in random order (each bucket looked into once a level) nor a queue cancelled from its head cost a scan each.
// Stability: internal (may change in any version).
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "backstage/base/time.hpp"

namespace backstage {
inline namespace v0 {

/// One timer. Embed it in (or derive from it) whatever is to be woken. It neither moves nor dies while armed.
struct TimerNode {
  TimerNode* prev = nullptr;
  TimerNode* next = nullptr;
  std::int64_t due_ns = 0;
  std::uint64_t sequence = 0;   ///< position in the order of arming: the tie-break between equal dues
  std::uint32_t slot_info = 0;  ///< 0: not armed; else where it stands (the wheel's business)

  TimerNode() noexcept = default;
  TimerNode(const TimerNode&) = delete;
  TimerNode& operator=(const TimerNode&) = delete;
  ~TimerNode() { assert(!armed() && "a TimerNode is cancelled before it is destroyed"); }

  [[nodiscard]] bool armed() const noexcept { return slot_info != 0; }
  [[nodiscard]] Instant due() const noexcept { return Instant{due_ns}; }
};
static_assert(sizeof(TimerNode) <= 40);

class TimerWheel {
 public:
  /// `base` is the clock's present reading; instants before it are simply overdue.
  explicit TimerWheel(Instant base) noexcept;
  /// Disarms what is still armed.
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// Arms the node; one that is armed already is moved (and counts as armed anew in the order).
  void arm(TimerNode& node, Instant due) noexcept;
  /// True when the node was armed, and now never fires; false when it was not (never armed, or handed out).
  bool cancel(TimerNode& node) noexcept;

  /// The exact earliest due instant, or Instant::never() without timers.
  [[nodiscard]] Instant next_due() const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// Disarms every due node and calls f(TimerNode&) for it, in order. f may arm and cancel any node and destroy its
  /// own, but not call expire(). Should f throw, the nodes not yet handed out stay armed. Returns how many it called.
  template <class F>
  std::size_t expire(Instant now, F&& f) {
    collect(now);
    const PutBack guard{*this};
    std::size_t count = 0;
    while (TimerNode* node = pop_firing()) {
      ++count;
      f(*node);
    }
    return count;
  }

 private:
  static constexpr unsigned tick_bits = 15;
  static constexpr unsigned digit_bits = 6;
  static constexpr unsigned slots = 1U << digit_bits;
  static constexpr unsigned levels = (63 - tick_bits + digit_bits - 1) / digit_bits;
  static constexpr std::uint32_t firing_slot = levels * slots;  // the bucket of nodes being handed out

  struct Bucket {
    TimerNode* first = nullptr;
    TimerNode* last = nullptr;
  };
  struct PutBack {
    TimerWheel& wheel;
    ~PutBack() { wheel.put_back(); }
  };

  void place(TimerNode& node) noexcept;
  void unlink(TimerNode& node) noexcept;
  void append(TimerNode& node, std::uint32_t slot) noexcept;
  /// Sorts the bucket by (due, sequence) if it is not.
  void sort(std::uint32_t slot) const noexcept;
  /// Sees to it that the bucket's first node is its earliest.
  void front(std::uint32_t slot) const noexcept;
  /// The bucket with the earliest node, or firing_slot when the wheel is empty.
  [[nodiscard]] std::uint32_t first_slot() const noexcept;
  /// Moves every node due by `now` into the firing bucket, in order, and the wheel's tick to `now`.
  void collect(Instant now) noexcept;
  [[nodiscard]] TimerNode* pop_firing() noexcept;
  void put_back() noexcept;

  /// A bit for each slot of a level.
  struct Order {
    std::uint64_t unsorted = 0;
    std::uint64_t fronted = 0;  // unsorted, but the first node is the earliest
    std::uint64_t seen = 0;     // has been fronted since it was last empty or sorted
  };

  // Mutable: ordering a bucket changes no answer this class gives.
  mutable std::array<Bucket, levels * slots + 1> buckets_{};
  mutable std::array<Order, levels> order_{};
  std::array<std::uint64_t, levels> occupied_{};
  std::uint32_t occupied_levels_ = 0;
  std::uint64_t tick_;
  std::uint64_t next_sequence_ = 0;
  std::size_t size_ = 0;
  bool expiring_ = false;
};

}  // namespace v0
}  // namespace backstage
