// What one worker runs next: a pointer that its owner changes all the time, and that a visitor takes once in a blue moon, when the owner
// is stuck. The owner pays a load, a store and a look; a visitor pays a system call.
//
// Promises
//   (1) Every pointer that was put in is taken exactly once: by the owner, or by a visitor.
//   (2) What a taker reads through the pointer is what the owner wrote before it put it in.
//   (3) visit() never waits: it gives up when another visitor is there, or the owner has not heard of the last one yet. The owner waits
//       for a visitor that is there, who does no more than have a barrier put into all threads and move a pointer.
// Threads: one owner at a time; any thread visits, diverts and looks whether it is empty. Stability: internal.
//
// Why it holds: the owner's change is two steps, a load of what is there and a store of what comes. A visitor may take what is there before
// the load (then the owner finds nothing), after the store (then it takes what came), or between the two: then the owner holds what
// somebody else has taken. So behind its store the owner looks whether somebody has been there, which stays to be read until it has. That is
// Dekker's pattern: a visitor says that it is there and then looks into the slot; the owner stores, and then looks for visitors. If its look
// finds nobody, its store came before the visitor's look, which found what came, not what was there: the visitor takes by a
// compare-exchange with what it found. As in OwnerGate the owner's half needs no barrier where a visitor can put one into all
// threads of the process (membarrier: Atomics::announce() and Atomics::expedite()); where the system has no such call, the owner always goes the slow
// way, and orders the two by an exchange on the visitors' word.
// The owner tells what is gone by its address. That cannot be something else that it holds: what was taken comes back by a step of the owner only,
// and until it has heard, no other visitor takes anything; the step in which it puts the same pointer in again has found the slot empty.
// Checked: tests/model/next_slot_model_test.cpp.
#pragma once

#include <cstdint>

#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class T, class Atomics = StdAtomics>
class NextSlot {
 public:
  NextSlot() = default;
  NextSlot(const NextSlot&) = delete;
  NextSlot& operator=(const NextSlot&) = delete;

  /// Owner: what was there goes, `next` comes. What it returns is the owner's only if is_calm(), or after settle().
  [[nodiscard]] T* replace(T* next) noexcept {
    // relaxed: it put it there itself.
    T* const before = held_.load(std::memory_order_relaxed);
    Atomics::announce(held_, next, true);
    return before;
  }
  /// Owner, behind replace(): nobody has been there, nor has it been diverted. False: settle() says what is the owner's.
  [[nodiscard]] bool is_calm() const noexcept {
    // seq_cst: the other half of Dekker's pattern (on x86 a plain load); its acquire part pairs with the visitor's release.
    return outside_.load(std::memory_order_seq_cst) == 0;
  }
  [[gnu::noinline, gnu::cold]] T* settle(T* before) noexcept {
    // seq_cst: a change of the word itself orders what announce() alone does not.
    std::uint32_t seen = outside_.fetch_or(0, std::memory_order_seq_cst);
    while ((seen & visitor) != 0) {
      Atomics::pause();
      seen = outside_.load(std::memory_order_acquire);
    }
    if ((seen & took) == 0) return before;
    // relaxed, both: acquired with the word; and the next visitor, whom this lets in, reads nothing of ours but the slot.
    T* const gone = gone_.load(std::memory_order_relaxed);
    outside_.fetch_and(~took, std::memory_order_release);
    return before == gone ? nullptr : before;
  }
  /// Owner: what is there, or null.
  [[nodiscard]] T* take() noexcept {
    T* const before = held_.load(std::memory_order_relaxed);
    if (before == nullptr) return nullptr;
    Atomics::announce(held_, nullptr, true);
    if (is_calm()) [[likely]]
      return before;
    return settle(before);
  }

  /// Anybody else: takes what is there, or null.
  [[nodiscard]] T* visit() noexcept {
    std::uint32_t seen = outside_.load(std::memory_order_relaxed);
    do {
      if ((seen & (visitor | took)) != 0) return nullptr;
      // seq_cst: half of Dekker's pattern, and one visitor at a time.
    } while (!outside_.compare_exchange_weak(seen, seen | visitor, std::memory_order_seq_cst));
    Atomics::expedite((seen & costly) == 0);
    // seq_cst: the look; acquire, with the owner's release: (2). The exchange takes nothing that came after it.
    T* found = held_.load(std::memory_order_seq_cst);
    if (found != nullptr && !held_.compare_exchange_strong(found, nullptr, std::memory_order_seq_cst))
      found = nullptr;
    if (found != nullptr) gone_.store(found, std::memory_order_relaxed);
    // release: publishes what was taken, to the owner who settles.
    outside_.fetch_xor(found != nullptr ? visitor | took : visitor, std::memory_order_release);
    return found;
  }

  /// Anybody: as long as it is on, is_calm() says no, so that the owner looks at what it would have no time to look at each time.
  void divert(bool on) noexcept {
    // release: whoever finds it on sees why; pairs with the owner's look.
    if (on) {
      outside_.fetch_or(diverted, std::memory_order_release);
    } else {
      outside_.fetch_and(~diverted, std::memory_order_relaxed);
    }
  }
  [[nodiscard]] bool is_diverted() const noexcept {
    return (outside_.load(std::memory_order_relaxed) & diverted) != 0;
  }
  /// Anybody: a hint. With seq_cst it is the look of somebody who is about to sleep.
  [[nodiscard]] bool empty(std::memory_order order = std::memory_order_relaxed) const noexcept {
    return held_.load(order) == nullptr;
  }

 private:
  // Whatever is not 0 makes the owner take the slow way.
  static constexpr std::uint32_t visitor = 1;  // somebody is there
  static constexpr std::uint32_t took = 2;     // somebody was, and took gone_: until the owner has heard of it
  static constexpr std::uint32_t diverted = 4;
  static constexpr std::uint32_t costly = 8;  // constant: announce() alone orders nothing here

  typename Atomics::template Atomic<T*> held_{nullptr};  // the owner writes, and who takes
  typename Atomics::template Atomic<std::uint32_t> outside_{Atomics::can_expedite() ? 0 : costly};
  typename Atomics::template Atomic<T*> gone_{nullptr};  // whoever visits
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
