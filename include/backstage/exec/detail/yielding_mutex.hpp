// A mutex for two kinds of holders: many that hold it for a moment, and one that takes it again and again for as long as
// its work lasts, and lets the others through in between.
//
// A std::mutex does not do that by itself: who has just released it takes it again before a sleeper has woken, so the
// sleeper waits until all of the work is done. Here who waits says so, and looks for a moment before it sleeps; and let_through()
// stays away for as long as somebody waits, within its caller's patience.
// Threads: any. Stability: internal.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

class YieldingMutex {
 public:
  void lock() {
    if (mutex_.try_lock()) return;
    // relaxed, all: a hint, whatever is guarded is published by the mutex.
    waiting_.fetch_add(1, std::memory_order_relaxed);
    if (!try_for_a_moment()) mutex_.lock();
    waiting_.fetch_sub(1, std::memory_order_relaxed);
  }
  void unlock() { mutex_.unlock(); }
  [[nodiscard]] bool is_wanted() const noexcept { return waiting_.load(std::memory_order_relaxed) != 0; }
  /// By who will lock it again, and does not hold it now. `patience`: so many of his turns on the processor are left, for all of his work.
  void let_through(int& patience) const noexcept {
    for (; patience > 0 && is_wanted(); --patience) std::this_thread::yield();
  }

 private:
  static constexpr int looks = 200;  // some microseconds, which is what others hold it for

  [[nodiscard]] bool try_for_a_moment() {
    for (int i = 0; i < looks; ++i) {
      StdAtomics::pause();
      if (mutex_.try_lock()) return true;
    }
    return false;
  }

  std::mutex mutex_;
  std::atomic<unsigned> waiting_{0};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
