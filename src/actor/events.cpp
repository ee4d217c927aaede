#include "backstage/actor/events.hpp"

#include <algorithm>
#include <utility>

namespace backstage {
inline namespace v0 {

struct Events::Subscription::Entry {
  std::recursive_mutex mutex;  // held during a call: end() waits for it, on another thread
  Listener listener;
  bool calling = false;
  bool over = false;
};

void Events::Subscription::end() noexcept {
  if (entry_ == nullptr) return;
  Listener ended;  // destroyed without the lock
  {
    const std::lock_guard lock(entry_->mutex);
    if (!std::exchange(entry_->over, true)) {
      if (const auto listeners = hub_.lock()) listeners->fetch_sub(1, std::memory_order_relaxed);
    }
    // From within its own call it is left to emit(): what runs is not destroyed.
    if (!entry_->calling) ended = std::move(entry_->listener);
  }
  entry_.reset();
}

Events::Events() : listeners_(std::make_shared<std::atomic<int>>(0)) {}
Events::~Events() = default;

Events::Subscription Events::subscribe(Callback callback) {
  return add([call = std::move(callback)](const Event& event) mutable {
    call(event);
    return true;
  });
}

Events::Subscription Events::add(Listener listener) {
  Subscription subscription;
  subscription.entry_ = std::make_shared<Subscription::Entry>();
  subscription.entry_->listener = std::move(listener);
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
  // What the actor whose turn this is has sent is no listener's doing.
  detail::settle_turn();
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
    // Its own doing (the dead letter of what it sent): told to the others only, or it would never end.
    if (entry->over || entry->calling) continue;
    entry->calling = true;
    bool again = false;
    try {
      again = entry->listener(event);
    } catch (...) {
      // It broke its promise not to throw: it is not called again.
    }
    // What it sent in a row is its own doing, too.
    detail::settle_turn();
    entry->calling = false;
    if (!again && !std::exchange(entry->over, true)) listeners_->fetch_sub(1, std::memory_order_relaxed);
    if (entry->over) entry->listener = Listener();
  }
}

}  // namespace v0
}  // namespace backstage
