// The scheduler: workers with queues of their own, stealing, parking and timers. It runs Runnables (actors, one floor
// up) and knows nothing else about them.
//
//   (1) A Runnable that was scheduled once is run once; who schedules sees to it that it is not queued twice.
//   (2) No runnable waits for ever (F1): a turn is bounded by messages and by time, what is displaced goes to the
//       back, what comes from outside alternates with what is local, what ran over a worker's queue goes before what was
//       left in it (of one worker: first in, first out), and a worker that is stuck in one message has its queue and its
//       next-in-line taken over (the watch finds it within 2 looks of 10 ms; from then on what it schedules while it is
//       stuck is shared at once). Are all stuck, the watch begins spare workers, up to a bound, and ends them when they are
//       needed no more.
//       New work (what nothing has run yet) is taken newest first; whoever gives way lets up to 256 of it go before, and what
//       has waited for 5 ms joins the queue, some at a time.
//   (3) An idle scheduler makes no wake-ups (F2): workers sleep until the exact next timer, the watch sleeps after
//       a second without work. Nothing polls but a spare worker that may be told to go, while there is one; the watch is
//       awake then, too. Where timers are due by the eight, a worker sleeps for 100 us at least.
//   (4) A second worker is woken when work has waited for 50 us (or comes from outside), not for each message: waking
//       costs the waker 15 us on a small virtual machine, and shared work is slower than local work.
//   (5) Workers that take part in what fewer of them would do sooner stand aside (worker_tuning.hpp), until a worker's own work has
//       waited for 5 ms, much waits that came from elsewhere, messages take so long, or somebody has nothing to do.
//
// Manual mode (threads = 0): no thread at all; whoever owns the scheduler calls run_ready() and expire_timers(). Whoever
// opened the door Scheduling then says what is run next.
// Threads: schedule(), arm() and cancel() from any thread.
// Stability: internal.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "backstage/exec/detail/event_count.hpp"
#include "backstage/exec/detail/hog_watch.hpp"
#include "backstage/exec/detail/inject_queue.hpp"
#include "backstage/exec/detail/standstill.hpp"
#include "backstage/exec/detail/worker_limit.hpp"
#include "backstage/exec/detail/worker_tuning.hpp"
#include "backstage/exec/environment.hpp"
#include "backstage/exec/scheduling.hpp"
#include "backstage/exec/slab.hpp"
#include "backstage/exec/stack_signal.hpp"
#include "backstage/exec/worker.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// A worker hogs: it has been in one message for longer than allowed; or that is over. `cell` and `message` are what
/// it had noted; read while it is still in the same turn, or empty.
struct HogNews {
  unsigned worker = 0;
  bool over = false;
  void* cell = nullptr;
  const void* message = nullptr;
  Instant since{};       // when its turn began
  StackAddresses stack;  // empty: not allowed, or it did not come in time
};

struct SchedulerOptions {
  unsigned threads = 1;  ///< 0: manual; at most 32,768
  unsigned turn_messages = 64;
  Duration turn_time = std::chrono::microseconds(100);
  Duration share_after = std::chrono::microseconds(50);
  TuningRules tuning{};
  Duration limit_until =
      std::chrono::milliseconds(5);  ///< so long may work wait before those who stand aside come back
  unsigned spare_threads = 16;       ///< at most so many workers more, while all others are stuck
  HogRules hog{};
  const StackSignal* stacks = nullptr;  ///< null: no signals
  /// Called on the watch's thread. Must be quick.
  void (*on_hog)(void* context, const HogNews& news) noexcept = nullptr;
  void* on_hog_context = nullptr;
  /// Called on the watch's thread, at each look at a worker that is stuck in a message. May visit its gate.
  void (*on_stuck)(void* context, Worker& worker) noexcept = nullptr;
  /// Called on the watch's thread when everybody has been idle for a second: time to give memory back. May hold_still().
  /// False: not all of it was done, and it is worth trying once more soon.
  bool (*on_rest)(void* context) noexcept = nullptr;
};

