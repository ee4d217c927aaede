// memory: resident bytes per idle actor, before and after its first message, when what the burst of spawning and sending took has
// been given back. One op is an actor.
// The actors are named and supervised, by default in all else; the driver's Ref to each of them (16 bytes) is counted.
// The speed is that of spawning them.
#include <atomic>
#include <thread>

#include "resident.hpp"
#include "workload.hpp"

namespace bench {
namespace {

struct Value {
  std::uint64_t value;
};
struct Spawn {
  std::uint64_t actors;
};
struct SendOne {};

struct Tally {
  std::atomic<std::uint64_t> sum{0};
  std::atomic<std::uint64_t> seen{0};
};

class Idler {
 public:
  explicit Idler(Tally* tally) : tally_(tally) {}
  void handle(Value value) {
    tally_->sum.fetch_add(value.value, std::memory_order_relaxed);
    // release: pairs with the acquire of the main thread, which then reads the sum.
    tally_->seen.fetch_add(1, std::memory_order_release);
  }

 private:
  Tally* tally_;
};

class Owner {
 public:
  explicit Owner(Tally* tally) : tally_(tally) {}
  bool handle(Spawn spawn, Context& cx) {
    idlers_.reserve(spawn.actors);
    for (std::uint64_t i = 0; i < spawn.actors; ++i) {
      idlers_.push_back(cx.spawn<Idler>("idler-" + std::to_string(i), tally_));
    }
    return true;
  }
  bool handle(SendOne) {
    for (std::size_t i = 0; i < idlers_.size(); ++i) idlers_[i].send(Value{i});
    return true;
  }

 private:
  Tally* tally_;
  std::vector<Ref<Idler>> idlers_;
};

}  // namespace

Outcome memory(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 1'000'000);
  Tally tally;
  backstage::Runtime runtime(settings.runtime());
  const auto owner = runtime.spawn<Owner>("owner", &tally);
  const std::uint64_t before = resident();
  const Stopwatch watch;
  run<Spawn>(runtime, owner, n);
  const double seconds = watch.seconds();
  std::this_thread::sleep_for(2s);
  const std::uint64_t spawned = resident();
  run<SendOne>(runtime, owner);
  while (tally.seen.load(std::memory_order_acquire) < n) std::this_thread::sleep_for(20ms);
  std::this_thread::sleep_for(2s);
  const std::uint64_t after = resident();
  check("sum of the values", tally.sum.load(), n * (n - 1) / 2);
  return {n, seconds,
          "bytes_spawned=" + std::to_string((spawned - before) / n) +
              " bytes_after_msg=" + std::to_string((after - before) / n)};
}

}  // namespace bench
