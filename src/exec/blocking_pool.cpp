#include "backstage/exec/blocking_pool.hpp"

#include <system_error>
#include <utility>

namespace backstage {
inline namespace v0 {

namespace {

/// What user code throws is in the answer already. What is left: no memory for the answer, and nobody above to tell. The
/// asker hears at its deadline.
void run(MoveFunction<void()>& job) noexcept {
  try {
    job();
  } catch (...) {
    // See above.
  }
}

}  // namespace

BlockingPool::~BlockingPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    arrived_.notify_all();
  }
  drop_queued();
  for (std::thread& thread : threads_) thread.join();
}

bool BlockingPool::submit(MoveFunction<void()> job) {
  const std::lock_guard lock(mutex_);
  if (ending_ || jobs_.size() >= most_jobs_) return false;
  jobs_.push_back(std::move(job));
  if (most_threads_ == 0) return true;
  if (idle_ < jobs_.size() && threads_.size() < most_threads_) {
    try {
      threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // The system gives no thread: those that there are come to it in the end. Is there none, it is not begun.
      if (threads_.empty()) {
        job = std::move(jobs_.back());  // destroyed without the lock
        jobs_.pop_back();
        return false;
      }
    }
  }
  arrived_.notify_one();
  return true;
}

std::size_t BlockingPool::run_all() {
  std::size_t count = 0;
  for (;;) {
    MoveFunction<void()> job;
    {
      const std::lock_guard lock(mutex_);
      if (jobs_.empty()) return count;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    run(job);
    ++count;
  }
}

std::size_t BlockingPool::queued() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

bool BlockingPool::run_one(std::size_t index) {
  MoveFunction<void()> job;
  {
    const std::lock_guard lock(mutex_);
    if (index >= jobs_.size()) return false;
    const auto at = jobs_.begin() + static_cast<std::ptrdiff_t>(index);
    job = std::move(*at);
    jobs_.erase(at);
  }
  run(job);
  return true;
}

std::size_t BlockingPool::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

void BlockingPool::drop_queued() noexcept {
  for (;;) {
    MoveFunction<void()> job;  // destroyed without the lock: what it holds may answer somebody
    const std::lock_guard lock(mutex_);
    if (jobs_.empty()) return;
    job = std::move(jobs_.front());
    jobs_.pop_front();
  }
}

void BlockingPool::abandon() noexcept {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  arrived_.notify_all();
  for (std::thread& thread : threads_) thread.detach();
  threads_.clear();
}

void BlockingPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    arrived_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    --idle_;
    if (ending_) return;
    {
      MoveFunction<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      ++running_;
      lock.unlock();
      run(job);
    }
    lock.lock();
    --running_;
  }
}

}  // namespace v0
}  // namespace backstage
