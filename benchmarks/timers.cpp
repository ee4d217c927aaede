// timers: N one-shot timers with delays spread evenly over so many ms, and the lateness of each. One op is a timer
// armed; the check is that every one fired, and none early. They are armed a thousand a message, as an actor would that has
// something else to do: what falls due meanwhile is handled in between.
#include "workload.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Arm {
  std::uint64_t timers;
  std::uint64_t milliseconds;
};
struct More {};
struct Due {
  Clock::time_point at;
};
struct Lateness {
  double arming = 0;
  double total = 0;
  std::vector<double> microseconds;
};

class Waiter {
 public:
  void handle(Arm arm, Reply<Lateness> done, Context& cx) {
    done_ = std::move(done);
    arm_ = arm;
    lateness_.microseconds.reserve(arm.timers);
    watch_ = Stopwatch();
    handle(More{}, cx);
  }
  void handle(More, Context& cx) {
    const std::uint64_t end = std::min(armed_ + 1'000, arm_.timers);
    for (; armed_ < end; ++armed_) {
      const std::chrono::nanoseconds after(random_.next() % (arm_.milliseconds * 1'000'000));
      cx.send_after(after, cx.self(this), Due{Clock::now() + after});
    }
    if (armed_ == arm_.timers) {
      lateness_.arming = watch_.seconds();
    } else {
      cx.self(this).send(More{});
    }
  }
  void handle(Due due) {
    lateness_.microseconds.push_back(std::chrono::duration<double, std::micro>(Clock::now() - due.at).count());
    if (lateness_.microseconds.size() < arm_.timers) return;
    lateness_.total = watch_.seconds();
    std::move(done_)(std::move(lateness_));
  }

 private:
  Reply<Lateness> done_;
  Arm arm_{};
  std::uint64_t armed_ = 0;
  Xorshift random_{88172645463325252U};
  Stopwatch watch_;
  Lateness lateness_;
};

}  // namespace

Outcome timers(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 1'000'000);
  const std::uint64_t milliseconds = settings.arg(1, 10'000);
  backstage::Runtime runtime(settings.runtime());
  const auto waiter = runtime.spawn<Waiter>("waiter");
  Lateness lateness = run<Arm>(runtime, waiter, n, milliseconds);
  check("timers fired", lateness.microseconds.size(), n);
  for (const double late : lateness.microseconds) {
    if (late < 0) throw std::runtime_error("a timer fired early");
  }
  const std::string total = " total=" + std::to_string(lateness.total) + "s";
  return {n, lateness.arming, percentiles(std::move(lateness.microseconds)) + total};
}

}  // namespace bench
