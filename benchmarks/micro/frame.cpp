// A coroutine's frame: made, driven to its end, destroyed; from the pool and from the heap. One item is a coroutine.
#include <benchmark/benchmark.h>

#include <cstdint>

#include "backstage/exec/detail/turn.hpp"
#include "backstage/exec/task.hpp"

namespace {

backstage::Task<std::uint64_t> leaf(std::uint64_t value) { co_return value + 1; }
backstage::Task<std::uint64_t> chain(std::uint64_t value) { co_return co_await leaf(value) + 1; }

template <class Make>
void drive_all(benchmark::State& state, Make make, bool pooled) {
  backstage::SlabPool pool;
  backstage::SlabCache& cache = pool.take_cache();
  {
    backstage::detail::Turn turn;
    if (pooled) {
      turn.pool = &pool;
      turn.cache = &cache;
    }
    const backstage::detail::TurnScope scope(turn);
    std::uint64_t value = 0;
    for (auto _ : state) {
      backstage::Task<std::uint64_t> task = make(value);
      backstage::detail::drive(task.handle());
      value = task.take();
    }
    benchmark::DoNotOptimize(value);
  }
  state.SetItemsProcessed(state.iterations());
  pool.give_back(cache);
}

void frame_pooled(benchmark::State& state) { drive_all(state, leaf, true); }
void frame_from_heap(benchmark::State& state) { drive_all(state, leaf, false); }
void frame_awaits_frame_pooled(benchmark::State& state) { drive_all(state, chain, true); }
BENCHMARK(frame_pooled);
BENCHMARK(frame_from_heap);
BENCHMARK(frame_awaits_frame_pooled);

}  // namespace
