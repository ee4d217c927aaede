// throughput: A actors get N messages each, in turn, and do a little work on each (fork-join, throughput). One op is a
// message. Who sends them gives way after each round.
#include "savina/savina.hpp"

namespace bench::savina {
namespace {

struct Job {
  std::uint64_t seed;
};
struct Sum {};
struct Worker {
  void handle(Job job) { sum += Xorshift(job.seed).next(); }
  std::uint64_t handle(Sum) const { return sum; }
  std::uint64_t sum = 0;
};

struct Start {
  std::uint64_t actors;
  std::uint64_t messages;
};
struct Forker {
  backstage::Task<std::uint64_t> handle(Start start, Context& cx) {
    std::vector<Ref<Worker>> workers;
    for (std::uint64_t a = 0; a < start.actors; ++a) {
      workers.push_back(cx.spawn(backstage::child<Worker>(backstage::unnamed).mailbox(backstage::unbounded())));
    }
    for (std::uint64_t m = 1; m <= start.messages; ++m) {
      for (const auto& worker : workers) worker.send(Job{m});
      co_await cx.yield();
    }
    std::uint64_t sum = 0;
    for (const auto& worker : workers) {
      const auto part = co_await worker.ask<Sum>().within(patience);
      sum += part.value();
    }
    co_return sum;
  }
};

}  // namespace

Outcome throughput(const Settings& settings) {
  const std::uint64_t a = settings.arg(0, 60);
  const std::uint64_t n = settings.arg(1, 100'000);
  const double seconds = timed(settings, n, [a](backstage::Runtime& runtime, std::uint64_t messages) {
    std::uint64_t expected = 0;
    for (std::uint64_t m = 1; m <= messages; ++m) expected += Xorshift(m).next();
    const auto forker = runtime.spawn<Forker>(backstage::unnamed);
    check("sum of the work", run<Start>(runtime, forker, a, messages), a * expected);
  });
  return {a * n, seconds, "mailbox=unbounded"};
}

}  // namespace bench::savina
