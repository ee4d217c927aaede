// chameneos: A creatures meet in pairs through a mall, M times, and change colours. One op is a meeting: four messages.
#include <optional>

#include "workload.hpp"

namespace bench {
namespace {

class Creature;
class Mall;

struct Meet {
  std::uint8_t color;
  Ref<Creature> peer;
};
struct Change {
  std::uint8_t color;
};
struct Exit {};
struct Count {
  std::uint64_t met;
};
struct Open {
  std::uint64_t creatures;
  std::uint64_t meetings;
};

[[nodiscard]] std::uint8_t complement(std::uint8_t a, std::uint8_t b) {
  return a == b ? a : static_cast<std::uint8_t>(3 - a - b);
}

class Creature {
 public:
  Creature(Ref<Mall> mall, std::uint8_t color) : mall_(mall), color_(color) {}
  void init(Context& cx);
  void handle(Meet meet, Context& cx);
  void handle(Change change, Context& cx);
  void handle(Exit, Context& cx);

 private:
  Ref<Mall> mall_;
  std::uint8_t color_;
  std::uint64_t met_ = 0;
};

class Mall {
 public:
  void handle(Open open, Reply<std::uint64_t> done, Context& cx) {
    done_ = std::move(done);
    creatures_ = open.creatures;
    left_ = open.meetings;
    for (std::uint64_t i = 0; i < open.creatures; ++i) {
      cx.spawn<Creature>(backstage::unnamed, cx.self(this), static_cast<std::uint8_t>(i % 3));
    }
  }
  void handle(Meet meet) {
    if (left_ == 0) {
      meet.peer.send(Exit{});
      if (waiting_) std::exchange(waiting_, {}).send(Exit{});
    } else if (waiting_) {
      --left_;
      std::exchange(waiting_, {}).send(meet);
    } else {
      waiting_ = meet.peer;
    }
  }
  void handle(Count count) {
    met_ += count.met;
    if (++counted_ == creatures_) std::move(done_)(met_);
  }

 private:
  Reply<std::uint64_t> done_;
  std::uint64_t creatures_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t met_ = 0;
  std::uint64_t counted_ = 0;
  Ref<Creature> waiting_;
};

void Creature::init(Context& cx) { mall_.send(Meet{color_, cx.self(this)}); }
void Creature::handle(Meet meet, Context& cx) {
  color_ = complement(color_, meet.color);
  ++met_;
  meet.peer.send(Change{color_});
  mall_.send(Meet{color_, cx.self(this)});
}
void Creature::handle(Change change, Context& cx) {
  color_ = change.color;
  ++met_;
  mall_.send(Meet{color_, cx.self(this)});
}
void Creature::handle(Exit, Context& cx) {
  mall_.send(Count{met_});
  cx.stop();
}

}  // namespace

Outcome chameneos(const Settings& settings) {
  const std::uint64_t a = settings.arg(0, 100);
  const std::uint64_t m = settings.arg(1, 1'000'000);
  const double seconds = timed(settings, m, [a](backstage::Runtime& runtime, std::uint64_t meetings) {
    const auto mall = runtime.spawn<Mall>(backstage::unnamed);
    check("creatures met", run<Open>(runtime, mall, a, meetings), 2 * meetings);
  });
  return {m, seconds, ""};
}

}  // namespace bench
