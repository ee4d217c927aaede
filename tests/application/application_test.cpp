// Applications on a Runtime: order of start and stop, cx.app, failures (promise L7 as far as it goes here).
#include "backstage/application/application.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "backstage/sim/test_runtime.hpp"

namespace backstage {
namespace {

using namespace std::chrono_literals;

using Diary = std::shared_ptr<std::vector<std::string>>;

struct Hello {};
struct Fail {};
struct Finish {};

/// Writes down what happens to it.
class Part {
 public:
  Part(std::string name, Diary diary, Duration init_takes, std::string needs)
      : name_(std::move(name)), diary_(std::move(diary)), init_takes_(init_takes), needs_(std::move(needs)) {}
  Task<Result<>> init(Context& cx) {
    diary_->push_back(name_ + " starts");
    co_await cx.sleep(init_takes_);
    if (!needs_.empty()) {
      Result<Ref<Part>> other = cx.app<Part>(needs_);
      if (!other) co_return other.error();
      diary_->push_back(name_ + " found " + needs_);
    }
    diary_->push_back(name_ + " runs");
    co_return Result<>();
  }
  void terminating() { diary_->push_back(name_ + " ends"); }
  std::string handle(Hello) const { return name_; }
  void handle(Fail) { throw std::runtime_error("broken"); }
  void handle(Finish, Context& cx) { cx.stop(); }

