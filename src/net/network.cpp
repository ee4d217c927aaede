#include "backstage/net/network.hpp"

#include <condition_variable>
#include <mutex>

namespace backstage {
inline namespace v0 {
namespace net {

std::string to_string(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

void run_on(Network& network, Callback<void()> work) {
  if (network.in_loop()) {
    work();
    return;
  }
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = false;
  };
  // Shared: the loop may still be inside notify_all() when the waiter has returned.
  const auto gate = std::make_shared<Gate>();
  network.post([gate, work = std::move(work)]() mutable {
    work();
    work = {};  // what it captured ends on the loop, before the waiter goes on
    const std::lock_guard lock(gate->mutex);
    gate->open = true;
    gate->changed.notify_all();
  });
  std::unique_lock lock(gate->mutex);
  gate->changed.wait(lock, [&] { return gate->open; });
}

}  // namespace net
}  // namespace v0
}  // namespace backstage
