// A worker's own queue of ready work: bounded, first in first out, open to thieves.
//
// Promises
//   (1) Every pointer pushed is taken exactly once: by pop() or take_half() of the owner, or by one thief.
//   (2) In the order pushed, as far as one taker can see: takers always take from the front.
//   (3) Lock-free: a failed attempt means that somebody else took work. Never allocates.
//   (4) What a taker reads through the pointer is what the pusher wrote before push().
// Threads: one owner calls push, push_batch, pop, take_half and (on its own queue) steal_from; any thread may be the
// victim's thief and call size_hint and empty. Pointers are not owned: empty the queue before it goes.
//
// `head` and `tail` count everything ever taken and pushed; work n stands in slot n mod Capacity.
//   head <= tail <= head + Capacity. Only the owner moves tail. Everybody, the owner too, takes by moving head with one
//   CAS *after* reading the slots. As head only grows (64 bits: never the same twice), a CAS that succeeds proves that
//   head stood still since it was read, so that the slots read were not yet given to newer work. What a loser read is
//   thrown away.
// Stability: internal.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class T, class Atomics = StdAtomics, std::uint32_t Capacity = 256>
class RunQueue {
  static_assert(Capacity >= 2 && (Capacity & (Capacity - 1)) == 0, "RunQueue: Capacity must be a power of two, >= 2");

 public:
  RunQueue() = default;
  RunQueue(const RunQueue&) = delete;
  RunQueue& operator=(const RunQueue&) = delete;

  static constexpr std::uint32_t capacity() { return Capacity; }

  /// Owner. False: full; make room with take_half(). The order is that of the store which publishes the work: seq_cst
  /// when EventCount::notify_one() follows (its Dekker needs it), release when the pusher will not wake anybody.
  [[nodiscard]] bool push(T* work, std::memory_order publish = std::memory_order_seq_cst) {
    const auto tail = tail_.load(std::memory_order_relaxed);  // relaxed: only this thread writes it
    // acquire: pairs with the takers' CAS; they have read the slot before it is overwritten below.
    if (tail - head_.load(std::memory_order_acquire) >= Capacity) return false;
    put(tail, work);
    tail_.store(tail + 1, publish);  // at least release: publishes slot and work to takers, pairs with their acquire
    return true;
  }

  /// Owner. Pushes as many from the front of `work` as there is room for, in one publication; returns how many.
  std::uint32_t push_batch(std::span<T* const> work, std::memory_order publish = std::memory_order_seq_cst) {
    const auto tail = tail_.load(std::memory_order_relaxed);          // as in push
    const auto taken = tail - head_.load(std::memory_order_acquire);  // as in push
    const auto count = std::min<std::uint64_t>(work.size(), Capacity - taken);
    for (std::uint64_t i = 0; i < count; ++i) put(tail + i, work[static_cast<std::size_t>(i)]);
    if (count > 0) tail_.store(tail + count, publish);  // as in push
    return static_cast<std::uint32_t>(count);
  }

  /// Owner. The oldest work, or null.
  [[nodiscard]] T* pop() {
    const auto tail = tail_.load(std::memory_order_relaxed);  // relaxed: only this thread writes it
    auto head = head_.load(std::memory_order_relaxed);        // relaxed: a guess, confirmed by the CAS
    while (head != tail) {
      T* const work = get(head);
      if (take(head, 1)) return work;
    }
    return nullptr;
  }

  /// Owner. Takes the older half (rounded up, at most out.size()) in one step, oldest first; returns how many. Fewer or
  /// none when thieves were quicker: then there is room anyway.
  std::uint32_t take_half(std::span<T*> out) {
    const auto tail = tail_.load(std::memory_order_relaxed);  // relaxed: only this thread writes it
    auto head = head_.load(std::memory_order_relaxed);        // relaxed: a guess, confirmed by the CAS
    while (head != tail) {
      const auto count = std::min<std::uint64_t>(half(tail - head), out.size());
      if (count == 0) return 0;
      for (std::uint64_t i = 0; i < count; ++i) out[static_cast<std::size_t>(i)] = get(head + i);
      if (take(head, count)) return static_cast<std::uint32_t>(count);
    }
    return 0;
  }

