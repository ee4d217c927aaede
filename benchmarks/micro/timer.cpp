// The timer wheel: arm and cancel; arm and expire. One item is a timer.
#include <benchmark/benchmark.h>

#include <chrono>
#include <vector>

#include "backstage/exec/timer_wheel.hpp"

namespace {

using backstage::Instant;

[[nodiscard]] Instant at(std::uint64_t nanoseconds) { return Instant{static_cast<std::int64_t>(nanoseconds)}; }

/// Beside so many others that stay armed: a deadline that an answer cancels.
void timer_arm_cancel(benchmark::State& state) {
  std::vector<backstage::TimerNode> others(static_cast<std::size_t>(state.range(0)));
  backstage::TimerNode node;
  backstage::TimerWheel wheel(at(0));
  std::uint64_t x = 88172645463325252U;
  const auto next = [&x] {
    x ^= x << 13U;
    x ^= x >> 7U;
    x ^= x << 17U;
    return x % 10'000'000'000U;
  };
  for (auto& other : others) wheel.arm(other, at(next()));
  for (auto _ : state) {
    wheel.arm(node, at(next()));
    wheel.cancel(node);
  }
  state.SetItemsProcessed(state.iterations());
  for (auto& other : others) wheel.cancel(other);
}
BENCHMARK(timer_arm_cancel)->Arg(0)->Arg(100'000);

/// A thousand timers within ten milliseconds, all of which fire.
void timer_arm_expire(benchmark::State& state) {
  std::vector<backstage::TimerNode> nodes(1'000);
  backstage::TimerWheel wheel(at(0));
  std::uint64_t now = 0;
  std::size_t fired = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < nodes.size(); ++i) wheel.arm(nodes[i], at(now + 10'000 * ((i * 617) % 1'000)));
    now += 10'000'000;
    fired += wheel.expire(at(now), [](backstage::TimerNode& node) { benchmark::DoNotOptimize(&node); });
  }
  if (fired != static_cast<std::size_t>(state.iterations()) * nodes.size()) state.SkipWithError("timers were lost");
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(nodes.size()));
}
BENCHMARK(timer_arm_expire);

}  // namespace