class Scheduler {
 public:
  using Run = void (*)(Runnable&, Worker&);

  Scheduler(const Environment& environment, SlabPool& pool, SchedulerOptions options, Run run);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ~Scheduler();

  /// Gives each worker's Turn its context (before start()): of all most_workers().
  void set_context(unsigned worker, void* context) noexcept {
    contexts_[worker] = context;
    if (workers_[worker] != nullptr) workers_[worker]->turn_.context = context;
  }
  void start();
  /// Ends and joins the workers; what is still queued is not run (see run_leftovers). Not from a worker.
  void stop() noexcept;
  /// Tells the workers to end after their present line and gives them until `within` has passed. True: all are out,
  /// and joined. False: those that is_inside() names did not come back; they are detached, and nothing that they may
  /// touch may ever be freed.
  [[nodiscard]] bool stop_within(Duration within) noexcept;
  /// Whether the worker's thread has not left its loop. Exact once it is false.
  [[nodiscard]] bool is_inside(unsigned id) const noexcept;
  /// After stop(): runs what is still queued, on this thread. For those who must not lose it (M6).
  void run_leftovers() noexcept;

  [[nodiscard]] Worker& worker(unsigned id) noexcept { return *workers_[id]; }
  [[nodiscard]] bool is_manual() const noexcept { return options_.threads == 0; }
  /// As asked for.
  [[nodiscard]] unsigned workers() const noexcept { return regular_; }
  /// Of those: the others stand aside (5). A moment ago.
  [[nodiscard]] unsigned taking_part() const noexcept { return std::min(limit_.now(), regular_); }
  /// Those and the spare ones that have ever been begun: worker(id) is there for each id below. Grows only.
  [[nodiscard]] unsigned known_workers() const noexcept { return known_.load(std::memory_order_acquire); }
  /// Those and as many spare ones as there may be.
  [[nodiscard]] unsigned most_workers() const noexcept { return static_cast<unsigned>(workers_.size()); }
  [[nodiscard]] const Environment& environment() const noexcept { return environment_; }
  [[nodiscard]] Instant now() const noexcept { return environment_.clock().now(); }

  /// Any thread: runs it soon, on this worker if the caller is one.
  void schedule(Runnable& work) noexcept;
  /// The same, for what has never run: newest first, as far as the worker has the choice.
  void schedule_new(Runnable& work) noexcept;

  /// Any thread.
  void arm(TimerEntry& timer, Instant due) noexcept;
  /// Any thread. True: it will not fire. False: it fired (its fire() has returned) or was not armed.
  bool cancel(TimerEntry& timer) noexcept;

  // Manual mode, one thread.
  /// Runs until nothing is runnable or `most` turns have been run; returns how many were.
  std::size_t run_ready(std::size_t most);
  /// The earliest timer, or never.
  [[nodiscard]] Instant next_timer() noexcept;
  /// Fires what is due.
  void expire_timers() noexcept;
  [[nodiscard]] Turn& manual_turn() noexcept { return workers_.front()->turn_; }

  /// Any thread: nothing queued anywhere and no worker busy. Exact only when nobody sends from outside.
  [[nodiscard]] bool looks_idle() const noexcept;
  /// True: no worker is in a turn, nor begins one until go_on(). False: somebody is busy. For the watch's thread.
  [[nodiscard]] bool hold_still() noexcept {
    return standstill_.try_hold([this] { return !looks_idle(); });
  }
  void go_on() noexcept { standstill_.go_on(); }

 private:
  friend class Worker;

