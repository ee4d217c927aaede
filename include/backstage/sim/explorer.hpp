// Runs a body in one simulated world after the other, a seed each, and reports the first that fails.
//
//     const sim::Report report = sim::Explorer().run(sim::seeds(1'000), [](sim::World& world) { ... });
//     if (report.failed()) std::puts(report.text().c_str());
//
// With GoogleTest use explore() of sim/explore.hpp, which hears of failed EXPECTs, too. Knows no test framework itself.
// A run fails when an exception escapes from the body, when always() or unreachable() was broken, when the framework says
// so, or when a second run of the seed was not the same. The exploration fails, too, when a sometimes() that was asked
// was true in no run.
// The environment variable BACKSTAGE_SEED=n makes it run that seed alone.
// Threads: one. Stability: settling (v0).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backstage/sim/choices.hpp"
#include "backstage/sim/world.hpp"

namespace backstage {
inline namespace v0 {
namespace sim {

struct Seeds {
  std::uint64_t first = 1;
  std::uint64_t count = 0;
};
/// `count` seeds: first, first + 1 ...
[[nodiscard]] constexpr Seeds seeds(std::uint64_t count, std::uint64_t first = 1) noexcept { return {first, count}; }

struct ExploreOptions {
  WorldOptions world{};
  /// Each so many-th seed is run twice, and must be the same twice; 0: none.
  std::uint64_t twice_every = 10;
  /// How often a failing body may be run again in order to find a tamer run that fails, too; 0: never.
  std::size_t shrink_runs = 100;
  /// Whether BACKSTAGE_SEED is looked at.
  bool heed_environment = true;
};

struct Report {
  std::uint64_t runs = 0;    ///< worlds, those of shrinking left out
  std::uint64_t events = 0;  ///< in all of them
  std::uint64_t faults = 0;
  /// What each sometimes() counted over all runs.
  std::vector<std::pair<std::string, std::uint64_t>> seen{};
  /// The sometimes() that never were.
  std::vector<std::string> never{};

  /// The first run that failed.
  struct Failed {
    std::uint64_t seed = 0;
    std::string policy{};
    std::vector<std::string> complaints{};
    std::string diary{};
    Choices choices{};               ///< as drawn
    std::optional<Shrunk> tamest{};  ///< what shrinking found
    std::string tamest_diary{};
  };
  std::optional<Failed> first{};

  [[nodiscard]] bool failed() const noexcept { return first.has_value() || !never.empty(); }
  /// All of it in words; the line to reproduce it comes first.
  [[nodiscard]] std::string text() const;
};

class Explorer {
 public:
  using Body = std::function<void(World&)>;
  /// Calls `run` once and says what the test framework noted meanwhile, if anything. It lets exceptions pass.
  using Listener = std::function<std::vector<std::string>(const std::function<void()>& run)>;

  explicit Explorer(ExploreOptions options = {}, Listener listener = {})
      : options_(std::move(options)), listener_(std::move(listener)) {}

  [[nodiscard]] Report run(Seeds seeds, const Body& body) const;

 private:
  struct Outcome;
  [[nodiscard]] Outcome run_one(std::uint64_t seed, const Body& body, const std::optional<Choices>& replay) const;
  [[nodiscard]] Report::Failed describe(std::uint64_t seed, Outcome&& outcome, const Body& body,
                                        bool may_shrink) const;

  ExploreOptions options_;
  Listener listener_;
};

}  // namespace sim
}  // namespace v0
}  // namespace backstage
