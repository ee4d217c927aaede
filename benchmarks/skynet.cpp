// skynet: a tree of tens down to L leaves, whose numbers are added up on the way back. One op is an actor.
#include "workload.hpp"

namespace bench {
namespace {

struct Sum {
  std::uint64_t value;
};
struct Grow {
  std::uint64_t leaves;
};

class Node {
 public:
  Node(backstage::To<void(Sum)> above, std::uint64_t first, std::uint64_t leaves)
      : above_(above), first_(first), leaves_(leaves) {}
  void init(Context& cx) {
    if (leaves_ == 1) {
      above_.send(Sum{first_});
      cx.stop();
      return;
    }
    const backstage::To<void(Sum)> me = cx.self(this);
    const std::uint64_t each = leaves_ / 10;
    for (std::uint64_t i = 0; i < 10; ++i) cx.spawn<Node>(backstage::unnamed, me, first_ + i * each, each);
  }
  void handle(Sum sum, Context& cx) {
    sum_ += sum.value;
    if (++answers_ < 10) return;
    above_.send(Sum{sum_});
    cx.stop();
  }

 private:
  backstage::To<void(Sum)> above_;
  std::uint64_t first_;
  std::uint64_t leaves_;
  std::uint64_t sum_ = 0;
  int answers_ = 0;
};

class Seed {
 public:
  void handle(Grow grow, Reply<std::uint64_t> done, Context& cx) {
    done_ = std::move(done);
    const backstage::To<void(Sum)> me = cx.self(this);
    cx.spawn<Node>(backstage::unnamed, me, std::uint64_t{0}, grow.leaves);
  }
  void handle(Sum sum) { std::move(done_)(sum.value); }

 private:
  Reply<std::uint64_t> done_;
};

}  // namespace

Outcome skynet(const Settings& settings) {
  const std::uint64_t leaves = settings.arg(0, 1'000'000);
  std::uint64_t power = 10;
  while (power < leaves) power *= 10;
  if (power != leaves || leaves < 100) throw std::runtime_error("skynet wants a power of ten, at least 100");
  const double seconds = timed(settings, leaves, [](backstage::Runtime& runtime, std::uint64_t size) {
    const auto seed = runtime.spawn<Seed>(backstage::unnamed);
    check("sum of the leaves", run<Grow>(runtime, seed, size), size * (size - 1) / 2);
  });
  return {leaves + leaves / 9, seconds, ""};
}

}  // namespace bench
