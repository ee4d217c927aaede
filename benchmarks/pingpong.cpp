// pingpong: A sends i, B answers i + 1, A adds up. One op is a round trip.
#include "workload.hpp"

namespace bench {
namespace {

struct Ping {
  std::uint64_t value;
};
struct Pong {
  std::uint64_t value;
};
struct Play {
  std::uint64_t rounds;
};

class Pinger;

class Ponger {
 public:
  explicit Ponger(Ref<Pinger> pinger) : pinger_(pinger) {}
  void handle(Ping ping);

 private:
  Ref<Pinger> pinger_;
};

class Pinger {
 public:
  void init(Context& cx) { ponger_ = cx.spawn<Ponger>("ponger", cx.self(this)); }
  void handle(Play play, Reply<std::uint64_t> done) {
    done_ = std::move(done);
    rounds_ = play.rounds;
    sent_ = 0;
    sum_ = 0;
    ponger_.send(Ping{sent_++});
  }
  void handle(Pong pong) {
    sum_ += pong.value;
    if (sent_ == rounds_) {
      std::move(done_)(sum_);
    } else {
      ponger_.send(Ping{sent_++});
    }
  }

 private:
  Ref<Ponger> ponger_;
  Reply<std::uint64_t> done_;
  std::uint64_t rounds_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t sum_ = 0;
};

void Ponger::handle(Ping ping) { pinger_.send(Pong{ping.value + 1}); }

}  // namespace

Outcome pingpong(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 1'000'000);
  const double seconds = timed(settings, n, [](backstage::Runtime& runtime, std::uint64_t rounds) {
    const auto pinger = runtime.spawn<Pinger>(backstage::unnamed);
    check("sum of the pongs", run<Play>(runtime, pinger, rounds), rounds * (rounds + 1) / 2);
  });
  return {n, seconds, ""};
}

}  // namespace bench
