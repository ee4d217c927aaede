// What every workload of backstage-bench is made of: its arguments, its clock, its outcome.
//
// A workload is a function in a file of its own that uses the public API only. It makes its Runtime, warms up where
// its work is timed as a whole, does the work, and throws when the sum that only the whole work can give is wrong.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "backstage/actor/actor.hpp"

namespace bench {

using namespace std::chrono_literals;
using backstage::Context;
using backstage::Ref;
using backstage::Reply;

/// Nothing here takes that long; a workload that hangs ends with an error instead.
inline constexpr backstage::Duration patience = std::chrono::minutes(5);

struct Settings {
  unsigned workers = 1;
  std::vector<std::uint64_t> args;

  [[nodiscard]] std::uint64_t arg(std::size_t index, std::uint64_t otherwise) const {
    return index < args.size() ? args[index] : otherwise;
  }
  [[nodiscard]] backstage::RuntimeOptions runtime() const {
    backstage::RuntimeOptions options;
    options.workers = workers;
    return options;
  }
};

struct Outcome {
  std::uint64_t ops = 0;
  double seconds = 0;
  std::string extra;
};

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

inline void check(std::string_view what, std::uint64_t is, std::uint64_t should_be) {
  if (is == should_be) return;
  throw std::runtime_error(std::string(what) + ": " + std::to_string(is) + " instead of " +
                           std::to_string(should_be));
}

/// Asks from the main thread and waits for the answer.
template <class M, class A, class... X>
auto run(backstage::Runtime& runtime, const Ref<A>& actor, X&&... parts) {
  return runtime.ask<M>(actor, std::forward<X>(parts)...).within(patience).value();
}

/// Once with a tenth of the work, then timed: `once(runtime, work)`.
template <class Once>
double timed(const Settings& settings, std::uint64_t work, Once once) {
  backstage::Runtime runtime(settings.runtime());
  once(runtime, work / 10);
  const Stopwatch watch;
  once(runtime, work);
  return watch.seconds();
}

/// Small and quick; the same generator as the other drivers have.
class Xorshift {
 public:
  explicit Xorshift(std::uint64_t seed) : x_(seed) {}
  std::uint64_t next() {
    x_ ^= x_ << 13U;
    x_ ^= x_ >> 7U;
    x_ ^= x_ << 17U;
    return x_;
  }

 private:
  std::uint64_t x_;
};

/// "p50=.. p99=.. p99.9=.. max=.." of latencies in microseconds.
[[nodiscard]] std::string percentiles(std::vector<double> latencies);

Outcome pingpong(const Settings&);
Outcome counting(const Settings&);
Outcome fanin(const Settings&);
Outcome bounded(const Settings&);
Outcome ring(const Settings&);
Outcome skynet(const Settings&);
Outcome create(const Settings&);
Outcome big(const Settings&);
Outcome chameneos(const Settings&);
Outcome ask(const Settings&);
Outcome memory(const Settings&);
Outcome fairness(const Settings&);
Outcome timers(const Settings&);
Outcome backlog(const Settings&);
Outcome idle(const Settings&);
Outcome outside(const Settings&);
Outcome payload(const Settings&);
Outcome latency(const Settings&);
Outcome burst(const Settings&);
Outcome lookup(const Settings&);
Outcome publish(const Settings&);
Outcome path(const Settings&);
Outcome scopes(const Settings&);

}  // namespace bench
