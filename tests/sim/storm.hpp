// A storm for the simulated world: a tree of actors that spawn, fail, stop, wait and ask, by chance from the environment.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/world.hpp"

namespace storm {

using namespace backstage;  // NOLINT(google-build-using-namespace): a test's own header
using namespace std::chrono_literals;

struct Gust {};
struct Alive {
  using reply = std::uint32_t;
};

class Leaf {
 public:
  explicit Leaf(int depth) : depth_(depth) {}
  Task<> init(Context& cx) {
    for (const char* name : {"a", "b", "c"}) {
      if (depth_ > 0 && below(cx, 4) != 0) cx.spawn(spec(name, cx));
    }
    if (below(cx, 8) == 0) co_await cx.sleep(time(cx));
    if (below(cx, 20) == 0) throw std::runtime_error("init");
  }
  Task<> handle(Gust, Context& cx) {
    switch (below(cx, 12)) {
      case 0: throw std::runtime_error("handler");
      case 1: co_await cx.sleep(time(cx)); break;
      case 2: (void)cx.send_after(time(cx), cx.self(this), Gust{}); break;
      case 3:
        for (const char* name : {"a", "b", "c"}) {
          if (auto beside = cx.sibling<Leaf>(name)) (void)co_await beside.value().ask<Alive>().within(time(cx));
        }
        break;
      case 4:
        if (below(cx, 3) == 0) cx.stop();
        break;
      default:
        for (const char* name : {"a", "b", "c"}) {
          if (auto child = cx.child<Leaf>(name)) child.value().send(Gust{});
        }
    }
  }
  std::uint32_t handle(Alive, Context& cx) { return cx.incarnation(); }
  void handle(Eol<Leaf>, Context& cx) {
    if (depth_ > 0 && below(cx, 2) == 0) cx.spawn(spec("", cx));
  }
  Task<> terminating(Context& cx) {
    if (below(cx, 8) == 0) co_await cx.sleep(time(cx));
  }

 private:
  static std::uint64_t below(Context& cx, std::uint64_t n) { return cx.environment().chance().next() % n; }
  static Duration time(Context& cx) { return std::chrono::milliseconds(below(cx, 2'000)); }
  Child<Leaf> spec(const char* name, Context& cx) {
    return child<Leaf>(name, depth_ - 1).backoff(10ms, 500ms).stop_within(500ms).on_end(cx.self(this));
  }
  int depth_;
};

struct Outcome {
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  std::vector<std::uint64_t> trail;
  sim::Choices choices;
  std::size_t left = 0;
  std::uint64_t faults = 0;
};

inline Outcome run_storm(std::uint64_t seed, sim::WorldOptions options = {}, const sim::Faults& faults = {}) {
  sim::World world(seed, std::move(options));
  world.inject(faults);
  std::vector<Ref<Leaf>> tops;
  for (int step = 0; step < 40; ++step) {
    if (tops.size() < 3) tops.push_back(world.spawn(child<Leaf>(unnamed, 2).backoff(10ms, 1s)));
    const auto one = tops[world.random().below(tops.size())];
    switch (world.random().below(4)) {
      case 0: world.run_for(std::chrono::milliseconds(world.random().below(1'000))); break;
      case 1: (void)world.step(); break;
      default: one.send(Gust{});
    }
  }
  world.heal();
  world.run_for(10s);
  for (const auto& one : tops) world.runtime().stop(one);
  world.run_for(2min);
  const std::size_t left = world.runtime().actors();
  world.end();
  return {world.hash(), world.events(), world.trail(), world.choices(), left, world.faults_injected()};
}

}  // namespace storm
