// A box with one immutable value that is exchanged while others read it: neither waits for the other, ever.
//
// (1) read() yields a value that was in the box at some moment during the call, whole, and keeps it as it is for as long
//     as the Snapshot lives. Later reads of one thread never yield an older one.
// (2) put() makes every read() that begins after it yield the new value (or a later one).
// (3) A value is freed exactly once, when it is in the box no more and its last Snapshot is gone.
//
// How: the word holds the value's address and, above it, how many readers took it since it was put there ("outside"). A
// reader takes it by one addition, so there is no moment at which it has the address and not the claim. Who exchanges the
// word learns how many claims there were and writes them into the value's own count; who gives one back subtracts it there.
// While it is in the box that count has a surcharge that no number of readers can use up.
//
// Threads: any, for all. Cost: a read is two additions, one on the word and one, when it is given back, on the value.
// Stability: internal.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

struct DeleteNode {
  template <class Node>
  static void free(Node* node) noexcept {
    delete node;
  }
};

/// `settle_at`: so many claims are moved from the word into the value; far below what the word can count (65,535), far
/// above the number of threads that can be between the two.
template <class T, class Atomics = StdAtomics, class Free = DeleteNode, std::uint64_t settle_at = 1U << 15U,
          bool settle_first = true>
class SnapshotBox {
 public:
  class Node {
   public:
    template <class... X>
    explicit Node(X&&... parts) : value(std::forward<X>(parts)...) {}
    T value;

   private:
    friend class SnapshotBox;
    typename Atomics::template Atomic<std::int64_t> claims{in_box};
  };

  /// A claim on a value, or nothing.
  class Snapshot {
   public:
    Snapshot() = default;
    Snapshot(Snapshot&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    Snapshot(const Snapshot& other) noexcept : node_(other.node_) {
      // relaxed: we hold a claim already, so it cannot go away meanwhile.
      if (node_ != nullptr) node_->claims.fetch_add(1, std::memory_order_relaxed);
    }
    Snapshot& operator=(Snapshot other) noexcept {
      std::swap(node_, other.node_);
      return *this;
    }
    ~Snapshot() {
      if (node_ != nullptr) add(node_, -1);
    }
    explicit operator bool() const noexcept { return node_ != nullptr; }
    const T& operator*() const noexcept { return node_->value; }
    const T* operator->() const noexcept { return &node_->value; }

   private:
    friend class SnapshotBox;
    explicit Snapshot(Node* node) noexcept : node_(node) {}
    Node* node_ = nullptr;
  };

  SnapshotBox() = default;
  SnapshotBox(const SnapshotBox&) = delete;
  SnapshotBox& operator=(const SnapshotBox&) = delete;
  ~SnapshotBox() { put(nullptr); }

  [[nodiscard]] Snapshot read() const noexcept {
    // relaxed: a look that saves the addition when the box is empty; nothing is read through it.
    if (node_of(word_.load(std::memory_order_relaxed)) == nullptr) return Snapshot();
    // acquire: pairs with the release in put(): the value is whole.
    const std::uint64_t before = word_.fetch_add(one_claim, std::memory_order_acquire);
    Node* const node = node_of(before);
    if (node == nullptr) return Snapshot();
    const std::uint64_t outside = (before >> address_bits) + 1;
    if (outside >= settle_at) settle(node, before + one_claim);
    return Snapshot(node);
  }

  /// Takes the node, or null for an empty box.
  void put(Node* node) noexcept {
    const auto next = reinterpret_cast<std::uintptr_t>(node);
    // release: publishes the value. acquire: whoever frees the old one comes after all who put or settled it.
    const std::uint64_t before = word_.exchange(next, std::memory_order_acq_rel);
    if (Node* const old = node_of(before)) add(old, static_cast<std::int64_t>(before >> address_bits) - in_box);
  }

 private:
  static constexpr unsigned address_bits = 48;
  static constexpr std::uint64_t one_claim = std::uint64_t{1} << address_bits;
  static constexpr std::int64_t in_box = std::int64_t{1} << 40;

  [[nodiscard]] static Node* node_of(std::uint64_t word) noexcept {
    return reinterpret_cast<Node*>(static_cast<std::uintptr_t>(word & (one_claim - 1)));
  }
  static void add(Node* node, std::int64_t claims) noexcept {
    // acq_rel: release, so that what was read under this claim comes before the value is freed; acquire for who frees it.
    if (node->claims.fetch_add(claims, std::memory_order_acq_rel) + claims == 0) Free::free(node);
  }

  /// Moves the claims that `seen` counts from the word into the node. We hold one of them, so the node stays, and with it
  /// its address: the same address in the word is the same node. First into the node, then out of the word: the other way
  /// round somebody who exchanges the word in between would find the node's count short, and free it under its readers.
  /// Again until they are moved, by us or by another: whoever reads with the count this high comes here first, so it never
  /// exceeds settle_at by more than the number of threads, however many read without pause.
  void settle(Node* node, std::uint64_t seen) const noexcept {
    while (node_of(seen) == node && (seen >> address_bits) >= settle_at) {
      const auto outside = static_cast<std::int64_t>(seen >> address_bits);
      if (settle_first) add(node, outside);
      // relaxed: only counts are exchanged; the address, which publishes, stays. `seen` becomes what is there if it fails.
      const bool moved = word_.compare_exchange_strong(seen, seen & (one_claim - 1), std::memory_order_relaxed);
      if (!settle_first && moved) add(node, outside);
      if (moved) return;
      if (settle_first) add(node, -outside);
    }
  }

  mutable typename Atomics::template Atomic<std::uint64_t> word_{0};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
