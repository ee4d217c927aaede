// One worker: what it runs next, how long a turn is, and what it leaves to others.
#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "backstage/exec/scheduler.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

// Lines in a row of others while new work waits, and new work in a row while others wait.
constexpr unsigned longest_run = 16;
// Messages between two readings of the clock, while they are short; while they are so short that to read it would show.
constexpr unsigned longest_stride = 16;
constexpr unsigned longest_quick_stride = 64;
constexpr Duration slow_stride = std::chrono::microseconds(50);
constexpr Duration quick_stride = std::chrono::microseconds(5);
// New work is taken newest first; the oldest of it waits so long at most before some of it goes to the others' queue.
constexpr Duration oldest_waits = std::chrono::milliseconds(5);
constexpr std::size_t oldest_at_once = 8;
// To be woken costs some ten times what a timer does. Where so many are due at once, more are within a moment: they wait for each other, until so long after.
constexpr std::size_t many_timers = 8;
constexpr Duration timers_apart = std::chrono::microseconds(100);
constexpr std::size_t spilled_at_once = 64;
constexpr std::size_t shared_at_once = 32;

/// Of what has waited for long, where the worker has made so much that is new meanwhile: that runs before, and each of the old may make more. A
/// tree would grow in breadth by it, until nothing of it is in a cache.
constexpr std::size_t late_at_once(std::size_t most, unsigned made, std::size_t least) noexcept {
  return std::max(made < most ? most - made : 0, least);
}

}  // namespace

Worker::Worker(Scheduler& scheduler, unsigned id)
    : scheduler_(scheduler),
      id_(id),
      most_messages_(scheduler.options_.turn_messages),
      clock_(scheduler.environment().clock()),
      random_(scheduler.environment().chance().next()),
      timers_(scheduler.environment().clock().now()) {
  turn_.pool = &scheduler.pool_;
  turn_.cache = &scheduler.pool_.take_cache();
  turn_.worker = this;
}

Worker::~Worker() { scheduler_.pool_.give_back(*turn_.cache); }

Instant Worker::fresh_now() noexcept {
  const Instant before = std::exchange(now_, scheduler_.now());
  // What took so long would not be seen when the clock is read the next time: it is time now.
  if (now_ - before > slow_stride) {
    clock_at_ = handled_.load(std::memory_order_relaxed) + 1;
    stride_ = 1;
    look_next();
  }
  return now_;
}

/// What is new in the slot is there; somebody may have been at it, or the worker is stuck.
void Worker::push_slowly(Runnable* displaced) noexcept {
  displaced = slot_.settle(displaced);
  if (displaced != nullptr) push_back(displaced);
  if (!stuck_.load(std::memory_order_relaxed)) {
    if (slot_.is_diverted()) slot_.divert(false);  // the watch may have said so as the clock was read
    return;
  }
  if (Runnable* const work = slot_.take()) push_stuck(work);
}

/// It may be long before we come to run it. Others take it from the queue, in batches; a visitor would take one at a time, and keep us
/// waiting for each. No Dekker: should the sleeper overlook it, the watch finds it at its next look.
void Worker::push_stuck(Runnable* work) noexcept {
  push_back(work);
  scheduler_.parking_.notify_one();
}

void Worker::push_back(Runnable* work) noexcept {
  // release: nobody is woken for it on the spot. Whoever shares it later (share_if_late, overflow) does so from this
  // thread, behind this store, with an event count in between.
  if (!queue_.push(work, std::memory_order_release)) {
    overflow();
    if (!queue_.push(work)) return scheduler_.overflow_.push(work);
  }
  ++pushed_;
}

void Worker::push_new(Runnable* work) noexcept {
  // Without threads there is an order to keep: what is made first runs first.
  if (scheduler_.is_manual()) return push(work);
  if (stuck_.load(std::memory_order_relaxed)) [[unlikely]]
    return push_stuck(work);
  gate_.enter();
  bool pushed = fresh_.push(work);
  gate_.leave();
  if (!pushed) {
    share_new(fresh_.capacity() / 2);
    gate_.enter();
    pushed = fresh_.push(work);
    gate_.leave();
    if (!pushed) return scheduler_.spill_.push(work);
  }
  // Who makes many in one message does not come to read the clock meanwhile.
  if ((++made_ & 15U) == 0 && (scheduler_.parking_.has_waiters() || scheduler_.limit_.in_force()))
    share_new_if_late(scheduler_.now());
}

