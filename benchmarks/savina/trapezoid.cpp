// trapezoid: the area under a curve in N strips, by W workers. One op is a strip. The check: the parts in their order give,
// bit for bit, what the same arithmetic in place gives.
#include <bit>
#include <cmath>

#include "savina/savina.hpp"

namespace bench::savina {
namespace {

[[nodiscard]] double curve(double x) { return 1 / (x + 1) * std::sqrt(1 + std::exp(std::sqrt(2 * x))); }

constexpr double from = 1;
constexpr double to = 5;
constexpr std::uint64_t workers = 100;

[[nodiscard]] double area(std::uint64_t first, std::uint64_t last, double width) {
  double sum = 0;
  for (std::uint64_t i = first; i < last; ++i) {
    const double x = from + static_cast<double>(i) * width;
    sum += width * (curve(x) + curve(x + width)) / 2;
  }
  return sum;
}
[[nodiscard]] double width_of(std::uint64_t strips) { return (to - from) / static_cast<double>(strips); }

struct Strips {
  std::uint64_t first;
  std::uint64_t last;
  double width;
};
struct Worker {
  double handle(Strips strips) const { return area(strips.first, strips.last, strips.width); }
};

struct Start {
  std::uint64_t strips;
};
struct Computed {
  std::uint64_t worker;
  double area;
};
class Clerk {
 public:
  Clerk(backstage::To<void(Computed)> above, std::uint64_t number) : above_(above), number_(number) {}
  backstage::Task<> handle(Start start, Context& cx) {
    const auto worker = cx.spawn<Worker>("worker");
    const auto part = co_await worker
                          .ask<Strips>(start.strips * number_ / workers, start.strips * (number_ + 1) / workers,
                                       width_of(start.strips))
                          .within(patience);
    above_.send(Computed{number_, part.value()});
  }

 private:
  backstage::To<void(Computed)> above_;
  std::uint64_t number_;
};

class Master {
 public:
  void handle(Start start, Reply<std::uint64_t> done, Context& cx) {
    done_ = std::move(done);
    areas_.resize(workers);
    const backstage::To<void(Computed)> me = cx.self(this);
    for (std::uint64_t w = 0; w < workers; ++w) cx.spawn<Clerk>(backstage::unnamed, me, w).send(start);
  }
  void handle(Computed computed) {
    areas_[computed.worker] = computed.area;
    if (++computed_ < workers) return;
    double sum = 0;
    for (const double part : areas_) sum += part;
    std::move(done_)(std::bit_cast<std::uint64_t>(sum));
  }

 private:
  Reply<std::uint64_t> done_;
  std::vector<double> areas_;
  std::uint64_t computed_ = 0;
};

}  // namespace

Outcome trapezoid(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 5'000'000);
  backstage::Runtime runtime(settings.runtime());
  const auto once = [&](std::uint64_t strips) {
    const auto master = runtime.spawn<Master>(backstage::unnamed);
    return run<Start>(runtime, master, strips);
  };
  (void)once(n / 10);
  const Stopwatch watch;
  const std::uint64_t bits = once(n);
  const double seconds = watch.seconds();
  double expected = 0;
  for (std::uint64_t w = 0; w < workers; ++w) expected += area(n * w / workers, n * (w + 1) / workers, width_of(n));
  check("bits of the area", bits, std::bit_cast<std::uint64_t>(expected));
  return {n, seconds, "workers=" + std::to_string(workers)};
}

}  // namespace bench::savina
