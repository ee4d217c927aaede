// The queue of ready work that no worker has taken up yet: from threads outside, and what overflows a worker's own.
//
// Promises
//   (1) Unbounded; every pointer pushed is popped exactly once, in the order of the pushes. (It needs no bound of its
//       own: an actor is in it at most once.)
//   (2) What a popper reads through the pointer is what the pusher wrote before the push.
//   (3) An empty queue costs a poller one load.
// Any thread may call anything. Behind a mutex: it is the road for the few, workers serve themselves from RunQueues.
// Pointers are not owned: empty the queue before it goes.
// Stability: internal.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <span>

#include "backstage/exec/detail/atomics.hpp"
#include "backstage/exec/detail/block_queue.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class T, class Atomics = StdAtomics>
class InjectQueue {
 public:
  InjectQueue() = default;
  InjectQueue(const InjectQueue&) = delete;
  InjectQueue& operator=(const InjectQueue&) = delete;

  /// May be followed by EventCount::notify_one(). Throws std::bad_alloc, then nothing was pushed.
  void push(T* work) { push_batch(std::span(&work, 1)); }

  /// All of `work`, with nothing in between, or (std::bad_alloc) nothing.
  void push_batch(std::span<T* const> work) {
    if (work.empty()) return;
    const std::lock_guard lock(mutex_);
    queue_.push(work);
    publish_size();
  }

  /// The oldest, or null. An empty queue is seen without the lock; work is overlooked only by who may, see empty().
  [[nodiscard]] T* pop() {
    T* work = nullptr;
    pop_batch(std::span(&work, 1));
    return work;
  }

  /// The oldest out.size(), or what there is; returns how many.
  std::size_t pop_batch(std::span<T*> out) {
    if (empty()) return 0;
    const std::lock_guard lock(mutex_);
    const std::size_t count = queue_.pop(out);
    if (count > 0) publish_size();
    return count;
  }

  /// How much there was a moment ago.
  [[nodiscard]] std::size_t size_hint() const {
    return size_.load(std::memory_order_relaxed);  // relaxed: a hint, nothing is read through it
  }

  /// True: there was a moment during the call when the queue was empty. With seq_cst this is the look that EventCount
  /// wants between prepare() and wait(); for a mere hint relaxed will do.
  [[nodiscard]] bool empty(std::memory_order order = std::memory_order_seq_cst) const {
    return size_.load(order) == 0;
  }

 private:
  // seq_cst: the publication that a notify_one() after push() stands behind, see EventCount. Written under the lock
  // only, so it is exact for whoever holds it.
  void publish_size() { size_.store(queue_.size(), std::memory_order_seq_cst); }

  typename Atomics::Mutex mutex_;
  BlockQueue<T> queue_;
  alignas(kApart) typename Atomics::template Atomic<std::size_t> size_{0};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
