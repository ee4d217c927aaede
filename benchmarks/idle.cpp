// idle: N actors, each of which has had a message, do nothing for so many seconds. One op is an actor.
// `sleeps` are the voluntary context switches of all threads but the main one meanwhile: 0 when nothing wakes up.
#include <thread>

#include "resident.hpp"
#include "workload.hpp"

namespace bench {
namespace {

struct Value {
  std::uint64_t value;
};
struct Sleeper {
  void handle(Value value) { sum += value.value; }
  std::uint64_t sum = 0;
};

struct Spawn {
  std::uint64_t actors;
};
struct Owner {
  bool handle(Spawn spawn, Context& cx) {
    for (std::uint64_t i = 0; i < spawn.actors; ++i) cx.spawn<Sleeper>(backstage::unnamed).send(Value{i});
    return true;
  }
};

}  // namespace

Outcome idle(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 1'000'000);
  const std::uint64_t seconds = settings.arg(1, 60);
  backstage::Runtime runtime(settings.runtime());
  const auto owner = runtime.spawn<Owner>("owner");
  const std::size_t others = runtime.actors();
  run<Spawn>(runtime, owner, n);
  while (runtime.counts().handled < n) std::this_thread::sleep_for(20ms);
  std::this_thread::sleep_for(2s);  // for what is due after work: the watch looks for a second, and gives memory back
  const std::uint64_t sleeps = sleeps_of_the_others();
  const double used = processor_seconds();
  const Stopwatch watch;
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  const double took = watch.seconds();
  const std::uint64_t slept = sleeps_of_the_others() - sleeps;
  const double cpu = (processor_seconds() - used) * 1e3;
  check("actors", runtime.actors(), n + others);
  return {n, took, "sleeps=" + std::to_string(slept) + " cpu_ms=" + std::to_string(cpu)};
}

}  // namespace bench
