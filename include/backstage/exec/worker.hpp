// What one thread needs to run what the scheduler is given: its queues, its next-in-line, what is new, its timers, and the bounds of
// what it runs in a row (scheduler.hpp has the promises).
// Threads: its own, but where it says otherwise. Stability: internal.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>

#include "backstage/base/random.hpp"
#include "backstage/exec/detail/inject_queue.hpp"
#include "backstage/exec/detail/newest_first.hpp"
#include "backstage/exec/detail/next_slot.hpp"
#include "backstage/exec/detail/owner_gate.hpp"
#include "backstage/exec/detail/run_queue.hpp"
#include "backstage/exec/detail/timekeeping.hpp"
#include "backstage/exec/detail/turn.hpp"
#include "backstage/exec/environment.hpp"
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

  /// Until when it sleeps, when it has nothing else to do and the next timer is due then.
  [[nodiscard]] Instant wakes_for(Instant due) const noexcept { return std::max(due, no_timers_before_); }

  /// Its next-in-line stays with a worker that makes progress, and so does what is new until it has waited for a while: it runs
  /// them soon, with warm caches, and a visit stops it. Any thread.
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
    count_turn();
  }
  /// The same after one that is known to have handled something: a turn that begins with one long message is not taken for what came
  /// behind the last message of this one.
  void count_turn() noexcept { turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  /// After that, for work that is far behind, or that others wait for: whether its turn goes on although it has had its messages. Within the turn's
  /// time, unless something came from outside, and not for ever.
  [[nodiscard]] bool goes_on() noexcept;
  /// No other turn follows on the spot: what is displaced or comes next goes through the scheduler.
  void end_line() noexcept;
  /// After a turn, instead of returning from Scheduler::Run: what this worker runs next, whose turn begins hereby; or
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
  Runnable* next_behind_new() noexcept;
  Runnable* next_spilled() noexcept;
  void keep_new(std::span<Runnable*> others) noexcept;
  Runnable* next() noexcept;
  Runnable* next_run_over() noexcept;
  Runnable* take_back() noexcept;
  Runnable* next_from_outside() noexcept;
  [[nodiscard]] std::span<Runnable*> share_of(const InjectQueue<Runnable>& from,
                                              std::span<Runnable*> room) const noexcept;
  void overflow() noexcept;
  void run(Runnable* work) noexcept;
  void begin_line() noexcept;
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
  unsigned fresh_made_ = 0;               // made_ then
  bool fresh_told_ = false;               // somebody was woken for it
  std::uint32_t owed_ = 0;                // new work that goes before whoever gave way
  std::uint32_t new_in_a_row_ = 0;        // of this line, since it took what is next
  bool spill_seen_ = false;               // since spill_since_ there has been some
  Instant spill_since_{};
  unsigned spill_made_ = 0;
  unsigned alternate_ = 0;
  std::size_t ahead_ = 0;   // of what ran over, at least that much is older than queue_
  unsigned between_ = 0;    // turns from queue_ since others' was taken back
  unsigned went_on_ = 0;    // times, in this line
  unsigned most_messages_;  // of a line
  Runnable* running_ = nullptr;
  std::uint32_t clock_at_ = 1;  // of handled_: when the clock is to be read
  unsigned stride_ = 1;
  Instant now_{};
  Instant no_timers_before_{};  // it is not woken for timers: many were due just now
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
  if (new_in_a_row_ != 0) [[unlikely]]
    return next_behind_new();
  if (Runnable* const next = slot_.take()) [[likely]]
    return next;
  return next_new_in_line();
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
