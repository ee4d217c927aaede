// What the tests of the fault catalogue share (docs/reference/faults.md has the table): a census of a simulated world, and
// objects that count themselves.
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/explore.hpp"

namespace catalogue {

using namespace backstage;  // NOLINT(google-build-using-namespace): a test's own header
using namespace std::chrono_literals;

/// What a world holds when it rests.
struct Census {
  explicit Census(sim::World& world)
      : actors(world.runtime().actors()), blocks(world.runtime().memory().live_blocks) {}
  std::size_t actors;
  std::int64_t blocks;
};

inline void expect_same(sim::World& world, const Census& before) {
  const Census now(world);
  EXPECT_EQ(now.actors, before.actors);
  EXPECT_EQ(now.blocks, before.blocks);
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}

/// How many of something live, and how many ever did.
struct Tally {
  int alive = 0;
  int made = 0;
};
class Counted {
 public:
  explicit Counted(Tally& tally) : tally_(&tally) { ++tally_->alive, ++tally_->made; }
  Counted(const Counted& other) : Counted(*other.tally_) {}
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --tally_->alive; }

 private:
  Tally* tally_;
};

struct Poke {};
struct Lives {
  using reply = std::uint32_t;
};

/// Failures as the events tell them, each as "path message".
class Failures {
 public:
  explicit Failures(sim::World& world)
      : subscription_(world.runtime().events().subscribe([this](const Event& event) {
          if (const auto* failed = std::get_if<ActorFailed>(&event)) {
            told.push_back(failed->path + " " + std::string(failed->message));
          }
        })) {}
  std::vector<std::string> told;

 private:
  Events::Subscription subscription_;
};

}  // namespace catalogue
