// What the service manager is told: in virtual time through a door of the test's own, and over real datagram sockets.
#include "backstage/launcher/service_manager.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backstage/application/application.hpp"
#include "backstage/launcher/launcher.hpp"
#include "backstage/sim/test_runtime.hpp"
#include "launcher/progress.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

/// Writes down what it is told.
class Note final : public ServiceManager {
 public:
  Result<> notify(std::string_view state) override {
    told.emplace_back(state);
    return {};
  }
  [[nodiscard]] std::optional<Duration> watchdog() const override { return 10s; }
  [[nodiscard]] std::size_t beats() const {
    return static_cast<std::size_t>(std::count(told.begin(), told.end(), "WATCHDOG=1"));
  }
  Lines told;
};

struct Fail {};
struct Store {
  Task<> init(Context& cx) { co_await cx.sleep(1s); }
  void handle(Fail) { throw std::runtime_error("broken"); }
};
/// Fails the store.
struct Api {
  void handle(Fail, Context& cx) { cx.app<Store>("store").or_fail().send(Fail{}); }
};

struct World {
  World()
      : runtime({.open_doors = [](Environment& e) { e.open<ServiceManager>(std::make_shared<Note>()); }}),
        note(static_cast<Note&>(runtime.runtime().environment().door<ServiceManager>())) {
    std::vector<App> apps;
    apps.push_back(app<Store>("store"));
    apps.push_back(app<Api>("api").depends_on("store", Follow::ignore));
    top = runtime.spawn(child<Apps>("demo", App::share(std::move(apps))).restart(Restart::never));
    runtime.spawn<ServiceReport>("service-report", top);
    runtime.run();
  }
  sim::TestRuntime runtime;
  Note& note;
  Ref<Apps> top;
};

TEST(ServiceManager, L1_it_hears_that_the_program_is_ready_when_all_apps_run_and_how_they_stand) {
  World world;
  EXPECT_EQ(world.note.told, (Lines{"STATUS=0 of 2 apps run; starting: store; waiting: api"}));
  world.note.told.clear();
  world.runtime.advance(1s);
  ASSERT_EQ(world.note.told.size(), 2U);
  EXPECT_EQ(world.note.told[0], "READY=1");
  EXPECT_EQ(world.note.told[1], "STATUS=all 2 apps run");
  world.note.told.clear();
  EXPECT_TRUE(world.runtime.ask<Passthrough>(world.top, "{}").error().is(Errc::invalid));
  struct Hand {
    void handle(Fail f, Context& cx) { cx.app<Store>("store").or_fail().send(f); }
  };
  world.runtime.spawn<Hand>("hand").send(Fail{});
  world.runtime.run();
  EXPECT_EQ(world.note.told, (Lines{"STATUS=1 of 2 apps run; restarting: store"}));
  world.note.told.clear();
  world.runtime.advance(2s);
  EXPECT_EQ(world.note.told, (Lines{"STATUS=all 2 apps run"}));  // ready it is once
}

TEST(ServiceManager, L5_it_hears_that_the_program_stops_when_the_apps_do) {
  World world;
  world.runtime.advance(1s);
  world.note.told.clear();
  world.runtime.runtime().stop(world.top);
  world.runtime.run();
  ASSERT_FALSE(world.note.told.empty());
  EXPECT_EQ(world.note.told[0], "STOPPING=1\nSTATUS=stopping in order");
  EXPECT_EQ(world.note.told.size(), 1U);
}

TEST(ServiceManager, L5_it_hears_that_the_program_stops_when_the_runtime_does) {
  World world;
  world.runtime.advance(1s);
  Lines& told = world.note.told;
  told.clear();
  EXPECT_TRUE(world.runtime.runtime().shutdown().has_value());
  EXPECT_EQ(told, (Lines{"STOPPING=1\nSTATUS=stopping in order"}));
}

TEST(ServiceManager, F3_the_watchdog_is_fed_at_half_its_time_as_long_as_the_apps_answer) {
  World world;
  world.runtime.advance(61s);
  EXPECT_EQ(world.note.beats(), 12U);
}

/// Stands for Apps that do not answer: its handler keeps the turn.
TEST(ServiceManager, F3_the_watchdog_is_not_fed_while_the_apps_do_not_answer) {
  World world;
  world.runtime.advance(11s);
  EXPECT_EQ(world.note.beats(), 2U);
  // Gone, they answer no more; the report lives on.
  world.runtime.runtime().stop(world.top);
  world.runtime.advance(1min);
  EXPECT_EQ(world.note.beats(), 2U);
}

