// The threads, what they steal from each other, and the loop that runs what they find (worker.cpp: one of them).
#include "backstage/exec/scheduler.hpp"

#include "backstage/exec/thread_care.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <pthread.h>

#include "backstage/base/need.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

// TimerEntry::shard has room for so many and as many spare ones.
constexpr unsigned most_threads = 1U << 15U;

}  // namespace

Scheduler::Scheduler(const Environment& environment, SlabPool& pool, SchedulerOptions options, Run run)
    : environment_(environment),
      pool_(pool),
      options_(options),
      run_(run),
      scheduling_(options.threads == 0 && environment.has<Scheduling>() ? &environment.door<Scheduling>() : nullptr),
      regular_(std::clamp(options.threads, 1U, most_threads)),
      workers_(regular_ + (options.threads == 0 ? 0 : std::min(options.spare_threads, most_threads))),
      contexts_(workers_.size(), nullptr),
      limit_(most_workers()),
      tune_at_(regular_ > 1 ? Instant{} : Instant::never()),
      tuning_(regular_, options.tuning),
      progress_seen_(most_workers()) {
  for (unsigned id = 0; id < regular_; ++id) workers_[id] = std::make_unique<Worker>(*this, id);
  known_.store(regular_, std::memory_order_release);
}

Scheduler::~Scheduler() { stop(); }

void Scheduler::start() {
  if (is_manual()) return;
  inside_.store(workers(), std::memory_order_relaxed);  // relaxed, here and below: published by the threads' creation
  for (const auto& worker : known()) {
    // Before its thread exists: the watch must not take a worker that has not begun yet for an idle one.
    worker->busy_.store(true, std::memory_order_relaxed);
    worker->inside_.store(true, std::memory_order_relaxed);
  }
  unsigned begun = 0;
  try {
    for (; begun < workers(); ++begun) {
      Worker* const worker = workers_[begun].get();
      worker->thread_ = std::thread([this, worker] {
        ThreadCare* const care = environment_.has<ThreadCare>() ? &environment_.door<ThreadCare>() : nullptr;
        if (care != nullptr) care->begins();
        work(*worker);
        if (care != nullptr) care->ends();
      });
      pthread_setname_np(worker->thread_.native_handle(), "backstage");
    }
    watch_thread_ = std::thread([this] { watch(); });
  } catch (const std::system_error& error) {
    // The system gives no more threads: those that there are end, the caller hears of it.
    const unsigned had = begun;
    for (; begun < workers(); ++begun) {
      workers_[begun]->inside_.store(false, std::memory_order_relaxed);
      inside_.fetch_sub(1, std::memory_order_relaxed);
    }
    stop();
    throw Need::fail(Error(Errc::unavailable,
                           "thread " + std::to_string(had + 1) + " of " + std::to_string(workers() + 1) +
                               " could not be begun (one a worker, and the watch): " + error.code().message() +
                               "; ask for fewer workers, or raise RLIMIT_NPROC or the pids limit of the cgroup"));
  }
  pthread_setname_np(watch_thread_.native_handle(), "backstage-watch");
}

void Scheduler::tell_to_stop() noexcept {
  // seq_cst: pairs with the look after parking_.prepare() in park().
  stopping_.store(true, std::memory_order_seq_cst);
  parking_.notify_all();
  limit_.wake_all();
  watch_sleep_.stop();
}

void Scheduler::stop() noexcept {
  tell_to_stop();
  // The watch first: it begins and joins spare workers.
  if (watch_thread_.joinable()) watch_thread_.join();
  for (const auto& worker : known()) {
    if (worker->thread_.joinable()) worker->thread_.join();
  }
}

/// The watch is joined: nobody else asks for stacks.
void Scheduler::take_last_stack(Worker& worker) noexcept {
  if (options_.stacks == nullptr) return;
  try {
    worker.last_stack_ = options_.stacks->capture(worker.thread_.native_handle(), worker.stack_);
  } catch (...) {
    // Out of memory: reported without.
  }
}

bool Scheduler::stop_within(Duration within) noexcept {
  tell_to_stop();
  const Instant deadline = now() + within;
  if (watch_thread_.joinable()) watch_thread_.join();
  for (;;) {
    // acquire: pairs with the release of a worker that leaves; what it did happened before.
    const std::uint32_t inside = inside_.load(std::memory_order_acquire);
    if (inside == 0) break;
    const Duration left = deadline - now();
    if (left <= Duration::zero()) break;
    StdAtomics::wait(inside_, inside, left);
  }
  if (inside_.load(std::memory_order_acquire) == 0) {
    stop();
    return true;
  }
  for (const auto& worker : known()) {
    if (!worker->thread_.joinable()) continue;
    if (worker->inside_.load(std::memory_order_acquire)) {
      take_last_stack(*worker);
      worker->thread_.detach();
    } else {
      worker->thread_.join();
    }
  }
  return false;
}

bool Scheduler::is_inside(unsigned id) const noexcept {
  return workers_[id]->inside_.load(std::memory_order_acquire);
}

