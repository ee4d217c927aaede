// sieve: primes below N; each actor of a growing chain holds up to 1000 primes and passes on what none of them divides.
// One op is a number that enters the chain. The check: the sum of the primes.
#include "savina/savina.hpp"

namespace bench::savina {
namespace {

struct Number {
  std::uint64_t value;
};
struct End {
  std::uint64_t sum;  // of the primes so far
};

class Filter {
 public:
  Filter(backstage::To<void(Part)> above, std::uint64_t first) : above_(above), primes_{first} {}
  void handle(Number number, Context& cx) {
    for (const std::uint64_t prime : primes_) {
      if (number.value % prime == 0) return;
    }
    if (primes_.size() < held) {
      primes_.push_back(number.value);
    } else if (next_) {
      next_.send(number);
    } else {
      next_ = cx.spawn(
          backstage::child<Filter>(backstage::unnamed, above_, number.value).mailbox(backstage::unbounded()));
    }
  }
  void handle(End end) {
    for (const std::uint64_t prime : primes_) end.sum += prime;
    if (next_) {
      next_.send(end);
    } else {
      above_.send(Part{end.sum});
    }
  }

 private:
  static constexpr std::size_t held = 1'000;
  backstage::To<void(Part)> above_;
  std::vector<std::uint64_t> primes_;
  Ref<Filter> next_;
};

struct Start {
  std::uint64_t below;
};
class Source {
 public:
  void handle(Start start, Reply<std::uint64_t> done, Context& cx) {
    whole_.expect(1, std::move(done));
    const backstage::To<void(Part)> me = cx.self(this);
    const auto filter =
        cx.spawn(backstage::child<Filter>(backstage::unnamed, me, std::uint64_t{2}).mailbox(backstage::unbounded()));
    for (std::uint64_t n = 3; n < start.below; n += 2) filter.send(Number{n});
    filter.send(End{0});
  }
  void handle(Part part) { whole_.add(part); }

 private:
  Whole whole_;
};

[[nodiscard]] std::uint64_t sum_of_primes(std::uint64_t below) {
  std::vector<bool> composite(below, false);
  std::uint64_t sum = 0;
  for (std::uint64_t n = 2; n < below; ++n) {
    if (composite[n]) continue;
    sum += n;
    for (std::uint64_t m = n * n; m < below; m += n) composite[m] = true;
  }
  return sum;
}

}  // namespace

Outcome sieve(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 100'000);
  const double seconds = timed(settings, n, [](backstage::Runtime& runtime, std::uint64_t below) {
    const auto source = runtime.spawn<Source>(backstage::unnamed);
    check("sum of the primes", run<Start>(runtime, source, below), sum_of_primes(below));
  });
  return {n / 2, seconds, "mailbox=unbounded"};
}

}  // namespace bench::savina
