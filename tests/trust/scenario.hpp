// What the scenarios of the big run share: what one is, what it counts, and how it says that a promise was broken.
//
// A scenario is a body for sim::World that knows no test framework: what is wrong goes through World::unreachable, so that
// the explorer, which shrinks, and the program backstage-trust, which counts, hear of it alike.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/world.hpp"

namespace trust {

using namespace backstage;  // NOLINT(google-build-using-namespace): a test's own header
using namespace std::chrono_literals;

/// What a run did, by name: failures by kind, actors, messages.
struct Tally {
  std::map<std::string, std::uint64_t, std::less<>> counts;
  void add(std::string_view name, std::uint64_t n = 1) {
    if (n == 0) return;
    const auto found = counts.find(name);
    if (found != counts.end()) {
      found->second += n;
    } else {
      counts.emplace(name, n);
    }
  }
};

struct Scenario {
  std::string_view name;
  void (*run)(sim::World& world, Tally& tally);
  std::uint64_t worlds = 1;  ///< for each seed that is asked for
};
/// ending, market, family.
[[nodiscard]] std::span<const Scenario> scenarios();

void run_ending(sim::World& world, Tally& tally);
void run_market(sim::World& world, Tally& tally);
void run_family(sim::World& world, Tally& tally);

/// The run has failed: "L4: /a ended at 3 s, predicted 2 s".
inline void complain(sim::World& world, std::string_view promise, const std::string& what) {
  world.unreachable(std::string(promise) + ": " + what);
}

/// Actors, blocks and timers as they were before, no message under way.
class Census {
 public:
  explicit Census(sim::World& world) : world_(world), blocks_(world.runtime().memory().live_blocks) {}
  /// After all that was started has ended.
  void expect_nothing_left() {
    Runtime& runtime = world_.runtime();
    if (runtime.actors() != 1) complain(world_, "L4", std::to_string(runtime.actors() - 1) + " actors are left");
    if (runtime.memory().live_blocks != blocks_) {
      complain(world_, "L4", std::to_string(runtime.memory().live_blocks - blocks_) + " blocks of memory are left");
    }
    expect_all_counted();
    if (world_.next_timer() != Instant::never()) complain(world_, "L4", "a timer is left");
  }
  /// When the runtime rests.
  void expect_all_counted() {
    const std::int64_t under_way = static_cast<std::int64_t>(world_.runtime().counts().in_flight());
    if (under_way != 0) complain(world_, "M6", std::to_string(under_way) + " messages are in flight, at rest");
  }

 private:
  sim::World& world_;
  std::int64_t blocks_;
};

}  // namespace trust
