// The watch: a thread that looks every few milliseconds whether a worker is stuck in one message, and sleeps without end
// while the scheduler is idle.
#include "backstage/exec/scheduler.hpp"

#include <algorithm>

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

constexpr Duration watch_period = std::chrono::milliseconds(10);
constexpr unsigned watch_patience = 100;  // idle looks before the watch sleeps without end

}  // namespace

bool Scheduler::looks_idle() const noexcept {
  return inject_.empty() && std::none_of(workers_.begin(), workers_.end(), [](const auto& worker) {
           return worker->busy_.load(std::memory_order_seq_cst) || !worker->queue_.empty() ||
                  worker->own_.load(std::memory_order_seq_cst) != 0;
         });
}

void Scheduler::wake_watch() noexcept {
  // seq_cst: the second half of Dekker's pattern in park(). A look first: it is awake nearly always.
  if (watch_word_.load(std::memory_order_seq_cst) != 1) return;
  std::uint32_t asleep = 1;
  if (watch_word_.compare_exchange_strong(asleep, 0, std::memory_order_seq_cst)) StdAtomics::wake_one(watch_word_);
}

void Scheduler::watch() {
  std::vector<std::uint32_t> seen(workers_.size(), 0);
  unsigned idle_looks = 0;
  while (!stopping_.load(std::memory_order_seq_cst)) {
    const bool idle = looks_idle();
    idle_looks = idle ? idle_looks + 1 : 0;
    if (idle_looks >= watch_patience) {
      std::uint32_t awake = 0;
      watch_word_.compare_exchange_strong(awake, 1, std::memory_order_seq_cst);
      // Looked at again after the word is out: a worker that woke meanwhile has either seen it or is seen here.
      if (looks_idle() && !stopping_.load(std::memory_order_seq_cst)) {
        while (watch_word_.load(std::memory_order_seq_cst) == 1) StdAtomics::wait(watch_word_, 1);
      }
      std::uint32_t asleep = 1;
      watch_word_.compare_exchange_strong(asleep, 0, std::memory_order_seq_cst);
      idle_looks = 0;
    }
    StdAtomics::wait(watch_word_, 0, watch_period);
    bool help = false;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      Worker& worker = *workers_[i];
      const std::uint32_t progress = worker.progress_.load(std::memory_order_relaxed);
      const bool stuck = worker.busy_.load(std::memory_order_relaxed) && progress == seen[i];
      seen[i] = progress;
      if (!stuck) continue;
      worker.stuck_.store(true, std::memory_order_seq_cst);
      help = help || !worker.queue_.empty() || worker.own_.load(std::memory_order_relaxed) != 0;
    }
    help = help || !inject_.empty() || earliest(false) + watch_period < environment_.clock().now();
    if (help) parking_.notify_one();
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
