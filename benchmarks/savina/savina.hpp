// Programs after the Savina suite (Imam and Sarkar, 2014), as workloads of backstage-bench: one file each, on the public
// API only, each with a sum that only the whole work gives. Some of the suite's stand beside the contract's workloads:
// its ping-pong, counting, thread ring, chameneos and big are those, and its fork-join creation is `create`.
#pragma once

#include "workload.hpp"

namespace bench::savina {

/// What an actor tells whoever made it when its part is done.
struct Part {
  std::uint64_t value;
};

/// Adds up the parts of a number of actors and answers when the last has come.
class Whole {
 public:
  void expect(std::uint64_t parts, Reply<std::uint64_t> done) {
    left_ = parts;
    done_ = std::move(done);
  }
  void add(Part part) {
    sum_ += part.value;
    if (--left_ == 0) std::move(done_)(sum_);
  }

 private:
  Reply<std::uint64_t> done_;
  std::uint64_t left_ = 0;
  std::uint64_t sum_ = 0;
};

Outcome throughput(const Settings&);
Outcome philosophers(const Settings&);
Outcome smokers(const Settings&);
Outcome dictionary(const Settings&);
Outcome producers(const Settings&);
Outcome barber(const Settings&);
Outcome bank(const Settings&);
Outcome logistic(const Settings&);
Outcome sieve(const Settings&);
Outcome fibonacci(const Settings&);
Outcome quicksort(const Settings&);
Outcome radix(const Settings&);
Outcome queens(const Settings&);
Outcome grid(const Settings&);
Outcome bitonic(const Settings&);
Outcome trapezoid(const Settings&);

}  // namespace bench::savina
