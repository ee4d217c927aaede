// fairness: K actors with 1000 messages always waiting, each so many microseconds long; a probe is pinged each
// millisecond from a thread outside. One op is a message of theirs; `sent` is the latency from the send to the
// handler, `want` from the instant at which the tick was due.
#include <atomic>
#include <thread>

#include "workload.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

/// Work that the compiler cannot leave out.
[[nodiscard]] std::uint64_t burn(std::uint64_t rounds) {
  Xorshift random(88172645463325252U);
  std::uint64_t x = 0;
  for (std::uint64_t i = 0; i < rounds; ++i) x = random.next();
  return x;
}

[[nodiscard]] double rounds_per_microsecond() {
  constexpr std::uint64_t rounds = 2'000'000;
  double best = 0;
  std::atomic<std::uint64_t> sink{0};
  for (int i = 0; i < 10; ++i) {
    const Stopwatch watch;
    sink.fetch_add(burn(rounds), std::memory_order_relaxed);
    best = std::max(best, static_cast<double>(rounds) / (watch.seconds() * 1e6));
  }
  return best;
}

struct Chunk {};
struct Probe {
  Clock::time_point want;
  Clock::time_point sent;
};
struct Latencies {
  std::vector<double> sent;
  std::vector<double> want;
};
struct Report {};

struct Shared {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> messages{0};
  std::atomic<std::uint64_t> waste{0};
  std::uint64_t rounds = 0;
};

class Hog {
 public:
  explicit Hog(Shared* shared) : shared_(shared) {}
  void init(Context& cx) {
    for (int i = 0; i < 1'000; ++i) cx.self(this).send(Chunk{});
  }
  void handle(Chunk chunk, Context& cx) {
    waste_ ^= burn(shared_->rounds);
    ++messages_;
    if (!shared_->stop.load(std::memory_order_relaxed)) {
      cx.self(this).send(chunk);
      return;
    }
    shared_->messages.fetch_add(std::exchange(messages_, 0), std::memory_order_relaxed);
    shared_->waste.fetch_xor(waste_, std::memory_order_relaxed);
  }

 private:
  Shared* shared_;
  std::uint64_t messages_ = 0;
  std::uint64_t waste_ = 0;
};

class Target {
 public:
  void handle(Probe probe) {
    const auto now = Clock::now();
    latencies_.sent.push_back(std::chrono::duration<double, std::micro>(now - probe.sent).count());
    latencies_.want.push_back(std::chrono::duration<double, std::micro>(now - probe.want).count());
  }
  Latencies handle(Report) { return latencies_; }

 private:
  Latencies latencies_;
};

}  // namespace

Outcome fairness(const Settings& settings) {
  const std::uint64_t hogs = settings.arg(0, 8);
  const std::uint64_t microseconds = settings.arg(1, 1);
  const std::uint64_t seconds = settings.arg(2, 10);
  Shared shared;
  shared.rounds = static_cast<std::uint64_t>(rounds_per_microsecond() * static_cast<double>(microseconds));
  backstage::Runtime runtime(settings.runtime());
  const auto target = runtime.spawn<Target>("target");
  for (std::uint64_t i = 0; i < hogs; ++i) runtime.spawn<Hog>(backstage::unnamed, &shared);

  const Stopwatch watch;
  const auto began = Clock::now();
  for (std::uint64_t tick = 1; tick <= seconds * 1'000; ++tick) {
    const auto want = began + std::chrono::milliseconds(tick);
    std::this_thread::sleep_until(want);
    target.send(Probe{want, Clock::now()});
  }
  const Latencies latencies = run<Report>(runtime, target);
  const double took = watch.seconds();
  shared.stop.store(true, std::memory_order_relaxed);
  (void)runtime.shutdown().has_value();
  check("probes", latencies.sent.size(), seconds * 1'000);
  return {shared.messages.load(), took,
          "us=" + std::to_string(microseconds) + " samples=" + std::to_string(latencies.sent.size()) +
              " sent: " + percentiles(latencies.sent) + " want: " + percentiles(latencies.want)};
}

}  // namespace bench
