// create: one parent makes N actors and sends each one message, after which it ends. One op is an actor.
// The actors are unnamed, supervised and otherwise by default; the next one does not wait for the former's end.
#include <atomic>

#include "workload.hpp"

namespace bench {
namespace {

struct Value {
  std::uint64_t value;
};
struct Done {};
struct Make {
  std::uint64_t actors;
};

class Maker;

struct Tally {
  std::atomic<std::uint64_t> sum{0};
  std::atomic<std::uint64_t> left{0};
  Ref<Maker> maker;
};

class Mayfly {
 public:
  explicit Mayfly(Tally* tally) : tally_(tally) {}
  void handle(Value value, Context& cx);

 private:
  Tally* tally_;
};

class Maker {
 public:
  void handle(Make make, Reply<std::uint64_t> done, Context& cx) {
    done_ = std::move(done);
    tally_.left = make.actors;
    tally_.maker = cx.self(this);
    for (std::uint64_t i = 0; i < make.actors; ++i) {
      cx.spawn<Mayfly>(backstage::unnamed, &tally_).send(Value{i});
    }
  }
  void handle(Done) { std::move(done_)(tally_.sum.load()); }

 private:
  Tally tally_;
  Reply<std::uint64_t> done_;
};

void Mayfly::handle(Value value, Context& cx) {
  // acq_rel: whoever takes the last one sees all sums.
  tally_->sum.fetch_add(value.value, std::memory_order_relaxed);
  if (tally_->left.fetch_sub(1, std::memory_order_acq_rel) == 1) tally_->maker.send(Done{});
  cx.stop();
}

}  // namespace

Outcome create(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 1'000'000);
  const double seconds = timed(settings, n, [](backstage::Runtime& runtime, std::uint64_t actors) {
    const auto maker = runtime.spawn<Maker>(backstage::unnamed);
    check("sum of the values", run<Make>(runtime, maker, actors), actors * (actors - 1) / 2);
  });
  return {n, seconds, ""};
}

}  // namespace bench
