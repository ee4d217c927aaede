// A bounded pool of threads for work that blocks. Threads are made when needed, up to a limit, and end with the pool.
// Without threads (manual mode) jobs are kept until somebody runs them.
// Threads: submit() from any. Stability: internal.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "backstage/base/function.hpp"

namespace backstage {
inline namespace v0 {

class BlockingPool {
 public:
  /// `threads` 0: manual, see run_all().
  BlockingPool(unsigned threads, std::size_t queue) : most_threads_(threads), most_jobs_(queue) {}
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;
  /// Jobs that were not begun are destroyed; those under way are waited for.
  ~BlockingPool();

  /// False: the queue is full, or the system gives not even a first thread; the job was destroyed.
  bool submit(MoveFunction<void()> job);
  /// Manual mode: runs what is queued on this thread. Returns how many jobs that were.
  std::size_t run_all();
  /// Manual mode: jobs that wait, and one of them, counted from the oldest, run on this thread. False: there is none such.
  [[nodiscard]] std::size_t queued() const;
  bool run_one(std::size_t index);
  [[nodiscard]] std::size_t running() const;
  /// Destroys what is queued and not begun, on this thread.
  void drop_queued() noexcept;
  /// Takes no more jobs and forgets the threads (they may be stuck; the pool is then leaked).
  void abandon() noexcept;

 private:
  void work();
  const unsigned most_threads_;
  const std::size_t most_jobs_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<MoveFunction<void()>> jobs_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  std::size_t running_ = 0;
  bool ending_ = false;
};

}  // namespace v0
}  // namespace backstage
