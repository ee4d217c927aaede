// Workers, their queues, and the loop that runs what they find.
#include "backstage/exec/scheduler.hpp"

#include "backstage/exec/thread_care.hpp"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include <pthread.h>

#include "backstage/base/need.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

constexpr unsigned longest_streak = 16;  // turns in a row from the slot before the queue gets one
constexpr unsigned longest_stride = 16;  // messages between two readings of the clock, while they are short
constexpr Duration slow_stride = std::chrono::microseconds(50);

}  // namespace

// -------------------------------------------------------------------------------------------------------------- Worker

Worker::Worker(Scheduler& scheduler, unsigned id)
    : scheduler_(scheduler),
      id_(id),
      most_messages_(scheduler.options_.turn_messages),
      random_(scheduler.environment().chance().next()),
      timers_(scheduler.environment().clock().now()) {
  turn_.pool = &scheduler.pool_;
  turn_.cache = &scheduler.pool_.take_cache();
  turn_.worker = this;
}

Worker::~Worker() { scheduler_.pool_.give_back(*turn_.cache); }

Instant Worker::fresh_now() noexcept {
  now_ = scheduler_.now();
  return now_;
}

void Worker::push(Runnable* work) noexcept {
  gate_.enter();
  Runnable* const displaced = slot_.exchange(work);
  gate_.leave();
  if (displaced != nullptr) push_back(displaced);
  // relaxed, no Dekker: stuck already, we may not come to run it for long. Should the sleeper overlook it, the watch
  // finds it at its next look.
  if (stuck_.load(std::memory_order_relaxed)) [[unlikely]]
    scheduler_.parking_.notify_one();
}

void Worker::push_back(Runnable* work) noexcept {
  // release: nobody is woken for it on the spot. Whoever shares it later (share_if_late, overflow) does so from this
  // thread, behind this store, with an event count in between.
  if (!queue_.push(work, std::memory_order_release)) {
    overflow();
    if (!queue_.push(work)) return scheduler_.inject_.push(work);
  }
  ++pushed_;
}

/// The queue is full: half of it goes to where every worker looks.
void Worker::overflow() noexcept {
  std::array<Runnable*, 128> half{};
  const std::uint32_t count = queue_.take_half(half);
  scheduler_.inject_.push_batch(std::span<Runnable* const>(half.data(), count));
  scheduler_.parking_.notify_one();
}

Runnable* Worker::next() noexcept {
  // What comes from outside and what is local take turns, so that neither starves the other.
  if (scheduler_.inject_.size_hint() != 0 && (++alternate_ & 1U) != 0) {
    if (Runnable* const work = scheduler_.inject_.pop()) return work;
  }
  if (!slot_.empty()) {
    gate_.enter();
    Runnable* const hot = slot_.exchange(nullptr);  // null: a visitor was quicker
    gate_.leave();
    if (hot != nullptr) {
      if (++streak_ <= longest_streak) return hot;
      push_back(hot);
    }
  }
  streak_ = 0;
  if (Runnable* const work = queue_.pop()) return work;
  return scheduler_.inject_.pop();
}