  void schedule_from_outside(Runnable& work) noexcept;
  std::size_t run_chosen(std::size_t most);
  void work(Worker& worker) noexcept;
  void tell_to_stop() noexcept;
  void take_last_stack(Worker& worker) noexcept;
  void leave_to_others(Worker& worker) noexcept;
  Runnable* steal(Worker& thief) noexcept;
  Runnable* visit(Worker& other, Worker& thief) noexcept;
  [[nodiscard]] std::optional<Duration> nap_of(const Worker& worker) const noexcept;
  void park(Worker& worker) noexcept;
  void stand_aside(Worker& worker) noexcept;
  void give_all_away(Worker& worker) noexcept;
  void tune(Instant now) noexcept;
  void lift_if_much_waits(Duration since_last_clock) noexcept;
  bool has_visible_work() const noexcept;
  std::size_t expire_due(Instant now) noexcept;
  Instant earliest(bool exact) noexcept;
  struct Watching;
  void watch();
  bool tend_spares(Watching& watching, unsigned stuck, bool more) noexcept;
  void start_spare() noexcept;
  void share_of_stuck(Worker& worker, RunQueue<Runnable>& taken) noexcept;
  void tell_hog(Worker& worker, HogEpisode::News news, std::uint32_t progress) noexcept;
  /// All workers that were ever begun. acquire: pairs with the release that published the last of them.
  [[nodiscard]] std::span<const std::unique_ptr<Worker>> known() const noexcept {
    return {workers_.data(), known_.load(std::memory_order_acquire)};
  }

  const Environment& environment_;
  SlabPool& pool_;
  const SchedulerOptions options_;
  const Run run_;
  Scheduling* const scheduling_;  // manual mode, if somebody opened that door
  std::vector<Runnable*> ready_;  // with it: in the order scheduled
  const unsigned regular_;
  std::vector<std::unique_ptr<Worker>> workers_;  // never moves; what is behind known_ is null, and the watch's
  std::vector<void*> contexts_;
  std::atomic<unsigned> known_{0};
  InjectQueue<Runnable> inject_;    // from outside, and from workers that give it away
  InjectQueue<Runnable> overflow_;  // what ran over a worker's queue
  InjectQueue<Runnable> spill_;     // new work that a worker had no room for
  EventCount<> parking_;
  alignas(kApart) TimeKeeper<> keeper_;  // of those that are parked
  std::atomic<bool> stopping_{false};
  WorkerLimit<> limit_;  // how many workers take part
  // The first worker's: it is never left out, and reads its clock between two messages, so it is in none that is long.
  Instant tune_at_;
  WorkerTuning tuning_;
  std::vector<std::uint32_t> progress_seen_;  // of each worker, at the last look
  std::atomic<std::uint32_t> inside_{0};      // workers in work(): a futex word for stop_within()
  std::thread watch_thread_;
  WatchSleep<> watch_sleep_;
  Standstill<> standstill_;
};

// ---- of a Worker, what looks at its scheduler with each message

inline bool Worker::after_message() noexcept {
  // relaxed: the watch compares two readings ten milliseconds apart, nothing is read through it.
  const std::uint32_t handled = handled_.load(std::memory_order_relaxed) + 1;
  handled_.store(handled, std::memory_order_relaxed);
  if (has_come(look_at_, handled)) [[unlikely]]
    return looks_up();
  return scheduler_.inject_.size_hint() != 0;
}

/// What stands in line is bounded as one: so many messages, and turns without, and so much time.
inline void Worker::begin_line() noexcept {
  const std::uint32_t handled = handled_.load(std::memory_order_relaxed);
  count_turn();  // so that the watch tells its first message from the last one before a rest
  line_begins_ = counts();
  line_end_ = handled + most_messages_;
  look_next();
  went_on_ = 0;
  new_in_a_row_ = 0;
  turn_.asked = nullptr;
  turn_began_.store(now_.ns, std::memory_order_relaxed);  // relaxed: for reports, and its own
  in_line_ = !scheduler_.is_manual();                     // whoever cranks by hand counts the turns
}

inline bool Worker::goes_on() noexcept {
  constexpr std::uint32_t most_times = 255;
  const std::uint32_t handled = handled_.load(std::memory_order_relaxed);
  if (!has_come(line_end_, handled) || went_on_ == most_times || scheduler_.inject_.size_hint() != 0 ||
      now_ - noted_since() >= scheduler_.options_.turn_time) {
    return false;
  }
  ++went_on_;
  line_end_ = handled + most_messages_;
  look_next();
  return true;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
