// What the tests of the launcher share: running one, in a process of its own where it ends the process.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "backstage/launcher/launcher.hpp"

namespace backstage::launching {

struct Poke {};
struct Done {
  void init(Context& cx) { cx.stop(); }
  void handle(Poke) {}
};

inline int run(Launcher& launcher, std::vector<const char*> flags = {}) {
  flags.insert(flags.begin(), "demo");
  return launcher.run(static_cast<int>(flags.size()), flags.data());
}

class LauncherDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};
using testing::ExitedWithCode;

}  // namespace backstage::launching
