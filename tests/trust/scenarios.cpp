#include <array>

#include "scenario.hpp"

namespace trust {
namespace {

constexpr std::array<Scenario, 3> all{{{"family", &run_family}, {"market", &run_market}, {"ending", &run_ending, 2}}};

}  // namespace

std::span<const Scenario> scenarios() { return all; }

}  // namespace trust
