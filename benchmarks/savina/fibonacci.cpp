// fibonacci: the Nth number of Fibonacci by recursion, one actor for each call. One op is an actor.
#include "savina/savina.hpp"

namespace bench::savina {
namespace {

class Call {
 public:
  Call(backstage::To<void(Part)> above, std::uint64_t n) : above_(above), n_(n) {}
  void init(Context& cx) {
    if (n_ <= 2) return finish(1, cx);
    const backstage::To<void(Part)> me = cx.self(this);
    cx.spawn<Call>(backstage::unnamed, me, n_ - 1);
    cx.spawn<Call>(backstage::unnamed, me, n_ - 2);
  }
  void handle(Part part, Context& cx) {
    sum_ += part.value;
    if (++answers_ == 2) finish(sum_, cx);
  }

 private:
  void finish(std::uint64_t value, Context& cx) {
    above_.send(Part{value});
    cx.stop();
  }
  backstage::To<void(Part)> above_;
  std::uint64_t n_;
  std::uint64_t sum_ = 0;
  int answers_ = 0;
};

struct Start {
  std::uint64_t n;
};
class Caller {
 public:
  void handle(Start start, Reply<std::uint64_t> done, Context& cx) {
    whole_.expect(1, std::move(done));
    const backstage::To<void(Part)> me = cx.self(this);
    cx.spawn<Call>(backstage::unnamed, me, start.n);
  }
  void handle(Part part) { whole_.add(part); }

 private:
  Whole whole_;
};

[[nodiscard]] std::uint64_t fibonacci_number(std::uint64_t n) {
  std::uint64_t a = 0;
  std::uint64_t b = 1;
  for (; n > 0; --n) a = std::exchange(b, a + b);
  return a;
}

}  // namespace

Outcome fibonacci(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 25);
  if (n < 6 || n > 40) throw std::runtime_error("a number from 6 to 40");
  backstage::Runtime runtime(settings.runtime());
  const auto once = [&](std::uint64_t number) {
    const auto caller = runtime.spawn<Caller>(backstage::unnamed);
    check("the number", run<Start>(runtime, caller, number), fibonacci_number(number));
  };
  once(n - 5);  // about a tenth of the work
  const Stopwatch watch;
  once(n);
  return {2 * fibonacci_number(n) - 1, watch.seconds(), ""};
}

}  // namespace bench::savina
