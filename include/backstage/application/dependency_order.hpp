// In which order applications start: each after those it depends on, otherwise as they were added. A pure function.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "backstage/application/follow.hpp"
#include "backstage/base/result.hpp"

namespace backstage {
inline namespace v0 {

/// One app that another depends on, and how it follows it.
struct Dependency {
  Dependency(std::string on, Follow how = Follow::ignore)  // NOLINT(google-explicit-constructor)
      : app(std::move(on)), follow(how) {}
  Dependency(const char* on) : app(on) {}  // NOLINT(google-explicit-constructor)
  std::string app;
  Follow follow = Follow::ignore;
};

struct AppDependencies {
  std::string name;
  std::vector<Dependency> depends_on;
};

/// Indices into `apps`, in start order. Errc::exists: a name twice; Errc::not_found: an unknown dependency, named with
/// what there is; Errc::cycle: the circle, named step by step.
[[nodiscard]] Result<std::vector<std::size_t>> dependency_order(const std::vector<AppDependencies>& apps);

}  // namespace v0
}  // namespace backstage
