#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <string>
#include <thread>

#include <unistd.h>

#include "backstage/exec/environment.hpp"
#include "backstage/files/commands.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

class PosixCommands : public ::testing::Test {
 protected:
  files::Command shell(const std::string& script) const {
    return {.argv = {"sh", "-c", script}, .deadline = environment_->clock().now() + 20s};
  }
  std::shared_ptr<Environment> environment_ = real_environment();
  std::shared_ptr<files::Commands> commands_ = files::posix_commands(environment_->clock());
};

TEST_F(PosixCommands, run_gives_the_output_and_the_exit_code) {
  std::string output;
  auto exit = commands_->run(shell("printf 'a\\0b'; exit 3"), 100, [&](std::string_view piece) { output += piece; });
  ASSERT_TRUE(exit);
  EXPECT_EQ(output, std::string("a\0b", 3));
  EXPECT_EQ(files::to_string(*exit), "exit code 3");
}

TEST_F(PosixCommands, an_unknown_program_is_not_found) {
  auto started = commands_->start({.argv = {"no-such-program-here"}});
  ASSERT_FALSE(started);
  EXPECT_TRUE(started.error().is(Errc::not_found));
  EXPECT_TRUE(commands_->start({}).error().is(Errc::invalid));
}

TEST_F(PosixCommands, output_over_the_limit_is_refused) {
  auto exit = commands_->run(shell("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done"), 10'000, [](auto) {});
  ASSERT_FALSE(exit);
  EXPECT_TRUE(exit.error().is(Errc::full));
}

TEST_F(PosixCommands, a_silent_program_is_killed_when_patience_or_deadline_ends) {
  auto silent = shell("exec sleep 1000");
  silent.patience = 20ms;
  auto exit = commands_->run(silent, 100, [](auto) {});
  ASSERT_FALSE(exit);
  EXPECT_TRUE(exit.error().is(Errc::timeout));
  EXPECT_NE(exit.error().text().find("20ms"), std::string_view::npos);
}

TEST_F(PosixCommands, a_program_that_never_stops_writing_ends_at_its_deadline) {
  auto endless = shell("exec yes");
  endless.deadline = environment_->clock().now() + 50ms;
  auto exit = commands_->run(endless, SIZE_MAX, [](auto) {});
  ASSERT_FALSE(exit);
  EXPECT_TRUE(exit.error().is(Errc::timeout));
}

TEST_F(PosixCommands, destroying_a_process_kills_all_of_its_group) {
  std::array<char, 64> buffer{};
  pid_t inner = 0;
  {
    auto process = commands_->start(shell("sleep 1000 & echo $!; wait"));
    ASSERT_TRUE(process);
    const std::size_t got = (*process)->read(buffer).value();
    inner = std::stoi(std::string(buffer.data(), got));
    EXPECT_EQ(::kill(inner, 0), 0);
  }
  // It is an orphan now, reaped by whoever adopts it: dead means gone or a zombie. No sleeping: a read of its state
  // until it is either, which the kernel does by itself.
  const auto deadline = environment_->clock().now() + 10s;
  const auto is_dead = [&] {
    std::string state;
    auto status = files::Command{.argv = {"cat", "/proc/" + std::to_string(inner) + "/stat"}, .deadline = deadline};
    auto exit = commands_->run(status, 4096, [&](std::string_view piece) { state += piece; });
    return !exit->is_success() || state.find(") Z ") != std::string::npos;
  };
  while (!is_dead()) ASSERT_LT(environment_->clock().now().ns, deadline.ns);
}

TEST_F(PosixCommands, kill_from_another_thread_ends_a_read) {
  auto process = commands_->start(shell("exec sleep 1000"));
  ASSERT_TRUE(process);
  std::thread killer([&] { (*process)->kill(); });
  std::array<char, 16> buffer{};
  EXPECT_EQ((*process)->read(buffer).value(), 0U);
  killer.join();
  EXPECT_EQ((*process)->wait()->signal, SIGKILL);
}

TEST_F(PosixCommands, complaints_are_kept_to_their_last_bytes_and_never_block_the_program) {
  auto process =
      commands_->start(shell("i=0; while [ $i -lt 9000 ]; do echo complaint-$i >&2; i=$((i+1)); done; echo done"));
  ASSERT_TRUE(process);
  std::array<char, 16> buffer{};
  EXPECT_EQ((*process)->read(buffer).value(), 5U);
  EXPECT_EQ((*process)->read(buffer).value(), 0U);
  EXPECT_TRUE((*process)->wait()->is_success());
  EXPECT_LE((*process)->complaint().size(), 4096U);
  EXPECT_TRUE((*process)->complaint().ends_with("complaint-8999\n"));
}

TEST_F(PosixCommands, the_program_inherits_no_file_and_an_empty_input) {
  std::array<int, 2> leak{};
  ASSERT_EQ(::pipe(leak.data()), 0);
  std::string output;
  auto exit = commands_->run(shell("cat; [ -e /proc/$$/fd/" + std::to_string(leak[0]) + " ] && echo leaked; true"),
                             100, [&](std::string_view piece) { output += piece; });
  ::close(leak[0]);
  ::close(leak[1]);
  ASSERT_TRUE(exit);
  EXPECT_EQ(output, "");
}

}  // namespace
