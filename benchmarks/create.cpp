// create: one parent makes N actors and sends each one message, after which it ends. One op is an actor.
// The actors are unnamed, supervised and otherwise by default; the next one does not wait for the former's end. After each K
// (64, if it is not said otherwise; 0: never) the parent gives way, as whoever does much in one message should.
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
  std::uint64_t in_a_row;
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
  backstage::Task<> handle(Make make, Reply<std::uint64_t> done, Context& cx) {
    done_ = std::move(done);
    tally_.left = make.actors;
    tally_.maker = cx.self(this);
    for (std::uint64_t i = 0; i < make.actors; ++i) {
      cx.spawn<Mayfly>(backstage::unnamed, &tally_).send(Value{i});
      if (make.in_a_row != 0 && (i + 1) % make.in_a_row == 0) co_await cx.yield();
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
  const std::uint64_t in_a_row = settings.arg(1, 64);
  const double seconds = timed(settings, n, [in_a_row](backstage::Runtime& runtime, std::uint64_t actors) {
    const auto maker = runtime.spawn<Maker>(backstage::unnamed);
    check("sum of the values", run<Make>(runtime, maker, actors, in_a_row), actors * (actors - 1) / 2);
  });
  return {n, seconds, ""};
}

}  // namespace bench
