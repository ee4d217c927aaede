// A network inside one process, without sockets and threads: what tests and simulated worlds open as the door.
//
//     auto network = net::memory_network(clock);        // a manual clock
//     auto listener = network->listen({"127.0.0.1", 80}, ...);
//     network->connect({"127.0.0.1", 80}, Instant::never(), ...);
//     network->pump();                                   // runs callbacks and due timers until there is nothing to
//     do
//
// It belongs to the thread that made it, which is its loop; only post() may be called from others.
// Stability: settling (v0).
#pragma once

#include <cstddef>
#include <memory>

#include "backstage/net/network.hpp"

namespace backstage {
inline namespace v0 {
namespace net {

class MemoryNetwork : public Network {
 public:
  /// Runs everything that is due at the clock's present time; returns how many callbacks ran. Ends after a million of
  /// them, which only two ends that talk without pause can reach.
  virtual std::size_t pump() = 0;
  /// When the next timer is due, or Instant::never().
  [[nodiscard]] virtual Instant next_timer() const noexcept = 0;
  /// Deliver at most this many bytes to each read (1: the slowest network there is).
  virtual void deliver_at_most(std::size_t bytes) = 0;
  /// How many bytes one direction holds before its writer must wait.
  virtual void hold_at_most(std::size_t bytes) = 0;
};

/// `clock` must outlive it.
[[nodiscard]] std::shared_ptr<MemoryNetwork> memory_network(const Clock& clock);

}  // namespace net
}  // namespace v0
}  // namespace backstage
