// Timers, and who of the sleepers keeps the time: the part of the scheduler's parking that is about clocks, with the
// atomics as a parameter (W5), so that tests/model can run it in all interleavings.
//
//   TimerShard    timers behind a lock, and when the next is due as a word that may be read without
//   TimeKeeper    until when the one sleeps that will wake in time for the others
//   park()        the order of steps in which a worker goes to sleep and comes back
//   WatchSleep    the same for the watch, which sleeps while everybody is idle
// Threads: any, but where it says otherwise. Stability: internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include "backstage/exec/detail/atomics.hpp"
#include "backstage/exec/detail/event_count.hpp"
#include "backstage/exec/timer_wheel.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// Any thread may arm and cancel, behind a lock that is almost always its own worker's.
template <class Atomics = StdAtomics>
class alignas(kApart) TimerShardOf {
 public:
  explicit TimerShardOf(Instant base) : wheel_(base) {}
  TimerShardOf(const TimerShardOf&) = delete;
  TimerShardOf& operator=(const TimerShardOf&) = delete;

  void arm(TimerNode& timer, Instant due) {
    const std::lock_guard lock(mutex_);
    wheel_.arm(timer, due);
    // seq_cst: read by a worker that is about to park, and before TimeKeeper::oversleeps().
    if (due.ns < next_due_.load(std::memory_order_relaxed)) next_due_.store(due.ns, std::memory_order_seq_cst);
  }
  /// True: it will not fire. False: it fired, and its `fire` has returned, or it was not armed.
  bool cancel(TimerNode& timer) {
    const std::lock_guard lock(mutex_);
    return wheel_.cancel(timer);
  }
  /// Calls fire(node) under the lock for each that is due, if any may be; returns how many.
  template <class Fire>
  std::size_t expire(Instant now, Fire fire) {
    // relaxed: seen late, a later look finds it; who parks asks exact_next().
    if (next_due_.load(std::memory_order_relaxed) > now.ns) return 0;
    const std::lock_guard lock(mutex_);
    const std::size_t fired = wheel_.expire(now, fire);
    next_due_.store(wheel_.next_due().ns, std::memory_order_seq_cst);
    return fired;
  }
  /// Never later than the truth; too early by what was cancelled.
  [[nodiscard]] Instant next() const { return Instant{next_due_.load(std::memory_order_seq_cst)}; }
  /// A sleeper must not wake for what was cancelled (F2).
  [[nodiscard]] Instant exact_next() {
    if (next_due_.load(std::memory_order_seq_cst) == Instant::never().ns) return Instant::never();
    const std::lock_guard lock(mutex_);
    const Instant due = wheel_.next_due();
    next_due_.store(due.ns, std::memory_order_seq_cst);
    return due;
  }

 private:
  typename Atomics::Mutex mutex_;
  TimerWheel wheel_;
  typename Atomics::template Atomic<std::int64_t> next_due_{INT64_MAX};
};

/// The invariant: if a timer is armed for d, then some worker is awake, or asleep until d at the latest (or until what next_timer() says instead,
/// park()), or has a permit waiting. The word may say later than the truth (then somebody is woken, or sleeps with a time-out, for nothing),
/// never earlier:
///   - it is lowered only by a worker that then sleeps until then at the latest, or takes it back;
///   - that worker raises it again when it wakes, unless an earlier keeper's value stands there;
///   - a worker that wakes, for whatever reason, looks at all timers before it sleeps again.
template <class Atomics = StdAtomics>
class TimeKeeper {
 public:
  /// Somebody about to sleep, for whom the next timer is due then. True: this sleeper keeps the time, until release().
  [[nodiscard]] bool take(Instant due) {
    // seq_cst: whoever arms from outside compares against it after publishing its timer.
    std::int64_t kept = due_.load(std::memory_order_seq_cst);
    while (due.ns < kept) {
      if (due_.compare_exchange_weak(kept, due.ns, std::memory_order_seq_cst)) return true;
    }
    return false;
  }
  void release(Instant due) {
    std::int64_t mine = due.ns;
    due_.compare_exchange_strong(mine, INT64_MAX, std::memory_order_seq_cst);
  }
  /// After a timer was published from outside: whether nobody will wake in time for it, so that one must be woken.
  [[nodiscard]] bool oversleeps(Instant due) const { return due.ns < due_.load(std::memory_order_seq_cst); }

