// L3: the crash report is one record: in the log as "actor failed", among the events as ActorFailed. (Without memory:
// tests/exhausted.)
#include <exception>
#include <optional>

#include "life_support.hpp"

namespace {

using namespace life;

struct Counter {
  explicit Counter(std::function<std::string()> how = {}) : how_(std::move(how)) {}
  void handle(Say say) { last_ = say.text; }
  void handle(Do d, Context& cx) { d.what(cx); }
  std::string describe() const { return how_ ? how_() : "last said: " + last_; }

 private:
  std::function<std::string()> how_;
  std::string last_;
};

/// The one failure that was told.
struct Told {
  explicit Told(Runtime& runtime)
      : subscription(runtime.events().subscribe([this](const Event& event) {
          if (const auto* failed = std::get_if<ActorFailed>(&event)) {
            ++times;
            report = *failed;
          }
        })) {}
  int times = 0;
  std::optional<ActorFailed> report;
  Events::Subscription subscription;
};

MemorySink::Entry logged(sim::TestRuntime& world) {
  std::optional<MemorySink::Entry> found;
  for (const MemorySink::Entry& entry : world.log().entries()) {
    if (entry.text == "actor failed") found = entry;
  }
  EXPECT_TRUE(found.has_value());
  return found.value_or(MemorySink::Entry{});
}

TEST(L3, a_crash_report_is_one_record_with_all_that_is_known) {
  sim::TestRuntime world;
  Told told(world.runtime());
  const auto counter = world.spawn<Counter>("counter");
  counter.send(Do{[](Context&) { throw std::runtime_error("first"); }});
  world.advance(100ms);
  world.advance(5s);
  counter.send(Say{"forty-two"});
  counter.send(Do{[](Context&) {
    throw Need::fail(Error(Errc::unavailable, "cannot write", Error(Errc::failed, "flush", Error("disk full"))));
  }});
  counter.send(Say{"left"});
  counter.send(Say{"behind"});
  world.run();
  ASSERT_EQ(told.times, 2);
  const ActorFailed& report = *told.report;
  EXPECT_EQ(report.path, "/counter");
  EXPECT_NE(report.actor.find("Counter"), std::string_view::npos);
  EXPECT_EQ(report.incarnation, 2U);
  EXPECT_EQ(report.error.code(), Errc::unavailable);
  EXPECT_EQ(report.error.describe(),
            "unavailable: cannot write (in life::Do) <- failed: flush <- application: disk full");
  EXPECT_EQ(report.message, "life::Do");
  EXPECT_EQ(report.state, "last said: forty-two");
  EXPECT_GE(report.uptime, Duration(5s));
  EXPECT_LE(report.uptime, Duration(5100ms));
  EXPECT_EQ(report.restarts, 1U);
  EXPECT_EQ(report.mailbox, 2U);
  EXPECT_EQ(report.at, world.runtime().environment().clock().wall());

  EXPECT_EQ(world.log().count("actor failed"), 2U);
  const MemorySink::Entry entry = logged(world);
  EXPECT_EQ(entry.level, Level::error);
  EXPECT_EQ(entry.where, "/counter");
  EXPECT_EQ(entry.field("causes"), "failed: flush <- application: disk full");
  EXPECT_EQ(entry.field("message"), "life::Do");
  EXPECT_EQ(entry.field("actor"), report.actor);
  EXPECT_EQ(entry.field("incarnation"), "2");
  EXPECT_EQ(entry.field("restarts"), "1");
  EXPECT_EQ(entry.field("uptime"), to_string(report.uptime));
  EXPECT_EQ(entry.field("waiting"), "2");
  EXPECT_EQ(entry.field("state"), "last said: forty-two");
}

TEST(L3, the_causes_that_a_nested_exception_carries_are_told) {
  sim::TestRuntime world;
  Told told(world.runtime());
  const auto counter = world.spawn<Counter>("counter");
  counter.send(Do{[](Context&) {
    try {
      try {
        throw std::invalid_argument("not a number\nat all");
      } catch (...) {
        std::throw_with_nested(std::runtime_error("line 7"));
      }
    } catch (...) {
      std::throw_with_nested(std::logic_error("config"));
    }
  }});
  world.run();
  const Error& error = told.report->error;
  EXPECT_NE(error.text().find("config"), std::string_view::npos);
  ASSERT_NE(error.cause(), nullptr);
  EXPECT_EQ(error.cause()->text(), "line 7");
  ASSERT_NE(error.cause()->cause(), nullptr);
  EXPECT_EQ(error.cause()->cause()->text(), "not a number at all");
  EXPECT_EQ(error.cause()->cause()->cause(), nullptr);
}

TEST(L3, a_describe_that_throws_becomes_text_and_does_not_hide_the_failure) {
  sim::TestRuntime world;
  Told told(world.runtime());
  const auto counter = world.spawn<Counter>(
      "counter", std::function<std::string()>([]() -> std::string { throw std::logic_error("broken"); }));
  counter.send(Do{[](Context&) { throw std::runtime_error("boom"); }});
  world.run();
  ASSERT_EQ(told.times, 1);
  EXPECT_EQ(told.report->state, "describe() threw std::logic_error: broken");
  EXPECT_EQ(told.report->error.text(), "std::runtime_error: boom (in life::Do)");
}

TEST(L3, of_a_failure_in_the_constructor_there_is_no_state_to_describe) {
  struct Unborn {
    Unborn() { throw std::runtime_error("no"); }
    void handle(Say) {}
    std::string describe() const { return "never"; }
  };
  sim::TestRuntime world;
  Told told(world.runtime());
  world.spawn(child<Unborn>("unborn").restart(Restart::never));
  world.run();
  ASSERT_EQ(told.times, 1);
  EXPECT_EQ(told.report->state, "");
  EXPECT_EQ(told.report->message, "constructor");
  EXPECT_EQ(told.report->uptime, Duration(0));
}

TEST(L3, the_last_error_and_its_wall_time_stand_in_the_service_tree) {
  sim::TestRuntime world;
  const auto counter = world.spawn<Counter>("counter");
  world.advance(7s);
  const WallTime then = world.runtime().environment().clock().wall();
  counter.send(Do{[](Context&) { throw Need::restart("lost it", Error(Errc::unavailable, "EIO")); }});
  world.run();
  world.advance(10s);
  const ServiceTree tree = world.runtime().service_tree();
  const Service& service = tree.root.children.at(0);
  EXPECT_EQ(service.last_error, "failed: lost it (in life::Do) <- unavailable: EIO");
  EXPECT_EQ(service.last_error_at, then);
  EXPECT_NE(
      tree.text().find("last_error=\"failed: lost it (in life::Do) <- unavailable: EIO\" at 2026-01-01T00:00:07"),
      std::string::npos)
      << tree.text();
}

}  // namespace
