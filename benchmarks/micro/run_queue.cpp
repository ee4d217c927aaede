// A worker's run queue: its own push and pop, and half of it stolen. One item is a piece of work.
#include <benchmark/benchmark.h>

#include <array>

#include "backstage/exec/detail/run_queue.hpp"

namespace {

struct Work {};
using Queue = backstage::detail::RunQueue<Work>;

void run_queue_push_pop(benchmark::State& state) {
  std::array<Work, 256> work;
  Queue queue;
  const auto count = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    for (std::size_t i = 0; i < count; ++i) benchmark::DoNotOptimize(queue.push(&work[i]));
    while (Work* const one = queue.pop()) benchmark::DoNotOptimize(one);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(run_queue_push_pop)->Arg(1)->Arg(256);

void run_queue_steal_half(benchmark::State& state) {
  std::array<Work, 128> work;
  Queue victim;
  Queue thief;
  for (auto _ : state) {
    for (Work& one : work) benchmark::DoNotOptimize(victim.push(&one));
    while (Work* const one = thief.steal_from(victim)) {
      benchmark::DoNotOptimize(one);
      while (Work* const next = thief.pop()) benchmark::DoNotOptimize(next);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(work.size()));
}
BENCHMARK(run_queue_steal_half);

}  // namespace
