// What the tests on real threads share: quiet runtimes of 1 to 8 workers, and what must hold when one is at rest.
// Nothing here sleeps: tests wait for latches and answers only, so a broken promise shows as a test that hangs.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "backstage/actor/actor.hpp"
#include "backstage/actor/runtime.hpp"

namespace backstage::threads_test {

inline constexpr Duration long_enough = std::chrono::seconds(60);

inline RuntimeOptions quiet(unsigned workers) {
  RuntimeOptions options;
  options.workers = workers;
  options.log_level = Level::off;
  return options;
}

/// Blocks that a runtime holds after its end when nothing ever ran in it: its root's.
inline std::int64_t blocks_of_nothing() {
  Runtime runtime(quiet(1));
  EXPECT_TRUE(runtime.shutdown().has_value());
  return runtime.memory().live_blocks;
}

/// Stops the runtime and checks what must hold at rest: it stopped in order, every message is accounted for (M6), and
/// all memory came back.
inline void expect_rest(Runtime& runtime) {
  const Result<> end = runtime.shutdown(long_enough);
  EXPECT_TRUE(end.has_value()) << end.error().describe();
  EXPECT_EQ(runtime.counts().in_flight(), 0U);
  EXPECT_EQ(runtime.memory().live_blocks, blocks_of_nothing());
  EXPECT_EQ(runtime.actors(), 1U) << "only the root's place is left";
}

/// Runs `body(index)` on threads of its own and waits for all.
template <class Body>
void on_threads(unsigned count, Body body) {
  std::vector<std::thread> threads;
  for (unsigned index = 0; index < count; ++index) threads.emplace_back([body, index] { body(index); });
  for (std::thread& thread : threads) thread.join();
}

/// Tests that run with 1, 2, 4 and 8 workers.
class WithWorkers : public ::testing::TestWithParam<unsigned> {};
inline auto worker_counts() { return ::testing::Values(1U, 2U, 4U, 8U); }
inline std::string named(const ::testing::TestParamInfo<unsigned>& info) {
  return std::to_string(info.param) + "_workers";
}

}  // namespace backstage::threads_test
