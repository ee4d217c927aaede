// philosophers: P philosophers eat N meals each; an arbiter hands out the forks, and who is refused asks again. One op is
// a meal. The check: each philosopher ate all of its meals, and no fork was with two of them.
#include "savina/savina.hpp"

namespace bench::savina {
namespace {

class Arbiter;
class Philosopher;

struct Hungry {
  std::size_t seat;
};
struct Sated {
  std::size_t seat;
  bool goes;  // that was the last meal
};
struct Eat {};
struct Refused {};
struct Dine {
  std::uint64_t philosophers;
  std::uint64_t meals;
};

class Philosopher {
 public:
  Philosopher(Ref<Arbiter> arbiter, std::size_t seat, std::uint64_t meals)
      : arbiter_(arbiter), seat_(seat), left_(meals) {}
  void handle(Refused);
  void handle(Eat);

 private:
  Ref<Arbiter> arbiter_;
  std::size_t seat_;
  std::uint64_t left_;
};

class Arbiter {
 public:
  void handle(Dine dine, Reply<std::uint64_t> done, Context& cx) {
    done_ = std::move(done);
    taken_.assign(dine.philosophers, false);
    present_ = dine.philosophers;
    for (std::size_t seat = 0; seat < dine.philosophers; ++seat) {
      philosophers_.push_back(cx.spawn<Philosopher>(backstage::unnamed, cx.self(this), seat, dine.meals));
      philosophers_.back().send(Refused{});  // asks
    }
  }
  void handle(Hungry hungry) {
    if (taken_[hungry.seat] || taken_[right_of(hungry.seat)]) {
      philosophers_[hungry.seat].send(Refused{});
      return;
    }
    taken_[hungry.seat] = taken_[right_of(hungry.seat)] = true;
    philosophers_[hungry.seat].send(Eat{});
  }
  void handle(Sated sated) {
    if (!taken_[sated.seat] || !taken_[right_of(sated.seat)]) throw std::runtime_error("ate without forks");
    taken_[sated.seat] = taken_[right_of(sated.seat)] = false;
    ++meals_;
    if (sated.goes && --present_ == 0) std::move(done_)(meals_);
  }

 private:
  [[nodiscard]] std::size_t right_of(std::size_t seat) const { return (seat + 1) % taken_.size(); }

  Reply<std::uint64_t> done_;
  std::vector<Ref<Philosopher>> philosophers_;
  std::vector<bool> taken_;
  std::uint64_t present_ = 0;
  std::uint64_t meals_ = 0;
};

void Philosopher::handle(Refused) { arbiter_.send(Hungry{seat_}); }
void Philosopher::handle(Eat) {
  --left_;
  arbiter_.send(Sated{seat_, left_ == 0});
  if (left_ > 0) arbiter_.send(Hungry{seat_});
}

}  // namespace

Outcome philosophers(const Settings& settings) {
  const std::uint64_t p = settings.arg(0, 20);
  const std::uint64_t n = settings.arg(1, 50'000);
  if (p < 2) throw std::runtime_error("one philosopher alone has one fork only");
  const double seconds = timed(settings, n, [p](backstage::Runtime& runtime, std::uint64_t meals) {
    const auto arbiter = runtime.spawn<Arbiter>(backstage::unnamed);
    check("meals", run<Dine>(runtime, arbiter, p, meals), p * meals);
  });
  return {p * n, seconds, ""};
}

}  // namespace bench::savina