void Scheduler::run_leftovers() noexcept {
  if (scheduling_ != nullptr) {
    (void)run_chosen(SIZE_MAX);
    return;
  }
  // The threads are joined, so this one may be any of the workers. What is run may schedule more, here.
  Worker& worker = *workers_.front();
  const TurnScope scope(worker.turn_);
  worker.fresh_now();
  for (;;) {
    Runnable* found = worker.next();
    for (std::size_t i = 1; found == nullptr && i < known().size(); ++i) found = workers_[i]->next();
    if (found == nullptr) return;
    worker.run(found);
  }
}

void Scheduler::schedule(Runnable& work) noexcept {
  Worker* const worker = this_turn != nullptr ? this_turn->worker : nullptr;
  if (worker != nullptr && &worker->scheduler_ == this) return worker->push(&work);
  schedule_from_outside(work);
}

void Scheduler::schedule_from_outside(Runnable& work) noexcept {
  inject_.push(&work);
  parking_.notify_one();
}

void Scheduler::schedule_new(Runnable& work) noexcept {
  Worker* const worker = this_turn != nullptr ? this_turn->worker : nullptr;
  if (worker != nullptr && &worker->scheduler_ == this) {
    worker->push_new(&work);
    return;
  }
  schedule(work);
}

void Scheduler::work(Worker& worker) noexcept {
  const TurnScope scope(worker.turn_);
  worker.fresh_now();
  // relaxed: nothing is read through it, and who parks looks again with seq_cst.
  while (!stopping_.load(std::memory_order_relaxed) && !worker.retire_.load(std::memory_order_relaxed)) {
    if (limit_.excludes(worker.id_)) [[unlikely]] {
      stand_aside(worker);
      continue;
    }
    Runnable* found = worker.next();
    if (found == nullptr) {
      worker.read_clock();  // fires what is due
      found = worker.next();
      if (found == nullptr) found = steal(worker);
    }
    if (found != nullptr) {
      worker.run(found);
    } else {
      park(worker);
    }
  }
  if (worker.retire_.load(std::memory_order_relaxed)) leave_to_others(worker);
  // release: what this worker did happened before the end that stop_within() sees. When nobody waits any more, the
  // scheduler was given up and is never freed, so the wake-up touches no freed memory.
  worker.inside_.store(false, std::memory_order_release);
  inside_.fetch_sub(1, std::memory_order_release);
  StdAtomics::wake_all(inside_);
}

/// What it holds goes to where every worker looks. Its timers stay in its shard, which everybody looks at anyway.
void Scheduler::give_all_away(Worker& worker) noexcept {
  if (Runnable* const own = worker.slot_.take()) inject_.push(own);
  while (worker.fresh_.size() != 0) worker.share_new(worker.fresh_.capacity());
  while (Runnable* const work = worker.back_.pop()) inject_.push(work);
  while (Runnable* const work = worker.queue_.pop()) inject_.push(work);
  worker.ahead_ = 0;
  worker.owed_ = 0;
}

/// A spare worker that is needed no more.
void Scheduler::leave_to_others(Worker& worker) noexcept {
  give_all_away(worker);
  worker.busy_.store(false, std::memory_order_seq_cst);
  parking_.notify_one();
}

Runnable* Scheduler::steal(Worker& thief) noexcept {
  const unsigned count = known_workers();
  if (count < 2) return nullptr;
  const auto start = static_cast<unsigned>(thief.random_.below(count));
  for (unsigned i = 0; i < count; ++i) {
    Worker& victim = *workers_[(start + i) % count];
    if (&victim == &thief) continue;
    Runnable* found = thief.back_.steal_from(victim.back_);
    if (found == nullptr) found = thief.queue_.steal_from(victim.queue_);
    if (found != nullptr) {
      // Other thieves may have been here already; what they took is missing for good from head and tail alike.
      thief.pushed_ += thief.back_.size_hint() + thief.queue_.size_hint();
      return found;
    }
    if (victim.has_for_visitors()) {
      if (Runnable* const work = visit(victim, thief)) return work;
    }
  }
  return nullptr;
}

/// Half of another's new work, or else what one that is stuck would run next.
Runnable* Scheduler::visit(Worker& other, Worker& thief) noexcept {
  std::array<Runnable*, 128> some{};
  if (other.fresh_.size() != 0 && other.gate_.visit()) {
    const std::uint32_t there = other.fresh_.size();
    const std::uint32_t count = other.fresh_.take_oldest(std::span(some).first((there + 1) / 2));
    other.gate_.depart();
    if (count != 0) {
      thief.keep_new(std::span(some).subspan(1, count - 1));
      return some[0];
    }
  }
  return other.stuck_.load(std::memory_order_relaxed) && !other.slot_.empty() ? other.slot_.visit() : nullptr;
}

bool Scheduler::has_visible_work() const noexcept {
  if (!inject_.empty() || !overflow_.empty() || !spill_.empty()) return true;
  const auto all = known();
  return std::any_of(all.begin(), all.end(), [](const auto& worker) {
    return !worker->back_.empty() || !worker->queue_.empty() || worker->has_for_visitors();
  });
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