  /// Owner of this queue, on somebody else's. Moves the victim's older half here and returns the oldest, to be run at
  /// once; null when the victim has nothing. Takes less when there is less room here. The rest is published seq_cst.
  [[nodiscard]] T* steal_from(RunQueue& victim) {
    const auto tail = tail_.load(std::memory_order_relaxed);  // relaxed: only this thread writes it
    const auto room = Capacity - (tail - head_.load(std::memory_order_acquire));  // as in push
    // acquire: pairs with the takers' CAS, so that the tail read next is not older than this head.
    auto head = victim.head_.load(std::memory_order_acquire);
    for (;;) {
      // acquire: pairs with the victim's publication in push.
      const auto available = victim.tail_.load(std::memory_order_acquire) - head;
      if (available == 0) return nullptr;
      // More than Capacity: this head is out of date and the CAS will fail; only keep the loop below within bounds.
      const auto count = std::min<std::uint64_t>(half(std::min<std::uint64_t>(available, Capacity)), room + 1);
      T* const first = victim.get(head);
      // Slots beyond our tail are ours alone until the tail passes them, so filling them for nothing does no harm.
      for (std::uint64_t i = 1; i < count; ++i) put(tail + i - 1, victim.get(head + i));
      if (!victim.take(head, count)) continue;
      if (count > 1) tail_.store(tail + count - 1, std::memory_order_seq_cst);  // as push's default
      return first;
    }
  }

  /// Any thread. How much work there was a moment ago; exact for the owner when there are no thieves.
  [[nodiscard]] std::uint32_t size_hint() const {
    const auto head = head_.load(std::memory_order_relaxed);  // relaxed, both: a hint, nothing is read through it
    const auto tail = tail_.load(std::memory_order_relaxed);
    return tail <= head ? 0 : static_cast<std::uint32_t>(std::min<std::uint64_t>(tail - head, Capacity));
  }

  /// Any thread. True: there was a moment during the call when the queue was empty. With seq_cst this is the look that
  /// EventCount wants between prepare() and wait(); for a mere hint relaxed will do.
  [[nodiscard]] bool empty(std::memory_order order = std::memory_order_seq_cst) const {
    // Head before tail: a tail equal to the head read earlier means that nothing was left when the tail was read.
    const auto head = head_.load(order);
    return tail_.load(order) == head;
  }

 private:
  static constexpr std::uint64_t half(std::uint64_t count) { return count - count / 2; }

  // Slots are atomic because a thief may read one that is being overwritten (it will lose the CAS). relaxed: tail and
  // head order them.
  T* get(std::uint64_t at) const {
    return slots_[static_cast<std::size_t>(at & (Capacity - 1))].load(std::memory_order_relaxed);
  }
  void put(std::uint64_t at, T* work) {
    slots_[static_cast<std::size_t>(at & (Capacity - 1))].store(work, std::memory_order_relaxed);
  }

  /// Moves head from `head` to head + count; false, with `head` brought up to date, when somebody else moved it.
  bool take(std::uint64_t& head, std::uint64_t count) {
    // release: our reads of the slots come before the owner's reuse of them (its acquire of head in push), and whoever
    // reads this head sees a tail that is not older. acquire, also on failure: the same, as reader.
    return head_.compare_exchange_strong(head, head + count, std::memory_order_acq_rel, std::memory_order_acquire);
  }

  // Apart: head is everybody's, tail and slots mostly the owner's.
  alignas(kApart) typename Atomics::template Atomic<std::uint64_t> head_{0};
  alignas(kApart) typename Atomics::template Atomic<std::uint64_t> tail_{0};
  alignas(kApart) std::array<typename Atomics::template Atomic<T*>, Capacity> slots_{};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
