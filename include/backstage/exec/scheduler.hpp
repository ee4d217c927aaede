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
//       a second without work. Nothing polls.
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
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "backstage/base/random.hpp"
#include "backstage/exec/detail/event_count.hpp"
#include "backstage/exec/detail/hog_watch.hpp"
#include "backstage/exec/detail/inject_queue.hpp"
#include "backstage/exec/detail/newest_first.hpp"
#include "backstage/exec/detail/next_slot.hpp"
#include "backstage/exec/detail/owner_gate.hpp"
#include "backstage/exec/detail/run_queue.hpp"
#include "backstage/exec/detail/standstill.hpp"
#include "backstage/exec/detail/timekeeping.hpp"
#include "backstage/exec/detail/turn.hpp"
#include "backstage/exec/detail/worker_limit.hpp"
#include "backstage/exec/detail/worker_tuning.hpp"
#include "backstage/exec/environment.hpp"
#include "backstage/exec/scheduling.hpp"
#include "backstage/exec/slab.hpp"
#include "backstage/exec/stack_signal.hpp"
#include "backstage/exec/timer_wheel.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

class Scheduler;

/// What can be run. Its address is its identity.
struct Runnable {};

/// A timer of the floor above.
struct TimerEntry : TimerNode {
  TimerEntry() noexcept = default;
  TimerEntry(const TimerEntry&) = delete;
  TimerEntry& operator=(const TimerEntry&) = delete;
  virtual ~TimerEntry() = default;
  /// Called under the shard's lock, on any worker: it may schedule, nothing more.
  virtual void fire() noexcept = 0;

  std::uint16_t shard = 0;  // whose worker's
};
static_assert(sizeof(TimerEntry) == 48);

using TimerShard = TimerShardOf<>;

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

/// What one thread needs to run actors. In manual mode there is one without a thread.
class alignas(kApart) Worker {
 public:
  Worker(Scheduler& scheduler, unsigned id);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  [[nodiscard]] unsigned id() const noexcept { return id_; }
  [[nodiscard]] Scheduler& scheduler() const noexcept { return scheduler_; }
  [[nodiscard]] Turn& turn() noexcept { return turn_; }
  /// The clock as last read: 64 short messages old at most, or one long one.
  [[nodiscard]] Instant coarse_now() const noexcept { return now_; }
  /// Reads the clock.
  Instant fresh_now() noexcept;
  /// Now, give or take Clock::recent_error.
  Instant recent_now() noexcept { return clock_.recently(recent_); }
  /// What only it changes, and a visitor while it is stuck.
  [[nodiscard]] OwnerGate<>& gate() noexcept { return gate_; }
  [[nodiscard]] bool is_stuck() const noexcept { return stuck_.load(std::memory_order_relaxed); }

  /// Its next-in-line stays with a worker that makes progress, and so does what is new until it has waited for a while: it is about
  /// to run them, with warm caches, and a visit stops it. Any thread.
  [[nodiscard]] bool has_for_visitors() const noexcept {
    const std::uint32_t fresh = fresh_.size();
    // relaxed: hints. seq_cst: let_visitors_come().
    return (fresh > 1 && fresh_waits_.load(std::memory_order_seq_cst)) ||
           (stuck_.load(std::memory_order_relaxed) && (fresh != 0 || !slot_.empty()));
  }

  /// Ends the turn of `work`, which is not idle: it goes behind everything that waits here.
  void give_way(Runnable& work) noexcept;
  /// What is being run, for the report of who does not give its thread back. relaxed: read when all else has failed.
  /// Since when, once a turn, and so without a reading of the clock: a turn of many messages ends after 100 us.
  void note_cell(void* cell) noexcept {
    noted_message_.store(nullptr, std::memory_order_relaxed);
    turn_.cell.store(cell, std::memory_order_relaxed);
  }
  /// The same for who notes a message before anybody's code runs.
  void note_turn(void* cell) noexcept { turn_.cell.store(cell, std::memory_order_relaxed); }
  void note(const void* message) noexcept { noted_message_.store(message, std::memory_order_relaxed); }
  [[nodiscard]] void* noted_cell() const noexcept { return turn_.cell.load(std::memory_order_relaxed); }
  [[nodiscard]] const void* noted_message() const noexcept { return noted_message_.load(std::memory_order_relaxed); }
  [[nodiscard]] Instant noted_since() const noexcept { return Instant{turn_began_.load(std::memory_order_relaxed)}; }
  [[nodiscard]] bool is_busy() const noexcept { return busy_.load(std::memory_order_seq_cst); }
  /// Whether the watch has found it in one message for too long. relaxed: for reports.
  [[nodiscard]] bool hogs() const noexcept { return hogs_.load(std::memory_order_relaxed); }
  /// Of a thread that stop_within() gave up: where it was.
  [[nodiscard]] const StackAddresses& last_stack() const noexcept { return last_stack_; }

