// L3: a program that dies in an actor says in which; W2: afterwards the process has back what it had.
#include "launcher/launcher_support.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>

namespace backstage {
namespace {

using namespace launching;  // NOLINT(google-build-using-namespace): this program's own

struct ThrowingEnd {
  ~ThrowingEnd() noexcept(false) { throw std::runtime_error("disk full"); }
};
struct Clumsy {
  void init(Context& cx) { cx.self(this).send(Poke{}); }
  void handle(Poke) noexcept { const ThrowingEnd end; }
};
struct Deep {
  void init(Context& cx) { cx.self(this).send(Poke{}); }
  void handle(Poke) { std::fprintf(stderr, "%d\n", descend(1)); }
  // NOLINTNEXTLINE(misc-no-recursion): that is the point
  static int descend(int depth) {
    volatile char room[1024] = {};
    room[depth % 1024] = static_cast<char>(depth);
    return depth == 0 ? 0 : descend(depth + 1) + room[depth % 1024];
  }
};
struct Wild {
  void init(Context& cx) { cx.self(this).send(Poke{}); }
  void handle(Poke) {
    // volatile: where it points is not known to the compiler, which else refuses it under -O2.
    int* volatile nowhere = reinterpret_cast<int*>(std::uintptr_t{0x10});
    *nowhere = 1;
  }
};

TEST_F(LauncherDeathTest, L3_a_destructor_that_throws_ends_the_program_and_its_actor_is_named) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<Clumsy>("clumsy");
        std::_Exit(run(launcher, {"--log", "off"}));
      },
      testing::KilledBySignal(SIGABRT),
      "demo: terminated in /demo/clumsy \\(.*Clumsy\\), handling .*Poke: std::runtime_error: disk full was thrown "
      "where "
      "nothing may be");
}

#ifndef BACKSTAGE_SANITIZED
// (Sanitizers report these two in their own way, after our words.)
TEST_F(LauncherDeathTest, L3_a_stack_overflow_in_a_handler_names_the_actor) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<Deep>("deep");
        std::_Exit(run(launcher, {"--log", "off", "--workers", "2"}));
      },
      testing::KilledBySignal(SIGSEGV), "demo: stack overflow in /demo/deep \\(.*Deep\\), handling .*Poke");
}

TEST_F(LauncherDeathTest, L3_a_fault_of_memory_in_a_handler_names_the_actor) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<Wild>("wild");
        std::_Exit(run(launcher, {"--log", "off"}));
      },
      testing::KilledBySignal(SIGSEGV), "demo: memory fault at 0x10 in /demo/wild \\(.*Wild\\), handling .*Poke");
}
#endif

TEST(Launcher, W2_the_handlers_of_last_words_are_given_back) {
  struct sigaction before{};
  sigaction(SIGSEGV, nullptr, &before);
  const std::terminate_handler terminate_before = std::get_terminate();
  {
    Launcher launcher{"demo"};
    launcher.add<Done>("done");
    EXPECT_EQ(run(launcher, {"--log", "off"}), 0);
  }
  struct sigaction after{};
  sigaction(SIGSEGV, nullptr, &after);
  EXPECT_EQ(before.sa_sigaction, after.sa_sigaction);
  EXPECT_EQ(terminate_before, std::get_terminate());
}

}  // namespace
}  // namespace backstage
