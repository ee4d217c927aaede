// The launcher as a whole program, in a process of its own for each test: flags, order, signals, exit codes (L5, L7).
#include "launcher/launcher_support.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace backstage {
namespace {

using namespace launching;  // NOLINT(google-build-using-namespace): this program's own

using namespace std::chrono_literals;

/// Signals its own process when it runs.
struct Signaller {
  int signal;
  explicit Signaller(int s) : signal(s) {}
  void init(Context& cx) { cx.self(this).send(Poke{}); }
  void handle(Poke) { kill(getpid(), signal); }
};
/// Signals again while it is being stopped, and never ends its terminating hook.
struct SignalsTwice {
  int second;
  explicit SignalsTwice(int s) : second(s) {}
  void init(Context& cx) { cx.self(this).send(Poke{}); }
  void handle(Poke) { kill(getpid(), SIGTERM); }
  Task<> terminating(Context& cx) {
    kill(getpid(), second);
    co_await cx.sleep(1h);
  }
};
struct Store {
  void init() { std::fprintf(stderr, "store starts\n"); }
  void terminating() { std::fprintf(stderr, "store ends\n"); }
  void handle(Poke) {}
};
struct Api {
  Result<> init(Context& cx) {
    Ref<Store> store = cx.app<Store>("store").or_fail();
    std::fprintf(stderr, "api starts\n");
    kill(getpid(), SIGINT);
    return store ? Result<>() : Result<>(Error("no store"));
  }
  void terminating() { std::fprintf(stderr, "api ends\n"); }
  void handle(Poke) {}
};
struct Weak {
  Result<> init(Context&) { return Error("no disk"); }
  void handle(Poke) {}
};
/// Keeps its thread for good.
struct Stuck {
  void init(Context& cx) { cx.self(this).send(Poke{}); }
  void handle(Poke) {
    kill(getpid(), SIGTERM);
    for (;;) pause();
  }
};

struct NeverStarts {
  Task<> init(Context& cx) { co_await cx.sleep(1h); }
  void handle(Poke) {}
};
/// Ends the program when it runs, and takes more than a second for its own last message.
struct Slow {
  void init(Context& cx) { cx.self(this).send(Poke{}); }
  Task<> handle(Poke, Context& cx) {
    kill(getpid(), SIGTERM);
    co_await cx.sleep(1'300ms);
  }
};
struct Broken {
  void init(Context& cx) { cx.self(this).send(Poke{}); }
  void handle(Poke) { throw std::runtime_error("broken"); }
};
struct EndsAll {
  void init(Context& cx) { cx.self(this).send(Poke{}); }
  void handle(Poke, Context& cx) { cx.stop(apps(cx).ref()); }
};

TEST_F(LauncherDeathTest, L5_the_first_signal_stops_in_order_and_exits_0) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<Signaller>("one", SIGTERM);
        std::_Exit(run(launcher));
      },
      ExitedWithCode(0), "SIGTERM: stopping in order");
}

TEST_F(LauncherDeathTest, L7_apps_start_in_dependency_order_and_stop_in_the_reverse_one) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<Api>("api").depends_on("store");
        launcher.add<Store>("store");
        std::_Exit(run(launcher, {"--workers", "2", "--log", "off"}));
      },
      ExitedWithCode(0), "store starts\napi starts\n(.*\n)*api ends\nstore ends");
}

TEST_F(LauncherDeathTest, L5_the_second_signal_is_out_at_once) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<SignalsTwice>("one", SIGINT);
        std::_Exit(run(launcher));
      },
      ExitedWithCode(130), "second signal: out at once");
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<SignalsTwice>("one", SIGTERM);
        std::_Exit(run(launcher));
      },
      ExitedWithCode(143), "second signal: out at once");
}

TEST_F(LauncherDeathTest, L5_a_signal_while_apps_start_stops_in_order_too) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<Signaller>("one", SIGTERM);
        launcher.add<NeverStarts>("two").depends_on("one").spec(
            [](auto c) { return std::move(c).stop_within(50ms); });
        launcher.add<Store>("three").depends_on("two");
        std::_Exit(run(launcher));
      },
      ExitedWithCode(0), "SIGTERM: stopping in order");
}