/// The oldest of the new go to where every worker looks that has nothing else to do.
void Worker::share_new(std::size_t count) noexcept {
  std::array<Runnable*, 128> oldest{};
  gate_.enter();
  const std::uint32_t taken = fresh_.take_oldest(std::span(oldest).first(std::min(count, oldest.size())));
  gate_.leave();
  scheduler_.spill_.push_batch(std::span<Runnable* const>(oldest.data(), taken));
  scheduler_.parking_.notify_one();
}

void Worker::share_new_if_late(Instant now) noexcept {
  serve_spill_if_late(now);
  const std::uint32_t oldest = fresh_.oldest();
  const bool limited = scheduler_.limit_.in_force();
  if (fresh_.size() == 0 || oldest != fresh_seen_) {
    // The first that comes to where there is none has this very position, and has not been seen.
    fresh_seen_ = fresh_.size() == 0 ? oldest - 1 : oldest;
    fresh_since_ = now;
    fresh_made_ = made_;
    fresh_told_ = false;
    let_visitors_come(false);
    return;
  }
  const Duration waited = now - fresh_since_;
  if (!limited && waited >= scheduler_.options_.share_after) let_visitors_come(true);
  if (waited >= oldest_waits) {
    std::array<Runnable*, oldest_at_once> late{};
    gate_.enter();
    const std::uint32_t count =
        fresh_.take_oldest(std::span(late).first(late_at_once(oldest_at_once, made_ - fresh_made_, 1)));
    gate_.leave();
    for (std::uint32_t i = 0; i < count; ++i) push_back(late[i]);
    // The others have waited, too: visitors may come for them as before, and the next of them go in as long a time.
    fresh_seen_ = fresh_.oldest();
    fresh_since_ = now;
    fresh_made_ = made_;
    if (!limited) scheduler_.parking_.notify_one();
  } else if (limited) {
    if (waited >= scheduler_.options_.limit_until) scheduler_.limit_.lift();
  } else if (waited >= scheduler_.options_.share_after && !fresh_told_ && scheduler_.parking_.has_waiters()) {
    // Whoever comes takes the older half.
    fresh_told_ = true;
    scheduler_.parking_.notify_one();
  }
}

/// seq_cst: with the look of somebody who is about to park; should they miss each other, the next look here tells him. On change only: it
/// stands among what the owner uses all the time.
void Worker::let_visitors_come(bool yes) noexcept {
  if (fresh_waits_.load(std::memory_order_relaxed) != yes) fresh_waits_.store(yes, std::memory_order_seq_cst);
}

/// Whoever has always something else to do looks at what others had no room for, too.
void Worker::serve_spill_if_late(Instant now) noexcept {
  if (scheduler_.spill_.size_hint() == 0) {
    spill_seen_ = false;
  } else if (!spill_seen_) {
    spill_seen_ = true;
    spill_since_ = now;
    spill_made_ = made_;
  } else if (now - spill_since_ >= oldest_waits) {
    scheduler_.limit_.lift();
    std::array<Runnable*, spilled_at_once> late{};
    // Of very many as much as in the other ring, where the oldest of 256 goes: none waits for longer than some seconds.
    const std::size_t least = std::clamp<std::size_t>(scheduler_.spill_.size_hint() / 256, 1, spilled_at_once);
    const std::size_t count =
        scheduler_.spill_.pop_batch(std::span(late).first(late_at_once(spilled_at_once, made_ - spill_made_, least)));
    for (std::size_t i = 0; i < count; ++i) push_back(late[i]);
    spill_since_ = now;
    spill_made_ = made_;
  }
}

/// Behind everything that waits here, the new ones too. (Not all of a million: whoever else stands in the queue waits for them.)
void Worker::give_way(Runnable& work) noexcept {
  end_line();
  push_back(&work);
  const std::size_t fresh = fresh_.size() + scheduler_.spill_.size_hint();
  if (fresh != 0) owed_ = static_cast<std::uint32_t>(std::min<std::size_t>(fresh, fresh_.capacity()));
}

/// The queue is full: half of it goes to where every worker looks.
void Worker::overflow() noexcept {
  std::array<Runnable*, 128> half{};
  const std::uint32_t count = queue_.take_half(half);
  scheduler_.overflow_.push_batch(std::span<Runnable* const>(half.data(), count));
  ahead_ = scheduler_.overflow_.size_hint();
  scheduler_.parking_.notify_one();
}