 private:
  typename Atomics::template Atomic<std::int64_t> due_{INT64_MAX};
};

/// A worker that found nothing to do. has_news() looks, with seq_cst, for all that anybody may be woken for;
/// next_timer() is exact, or later by what its worker lets timers wait for each other. False: there was something, and it did not sleep. asleep() and awake() are told on the way.
///
/// Timers armed from inside tell nobody: their worker is awake, and looks here. Timers armed from outside compare with
/// the keeper after they were published, and wake somebody: our prepare() came before our look at the timers, so we
/// either see them or are woken. A keeper that is woken to run something long leaves the time to the watch.
///
/// `at_most`: for whom there may be news that are nobody else's. Others may take the permit that was meant for it, and go back to
/// sleep, however often all are notified: so it looks by itself.
template <class Atomics, class News, class Next, class Now, class Asleep, class Awake>
bool park(EventCount<Atomics>& parking, TimeKeeper<Atomics>& keeper, News has_news, Next next_timer, Now clock,
          Asleep asleep, Awake awake, std::optional<Duration> at_most = std::nullopt) {
  const auto key = parking.prepare();
  // After prepare(): what is published from here on finds us waiting, what was published before we find now.
  if (has_news()) {
    parking.cancel(key);
    return false;
  }
  const Instant due = next_timer();
  const Instant now = clock();
  if (due <= now) {
    parking.cancel(key);
    return false;
  }
  const bool keeps = keeper.take(due);
  asleep();
  // A time-out is a relative one, so it is never cut short; the loop looks at the clock again.
  const bool to_the_timer = keeps && (!at_most || due - now < *at_most);
  parking.wait(key, to_the_timer ? std::optional<Duration>(due - now) : at_most);
  awake();
  if (keeps) keeper.release(due);
  return true;
}

/// Where the watch sleeps. One watch, any number of wakers.
template <class Atomics = StdAtomics>
class WatchSleep {
 public:
  /// The second half of Dekker's pattern with sleep_while(): say first, with seq_cst, what the watch must not sleep for.
  void wake() {
    if (word_.load(std::memory_order_seq_cst) != asleep) return;  // a look first: it is awake nearly always
    std::uint32_t seen = asleep;
    if (word_.compare_exchange_strong(seen, awake, std::memory_order_seq_cst)) Atomics::wake_one(word_);
  }
  void stop() {
    word_.store(ended, std::memory_order_seq_cst);
    Atomics::wake_all(word_);
  }
  /// The watch: sleeps without end, unless is_idle() says, with seq_cst, that somebody has come.
  template <class Idle>
  void sleep_while(Idle is_idle) {
    std::uint32_t seen = awake;
    word_.compare_exchange_strong(seen, asleep, std::memory_order_seq_cst);
    // Looked at again after the word is out: a worker that woke meanwhile has either seen it or is seen here.
    if (is_idle()) {
      while (word_.load(std::memory_order_seq_cst) == asleep) Atomics::wait(word_, asleep);
    }
    seen = asleep;
    word_.compare_exchange_strong(seen, awake, std::memory_order_seq_cst);
  }
  /// The watch: sleeps for so long, or until stop().
  void nap(Duration period) { Atomics::wait(word_, awake, period); }

 private:
  static constexpr std::uint32_t awake = 0, asleep = 1, ended = 2;
  alignas(kApart) typename Atomics::template Atomic<std::uint32_t> word_{awake};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