 private:
  std::string name_;
  Diary diary_;
  Duration init_takes_;
  std::string needs_;
};

App part(const std::string& name, const Diary& diary, Duration init_takes = 10ms, const std::string& needs = "") {
  return app<Part>(name, name, diary, init_takes, needs);
}

TEST(DependencyOrder, L7_an_app_starts_after_those_it_depends_on) {
  const auto order = dependency_order({{"api", {"store", "broker"}}, {"broker", {"store"}}, {"store", {}}});
  ASSERT_TRUE(order.has_value());
  EXPECT_EQ(*order, (std::vector<std::size_t>{2, 1, 0}));
}

TEST(DependencyOrder, L7_apps_that_are_independent_start_as_they_were_added) {
  const auto order = dependency_order({{"c", {}}, {"a", {}}, {"b", {}}});
  ASSERT_TRUE(order.has_value());
  EXPECT_EQ(*order, (std::vector<std::size_t>{0, 1, 2}));
}

TEST(DependencyOrder, L7_an_unknown_dependency_is_refused_by_name) {
  const auto order = dependency_order({{"api", {"stroe"}}, {"store", {}}});
  ASSERT_FALSE(order.has_value());
  EXPECT_TRUE(order.error().is(Errc::not_found));
  EXPECT_EQ(order.error().text(), "app 'api' depends on 'stroe', which is not among [api, store]");
}

TEST(DependencyOrder, L7_a_circle_is_refused_step_by_step) {
  const auto order = dependency_order({{"a", {"b"}}, {"b", {"c"}}, {"c", {"b"}}});
  ASSERT_FALSE(order.has_value());
  EXPECT_TRUE(order.error().is(Errc::cycle));
  EXPECT_EQ(order.error().text(), "apps depend on each other in a circle: b -> c -> b");
  EXPECT_TRUE(dependency_order({{"a", {"a"}}}).error().is(Errc::cycle));
}

TEST(DependencyOrder, L7_a_name_twice_is_refused) {
  const auto order = dependency_order({{"a", {}}, {"a", {}}});
  ASSERT_FALSE(order.has_value());
  EXPECT_TRUE(order.error().is(Errc::exists));
}

TEST(Apps, L7_each_starts_when_the_one_before_runs_and_they_stop_in_reverse) {
  sim::TestRuntime world;
  const Diary diary = std::make_shared<std::vector<std::string>>();
  std::vector<App> apps;
  apps.push_back(part("api", diary, 10ms, "store").depends_on("store"));
  apps.push_back(part("store", diary, 1s));
  const auto top = world.spawn<Apps>("demo", App::share(std::move(apps)));
  EXPECT_TRUE(world.ask<Apps::Ready>(top).has_value());
  EXPECT_EQ(*diary,
            (std::vector<std::string>{"store starts", "store runs", "api starts", "api found store", "api runs"}));
  diary->clear();
  EXPECT_TRUE(world.runtime().shutdown().has_value());
  EXPECT_EQ(*diary, (std::vector<std::string>{"api ends", "store ends"}));
}

TEST(Apps, L7_an_app_that_is_not_there_is_named_with_those_that_are) {
  sim::TestRuntime world;
  const Diary diary = std::make_shared<std::vector<std::string>>();
  std::vector<App> apps;
  apps.push_back(part("store", diary));
  apps.push_back(part("api", diary, 10ms, "queue"));
  const auto top = world.spawn(child<Apps>("demo", App::share(std::move(apps))).restart(Restart::never));
  const auto ready = world.ask<Apps::Ready>(top);
  ASSERT_FALSE(ready.has_value());
  bool told = false;
  for (const auto& entry : world.log().entries()) {
    told = told || entry.line.find("no app 'queue': the launcher runs [store]") != std::string::npos;
  }
  EXPECT_TRUE(told);
  EXPECT_EQ(diary->back(), "store ends");  // what had started is stopped again
}

TEST(Apps, L2_an_app_keeps_its_ref_through_a_restart) {
  sim::TestRuntime world;
  const Diary diary = std::make_shared<std::vector<std::string>>();
  std::vector<App> apps;
  apps.push_back(part("store", diary));
  const auto top = world.spawn<Apps>("demo", App::share(std::move(apps)));
  ASSERT_TRUE(world.ask<Apps::Ready>(top).has_value());
  struct Client {
    Ref<Part> store;
    Result<> init(Context& cx) {
      store = cx.app<Part>("store").or_fail();
      return {};
    }
    void handle(Fail f) { store.send(f); }
    Task<std::string> handle(Hello) { co_return (co_await store.ask<Hello>().within(5s)).or_fail(); }
  };
  const auto client = world.spawn<Client>("client");
  EXPECT_EQ(world.ask<Hello>(client).value(), "store");
  client.send(Fail{});
  world.run();
  EXPECT_EQ(world.ask<Hello>(client).value(), "store");
  EXPECT_EQ(std::count(diary->begin(), diary->end(), "store starts"), 2);
}

TEST(Apps, L6_an_app_that_fails_for_good_ends_all_of_them_with_a_failure) {
  sim::TestRuntime world;
  const Diary diary = std::make_shared<std::vector<std::string>>();
  std::vector<App> apps;
  apps.push_back(part("store", diary));
  apps.push_back(app_with<Part>(
      "weak", [diary] { return child<Part>("weak", "weak", diary, Duration(0), "").restart(Restart::never); }));
  std::vector<Result<>> ends;
  auto subscription = world.runtime().events().subscribe([&](const Event& event) {
    if (const auto* end = std::get_if<Ended>(&event); end != nullptr && end->path == "/demo")
      ends.push_back(end->result);
  });
  const auto top = world.spawn(child<Apps>("demo", App::share(std::move(apps))).restart(Restart::never));
  ASSERT_TRUE(world.ask<Apps::Ready>(top).has_value());
  struct Saboteur {
    Result<> init(Context& cx) {
      cx.app<Part>("weak").or_fail().send(Fail{});
      return {};
    }
    void handle(Hello) {}
  };
  world.spawn<Saboteur>("saboteur");
  world.advance(1s);
  ASSERT_EQ(ends.size(), 1U);
  ASSERT_FALSE(ends.front().has_value());
  EXPECT_NE(ends.front().error().describe().find("app 'weak' ended for good"), std::string::npos);
  EXPECT_EQ(diary->back(), "store ends");
}

TEST(Apps, L5_when_every_app_has_ended_by_itself_so_do_they_in_order) {
  sim::TestRuntime world;
  const Diary diary = std::make_shared<std::vector<std::string>>();
  std::vector<App> apps;
  apps.push_back(part("one", diary));
  apps.push_back(part("two", diary));
  std::vector<Result<>> ends;
  auto subscription = world.runtime().events().subscribe([&](const Event& event) {
    if (const auto* end = std::get_if<Ended>(&event); end != nullptr && end->path == "/demo")
      ends.push_back(end->result);
  });
  const auto top = world.spawn<Apps>("demo", App::share(std::move(apps)));
  ASSERT_TRUE(world.ask<Apps::Ready>(top).has_value());
  struct Ender {
    Result<> init(Context& cx) {
      cx.app<Part>("one").or_fail().send(Finish{});
      cx.app<Part>("two").or_fail().send(Finish{});
      return {};
    }
    void handle(Hello) {}
  };
  world.spawn<Ender>("ender");
  world.advance(1s);
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_TRUE(ends.front().has_value());
}

}  // namespace
}  // namespace backstage
