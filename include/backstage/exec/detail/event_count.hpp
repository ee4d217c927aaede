// An event count: where workers park when they find nothing to do, and how they are woken without being polled.
//
//     worker                                     anyone with news
//       auto key = parked.prepare();               queue.push(work);          // a seq_cst store or read-modify-write
//       if (queue.empty()) parked.wait(key);       parked.notify_one();       // one load if nobody waits
//       else               parked.cancel(key);     // queue.empty() reads seq_cst
//
// Promises
//   (1) No lost wake-up: if the news was published before notify_one(), either the worker's look between prepare() and
//       wait() sees it, or notify_one() sees the worker.
//   (2) notify_one() that returns true ends exactly one stay (one wait() or one cancel() returns true);
//       notify_all() ends every stay begun before it.
//   (3) Nobody polls: wait() sleeps in the kernel until there is a permit or the time-out has passed; a notification
//       without waiters is one load.
// Any thread may call anything; a stay (prepare to wait/cancel) belongs to one thread. At most 65,535 stays at a time.
//
// All state is one word of two counts: `waiting`, the stays that nobody has notified, and `permits`, the notifications
// that no stay has taken yet. waiting + permits = stays under way.
//
//     prepare       (w, p) -> (w+1, p)
//     notify_one    (w, p) -> (w-1, p+1)  if w > 0, then wakes one sleeper
//     notify_all    (w, p) -> (0, p+w)    if w > 0, then wakes all
//     wait          (w, p) -> (w, p-1)    if p > 0; sleeps while p = 0
//     cancel, time-out   (w, p) -> (w-1, p) if w > 0, else (0, p) -> (0, p-1)
//
// A permit names no stay: a stay begun after notify_one() may take it from the one that was asleep. That loses nothing
// as long as *every stay looks for every news*: its prepare() comes after the notification in the word's order, so its
// look sees the news, or sees it taken. What concerns one thread alone needs an EventCount of that thread's own.
// The why of no lost wake-up (Dekker): the publication, notify's load, prepare's RMW and the look are all seq_cst, so
// they stand in one order S. If the look misses the news, it stands before the publication in S; hence prepare does
// too, and notify's load, which stands after the publication, sees the stay.
// Stability: internal.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "backstage/base/time.hpp"
#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class Atomics = StdAtomics>
class EventCount {
 public:
  /// One stay. Give it to exactly one wait() or cancel().
  class Key {
    friend class EventCount;
    Key() = default;
  };

  EventCount() = default;
  EventCount(const EventCount&) = delete;
  EventCount& operator=(const EventCount&) = delete;

  /// Announces that this thread is about to park. Look again for work after this, with seq_cst loads.
  [[nodiscard]] Key prepare() {
    // seq_cst: the worker's half of Dekker; the look that follows must not be made before the stay is visible.
    word_.fetch_add(kOneWaiting, std::memory_order_seq_cst);
    return Key{};
  }

  /// The look found work. True: a notification had been spent on this stay already. Its news is visible to this thread,
  /// which should see to it (or pass it on by notify_one) as if woken.
  bool cancel(Key) {
    auto seen = word_.load(std::memory_order_relaxed);  // relaxed: a guess, confirmed by the CAS
    for (;;) {
      // While some stay is un-notified, leave the permits to those who sleep: the kernel has woken them for these.
      const bool takes_permit = waiting(seen) == 0;
      // acquire: as in wait(), when this takes a permit.
      if (word_.compare_exchange_weak(seen, seen - (takes_permit ? kOnePermit : kOneWaiting),
                                      std::memory_order_acquire, std::memory_order_relaxed)) {
        return takes_permit;
      }
    }
  }

  /// Sleeps until notified (true). With a time-out also returns false: the time has passed, or (rarely) sleep was
  /// broken off early; the caller looks at its timers and its queues in either case.
  bool wait(Key, std::optional<Duration> timeout = std::nullopt) {
    auto seen = word_.load(std::memory_order_relaxed);  // relaxed: a guess, confirmed by CAS or kernel
    bool slept = false;
    for (;;) {
      if (permits(seen) > 0) {
        // acquire: pairs with the release in notify; what was published before the notification is visible here.
        if (word_.compare_exchange_weak(seen, seen - kOnePermit, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
          return true;
        }
      } else if (slept && timeout) {
        // The CAS holds only while there is no permit: if the kernel woke us for one, we must not leave without it, as
        // no other sleeper was woken for it. relaxed: nothing is read through this.
        if (word_.compare_exchange_weak(seen, seen - kOneWaiting, std::memory_order_relaxed,
                                        std::memory_order_relaxed)) {
          return false;
        }
      } else {
        // Sleeps only if permits are 0 at that very moment; a change of the other stays' counts just means once more.
        slept = Atomics::wait(word_, seen, timeout);
        seen = word_.load(std::memory_order_relaxed);
      }
    }
  }

  /// Wakes one stay, if there is one. Publish the news before, by a seq_cst store or RMW. False: nobody was waiting.
  bool notify_one() {
    // seq_cst: the notifier's half of Dekker, ordered after the publication by the caller's seq_cst store. No RMW, so
    // that busy runtimes do not fight over this line.
    auto seen = word_.load(std::memory_order_seq_cst);
    while (waiting(seen) > 0) {
      // release: publishes the news to the woken. seq_cst on failure: the reload is a Dekker load like the first.
      if (word_.compare_exchange_weak(seen, seen - kOneWaiting + kOnePermit, std::memory_order_seq_cst,
                                      std::memory_order_seq_cst)) {
        Atomics::wake_one(word_);
        return true;
      }
    }
    return false;
  }

  /// Wakes every stay begun before; returns how many. Publish the news before, by a seq_cst store or RMW.
  std::uint32_t notify_all() {
    auto seen = word_.load(std::memory_order_seq_cst);  // as in notify_one
    while (waiting(seen) > 0) {
      const auto count = waiting(seen);
      if (word_.compare_exchange_weak(seen, seen - count * kOneWaiting + count * kOnePermit,
                                      std::memory_order_seq_cst, std::memory_order_seq_cst)) {
        Atomics::wake_all(word_);
        return count;
      }
    }
    return 0;
  }

  /// Whether a notify_one() now would find someone. One load.
  [[nodiscard]] bool has_waiters() const { return waiting_count() > 0; }
  /// Stays that nobody has notified yet.
  [[nodiscard]] std::uint32_t waiting_count() const {
    return waiting(word_.load(std::memory_order_seq_cst));  // seq_cst: usable in place of notify's own look
  }

 private:
  static constexpr std::uint32_t kOneWaiting = 1;
  static constexpr std::uint32_t kOnePermit = 1U << 16;
  static constexpr std::uint32_t waiting(std::uint32_t word) { return word & (kOnePermit - 1); }
  static constexpr std::uint32_t permits(std::uint32_t word) { return word >> 16; }

  alignas(kApart) typename Atomics::template Atomic<std::uint32_t> word_{0};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
