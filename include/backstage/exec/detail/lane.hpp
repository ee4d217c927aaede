// A lane: many push, one takes everything there is, in order. The runtime's commands to an actor travel on one (M3):
// stop, kill and status must get through when the mailbox is full and memory is out, so a push never allocates and
// never fails.
//
// Promises
//   (1) Every node pushed is taken exactly once; the nodes of one pusher come in the order of its pushes.
//   (2) Of all pushes between two take_all()s exactly one, the first, returns true: whoever makes the owner run on that
//       account makes it run once.
//   (3) What the owner reads in a node is what its pusher wrote before push(). Lock-free; never allocates.
// Threads: any thread pushes; one owner takes. A Node has a member `Node* lane_next`, which belongs to the lane from
// push() until the taker has read it; a node is on one lane at a time. Nodes are not owned.
//
// A stack that is pushed by CAS and taken as a whole by exchange. There is no ABA: a push writes down the top it saw,
// and the CAS proves that this is the top still, whatever went on in between.
// Stability: internal.
#pragma once

#include <atomic>

#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class Node, class Atomics = StdAtomics>
class Lane {
 public:
  Lane() = default;
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  /// Any thread. True: the lane was empty, so the pusher is the one to make the owner run. May be followed by
  /// EventCount::notify_one(), or by a seq_cst look at the owner's state.
  bool push(Node* node) {
    auto* top = top_.load(std::memory_order_relaxed);  // relaxed: a guess, confirmed by the CAS
    for (;;) {
      node->lane_next = top;
      // release: publishes the node and its link; pairs with the acquire in take_all. seq_cst on top of that, because
      // the pusher goes on to look whether the owner sleeps (Dekker; see empty()).
      if (top_.compare_exchange_weak(top, node, std::memory_order_seq_cst, std::memory_order_relaxed)) {
        return top == nullptr;
      }
    }
  }

  /// Owner. Everything pushed so far, linked by lane_next in the order pushed; null if there is nothing. Read lane_next
  /// before handing a node on.
  [[nodiscard]] Node* take_all() {
    // relaxed: a null here says no more than empty(relaxed); it spares the exchange on every turn.
    if (top_.load(std::memory_order_relaxed) == nullptr) return nullptr;
    // acquire: pairs with the release in push. All pushes are RMWs, so this reads on from each of them (one release
    // sequence) and sees every node of the chain, not the last alone.
    Node* rest = top_.exchange(nullptr, std::memory_order_acquire);
    Node* first = nullptr;
    while (rest != nullptr) {
      Node* const next = rest->lane_next;
      rest->lane_next = first;
      first = rest;
      rest = next;
    }
    return first;
  }

  /// Any thread. Whether there was nothing a moment ago. An owner that has announced its sleep by a seq_cst RMW or store
  /// looks with seq_cst (the other half of Dekker); in the middle of its work relaxed is enough.
  [[nodiscard]] bool empty(std::memory_order order = std::memory_order_seq_cst) const {
    return top_.load(order) == nullptr;
  }

 private:
  typename Atomics::template Atomic<Node*> top_{nullptr};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
