// logistic: S series of the logistic map, T terms each; each series asks its rate's computer for each next term. One op is
// a term. The check: the last terms, bit for bit, against the same arithmetic done in place.
#include <bit>

#include "savina/savina.hpp"

namespace bench::savina {
namespace {

struct Next {
  double term;
};
class Computer {
 public:
  explicit Computer(double rate) : rate_(rate) {}
  double handle(Next next) const { return rate_ * next.term * (1 - next.term); }

 private:
  double rate_;
};

[[nodiscard]] double rate_of(std::uint64_t series) { return 3.46 + 0.0025 * static_cast<double>(series); }
[[nodiscard]] double first_of(std::uint64_t series) { return 1.0 / (static_cast<double>(series) + 2); }

struct Compute {
  std::uint64_t terms;
};
class Series {
 public:
  Series(backstage::To<void(Part)> above, std::uint64_t number) : above_(above), number_(number) {}
  void init(Context& cx) { computer_ = cx.spawn<Computer>("computer", rate_of(number_)); }
  backstage::Task<> handle(Compute compute) {
    double term = first_of(number_);
    for (std::uint64_t t = 0; t < compute.terms; ++t) {
      const auto next = co_await computer_.ask<Next>(term).within(patience);
      term = next.value();
    }
    above_.send(Part{std::bit_cast<std::uint64_t>(term)});
  }

 private:
  backstage::To<void(Part)> above_;
  std::uint64_t number_;
  Ref<Computer> computer_;
};

struct Start {
  std::uint64_t series;
  std::uint64_t terms;
};
class Master {
 public:
  void handle(Start start, Reply<std::uint64_t> done, Context& cx) {
    whole_.expect(start.series, std::move(done));
    const backstage::To<void(Part)> me = cx.self(this);
    for (std::uint64_t s = 0; s < start.series; ++s) {
      cx.spawn<Series>(backstage::unnamed, me, s).send(Compute{start.terms});
    }
  }
  void handle(Part part) { whole_.add(part); }

 private:
  Whole whole_;
};

}  // namespace

Outcome logistic(const Settings& settings) {
  const std::uint64_t s = settings.arg(0, 10);
  const std::uint64_t t = settings.arg(1, 100'000);
  const double seconds = timed(settings, t, [s](backstage::Runtime& runtime, std::uint64_t terms) {
    std::uint64_t expected = 0;
    for (std::uint64_t i = 0; i < s; ++i) {
      double term = first_of(i);
      for (std::uint64_t k = 0; k < terms; ++k) term = Computer(rate_of(i)).handle(Next{term});
      expected += std::bit_cast<std::uint64_t>(term);
    }
    const auto master = runtime.spawn<Master>(backstage::unnamed);
    check("last terms", run<Start>(runtime, master, s, terms), expected);
  });
  return {s * t, seconds, ""};
}

}  // namespace bench::savina
