// Without threads: whoever owns the scheduler turns the crank, and the door Scheduling says what runs next.
#include "backstage/exec/scheduler.hpp"

#include <algorithm>

namespace backstage {
inline namespace v0 {
namespace detail {

std::size_t Scheduler::run_ready(std::size_t most) {
  if (scheduling_ != nullptr) return run_chosen(most);
  Worker& worker = *workers_.front();
  const TurnScope scope(worker.turn_);
  std::size_t turns = 0;
  worker.fresh_now();
  while (turns < most) {
    Runnable* const found = worker.next();
    if (found == nullptr) break;
    worker.run(found);
    ++turns;
  }
  return turns;
}

std::size_t Scheduler::run_chosen(std::size_t most) {
  Worker& worker = *workers_.front();
  const TurnScope scope(worker.turn_);
  std::size_t turns = 0;
  worker.fresh_now();
  for (; turns < most; ++turns) {
    // In the order scheduled: the slot holds the newest, what it displaced went to the queue, the oldest of it ran over.
    while (Runnable* const work = overflow_.pop()) ready_.push_back(work);
    while (Runnable* const work = worker.queue_.pop()) ready_.push_back(work);
    if (Runnable* const work = worker.slot_.take()) ready_.push_back(work);
    while (Runnable* const work = inject_.pop()) ready_.push_back(work);
    if (ready_.empty()) break;
    const auto at = static_cast<std::ptrdiff_t>(scheduling_->choose(ready_) % ready_.size());
    Runnable* const chosen = ready_[static_cast<std::size_t>(at)];
    ready_.erase(ready_.begin() + at);
    worker.most_messages_ = std::max(1U, scheduling_->bound(options_.turn_messages));
    worker.running_ = chosen;
    worker.run(chosen);
    scheduling_->ended(*chosen);
  }
  return turns;
}

Instant Scheduler::next_timer() noexcept { return earliest(true); }

void Scheduler::expire_timers() noexcept {
  const TurnScope scope(workers_.front()->turn_);
  expire_due(workers_.front()->fresh_now());
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