  /// From a turn on this worker: as Scheduler::schedule().
  void push(Runnable* work) noexcept;

  /// To be called after each message of a turn. True: the turn has to end.
  [[nodiscard]] bool after_message() noexcept;
  /// What it has done so far: messages; and lines, and turns that were not messages alone.
  struct Counts {
    std::uint32_t handled = 0;
    std::uint32_t turns = 0;
    friend bool operator==(const Counts&, const Counts&) = default;
  };
  [[nodiscard]] Counts counts() const noexcept {
    return {handled_.load(std::memory_order_relaxed), turns_.load(std::memory_order_relaxed)};
  }
  /// Of a line, and so of a turn: so many messages at most.
  [[nodiscard]] unsigned most_messages() const noexcept { return most_messages_; }
  /// To be called in a turn that has had no message: what stands in line is bounded by those, too.
  void after_empty_turn() noexcept;
  /// To be called after a turn that was not messages alone; `before`: counts() as it began.
  void after_long_turn(Counts before) noexcept {
    if (counts() == before) return after_empty_turn();
    count_turn();  // a turn that begins with one long message is not taken for what came behind the last message of this one
  }
  /// After that, for work that is far behind, or that others wait for: whether its turn goes on although it has had its messages. Within the turn's
  /// time, unless something came from outside, and not for ever.
  [[nodiscard]] bool goes_on() noexcept;
  /// No other turn follows on the spot: what is displaced or comes next goes through the scheduler.
  void end_line() noexcept;
  /// After a turn, instead of returning from Scheduler::Run: what this worker would run next anyway, whose turn begins hereby; or
  /// null: return. Of a streak of turns only the first goes all the way through the scheduler.
  [[nodiscard]] Runnable* next_in_line() noexcept;

 private:
  friend class Scheduler;

