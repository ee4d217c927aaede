// An intrusive queue from many senders to one owner whose tail word is also the owner's run state.
//
// Any thread may push() and wake(); everything else belongs to the owner, which is whoever was told to run it.
//   (1) Every pushed node is taken exactly once, and nodes of one sender in the order of its pushes.
//   (2) Ownership: exactly one push() or wake() that finds the list idle returns true, and its caller must see to
//       it that the owner runs. While the list is not idle nobody else is told to run it.
//   (3) After try_idle() returned true the list was empty at that instant and the owner owns it no longer.
//   (4) A node's memory is in use until take() or try_idle() hands it back as `retired` (the push after it links
//       through it), although its payload may be destroyed as soon as it has been handled.
//   (5) depth() never counts fewer than wait, and exactly those when nobody is in the middle of a push.
//
// States of the tail word, and who moves it:
//
//      idle --push()/wake()--> awake / node          (the caller schedules the owner)
//      awake --push()--> node ; node --push()--> node
//      node (taken, no successor) --try_idle()--> idle ; awake --try_idle()--> idle
//
// Cost: one exchange and one addition for a send, one compare-exchange for a turn's end. After Vyukov's MPSC queue, with the idle
// state folded into the tail as the actor runtimes of Pony and others do.
#pragma once

#include <cstdint>

#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// Node: `typename Atomics::template Atomic<Node*> next;`, aligned to at least 4.
template <class Node, class Atomics = StdAtomics>
class MessageList {
  template <class T>
  using Atomic = typename Atomics::template Atomic<T>;

  static constexpr std::uintptr_t idle = 0;
  static constexpr std::uintptr_t awake = 1;

 public:
  MessageList() = default;
  MessageList(const MessageList&) = delete;
  MessageList& operator=(const MessageList&) = delete;

  /// Any thread. True: the list was idle and the caller must schedule the owner. `position` receives the node's
  /// number: how many were pushed before it, and itself (approximately its place, when others push just now).
  bool push(Node* node, std::uint32_t* position = nullptr) noexcept {
    // relaxed: published by the exchange below.
    node->next.store(nullptr, std::memory_order_relaxed);
    // relaxed: a count; nothing is read through it. Counted before it can be taken, so that depth() is never negative
    // for the owner. (The predecessor in the list could carry the number at no cost, but it may not have its own yet:
    // it stands in the list before its sender goes on. The model checker found that.)
    const std::uint32_t number = pushed_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (position != nullptr) *position = number;
    // acq_rel: release publishes the payload to whoever links behind us; acquire orders us behind the owner's going
    // idle. The owner itself gets the payload through next or first_.
    const std::uintptr_t before = tail_.exchange(reinterpret_cast<std::uintptr_t>(node), std::memory_order_acq_rel);
    if (before <= awake) {
      // release: publishes the payload; pairs with the acquire in take().
      first_.store(node, std::memory_order_release);
      return before == idle;
    }
    // The predecessor lives until its successor is linked (promise 4). release: as above.
    reinterpret_cast<Node*>(before)->next.store(node, std::memory_order_release);
    return false;
  }

  /// Any thread. True: the list was idle and empty, it is now awake, and the caller must schedule the owner.
  bool wake() noexcept {
    std::uintptr_t expected = idle;
    // seq_cst: the second half of Dekker's pattern with try_idle(): whoever leaves word for the owner elsewhere
    // (lane, signals) and then calls wake() either finds it idle, or the owner finds the word after going idle.
    return tail_.compare_exchange_strong(expected, awake, std::memory_order_seq_cst);
  }

  /// Owner. The next node, or null (empty, or a sender stands between its exchange and its link: see pushing()).
  /// `retired` is the node taken before, whose memory the caller may now reuse, or null.
  Node* take(Node*& retired) noexcept {
    retired = nullptr;
    Node* next = nullptr;
    if (last_ == nullptr) {
      // acquire: pairs with the release in push().
      next = first_.load(std::memory_order_acquire);
      if (next == nullptr) return nullptr;
      // relaxed: only a push that finds the list empty writes it again, and it synchronises through tail_.
      first_.store(nullptr, std::memory_order_relaxed);
    } else {
      next = last_->next.load(std::memory_order_acquire);
      if (next == nullptr) return nullptr;
      retired = last_;
    }
    last_ = next;
    // relaxed: read as a hint by senders, and exactly by the first sender after an idle spell through tail_.
    taken_.store(taken_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return next;
  }

  /// Owner. Gives the ownership up if nothing is queued. False: something is, or is just being pushed.
  bool try_idle(Node*& retired) noexcept {
    retired = nullptr;
    std::uintptr_t expected = last_ != nullptr ? reinterpret_cast<std::uintptr_t>(last_) : awake;
    Node* const last = last_;
    // Cleared first: after the exchange another thread may own the list already.
    last_ = nullptr;
    // seq_cst: first half of Dekker's pattern with wake(); its release part publishes taken_ and the owner's state
    // to the next owner.
    if (tail_.compare_exchange_strong(expected, idle, std::memory_order_seq_cst)) {
      retired = last;
      return true;
    }
    last_ = last;
    return false;
  }

  /// Any thread: about how many nodes wait. Exact for the owner when nobody pushes.
  [[nodiscard]] std::uint32_t depth() const noexcept {
    // relaxed: a hint; a stale pair may look negative.
    const auto waiting =
        static_cast<std::int32_t>(pushed_.load(std::memory_order_relaxed) - taken_.load(std::memory_order_relaxed));
    return waiting < 0 ? 0 : static_cast<std::uint32_t>(waiting);
  }
  [[nodiscard]] std::uint32_t taken() const noexcept { return taken_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool is_idle() const noexcept { return tail_.load(std::memory_order_seq_cst) == idle; }

 private:
  Atomic<std::uintptr_t> tail_{idle};  // written by everybody
  Atomic<Node*> first_{nullptr};       // written by the push that found the list empty, cleared by the owner
  Node* last_ = nullptr;               // owner: taken, not yet retired
  Atomic<std::uint32_t> taken_{0};     // owner writes
  Atomic<std::uint32_t> pushed_{0};    // senders write
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
