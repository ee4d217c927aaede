// L5: settings from flags, from environment variables, and what becomes of those that cannot be: exit 4.
#include "launcher/launcher_support.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace backstage {
namespace {

using namespace std::chrono_literals;
using namespace launching;  // NOLINT(google-build-using-namespace): this program's own

/// Its init finds a setting wrong.
struct Misset {
  Result<> init(Context& cx) {
    const auto folder = cx.environment().door<Variables>().get("DEMO_FOLDER");
    if (!folder) return Error(Errc::configuration, "DEMO_FOLDER is not set: name the folder of the store");
    return {};
  }
  void handle(Poke) {}
};
/// Spawns a child that finds its setting wrong when it is begun.
struct AboveMisset {
  void init(Context& cx) { cx.spawn(backstage::child<Misset>("part").backoff(0ns, 0ns)); }
  void handle(Poke) {}
};

std::shared_ptr<Variables> given(std::map<std::string, std::string, std::less<>> values) {
  return std::make_shared<GivenVariables>(std::move(values));
}

TEST_F(LauncherDeathTest, L5_an_app_whose_setting_cannot_be_exits_4_and_says_which) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.variables(given({}));
        launcher.add<Misset>("misset");
        std::_Exit(run(launcher, {"--log", "off"}));
      },
      ExitedWithCode(4), "demo: app 'misset' did not start: .*DEMO_FOLDER is not set: name the folder of the store");
}

TEST_F(LauncherDeathTest, L5_a_part_of_an_app_whose_setting_cannot_be_exits_4_without_a_restart) {
  EXPECT_EXIT(
      {
        Launcher launcher{"demo"};
        launcher.variables(given({}));
        launcher.add<AboveMisset>("app");
        std::_Exit(run(launcher, {"--log", "off"}));
      },
      ExitedWithCode(4), "DEMO_FOLDER is not set: name the folder of the store");
}

TEST_F(LauncherDeathTest, L5_variables_stand_in_for_flags_and_reach_apps) {
  EXPECT_EXIT(
      {
        std::string data = "nowhere";
        Launcher launcher{"demo"};
        launcher.option("--data", "folder of the store", data);
        launcher.variables(given({{"DEMO_FOLDER", "/x"},
                                  {"DEMO_DATA", "/y"},
                                  {"BACKSTAGE_WORKERS", "2"},
                                  {"BACKSTAGE_LOG", "off"},
                                  {"BACKSTAGE_STOP_WITHIN", "5"}}));
        launcher.add<Misset>("misset");
        launcher.on_running([&](Runtime& runtime) {
          std::fprintf(stderr, "%u workers, data %s\n", runtime.workers(), data.c_str());
          kill(getpid(), SIGTERM);
        });
        std::_Exit(run(launcher));
      },
      ExitedWithCode(0), "2 workers, data /y");
}

TEST(Launcher, L5_a_wrong_variable_exits_4_and_is_named_and_flags_win) {
  std::uint16_t port = 80;
  const auto run_with = [&](std::map<std::string, std::string, std::less<>> values,
                            std::vector<const char*> flags = {}) {
    Launcher launcher{"demo"};
    launcher.option("--port", "port", port);
    launcher.variables(given(std::move(values)));
    launcher.add<Done>("done");
    testing::internal::CaptureStderr();
    const int code = run(launcher, std::move(flags));
    return std::to_string(code) + " " + testing::internal::GetCapturedStderr();
  };
  const std::string workers = run_with({{"BACKSTAGE_WORKERS", "many"}});
  EXPECT_EQ(workers.substr(0, 33), "4 demo: BACKSTAGE_WORKERS='many':") << workers;
  EXPECT_NE(workers.find("(set it right, unset it, or say --workers)"), std::string::npos) << workers;
  EXPECT_EQ(run_with({{"BACKSTAGE_WORKERS", "5000"}}).substr(0, 2), "4 ");
  EXPECT_EQ(run_with({{"BACKSTAGE_LOG", "loud"}}).substr(0, 2), "4 ");
  EXPECT_EQ(run_with({{"BACKSTAGE_LOG_FORMAT", "xml"}}).substr(0, 2), "4 ");
  EXPECT_EQ(run_with({{"BACKSTAGE_STOP_WITHIN", "-1"}}).substr(0, 2), "4 ");
  EXPECT_EQ(run_with({{"DEMO_PORT", "a"}}).substr(0, 2), "4 ");
  // A flag overrules its variable, however wrong that is.
  EXPECT_EQ(run_with({{"BACKSTAGE_WORKERS", "many"}, {"BACKSTAGE_LOG", "off"}, {"DEMO_PORT", "a"}},
                     {"--workers", "1", "--port", "81"}),
            "0 ");
  EXPECT_EQ(port, 81);
}

TEST(Launcher, L5_a_check_and_a_door_may_find_the_configuration_wrong) {
  const auto run_with = [](auto prepare) {
    Launcher launcher{"demo"};
    launcher.add<Done>("done");
    prepare(launcher);
    testing::internal::CaptureStderr();
    const int code = run(launcher, {"--log", "off"});
    return std::to_string(code) + " " + testing::internal::GetCapturedStderr();
  };
  const Error wrong(Errc::configuration, "no folder: set DEMO_FOLDER");
  EXPECT_EQ(run_with([&](Launcher& launcher) { launcher.check([=]() -> Result<> { return wrong; }); }),
            "4 demo: no folder: set DEMO_FOLDER (see --help)\n");
  EXPECT_EQ(run_with([&](Launcher& launcher) { launcher.open([=](Environment&) { throw Need::fail(wrong); }); }),
            "4 demo: configuration: no folder: set DEMO_FOLDER\n");
}

}  // namespace
}  // namespace backstage
