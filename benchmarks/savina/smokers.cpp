// smokers: an arbiter starts one of S smokers at random, R times; the next is chosen as soon as it has lit up. One op is a
// round. The check: the rounds that the smokers counted, each weighted with its number, are those that were drawn.
#include "savina/savina.hpp"

namespace bench::savina {
namespace {

class Arbiter;

struct Light {
  std::uint64_t puffs;
};
struct Lit {};
struct Count {};
struct Counted {
  std::uint64_t smoked;
  std::uint64_t number;
};
struct Open {
  std::uint64_t smokers;
  std::uint64_t rounds;
};

class Smoker {
 public:
  Smoker(Ref<Arbiter> arbiter, std::uint64_t number) : arbiter_(arbiter), number_(number) {}
  void handle(Light light);
  void handle(Count);

 private:
  Ref<Arbiter> arbiter_;
  std::uint64_t number_;
  std::uint64_t smoked_ = 0;
  Xorshift lungs_{12345};
};

class Arbiter {
 public:
  void handle(Open open, Reply<bool> done, Context& cx) {
    done_ = std::move(done);
    left_ = open.rounds;
    for (std::uint64_t s = 0; s < open.smokers; ++s) {
      smokers_.push_back(cx.spawn<Smoker>(backstage::unnamed, cx.self(this), s + 1));
    }
    choose();
  }
  void handle(Lit) { choose(); }
  void handle(Counted counted) {
    smoked_ += counted.smoked * counted.number;
    if (++answers_ == smokers_.size()) std::move(done_)(smoked_ == drawn_);
  }

 private:
  void choose() {
    if (left_-- == 0) {
      for (const auto& smoker : smokers_) smoker.send(Count{});
      return;
    }
    const std::size_t chosen = random_.next() % smokers_.size();
    drawn_ += chosen + 1;
    smokers_[chosen].send(Light{random_.next() % 50});
  }

  Reply<bool> done_;
  std::vector<Ref<Smoker>> smokers_;
  std::uint64_t left_ = 0;
  std::uint64_t drawn_ = 0;
  std::uint64_t smoked_ = 0;
  std::size_t answers_ = 0;
  Xorshift random_{88172645463325252U};
};

void Smoker::handle(Light light) {
  arbiter_.send(Lit{});
  for (std::uint64_t puff = 0; puff < light.puffs; ++puff) (void)lungs_.next();
  ++smoked_;
}
void Smoker::handle(Count) { arbiter_.send(Counted{smoked_, number_}); }

}  // namespace

Outcome smokers(const Settings& settings) {
  const std::uint64_t s = settings.arg(0, 200);
  const std::uint64_t r = settings.arg(1, 500'000);
  if (s == 0) throw std::runtime_error("no smoker, no round");
  const double seconds = timed(settings, r, [s](backstage::Runtime& runtime, std::uint64_t rounds) {
    const auto arbiter = runtime.spawn<Arbiter>(backstage::unnamed);
    check("rounds smoked as drawn", run<Open>(runtime, arbiter, s, rounds) ? 1 : 0, 1);
  });
  return {r, seconds, ""};
}

}  // namespace bench::savina
