// A cell's lane of commands and completions: push, and all taken at once. One item is a node.
#include <benchmark/benchmark.h>

#include <vector>

#include "backstage/exec/detail/lane.hpp"

namespace {

struct Node {
  Node* lane_next = nullptr;
};

void lane_push_take(benchmark::State& state) {
  std::vector<Node> nodes(static_cast<std::size_t>(state.range(0)));
  backstage::detail::Lane<Node> lane;
  for (auto _ : state) {
    for (Node& node : nodes) benchmark::DoNotOptimize(lane.push(&node));
    benchmark::DoNotOptimize(lane.take_all());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(lane_push_take)->Arg(1)->Arg(64);

/// What each turn pays for having a lane: a look whether something is in it.
void lane_empty(benchmark::State& state) {
  backstage::detail::Lane<Node> lane;
  for (auto _ : state) benchmark::DoNotOptimize(lane.take_all());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(lane_empty);

}  // namespace
