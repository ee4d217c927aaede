// The scripted programs of tests behave as real ones do where it matters.
#include "backstage/files/memory_commands.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace {

using namespace backstage;

TEST(MemoryCommands, one_that_hangs_gives_its_output_then_times_out_and_has_been_killed) {
  files::MemoryCommands commands;
  commands.on({"tail", "-f"}, {.output = "one\ntwo\n", .chunk = 5, .hangs = true});
  auto started = commands.start({.argv = {"tail", "-f"}});
  ASSERT_TRUE(started);
  files::Process& process = **started;
  std::array<char, 16> buffer{};
  EXPECT_EQ(process.read(buffer).value(), 5U);
  EXPECT_EQ(process.read(buffer).value(), 3U);
  const auto more = process.read(buffer);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().describe(), "timeout: the scripted program gave no more output");
  EXPECT_EQ(process.read(buffer).value(), 0U);
  EXPECT_EQ(files::to_string(process.wait().value()), "signal 9");
  EXPECT_EQ(commands.running(), 1);
  started->reset();
  EXPECT_EQ(commands.running(), 0);
}

}  // namespace