  void push_stuck(Runnable* work) noexcept;
  void push_slowly(Runnable* displaced) noexcept;
  void push_back(Runnable* work) noexcept;
  void push_new(Runnable* work) noexcept;
  void share_new(std::size_t count) noexcept;
  void share_new_if_late(Instant now) noexcept;
  void let_visitors_come(bool yes) noexcept;
  void serve_spill_if_late(Instant now) noexcept;
  Runnable* next_new() noexcept;
  Runnable* next_new_in_line() noexcept;
  Runnable* next_spilled() noexcept;
  Runnable* next() noexcept;
  Runnable* next_run_over() noexcept;
  Runnable* take_back() noexcept;
  Runnable* next_from_outside() noexcept;
  [[nodiscard]] std::span<Runnable*> share_of(const InjectQueue<Runnable>& from,
                                              std::span<Runnable*> room) const noexcept;
  void overflow() noexcept;
  void run(Runnable* work) noexcept;
  void begin_line() noexcept;
  void count_turn() noexcept { turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  [[nodiscard]] bool looks_up() noexcept;
  [[nodiscard]] bool has_had_its_time() const noexcept;
  /// Whether a count has reached `at`; both wrap.
  [[nodiscard]] static bool has_come(std::uint32_t at, std::uint32_t count) noexcept {
    return static_cast<std::int32_t>(count - at) >= 0;
  }
  void look_next() noexcept { look_at_ = has_come(clock_at_, line_end_) ? clock_at_ : line_end_; }
  void read_clock() noexcept;
  [[nodiscard]] bool ends_by_time() noexcept;
  void share_if_late() noexcept;
  /// Messages and turns: stands still while it is in one message.
  [[nodiscard]] std::uint32_t progress() const noexcept {
    // relaxed: two readings are compared, nothing is read through them.
    return handled_.load(std::memory_order_relaxed) + turns_.load(std::memory_order_relaxed);
  }

  // Messages in a row from the slot before the queue gets a turn; so many a line counts for at least.
  static constexpr unsigned longest_streak = 64;
  static constexpr unsigned least_of_a_line = 4;

  Scheduler& scheduler_;
  const unsigned id_;
  Turn turn_;
  RunQueue<Runnable> queue_;
  RunQueue<Runnable> back_;  // taken back of what ran over, or from another's: goes before queue_
  NextSlot<Runnable> slot_;  // the owner's next, which visitors take only while it is `stuck_`
  OwnerGate<> gate_;
  NewestFirst<Runnable> fresh_;  // behind the gate: what nothing has run yet
  unsigned streak_ = 0;
  // A line: turns in a row, the first from anywhere and the others from the slot or what is new, bounded together.
  bool in_line_ = false;
  Counts line_begins_;
  std::uint32_t line_end_ = 0;  // of handled_
  std::uint32_t look_at_ = 0;   // the earlier of line_end_ and clock_at_
  unsigned run_ = 0;
  unsigned made_ = 0;
  std::uint32_t fresh_seen_ = UINT32_MAX;  // the oldest new work at the last look, and since when it has been that
  Instant fresh_since_{};
  std::atomic<bool> fresh_waits_{false};  // for so long that others may come for it
  bool fresh_told_ = false;               // somebody was woken for it
  std::uint32_t owed_ = 0;                // new work that goes before whoever gave way
  bool spill_seen_ = false;               // since spill_since_ there has been some
  Instant spill_since_{};
  unsigned alternate_ = 0;
  std::size_t ahead_ = 0;   // of what ran over, at least that much is older than queue_
  unsigned between_ = 0;    // turns from queue_ since others' was taken back
  unsigned went_on_ = 0;    // times, in this line
  unsigned most_messages_;  // of a line
  Runnable* running_ = nullptr;
  std::uint32_t clock_at_ = 1;  // of handled_: when the clock is to be read
  unsigned stride_ = 1;
  Instant now_{};
  std::atomic<std::int64_t> turn_began_{0};
  const Clock& clock_;
  Clock::Reading recent_;
  // How long work waits in queue_ and back_: a marker behind the newest and the time when it was set. Positions count what
  // was pushed; only their differences matter, so a count that missed some work for good does no harm.
  std::uint64_t pushed_ = 0;
  std::uint64_t marked_at_ = 0;
  Instant marked_when_{};
  bool marked_ = false;
  Random random_;
  TimerShard timers_;
  alignas(kApart) std::atomic<std::uint32_t> handled_{0};  // messages
  std::atomic<std::uint32_t> turns_{0};                    // Counts::turns
  std::atomic<bool> busy_{false};
  std::atomic<bool> stuck_{false};
  std::atomic<bool> inside_{false};  // its thread is in work()
  std::atomic<const void*> noted_message_{nullptr};
  std::atomic<bool> retire_{false};  // a spare one: nobody needs it any more
  std::atomic<bool> hogs_{false};    // an episode is open
  StackBuffer stack_;
  StackAddresses last_stack_;  // taken when its thread was given up
  std::thread thread_;
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
  void park(Worker& worker) noexcept;
  void stand_aside(Worker& worker) noexcept;
  void give_all_away(Worker& worker) noexcept;
  void tune(Instant now) noexcept;
  void lift_if_much_waits(Duration since_last_clock) noexcept;
  bool has_visible_work() const noexcept;
  void expire_due(Instant now) noexcept;
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
  turn_.asked = nullptr;
  turn_began_.store(now_.ns, std::memory_order_relaxed);  // relaxed: for reports, and its own
  in_line_ = !scheduler_.is_manual();                     // whoever cranks by hand counts the turns
}

// All that is rare is a call in last place, so that nothing has to be kept over it.
inline void Worker::push(Runnable* work) noexcept {
  Runnable* const displaced = slot_.replace(work);
  if (!slot_.is_calm()) [[unlikely]]
    return push_slowly(displaced);
  if (displaced != nullptr) push_back(displaced);
}

[[gnu::always_inline]] inline Runnable* Worker::next_in_line() noexcept {
  // What comes from outside ends the turn after each message, and with it the line (give_way). Whether all is to end, or this worker to
  // stand aside or to retire, is looked at when the line is over.
  if (!in_line_) return nullptr;
  if (Runnable* const next = slot_.take()) [[likely]]
    return next;
  return next_new_in_line();
}

inline bool Worker::goes_on() noexcept {
  constexpr std::uint32_t most_times = 63;
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