Runnable* Worker::next() noexcept {
  // What comes from outside and what is local take turns, so that neither starves the other.
  if (scheduler_.inject_.size_hint() == 0) {
    alternate_ = 0;  // what comes next goes first
  } else if ((++alternate_ & 1U) != 0) {
    if (Runnable* const work = scheduler_.inject_.pop()) return work;
  }
  if (Runnable* const hot = slot_.take()) {
    if (streak_ < longest_streak) {
      streak_ += least_of_a_line;
      return hot;
    }
    push_back(hot);
  }
  streak_ = 0;
  // What was woken first: it may end, and give its memory to the new. But whoever gave way meant it.
  if (owed_ != 0) {
    --owed_;
    if (Runnable* const work = next_new()) return work;
    if (Runnable* const work = next_spilled()) return work;
    owed_ = 0;
  } else if (++run_ >= longest_run) {
    run_ = 0;
    if (Runnable* const work = next_new()) return work;
  }
  if (Runnable* const work = next_run_over()) return work;
  if (Runnable* const work = queue_.pop()) return work;
  if (Runnable* const work = take_back()) return work;
  run_ = 0;
  if (Runnable* const work = next_new()) return work;
  if (Runnable* const work = next_from_outside()) return work;
  return next_spilled();
}

Runnable* Worker::next_new() noexcept {
  if (fresh_.size() == 0) return nullptr;
  gate_.enter();
  Runnable* const work = fresh_.pop_newest();  // null: a visitor was quicker
  gate_.leave();
  return work;
}

/// What ran over here is older than what was left: it goes first, as in a queue without a bound. Nobody knows whose is whose:
/// as much as there was then. Others' takes turns with the queue, so that neither starves the other.
Runnable* Worker::next_run_over() noexcept {
  if (Runnable* const work = back_.pop()) return work;
  if (scheduler_.overflow_.size_hint() == 0) {
    ahead_ = 0;
    return nullptr;
  }
  if (ahead_ == 0 && (++between_ % shared_at_once) != 0) return nullptr;
  return take_back();
}

/// As many as pay for the lock. Not to queue_, which may run over again and again: some would never come to run.
Runnable* Worker::take_back() noexcept {
  if (scheduler_.overflow_.size_hint() == 0) return nullptr;
  std::array<Runnable*, shared_at_once> some{};
  const std::size_t count = scheduler_.overflow_.pop_batch(share_of(scheduler_.overflow_, some));
  ahead_ -= std::min(ahead_, count);
  // There is room: it is empty. release: as in push_back().
  if (count > 1) pushed_ += back_.push_batch(std::span(some).subspan(1, count - 1), std::memory_order_release);
  return some[0];
}

/// Of what is new, where next() would take that behind the slot, too.
Runnable* Worker::next_new_in_line() noexcept {
  if (fresh_.size() == 0) return nullptr;
  if (owed_ == 0) {
    if (queue_.size_hint() != 0 || back_.size_hint() != 0 || scheduler_.overflow_.size_hint() != 0) return nullptr;
    run_ = 0;
  }
  Runnable* const work = next_new();
  if (work == nullptr) return nullptr;  // a visitor was quicker
  if (owed_ != 0) --owed_;
  ++new_in_a_row_;
  return work;
}

/// Behind new work. Those who are made together mostly have something for the same one, who made them: who is next waits for some of them, and has
/// it all at once.
Runnable* Worker::next_behind_new() noexcept {
  if (new_in_a_row_ < longest_run) {
    if (Runnable* const work = next_new_in_line()) return work;
  }
  new_in_a_row_ = 0;
  Runnable* const work = slot_.take();
  return work != nullptr ? work : next_new_in_line();
}

/// With nothing else to do: as many as pay for the lock.
Runnable* Worker::next_from_outside() noexcept {
  std::array<Runnable*, shared_at_once> some{};
  const std::size_t count = scheduler_.inject_.pop_batch(share_of(scheduler_.inject_, some));
  for (std::size_t i = 1; i < count; ++i) push_back(some[i]);
  return some[0];
}

/// The same of what had no room; it is new still.
Runnable* Worker::next_spilled() noexcept {
  if (scheduler_.spill_.size_hint() == 0) return nullptr;
  std::array<Runnable*, shared_at_once> some{};
  const std::size_t count = scheduler_.spill_.pop_batch(share_of(scheduler_.spill_, some));
  if (count > 1) keep_new(std::span(some).subspan(1, count - 1));
  return some[0];
}

/// New work of others stays new: what each makes goes before the next of them, so that few are at once. One alone nobody would come for.
void Worker::keep_new(std::span<Runnable*> others) noexcept {
  std::size_t kept = 0;
  if (others.size() == 1) return push_back(others[0]);
  gate_.enter();
  while (kept < others.size() && fresh_.push(others[kept])) ++kept;
  gate_.leave();
  for (; kept < others.size(); ++kept) push_back(others[kept]);
}

