// A clock that the test moves by hand.
#pragma once

#include <chrono>

#include "backstage/exec/environment.hpp"
#include "backstage/net/memory.hpp"

namespace backstage_test {

class ManualClock final : public backstage::Clock {
 public:
  backstage::Instant now() const noexcept override { return now_; }
  /// The wall clock begins at Sun, 22 Nov 2026 21:30:29 GMT.
  backstage::WallTime wall() const noexcept override { return {1'795'383'029'000'000'000 + now_.ns}; }
  void advance(backstage::Duration by) { now_ = now_ + by; }

 private:
  backstage::Instant now_{1};
};

/// Moves time on by `by`, from timer to timer, running what is due at each.
inline void run_for(ManualClock& clock, backstage::net::MemoryNetwork& network, backstage::Duration by) {
  const backstage::Instant end = clock.now() + by;
  network.pump();
  while (network.next_timer() <= end) {
    if (network.next_timer() > clock.now()) clock.advance(network.next_timer() - clock.now());
    network.pump();
  }
  clock.advance(end - clock.now());
  network.pump();
}

}  // namespace backstage_test
