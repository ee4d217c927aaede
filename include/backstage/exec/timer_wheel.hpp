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
//  (6) Of timers that are spread evenly an expire() moves no more than two for each that it hands out, and sixteen, of each level: none is late
//      because very many others, which are due later, had to be moved at once. (Where thousands are due close together, and few before them,
//      those move at once, a moment before they fire.)
//
// The geometry: time is cut into ticks of 2^15 ns (33 us), and 64 units of a level make one of the level above. A level has a bucket
// for each of its units in the present and the next unit of the level above, so a node stands in the lowest level that reaches as
// far as it is due, and a level's buckets follow each other in time. Before the current tick enters a unit of an upper level, its nodes
// have to be in lower ones. They move down ahead of that, while the unit before it passes: two for each that fires, and some with
// each expire(). So when timers are spread evenly, all have moved when it is time; whatever has not moves then (6).
// A bucket is kept sorted while nodes come in about the right order. One that is not has its earliest node brought
// to the front when looked into, and is sorted when that node was taken away and it is looked into again: so neither
// nodes in random order (each bucket looked into once a level) nor a queue cancelled from its head cost a scan each.
// After G. Varghese, T. Lauck: "Hashed and hierarchical timing wheels" (1987), scheme 6 and 7.
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
/// While it is not armed the wheel looks at neither link: they may hold it in a list of its owner's.
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
static_assert(sizeof(TimerNode) <= 40);  // 36 are used: what derives from it begins there

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
    move_ahead(2 * count + moved_with_each);
    return count;
  }

 private:
  static constexpr unsigned tick_bits = 15;
  static constexpr unsigned digit_bits = 6;
  static constexpr unsigned units = 1U << digit_bits;  // of a level that make one of the level above
  static constexpr unsigned slots = 2 * units;         // of a level
  static constexpr unsigned levels = (63 - tick_bits + digit_bits - 1) / digit_bits;
  static constexpr std::uint32_t firing_slot = levels * slots;  // the bucket of nodes being handed out
  static constexpr std::size_t moved_with_each = 16;            // of a level

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
  /// Of a level: the unit of the first bucket that is not empty; its bucket is slot_of(level, unit). Only where one is.
  [[nodiscard]] std::uint64_t first_unit(unsigned level) const noexcept;
  [[nodiscard]] std::uint64_t current_unit(unsigned level) const noexcept { return tick_ >> (level * digit_bits); }
  [[nodiscard]] static std::uint32_t slot_of(unsigned level, std::uint64_t unit) noexcept {
    return level * slots + static_cast<std::uint32_t>(unit % slots);
  }
  struct First {
    std::uint32_t slot = firing_slot;  // that: the wheel is empty
    std::uint64_t start = 0;           // its first tick
  };
  /// The bucket whose time begins first; of several that begin at once, the one of the highest level.
  [[nodiscard]] First first() const noexcept;
  /// All nodes of an upper level's bucket go down, or so many of them.
  void move_down(std::uint32_t slot, std::size_t most) noexcept;
  void move_ahead(std::size_t most) noexcept;
  /// Moves every node due by `now` into the firing bucket, in order, and the wheel's tick to `now`.
  void collect(Instant now) noexcept;
  [[nodiscard]] TimerNode* pop_firing() noexcept;
  void put_back() noexcept;

  /// A bit for each of 64 slots.
  struct Order {
    std::uint64_t unsorted = 0;
    std::uint64_t fronted = 0;  // unsorted, but the first node is the earliest
    std::uint64_t seen = 0;     // has been fronted since it was last empty or sorted
  };
  [[nodiscard]] static std::uint64_t bit_of(std::uint32_t slot) noexcept {
    return std::uint64_t{1} << (slot % units);
  }

  // Mutable: ordering a bucket changes no answer this class gives.
  mutable std::array<Bucket, levels * slots + 1> buckets_{};
  mutable std::array<Order, 2 * levels> order_{};     // of each half of a level
  std::array<std::uint64_t, 2 * levels> occupied_{};  // the same
  std::uint32_t occupied_levels_ = 0;
  std::uint64_t tick_;
  std::uint64_t next_sequence_ = 0;
  std::size_t size_ = 0;
  bool expiring_ = false;
};

}  // namespace v0
}  // namespace backstage