/// One for each worker that may come for some, so that nobody takes all of a few.
std::span<Runnable*> Worker::share_of(const InjectQueue<Runnable>& from, std::span<Runnable*> room) const noexcept {
  const std::size_t share = scheduler_.is_manual() ? 1 : from.size_hint() / scheduler_.known_workers() + 1;
  return room.first(std::min(share, room.size()));
}

void Worker::run(Runnable* work) noexcept {
  begin_line();
  scheduler_.run_(*work, *this);
  end_line();
  note_cell(nullptr);
  if (counts() == line_begins_) after_empty_turn();
}

void Worker::end_line() noexcept {
  if (!in_line_) return;
  in_line_ = false;
  const std::uint32_t handled = handled_.load(std::memory_order_relaxed);
  const bool had_all = has_come(line_end_, handled) || has_had_its_time();
  streak_ = had_all ? longest_streak : streak_ + (handled - line_begins_.handled);
}

/// What after_message() looks at, in a turn that has had none: it counts as one.
void Worker::after_empty_turn() noexcept {
  count_turn();
  --clock_at_;
  --line_end_;
  const std::uint32_t handled = handled_.load(std::memory_order_relaxed);
  bool ends = scheduler_.inject_.size_hint() != 0 || has_come(line_end_, handled);
  if (has_come(clock_at_, handled)) {
    read_clock();
    ends = ends || has_had_its_time();
  }
  look_next();
  if (ends) end_line();
}

bool Worker::has_had_its_time() const noexcept {
  // relaxed: nothing is read through it.
  return now_ - noted_since() >= scheduler_.options_.turn_time ||
         scheduler_.stopping_.load(std::memory_order_relaxed);
}

/// It is time to read the clock, or the line has had its messages. True: the turn has to end.
bool Worker::looks_up() noexcept {
  const std::uint32_t handled = handled_.load(std::memory_order_relaxed);
  const bool had_its_time = has_come(clock_at_, handled) && ends_by_time();
  look_next();
  return had_its_time || has_come(line_end_, handled) || scheduler_.inject_.size_hint() != 0;
}

/// The clock is read; whether the turn has had its time.
bool Worker::ends_by_time() noexcept {
  read_clock();
  if (scheduler_.scheduling_ != nullptr) [[unlikely]] {
    scheduler_.scheduling_->handled(*running_, noted_message());
  }
  return has_had_its_time();
}

void Worker::read_clock() noexcept {
  const Instant before = now_;
  now_ = scheduler_.now();
  // Short messages: read it seldom. A long one: read it after each.
  const Duration took = now_ - before;
  stride_ =
      took > slow_stride ? 1 : std::min(stride_ * 2, took < quick_stride ? longest_quick_stride : longest_stride);
  clock_at_ = handled_.load(std::memory_order_relaxed) + stride_;
  if (stuck_.load(std::memory_order_relaxed)) [[unlikely]] {
    stuck_.store(false, std::memory_order_relaxed);
    slot_.divert(false);
  }
  if (scheduler_.is_manual()) {
    if (scheduler_.scheduling_ != nullptr) clock_at_ -= stride_ - 1;  // who decides is told of each message
    return;
  }
  if (scheduler_.expire_due(now_) >= many_timers) no_timers_before_ = now_ + timers_apart;
  if (id_ == 0 && now_ >= scheduler_.tune_at_) scheduler_.tune(now_);
  if (scheduler_.limit_.in_force()) [[unlikely]]
    scheduler_.lift_if_much_waits(took);
  share_if_late();
  share_new_if_late(now_);
}

void Worker::share_if_late() noexcept {
  const std::uint32_t waiting = queue_.size_hint() + back_.size_hint();
  const bool limited = scheduler_.limit_.in_force();
  if (waiting == 0 || !(limited || scheduler_.parking_.has_waiters())) {
    marked_ = false;
    return;
  }
  const std::uint64_t head = pushed_ - waiting;
  if (!marked_ || head >= marked_at_) {
    // The marker stands behind the newest: when the head has passed it, everything up to it has been run.
    marked_ = true;
    marked_at_ = pushed_;
    marked_when_ = now_;
  } else if (limited) {
    if (now_ - marked_when_ >= scheduler_.options_.limit_until) scheduler_.limit_.lift();
  } else if (now_ - marked_when_ >= scheduler_.options_.share_after) {
    marked_ = false;
    scheduler_.parking_.notify_one();
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