void Worker::run(Runnable* work) noexcept {
  messages_ = 0;
  turn_began_ = now_;
  // relaxed: the watch compares two readings ten milliseconds apart, nothing is read through it.
  progress_.store(progress_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  scheduler_.run_(*work, *this);
  turn_.cell = nullptr;
  note_cell(nullptr);
  if (--until_clock_ == 0) read_clock();
}

bool Worker::after_message() noexcept {
  progress_.store(progress_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (until_clock_ <= 1) {
    read_clock();
    if (scheduler_.scheduling_ != nullptr) [[unlikely]] {
      scheduler_.scheduling_->handled(*running_, noted_message());
    }
    if (now_ - turn_began_ >= scheduler_.options_.turn_time) return true;
  } else {
    --until_clock_;
  }
  if (++messages_ >= most_messages_) return true;
  return scheduler_.inject_.size_hint() != 0;
}

void Worker::read_clock() noexcept {
  const Instant before = now_;
  now_ = scheduler_.now();
  // Short messages: read it seldom. A long one: read it after each.
  stride_ = now_ - before > slow_stride ? 1 : std::min(stride_ * 2, longest_stride);
  until_clock_ = stride_;
  if (stuck_.load(std::memory_order_relaxed)) stuck_.store(false, std::memory_order_relaxed);
  if (scheduler_.is_manual()) {
    if (scheduler_.scheduling_ != nullptr) until_clock_ = 1;  // who decides is told of each message
    return;
  }
  scheduler_.expire_due(now_);
  share_if_late();
}

void Worker::share_if_late() noexcept {
  const std::uint32_t waiting = queue_.size_hint();
  if (waiting == 0 || !scheduler_.parking_.has_waiters()) {
    marked_ = false;
    return;
  }
  const std::uint64_t head = pushed_ - waiting;
  if (!marked_ || head >= marked_at_) {
    // The marker stands behind the newest: when the head has passed it, everything up to it has been run.
    marked_ = true;
    marked_at_ = pushed_;
    marked_when_ = now_;
  } else if (now_ - marked_when_ >= scheduler_.options_.share_after) {
    marked_ = false;
    scheduler_.parking_.notify_one();
  }
}

// ----------------------------------------------------------------------------------------------------------- Scheduler

Scheduler::Scheduler(const Environment& environment, SlabPool& pool, SchedulerOptions options, Run run)
    : environment_(environment),
      pool_(pool),
      options_(options),
      run_(run),
      scheduling_(options.threads == 0 && environment.has<Scheduling>() ? &environment.door<Scheduling>() : nullptr),
      regular_(std::max(1U, options.threads)),
      workers_(regular_ + (options.threads == 0 ? 0 : options.spare_threads)),
      contexts_(workers_.size(), nullptr) {
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
  if (worker != nullptr && &worker->scheduler_ == this) {
    worker->push(&work);
    return;
  }
  inject_.push(&work);
  parking_.notify_one();
}

void Scheduler::schedule_last(Runnable& work) noexcept {
  Worker* const worker = this_turn != nullptr ? this_turn->worker : nullptr;
  if (worker != nullptr && &worker->scheduler_ == this) {
    worker->push_back(&work);
    return;
  }
  schedule(work);
}

void Scheduler::work(Worker& worker) noexcept {
  const TurnScope scope(worker.turn_);
  worker.fresh_now();
  // relaxed: nothing is read through it, and who parks looks again with seq_cst.
  while (!stopping_.load(std::memory_order_relaxed) && !worker.retire_.load(std::memory_order_relaxed)) {
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

/// A spare worker that is needed no more: what it holds goes to where every worker looks. Its timers stay in its shard,
/// which everybody looks at anyway.
void Scheduler::leave_to_others(Worker& worker) noexcept {
  worker.gate_.enter();
  Runnable* const own = worker.slot_.exchange(nullptr);
  worker.gate_.leave();
  if (own != nullptr) inject_.push(own);
  while (Runnable* const work = worker.queue_.pop()) inject_.push(work);
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
    if (Runnable* const work = thief.queue_.steal_from(victim.queue_)) {
      // Other thieves may have been here already; what they took is missing for good from head and tail alike.
      thief.pushed_ += thief.queue_.size_hint();
      return work;
    }
    // Its next-in-line stays with a worker that makes progress: it is about to run it, with warm caches.
    if (victim.stuck_.load(std::memory_order_relaxed)) {
      if (Runnable* const work = visit(victim)) return work;
    }
  }
  return nullptr;
}

/// What a stuck worker would run next.
Runnable* Scheduler::visit(Worker& stuck) noexcept {
  if (stuck.slot_.empty() || !stuck.gate_.visit()) return nullptr;
  Runnable* const work = stuck.slot_.exchange(nullptr);
  stuck.gate_.depart();
  return work;
}

bool Scheduler::has_visible_work() const noexcept {
  if (!inject_.empty()) return true;
  const auto all = known();
  return std::any_of(all.begin(), all.end(), [](const auto& worker) {
    return !worker->queue_.empty() || (worker->stuck_.load(std::memory_order_relaxed) && !worker->slot_.empty());
  });
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