/// A datagram socket at an address of systemd's form.
class Socket {
 public:
  explicit Socket(const std::string& address) : descriptor_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, address.data(), address.size());
    const bool abstract = address.front() == '@';
    if (abstract) at.sun_path[0] = '\0';
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size() + (abstract ? 0 : 1));
    EXPECT_EQ(bind(descriptor_, reinterpret_cast<const sockaddr*>(&at), bytes), 0) << std::strerror(errno);
  }
  ~Socket() { close(descriptor_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  /// What came, or "" when nothing comes for a while.
  std::string receive() {
    pollfd one{descriptor_, POLLIN, 0};
    if (poll(&one, 1, 10'000) != 1) return "";
    std::array<char, 4096> text{};
    const ssize_t bytes = recv(descriptor_, text.data(), text.size(), 0);
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(bytes, 0))};
  }

 private:
  int descriptor_;
};

std::string here(const std::string& name) { return name + "-" + std::to_string(getpid()); }

TEST(Systemd, L1_a_state_is_one_datagram_to_an_abstract_address) {
  const std::string address = "@" + here("backstage-notify");
  Socket socket(address);
  auto manager = systemd(address, std::nullopt);
  ASSERT_TRUE(manager.has_value());
  EXPECT_TRUE((*manager)->notify("READY=1").has_value());
  EXPECT_EQ(socket.receive(), "READY=1");
}

TEST(Systemd, L1_a_state_is_one_datagram_to_a_path) {
  const std::string path = std::filesystem::temp_directory_path() / here("backstage-notify");
  {
    Socket socket(path);
    auto manager = systemd(path, std::nullopt);
    ASSERT_TRUE(manager.has_value());
    EXPECT_TRUE((*manager)->notify("STATUS=all 2 apps run").has_value());
    EXPECT_EQ(socket.receive(), "STATUS=all 2 apps run");
  }
  std::filesystem::remove(path);
  auto nobody = systemd(path, std::nullopt);
  ASSERT_TRUE(nobody.has_value());
  const Result<> told = (*nobody)->notify("READY=1");
  ASSERT_FALSE(told.has_value());
  EXPECT_TRUE(told.error().is(Errc::unavailable));
  EXPECT_NE(told.error().text().find(path), std::string_view::npos);
}

TEST(Systemd, L1_an_address_that_cannot_be_is_refused) {
  for (const std::string& address :
       {std::string(""), std::string("notify"), std::string("@"), std::string("/"), "/" + std::string(200, 'x')}) {
    const auto manager = systemd(address, std::nullopt);
    ASSERT_FALSE(manager.has_value());
    EXPECT_TRUE(manager.error().is(Errc::invalid));
    EXPECT_NE(manager.error().text().find("'" + address + "'"), std::string_view::npos);
  }
}

using Pairs = std::vector<std::pair<const char*, std::string>>;
/// Environment variables for the length of a test.
class Variables {
 public:
  explicit Variables(Pairs all) : all_(std::move(all)) {
    for (const auto& [name, value] : all_) setenv(name, value.c_str(), 1);
  }
  ~Variables() {
    for (const auto& [name, value] : all_) unsetenv(name);
  }
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;

 private:
  Pairs all_;
};

TEST(Systemd, L1_the_environment_says_where_it_is_and_whose_watchdog_it_is) {
  EXPECT_EQ(systemd_from_environment().value(), nullptr);
  {
    const Variables set(Pairs{{"NOTIFY_SOCKET", "@x"}});
    EXPECT_EQ(systemd_from_environment().value()->watchdog(), std::nullopt);
  }
  {
    const Variables set(Pairs{{"NOTIFY_SOCKET", "@x"}, {"WATCHDOG_USEC", "3000000"}});
    EXPECT_EQ(systemd_from_environment().value()->watchdog(), Duration(3s));
  }
  {
    const Variables set(
        Pairs{{"NOTIFY_SOCKET", "@x"}, {"WATCHDOG_USEC", "3000000"}, {"WATCHDOG_PID", std::to_string(getpid())}});
    EXPECT_EQ(systemd_from_environment().value()->watchdog(), Duration(3s));
  }
  {
    const Variables set(
        Pairs{{"NOTIFY_SOCKET", "@x"}, {"WATCHDOG_USEC", "3000000"}, {"WATCHDOG_PID", std::to_string(getpid() + 1)}});
    EXPECT_EQ(systemd_from_environment().value()->watchdog(), std::nullopt);
  }
  {
    const Variables set(Pairs{{"NOTIFY_SOCKET", "@x"}, {"WATCHDOG_USEC", "3s"}});
    EXPECT_EQ(systemd_from_environment().error().text(), "WATCHDOG_USEC='3s' is no positive whole number");
  }
}

/// Ends the program when it is asked to.
struct Ender {
  void handle(const AppStatusChanged& change, Context& cx) {
    if (change.launcher && change.to == Status::running) cx.stop(apps(cx).ref());
  }
};

TEST(Systemd, L1_a_launcher_tells_the_service_manager_from_start_to_stop) {
  const std::string address = "@" + here("backstage-launcher");
  Socket socket(address);
  const Variables set(Pairs{{"NOTIFY_SOCKET", address}});
  Launcher launcher{"demo"};
  launcher.add<Ender>("ender");
  const std::array<const char*, 3> flags{"demo", "--log", "off"};
  EXPECT_EQ(launcher.run(static_cast<int>(flags.size()), flags.data()), 0);
  // Told in time or not at all of how things stood; of the end in any case.
  std::string last;
  while (!last.starts_with("STOPPING=1")) {
    last = socket.receive();
    ASSERT_FALSE(last.empty());
  }
}

TEST(Progress, L5_the_apps_that_still_live_are_named_with_their_status) {
  launcher_detail::Living living("/demo");
  EXPECT_EQ(living.text(), "");
  living.hear(StatusChanged{"/demo", "Apps", Status::running, Status::stopping, 1, ""});
  living.hear(StatusChanged{"/demo/store", "Store", Status::starting, Status::running, 1, ""});
  living.hear(StatusChanged{"/demo/api", "Api", Status::running, Status::stopping, 1, ""});
  living.hear(StatusChanged{"/demo/api/session", "Session", Status::starting, Status::running, 1, ""});
  living.hear(StatusChanged{"/other/api", "Api", Status::starting, Status::running, 1, ""});
  EXPECT_EQ(living.text(), "still alive: api (stopping), store (running)");
  living.hear(Ended{"/demo/api/session", "Session", {}});
  living.hear(Ended{"/demo/api", "Api", {}});
  EXPECT_EQ(living.text(), "still alive: store (running)");
  living.hear(Ended{"/demo/store", "Store", {}});
  EXPECT_EQ(living.text(), "");
}

}  // namespace
