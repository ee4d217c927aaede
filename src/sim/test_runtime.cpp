#include "backstage/sim/test_runtime.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "../actor/core.hpp"

namespace backstage {
inline namespace v0 {
namespace sim {

TestRuntime::TestRuntime(TestOptions options)
    : clock_(std::make_shared<ManualClock>()), log_(std::make_shared<MemorySink>(4096)) {
  auto environment = std::make_shared<Environment>(clock_, std::make_shared<SeededChance>(options.seed));
  if (options.open_doors != nullptr) options.open_doors(*environment);
  RuntimeOptions runtime_options;
  runtime_options.manual = true;
  runtime_options.environment = std::move(environment);
  runtime_options.log_sink = log_;
  runtime_options.log_level = options.log_level;
  runtime_ = std::make_unique<Runtime>(std::move(runtime_options));
  run();
}

TestRuntime::~TestRuntime() = default;

std::size_t TestRuntime::run(std::size_t most) {
  detail::Core& core = runtime_->core();
  std::size_t turns = 0;
  for (;;) {
    core.scheduler->expire_timers();
    turns += core.scheduler->run_ready(most - std::min(turns, most));
    if (turns >= most) {
      std::fprintf(stderr, "TestRuntime::run: still busy after %zu turns at one instant: an endless exchange?\n",
                   turns);
      std::abort();
    }
    if (core.blocking->run_all() == 0 && core.scheduler->next_timer() > now()) return turns;
  }
}

bool TestRuntime::step() {
  detail::Core& core = runtime_->core();
  core.scheduler->expire_timers();
  return core.scheduler->run_ready(1) != 0;
}

Instant TestRuntime::next_timer() { return runtime_->core().scheduler->next_timer(); }

void TestRuntime::advance(Duration d) {
  const Instant until = now() + d;
  run();
  for (;;) {
    const Instant next = next_timer();
    if (next > until) break;
    clock_->set(std::max(next, now()));
    run();
  }
  clock_->set(until);
  run();
}

}  // namespace sim
}  // namespace v0
}  // namespace backstage
