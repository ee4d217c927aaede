// What the model tests print: how much was explored.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>

#include "model/checker.hpp"

namespace backstage {
inline namespace v0 {
namespace model {

/// Prints "[ explored ] what: 1234 interleavings, all explored" and passes the report on.
inline const Report& shown(const Report& report, const char* what) {
  std::printf("[ explored ] %s: %s\n", what, report.summary().c_str());
  return report;
}

}  // namespace model
}  // namespace v0
}  // namespace backstage
