// Mutual exclusion between an owner who comes all the time and visitors who come once in a blue moon: the owner pays two
// plain stores and a load, a visitor pays a system call.
//
// A worker keeps its new work, and what it is about to hand over, where only it looks. It is somebody else's business only when
// the worker is stuck in a message, or has nothing to do.
//
// Promises
//   (1) Between enter() and leave() of the owner no visitor is between a successful visit() and its depart(), and what
//       either wrote the other sees.
//   (2) visit() never waits: it fails when the owner is inside or another visitor is. enter() waits for a visitor that is
//       inside, who does no more than have a barrier put into all threads and move a few pointers.
// Threads: one owner at a time; any thread visits. Stability: internal.
//
// Why it holds: Dekker's pattern. The owner says that it is inside and then looks for a visitor; a visitor says that it is there
// and then looks for the owner; at least one sees the other. The owner's half needs no barrier where the visitor can put
// one into all threads of the process at once (membarrier): whatever the owner was doing, its store comes before that barrier, and
// the visitor sees it, or its look comes behind it, and it sees the visitor. Atomics::announce() and
// Atomics::expedite() are these halves; where the system has no such call both are ordinary seq_cst exchanges, in enter_slowly().
#pragma once

#include <cstdint>

#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class Atomics = StdAtomics>
class OwnerGate {
 public:
  OwnerGate() = default;
  OwnerGate(const OwnerGate&) = delete;
  OwnerGate& operator=(const OwnerGate&) = delete;

  /// Owner.
  void enter() noexcept {
    if (!announce()) [[unlikely]]
      enter_slowly();
  }
  /// Owner: enter() in two steps, for who has something to call in last place. False: it is not inside yet, and has to
  /// enter_slowly(), or to leave().
  [[nodiscard]] bool announce() noexcept {
    Atomics::announce(inside_, 1, true);
    // seq_cst: the other half of Dekker's pattern (on x86 a plain load); its acquire part pairs with the release in depart().
    return outside_.load(std::memory_order_seq_cst) == 0;
  }
  [[gnu::noinline, gnu::cold]] void enter_slowly() noexcept {
    do {
      leave();
      while ((outside_.load(std::memory_order_acquire) & visitor) != 0) Atomics::pause();
      Atomics::announce(inside_, 1, cheap_);
    } while ((outside_.load(std::memory_order_seq_cst) & visitor) != 0);
  }
  /// Owner.
  void leave() noexcept {
    // release: what was done inside is seen by whoever then finds the owner outside.
    inside_.store(0, std::memory_order_release);
  }

  /// Anybody else. True: the owner stays out until depart().
  [[nodiscard]] bool visit() noexcept {
    // seq_cst: half of Dekker's pattern, and one visitor at a time.
    if ((outside_.fetch_or(visitor, std::memory_order_seq_cst) & visitor) != 0) return false;
    Atomics::expedite(cheap_);
    // seq_cst: the look; its acquire part pairs with the release in leave().
    if (inside_.load(std::memory_order_seq_cst) == 0) return true;
    depart();
    return false;
  }
  void depart() noexcept { outside_.fetch_and(~visitor, std::memory_order_release); }

 private:
  // Whatever is not 0 makes the owner take the slow way.
  static constexpr std::uint32_t visitor = 1;  // somebody is inside, or looks whether he may
  static constexpr std::uint32_t costly = 2;   // constant: announce() alone orders nothing here

  const bool cheap_ = Atomics::can_expedite();
  typename Atomics::template Atomic<std::uint32_t> inside_{0};  // the owner writes
  typename Atomics::template Atomic<std::uint32_t> outside_{cheap_ ? 0 : costly};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
