// big: A actors each send N pings, one at a time, to random actors, and get pongs. One op is a message.
#include "workload.hpp"

namespace bench {
namespace {

class Peer;
using Peers = std::vector<Ref<Peer>>;

struct Ping {
  std::size_t from;
};
struct Pong {};
struct Begin {};
struct Finished {
  std::uint64_t pongs;
};
struct Play {
  std::size_t actors;
  std::uint64_t pings;
};

class Judge;

class Peer {
 public:
  Peer(Ref<Judge> judge, const Peers* peers, std::size_t me, std::uint64_t pings)
      : judge_(judge), peers_(peers), me_(me), pings_(pings), random_(me * 2654435761U + 12345) {}
  void handle(Begin) { next(); }
  void handle(Ping ping) { (*peers_)[ping.from].send(Pong{}); }
  void handle(Pong);

 private:
  void next() { (*peers_)[random_.next() % peers_->size()].send(Ping{me_}); }

  Ref<Judge> judge_;
  const Peers* peers_;
  std::size_t me_;
  std::uint64_t pings_;
  std::uint64_t got_ = 0;
  Xorshift random_;
};

class Judge {
 public:
  void handle(Play play, Reply<std::uint64_t> done, Context& cx) {
    done_ = std::move(done);
    for (std::size_t i = 0; i < play.actors; ++i) {
      peers_.push_back(cx.spawn<Peer>(backstage::unnamed, cx.self(this), &peers_, i, play.pings));
    }
    // The list is complete before the first one reads it.
    for (const auto& peer : peers_) peer.send(Begin{});
  }
  void handle(Finished finished) {
    pongs_ += finished.pongs;
    if (++finished_ == peers_.size()) std::move(done_)(pongs_);
  }

 private:
  Peers peers_;
  Reply<std::uint64_t> done_;
  std::uint64_t pongs_ = 0;
  std::size_t finished_ = 0;
};

void Peer::handle(Pong) {
  if (++got_ == pings_) {
    judge_.send(Finished{got_});
  } else {
    next();
  }
}

}  // namespace

Outcome big(const Settings& settings) {
  const std::uint64_t a = settings.arg(0, 120);
  const std::uint64_t n = settings.arg(1, 20'000);
  const double seconds = timed(settings, n, [a](backstage::Runtime& runtime, std::uint64_t pings) {
    const auto judge = runtime.spawn<Judge>(backstage::unnamed);
    check("pongs", run<Play>(runtime, judge, a, pings), a * pings);
  });
  return {2 * a * n, seconds, ""};
}

}  // namespace bench
