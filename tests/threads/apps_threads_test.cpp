// L7 on real threads: orders by name, failures and followers at once, and in the end everything stands as ordered.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "backstage/application/application.hpp"
#include "backstage/base/random.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

struct Fail {};
struct Ping {
  using reply = int;
};
struct Part {
  void handle(Fail) { throw std::runtime_error("broken"); }
  int handle(Ping) const { return 1; }
  void handle(DependencyDown) { ++down; }
  void handle(DependencyUp) { --down; }
  int down = 0;
};
/// Breaks a part by name.
struct Breaker {
  struct Break {
    std::string app;
  };
  void handle(const Break& what, Context& cx) {
    if (const auto found = cx.app<Part>(what.app)) found->send(Fail{});
  }
};

TEST(AppsThreads, L7_after_a_storm_of_orders_and_failures_all_apps_run_again) {
  RuntimeOptions options;
  options.workers = 4;
  options.log_level = Level::off;
  Runtime runtime(options);
  const auto part = [](const std::string& name) {
    return app<Part>(name).spec([](Child<Part> c) { return std::move(c).backoff(1us, 1us).at_most(unlimited); });
  };
  std::vector<App> all;
  all.push_back(part("store"));
  all.push_back(part("calm").depends_on("store"));
  all.push_back(part("twin").depends_on("store", Follow::restart));
  all.push_back(part("shadow").depends_on("twin", Follow::restart));
  all.push_back(part("feed").depends_on("store", Follow::pause));
  all.push_back(part("other"));
  const auto top = runtime.spawn(child<Apps>("demo", App::share(std::move(all))).restart(Restart::never));
  ASSERT_TRUE(runtime.ask<Apps::Ready>(top).within(30s).has_value());
  const auto breaker = runtime.spawn<Breaker>("breaker");
  const std::vector<std::string> names{"store", "calm", "twin", "shadow", "feed", "other"};
  Random random(7);
  std::vector<PendingAnswer<void>> orders;
  for (int i = 0; i < 600; ++i) {
    const std::string& name = names[random.below(names.size())];
    switch (random.below(4)) {
      case 0: orders.push_back(runtime.ask<StopApp>(top, name).polled_within(60s)); break;
      case 1: orders.push_back(runtime.ask<StartApp>(top, name).polled_within(60s)); break;
      case 2: orders.push_back(runtime.ask<RestartApp>(top, name).polled_within(60s)); break;
      default: breaker.send(Breaker::Break{name}); break;
    }
    // Now and then all of it is let happen, so that the storm meets every state.
    if (i % 16 == 0) (void)runtime.ask<ListApps>(top).within(30s);
  }
  for (const std::string& name : names) (void)runtime.ask<StartApp>(top, name).within(30s);
  ASSERT_TRUE(runtime.ask<Apps::Ready>(top).within(30s).has_value());
  const auto views = runtime.ask<ListApps>(top).within(30s);
  for (const AppView& view : views.value()) {
    EXPECT_EQ(view.state, "running") << view.name;
    EXPECT_TRUE(view.down.empty()) << view.name;
  }
  // No order is forgotten: granted or refused, each was answered.
  for (auto& order : orders) EXPECT_TRUE(order.poll().has_value());
  EXPECT_TRUE(runtime.shutdown().has_value());
}

}  // namespace
