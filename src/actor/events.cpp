#include "backstage/actor/events.hpp"

#include <algorithm>
#include <utility>

namespace backstage {
inline namespace v0 {

struct Events::Subscription::Entry {
  std::mutex mutex;  // held during a call: end() waits for it
  Callback callback;
};

void Events::Subscription::end() noexcept {
  if (entry_ == nullptr) return;
  {
    const std::lock_guard lock(entry_->mutex);
    entry_->callback = Callback();
  }
  if (const auto listeners = hub_.lock()) listeners->fetch_sub(1, std::memory_order_relaxed);
  entry_.reset();
}

Events::Events() : listeners_(std::make_shared<std::atomic<int>>(0)) {}
Events::~Events() = default;

Events::Subscription Events::subscribe(Callback callback) {
  Subscription subscription;
  subscription.entry_ = std::make_shared<Subscription::Entry>();
  subscription.entry_->callback = std::move(callback);
  subscription.hub_ = listeners_;
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [](const auto& entry) { return entry.expired(); });
  entries_.push_back(subscription.entry_);
  listeners_->fetch_add(1, std::memory_order_relaxed);
  return subscription;
}

void Events::keep(Subscription subscription) {
  const std::lock_guard lock(mutex_);
  kept_.push_back(std::move(subscription));
}

void Events::emit(const Event& event) noexcept {
  // A copy of the list: a callback may subscribe, and is called without the hub's lock.
  std::vector<std::weak_ptr<Subscription::Entry>> now;
  try {
    const std::lock_guard lock(mutex_);
    now = entries_;
  } catch (...) {
    return;  // out of memory: an event is lost, nothing else
  }
  for (const auto& weak : now) {
    const auto entry = weak.lock();
    if (entry == nullptr) continue;
    const std::lock_guard lock(entry->mutex);
    if (!entry->callback) continue;
    try {
      entry->callback(event);
    } catch (...) {
      entry->callback = Callback();  // it broke its promise not to throw: it is not called again
    }
  }
}

}  // namespace v0
}  // namespace backstage
