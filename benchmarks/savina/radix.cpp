// radix: N numbers of B bits through a chain of B actors; each passes those on whose bit is 0 and keeps the others until it
// has seen all. One op is a number at an actor. The check: in order, and their sum.
#include "savina/savina.hpp"

namespace bench::savina {
namespace {

struct Number {
  std::uint64_t value;
};
using Next = backstage::To<void(Number)>;

class Sorter {
 public:
  Sorter(Next next, std::uint64_t count, unsigned bit) : next_(next), left_(count), bit_(bit) {}
  void handle(Number number) {
    if (((number.value >> bit_) & 1U) == 0) {
      next_.send(number);
    } else {
      kept_.push_back(number.value);
    }
    if (--left_ > 0) return;
    for (const std::uint64_t value : kept_) next_.send(Number{value});
    kept_.clear();
  }

 private:
  Next next_;
  std::uint64_t left_;
  unsigned bit_;
  std::vector<std::uint64_t> kept_;
};

struct Start {
  std::uint64_t numbers;
  std::uint64_t bits;
};
[[nodiscard]] std::uint64_t draw(Xorshift& random, std::uint64_t bits) { return random.next() >> (64 - bits); }

class Master {
 public:
  void handle(Start start, Reply<std::uint64_t> done, Context& cx) {
    done_ = std::move(done);
    left_ = start.numbers;
    Next next = cx.self(this);
    // The last one first: the lowest bit comes first in the chain.
    for (auto bit = static_cast<unsigned>(start.bits); bit-- > 0;) {
      next = cx.spawn(
          backstage::child<Sorter>(backstage::unnamed, next, start.numbers, bit).mailbox(backstage::unbounded()));
    }
    Xorshift random(88172645463325252U);
    for (std::uint64_t i = 0; i < start.numbers; ++i) next.send(Number{draw(random, start.bits)});
  }
  void handle(Number number) {
    if (number.value < before_) throw std::runtime_error("out of order");
    before_ = number.value;
    sum_ += number.value;
    if (--left_ == 0) std::move(done_)(sum_);
  }

 private:
  Reply<std::uint64_t> done_;
  std::uint64_t left_ = 0;
  std::uint64_t before_ = 0;
  std::uint64_t sum_ = 0;
};

}  // namespace

Outcome radix(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 100'000);
  const std::uint64_t bits = settings.arg(1, 24);
  if (bits == 0 || bits > 64) throw std::runtime_error("numbers have from 1 to 64 bits");
  const double seconds = timed(settings, n, [bits](backstage::Runtime& runtime, std::uint64_t numbers) {
    Xorshift random(88172645463325252U);
    std::uint64_t expected = 0;
    for (std::uint64_t i = 0; i < numbers; ++i) expected += draw(random, bits);
    const auto master = runtime.spawn(backstage::child<Master>(backstage::unnamed).mailbox(backstage::unbounded()));
    check("sum of the numbers", run<Start>(runtime, master, numbers, bits), expected);
  });
  return {n * bits, seconds, "mailbox=unbounded"};
}

}  // namespace bench::savina
