// latency: P pairs play ping-pong for N rounds each, all at once. One op is a message; one in 16 carries the time of its
// send, and the extra field has the latency from there to its handler.
#include "workload.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Ball {
  std::uint64_t left;        // messages still to be played, so that the pair knows where it stands
  Clock::time_point sent{};  // the epoch: not a sample
};
struct Collected {
  std::uint64_t messages = 0;
  std::vector<double> microseconds;
};
struct Play {
  std::uint64_t pairs;
  std::uint64_t messages;
};

class Table;
class Player;
struct Meet {
  Ref<Player> other;
};

class Player {
 public:
  explicit Player(Ref<Table> table) : table_(table) {}
  void handle(Meet meet) { other_ = meet.other; }
  void handle(Ball ball);

 private:
  Ref<Table> table_;
  Ref<Player> other_;
  Collected collected_;
};

class Table {
 public:
  void handle(Play play, Reply<Collected> done, Context& cx) {
    done_ = std::move(done);
    open_ = 2 * play.pairs;
    for (std::uint64_t p = 0; p < play.pairs; ++p) {
      const auto a = cx.spawn<Player>(backstage::unnamed, cx.self(this));
      const auto b = cx.spawn<Player>(backstage::unnamed, cx.self(this));
      a.send(Meet{b});
      b.send(Meet{a});
      a.send(Ball{play.messages});
    }
  }
  void handle(Collected collected) {
    all_.messages += collected.messages;
    all_.microseconds.insert(all_.microseconds.end(), collected.microseconds.begin(), collected.microseconds.end());
    if (--open_ == 0) std::move(done_)(std::move(all_));
  }

 private:
  Reply<Collected> done_;
  std::uint64_t open_ = 0;
  Collected all_;
};

void Player::handle(Ball ball) {
  if (ball.sent != Clock::time_point{}) {
    const std::chrono::duration<double, std::micro> late = Clock::now() - ball.sent;
    collected_.microseconds.push_back(late.count());
  }
  if (ball.left > 0) {
    ++collected_.messages;
    const bool sampled = ball.left % 16 < 2;  // two in a row: one to each side
    other_.send(Ball{ball.left - 1, sampled ? Clock::now() : Clock::time_point{}});
  }
  if (ball.left <= 1) table_.send(std::move(collected_));
}

}  // namespace

Outcome latency(const Settings& settings) {
  const std::uint64_t pairs = settings.arg(0, 64);
  const std::uint64_t messages = 2 * settings.arg(1, 50'000);
  Collected all;
  const double seconds = timed(settings, messages, [&](backstage::Runtime& runtime, std::uint64_t count) {
    const auto table = runtime.spawn<Table>(backstage::unnamed);
    all = run<Play>(runtime, table, pairs, count);
    check("messages", all.messages, pairs * count);
  });
  const std::string samples = "samples=" + std::to_string(all.microseconds.size());
  return {pairs * messages, seconds, samples + " " + percentiles(std::move(all.microseconds))};
}

}  // namespace bench
