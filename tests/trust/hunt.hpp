// Runs scenarios seed by seed and adds up what came of it; and, where mistakes were planted, counts how many seeds it takes
// to find one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scenario.hpp"

namespace trust {

/// What some runs came to. As text it travels from one process to another.
struct Found {
  std::uint64_t runs = 0;
  std::uint64_t seeds = 0;  ///< each scenario's count
  std::uint64_t twice = 0;  ///< of these, run twice
  std::uint64_t events = 0;
  std::uint64_t faults = 0;  ///< by the worlds
  double simulated = 0;      ///< seconds
  std::uint64_t digest = 0;
  Tally tally;
  Tally seen;                         ///< sometimes()
  std::vector<std::string> failures;  ///< each with the line that reproduces it

  [[nodiscard]] std::string text() const;
  /// A line of text().
  void read(const std::string& line);
  [[nodiscard]] std::vector<std::string> never() const;
  [[nodiscard]] std::string report(double wall_seconds, double cpu_seconds) const;
};

/// One world; `twice`: another, which must be the same.
void run_seed(const Scenario& scenario, std::uint64_t seed, bool twice, Found& found);

/// The first seed from `first` on that finds something, among `most`.
[[nodiscard]] std::optional<std::uint64_t> seeds_to_find(std::uint64_t first, std::uint64_t most, std::string& what);

/// How many seeds it takes to find the planted mistake (empty: each of them), from five first seeds on; prints a table.
/// False: one was not found within `most` seeds. In a program without planted mistakes: says so, false.
[[nodiscard]] bool hunt(std::string_view mistake, std::uint64_t most, unsigned jobs);

}  // namespace trust
