// explore and replay for GoogleTest: a test that holds in a thousand worlds, and says in one line how to get the one back
// in which it does not.
//
//     TEST(Collector, loses_nothing_when_its_store_restarts) {
//       backstage::sim::explore(backstage::sim::seeds(1'000), [](backstage::sim::World& world) {
//         ...
//         EXPECT_EQ(stored, sent);
//       });
//     }
//
// EXPECT and ASSERT work in the body as anywhere. The first seed that fails becomes one failure of the test, with its
// diary and the tamest run that fails, too; the others are not run any more. See sim/explorer.hpp for what else fails.
// This header, and no other, needs GoogleTest (gtest.h and gtest-spi.h).
// Threads: one. Stability: settling (v0).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "backstage/sim/explorer.hpp"

namespace backstage {
inline namespace v0 {
namespace sim {

/// Hears what EXPECT and ASSERT say on this thread, so that it is told once and with its seed.
inline std::vector<std::string> listen_to_gtest(const std::function<void()>& run) {
  testing::TestPartResultArray noted;
  {
    const testing::ScopedFakeTestPartResultReporter reporter(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &noted);
    run();
  }
  std::vector<std::string> failures;
  for (int i = 0; i < noted.size(); ++i) {
    const testing::TestPartResult& part = noted.GetTestPartResult(i);
    if (!part.failed()) continue;
    const std::string file = part.file_name() != nullptr ? part.file_name() : "?";
    failures.push_back(file + ":" + std::to_string(part.line_number()) + ": " + part.message());
  }
  return failures;
}

/// Runs `body` in a world for each seed, in order.
inline Report explore(Seeds seeds, const Explorer::Body& body, ExploreOptions options = {}) {
  Report report = Explorer(std::move(options), &listen_to_gtest).run(seeds, body);
  if (report.failed()) ADD_FAILURE() << report.text();
  return report;
}

/// Runs it for one seed, and always tells the diary if it fails.
inline Report replay(std::uint64_t seed, const Explorer::Body& body, ExploreOptions options = {}) {
  options.heed_environment = false;
  Report report = Explorer(std::move(options), &listen_to_gtest).run(seeds(1, seed), body);
  // What one run did not see, others may.
  if (report.first) ADD_FAILURE() << report.text();
  return report;
}

}  // namespace sim
}  // namespace v0
}  // namespace backstage
