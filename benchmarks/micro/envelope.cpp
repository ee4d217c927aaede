// An envelope's memory: a block from the thread's cache, written, given back. One item is a block.
#include <benchmark/benchmark.h>

#include <vector>

#include "backstage/exec/slab.hpp"
#include "backstage/mailbox/envelope.hpp"

namespace {

constexpr backstage::detail::MessageDescriptor descriptor{.handle = nullptr,
                                                          .abandon = nullptr,
                                                          .message = "Message",
                                                          .actor = "Actor",
                                                          .size = 32,
                                                          .kind = backstage::detail::SendKind::plain,
                                                          .weight = nullptr};

/// `alive` blocks at a time: 1 stays in one cache line, many go through the magazines to the depot.
void envelope_from_slab(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const auto alive = static_cast<std::size_t>(state.range(1));
  backstage::SlabPool pool;
  backstage::SlabCache& cache = pool.take_cache();
  std::vector<void*> blocks(alive);
  for (auto _ : state) {
    for (void*& block : blocks) {
      block = cache.allocate(bytes);
      benchmark::DoNotOptimize(::new (block) backstage::detail::Envelope(descriptor, 1));
    }
    for (void* const block : blocks) cache.deallocate(block, bytes);
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
  pool.give_back(cache);
}
BENCHMARK(envelope_from_slab)->Args({32, 1})->Args({32, 1'000})->Args({128, 1})->Args({1'088, 1});

/// The same from operator new, for comparison.
void envelope_from_heap(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  std::vector<void*> blocks(static_cast<std::size_t>(state.range(1)));
  for (auto _ : state) {
    for (void*& block : blocks) {
      block = ::operator new(bytes);
      benchmark::DoNotOptimize(::new (block) backstage::detail::Envelope(descriptor, 1));
    }
    for (void* const block : blocks) ::operator delete(block, bytes);
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
}
BENCHMARK(envelope_from_heap)->Args({32, 1})->Args({32, 1'000});

}  // namespace
