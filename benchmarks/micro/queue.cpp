// The mailbox's list: push, take, go idle. One item is a message.
#include <benchmark/benchmark.h>

#include <atomic>
#include <vector>

#include "backstage/mailbox/detail/message_list.hpp"

namespace {

struct Node {
  std::atomic<Node*> next{nullptr};
};
using List = backstage::detail::MessageList<Node>;

/// The owner's side: as many as there are, then idle.
void drain(List& list, List::Owned& owned) {
  Node* retired = nullptr;
  do {
    while (Node* const node = list.take(owned, retired)) benchmark::DoNotOptimize(node);
  } while (!list.try_idle(owned, retired));
}

void queue_push_take(benchmark::State& state) {
  std::vector<Node> nodes(static_cast<std::size_t>(state.range(0)));
  List list;
  List::Owned owned;
  for (auto _ : state) {
    for (Node& node : nodes) benchmark::DoNotOptimize(list.push(&node));
    drain(list, owned);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
// One at a time, as in ping-pong; a batch, as in fan-in; and what no longer fits the first cache.
BENCHMARK(queue_push_take)->Arg(1)->Arg(64)->Arg(16'384);

}  // namespace