TEST_F(LauncherDeathTest, L5_a_stop_that_takes_its_time_names_each_second_who_still_lives) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<Store>("store");
        launcher.add<Slow>("slow").depends_on("store").spec([](auto c) { return std::move(c).stop_within(10s); });
        std::_Exit(run(launcher, {"--log", "off"}));
      },
      ExitedWithCode(0),
      "demo: stopping since 1s: still alive: slow \\(stopping\\), store \\(running\\)\n(.*\n)*store ends");
}

TEST_F(LauncherDeathTest, L5_an_app_that_fails_more_often_than_its_limit_exits_1) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<Broken>("broken").spec(
            [](auto c) { return std::move(c).backoff(1ms, 1ms).at_most(2, per(1min)); });
        std::_Exit(run(launcher));
      },
      ExitedWithCode(1), "an app failed for good: stopping");
}

TEST_F(LauncherDeathTest, L5_a_program_ended_from_inside_exits_0) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<Store>("store");
        launcher.add<EndsAll>("ender").depends_on("store");
        std::_Exit(run(launcher, {"--log", "off"}));
      },
      ExitedWithCode(0), "store ends");
}

TEST_F(LauncherDeathTest, L5_an_app_that_fails_for_good_exits_1) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<Store>("store");
        launcher.add<Weak>("weak").depends_on("store");
        std::_Exit(run(launcher));
      },
      ExitedWithCode(1), "app 'weak' did not start: .*no disk");
}

TEST_F(LauncherDeathTest, L5_a_thread_that_is_not_given_back_exits_3_and_is_named) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<Stuck>("stuck");
        std::_Exit(run(launcher, {"--stop-within", "0.1", "--workers", "2"}));
      },
      ExitedWithCode(3), "did not give their thread back: /demo/stuck \\(in .*Poke for ");
}

TEST_F(LauncherDeathTest, L5_when_all_apps_have_ended_it_exits_0) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.add<Done>("done");
        std::_Exit(run(launcher));
      },
      ExitedWithCode(0), "");
}

TEST(Launcher, L7_unknown_and_circular_dependencies_are_refused_by_name_before_anything_starts) {
  bool opened = false;
  {
    Launcher launcher{"demo"};
    launcher.add<Store>("store").depends_on("disk");
    launcher.open([&](Environment&) { opened = true; });
    testing::internal::CaptureStderr();
    EXPECT_EQ(run(launcher), 2);
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "demo: app 'store' depends on 'disk', which is not among [store]\n");
  }
  {
    Launcher launcher{"demo"};
    launcher.add<Store>("a").depends_on("b");
    launcher.add<Store>("b").depends_on("a");
    testing::internal::CaptureStderr();
    EXPECT_EQ(run(launcher), 2);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "demo: apps depend on each other in a circle: a -> b -> a\n");
  }
  EXPECT_FALSE(opened);
}

TEST(Launcher, L5_usage_errors_exit_2_and_help_exits_0) {
  std::string data = "/var/lib/demo";
  Launcher launcher{"demo", "A demonstration."};
  launcher.add<Store>("store");
  launcher.option("--data", "folder of the store", data);
  launcher.check([&]() -> Result<> {
    if (data.empty()) return Error(Errc::invalid, "--data: the folder's name is empty");
    return {};
  });
  testing::internal::CaptureStderr();
  EXPECT_EQ(run(launcher, {"--no-such-flag"}), 2);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("--no-such-flag"), std::string::npos);
  testing::internal::CaptureStderr();
  EXPECT_EQ(run(launcher, {"--log", "loud"}), 2);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("loud"), std::string::npos);
  testing::internal::CaptureStderr();
  EXPECT_EQ(run(launcher, {"--data", ""}), 2);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("--data: the folder's name is empty"), std::string::npos);
  testing::internal::CaptureStdout();
  EXPECT_EQ(run(launcher, {"--help"}), 0);
  const std::string help = testing::internal::GetCapturedStdout();
  for (const char* word : {"A demonstration.", "--data", "--workers", "--log", "--stop-within", "Exit codes"}) {
    EXPECT_NE(help.find(word), std::string::npos) << word;
  }
}

TEST(Launcher, the_process_gets_its_signals_back) {
  struct sigaction before{};
  sigaction(SIGPIPE, nullptr, &before);
  {
    Launcher launcher{"demo"};
    launcher.add<Done>("done");
    EXPECT_EQ(run(launcher, {"--log", "off"}), 0);
  }
  struct sigaction after{};
  sigaction(SIGPIPE, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGINT), 0);
}

}  // namespace
}  // namespace backstage
