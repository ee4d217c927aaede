// Routes: messages by type to whoever has only a place; JSON both ways; what cannot be converted comes back with its reason.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "backstage/application/json_routes.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace weather {

using namespace backstage;

struct Reading {
  std::string sensor;
  double celsius = 0;
  std::optional<int> tries;
};
struct Count {};
struct Average {
  std::string sensor;
};
struct Summary {
  std::string sensor;
  double celsius = 0;
  std::vector<double> all;
};
struct Unlisted {};

struct Station {
  using routes = JsonRoutes<Reading, Count, Average>;
  void handle(Reading reading) { readings.push_back(std::move(reading)); }
  int handle(Count) const { return static_cast<int>(readings.size()); }
  Result<Summary> handle(Average wanted) const {
    Summary summary{wanted.sensor, 0, {}};
    for (const Reading& one : readings) {
      if (one.sensor == wanted.sensor) summary.all.push_back(one.celsius);
    }
    if (summary.all.empty()) return Error("no readings of " + wanted.sensor);
    for (const double one : summary.all) summary.celsius += one / static_cast<double>(summary.all.size());
    return summary;
  }
  void handle(Unlisted) {}
  std::vector<Reading> readings;
};

struct Typed {
  using routes = Routes<Count>;
  int handle(Count) const { return 7; }
};

struct Do {
  std::function<Task<>(Context&)> what;
};
struct DoNow {
  std::function<void(Context&)> what;
};
struct Someone {
  void handle(const DoNow& d, Context& cx) { d.what(cx); }
  Task<> handle(Do d, Context& cx) { co_await d.what(cx); }
  void handle(Reading reading) { last = reading.sensor; }
  std::string handle(Count) const { return last; }
  std::string last;
};

namespace {

class RouteTest : public testing::Test {
 protected:
  void in(std::function<Task<>(Context&)> what) {
    someone.send(Do{std::move(what)});
    world.run();
  }
  void now(std::function<void(Context&)> what) {
    someone.send(DoNow{std::move(what)});
    world.run();
  }
  sim::TestRuntime world;
  Ref<Station> station = world.spawn<Station>("station");
  Ref<Someone> someone = world.spawn<Someone>("someone");
};

TEST_F(RouteTest, R5_a_message_is_sent_by_its_type_to_whoever_is_at_a_place) {
  in([](Context& cx) -> Task<> {
    EXPECT_TRUE(cx.send(cx.sibling("station"), Reading{"a", 20, {}}));
    EXPECT_TRUE(cx.send("/station", Reading{"a", 22, {}}));
    EXPECT_EQ((co_await cx.ask<Count, int>("/station").within(std::chrono::seconds(1))).value(), 2);
  });
  EXPECT_EQ(world.ask<Count>(station).value(), 2);
}

TEST_F(RouteTest, R5_what_is_not_offered_comes_back_as_it_was) {
  in([](Context& cx) -> Task<> {
    Reading reading{"kept", 1, {}};
    const Result<> sent = cx.send("/someone", std::move(reading));
    EXPECT_EQ(sent.error().describe(), "not_found: '/someone' offers no weather::Reading: it offers []");
    EXPECT_EQ(reading.sensor, "kept");
    EXPECT_EQ(cx.send("/station", Unlisted{}).error().describe(),
              "not_found: '/station' offers no weather::Unlisted: it offers [weather::Reading, weather::Count, "
              "weather::Average]");
    EXPECT_TRUE(cx.send("/nobody", Count{}).error().is(Errc::not_found));
    const auto asked = co_await cx.ask<Count, std::string>("/station").within(std::chrono::seconds(1));
    EXPECT_TRUE(asked.error().is(Errc::invalid));
    EXPECT_EQ(asked.error().text().find("weather::Count is answered by a int, not by a "), 0U)
        << asked.error().text();
  });
}

TEST_F(RouteTest, R5_routes_are_added_and_removed_at_run_time_also_to_another) {
  now([this](Context& cx) {
    cx.add_route<Reading>(station);
    EXPECT_TRUE(cx.send("/someone", Reading{"routed", 1, {}}));
    EXPECT_TRUE(cx.remove_route<Reading>());
    EXPECT_FALSE(cx.remove_route<Reading>());
    EXPECT_FALSE(cx.send("/someone", Reading{"not", 1, {}}));
    cx.add_route<Reading>(someone);
  });
  EXPECT_EQ(world.ask<Count>(station).value(), 1);
  EXPECT_TRUE(world.runtime().scope("/someone").value().send(Reading{"own", 1, {}}));
  EXPECT_EQ(world.ask<Count>(someone).value(), "own");
  world.runtime().restart(someone);
  world.run();
  EXPECT_TRUE(world.runtime().scope("/someone").value().routes().empty()) << "it ends with the incarnation";
  EXPECT_TRUE(world.runtime().scope("/someone").value().resources().empty()) << "and is no resource";
}

Task<> ask_twice(Scope scope, std::string* answer, std::string* refused) {
  *answer = (co_await ask_json(scope, "Average", R"({"sensor":"a"})", std::chrono::seconds(1))).value();
  *refused = (co_await ask_json(scope, "Average", R"({"sensor":"b"})", std::chrono::seconds(1))).error().describe();
}

TEST_F(RouteTest, R5_json_becomes_a_typed_message_and_the_answer_json) {
  const Scope scope = world.runtime().scope("/station").value();
  EXPECT_TRUE(send_json(scope, "Reading", R"({"sensor":"a","celsius":20})"));
  EXPECT_TRUE(send_json(scope, "weather::Reading", R"({"sensor":"a","celsius":23,"tries":3})"));
  std::string answer;
  std::string refused;
  in([&, scope](Context&) { return ask_twice(scope, &answer, &refused); });
  const Summary summary = from_json<Summary>(answer).value();
  EXPECT_EQ(summary.celsius, 21.5);
  EXPECT_EQ(summary.all, (std::vector<double>{20, 23}));
  EXPECT_EQ(refused, "application: no readings of b");
}

TEST_F(RouteTest, R5_what_cannot_be_converted_comes_back_with_reason_field_and_value) {
  const Scope scope = world.runtime().scope("/station").value();
  const auto refused = [&](std::string_view message, std::string_view json) {
    const Result<> sent = send_json(scope, message, json);
    return sent ? std::string("sent") : sent.error().describe();
  };
  EXPECT_EQ(refused("Reading", R"({"sensor":"a","celsius":"warm"})"),
            "invalid: '/station', message Reading, field 'celsius': \"warm\" is not a number");
  EXPECT_EQ(
      refused("Reading", R"({"celsius":1})"),
      "invalid: '/station', message Reading, field 'sensor': it is missing and has to be a text; there is [celsius]");
  EXPECT_EQ(refused("Reading", R"({"sensor":"a","celsius":1,"colour":2})"),
            "not_found: '/station', message Reading has no field 'colour': its fields are [sensor, celsius, tries]");
  EXPECT_EQ(refused("Readin", "{}"),
            "not_found: '/station' offers no Readin: it offers [weather::Reading, weather::Count, weather::Average]");
  EXPECT_NE(refused("Reading", "{").find("is no JSON"), std::string::npos);
  EXPECT_EQ(world.ask<Count>(station).value(), 0) << "nothing was sent";
  (void)world.spawn<Typed>("typed");
  world.run();
  EXPECT_EQ(send_json(world.runtime().scope("/typed").value(), "Count", "{}").error().describe(),
            "invalid: '/typed' takes weather::Count by its type only: declare it with JsonRoutes");
}

TEST_F(RouteTest, R5_what_an_actor_takes_is_listed_with_its_schema) {
  EXPECT_EQ(
      routes_schema(world.runtime().scope("/station").value()),
      R"([{"message":"weather::Reading","takes":{"type":"object","fields":[{"name":"sensor","type":"string"},)"
      R"({"name":"celsius","type":"number"},{"name":"tries","optional":true,"type":"integer","least":-2147483648,)"
      R"("most":2147483647}]},"answers":{}},{"message":"weather::Count","takes":{"type":"object","fields":[]},)"
      R"("answers":{"type":"integer","least":-2147483648,"most":2147483647}},{"message":"weather::Average","takes":)"
      R"({"type":"object","fields":[{"name":"sensor","type":"string"}]},"answers":{"type":"object","fields":[)"
      R"({"name":"sensor","type":"string"},{"name":"celsius","type":"number"},{"name":"all","type":"array","of":)"
      R"({"type":"number"}}]}}])");
}

namespace inside {
struct Reading {};
}  // namespace inside
struct TwoReadings {
  using routes = JsonRoutes<Reading, inside::Reading>;
  void handle(const Reading&) {}
  void handle(inside::Reading) {}
};
TEST_F(RouteTest, R5_a_name_that_means_two_messages_is_to_be_written_in_full) {
  (void)world.spawn<TwoReadings>("two");
  world.run();
  const Scope scope = world.runtime().scope("/two").value();
  const Result<> sent = send_json(scope, "Reading", "{}");
  ASSERT_FALSE(sent);
  EXPECT_NE(sent.error().text().find("write it in full"), std::string::npos) << sent.error().text();
  EXPECT_TRUE(send_json(scope, "weather::Reading", R"({"sensor":"a","celsius":1})"));
}

TEST_F(RouteTest, R5_after_the_end_nothing_is_sent) {
  const Scope scope = world.runtime().scope("/station").value();
  world.runtime().stop(station);
  world.run();
  EXPECT_TRUE(scope.send(Count{}).error().is(Errc::gone));
  EXPECT_TRUE(send_json(scope, "Count", "{}").error().is(Errc::gone));
}

}  // namespace
/// Declares the same as the station, and hands it on.
struct Relay {
  using routes = JsonRoutes<Reading, Count>;
  void handle(const Reading&) {}
  int handle(Count) const { return -1; }
  void handle(const DoNow& d, Context& cx) { d.what(cx); }
};
Task<> ask_count(Scope scope, std::string* answer) {
  const auto got = co_await ask_json(scope, "Count", "{}", std::chrono::seconds(1));
  *answer = got ? got.value() : got.error().describe();
}

TEST_F(RouteTest, R5_an_added_route_of_a_declared_message_is_reached_in_json) {
  const Ref<Relay> relay = world.spawn<Relay>("relay");
  world.run();
  const Scope scope = world.runtime().scope("/relay").value();
  const std::string before = routes_schema(scope);
  relay.send(DoNow{[this](Context& cx) {
    cx.add_route<Reading>(station);
    cx.add_route<Count>(station);
  }});
  world.run();
  EXPECT_TRUE(send_json(scope, "Reading", R"({"sensor":"a","celsius":20})"));
  world.run();
  EXPECT_EQ(world.ask<Count>(station).value(), 1);
  EXPECT_EQ(routes_schema(scope), before);
  std::string answer;
  in([&, scope](Context&) { return ask_count(scope, &answer); });
  EXPECT_EQ(answer, "1");
  // One that answers a string, and not an int.
  relay.send(DoNow{[this](Context& cx) { cx.add_route<Count>(someone); }});
  world.run();
  in([&, scope](Context&) { return ask_count(scope, &answer); });
  EXPECT_EQ(answer.find("invalid: weather::Count is answered by a std::"), 0U) << answer;
  EXPECT_TRUE(send_json(scope, "Count", "{}"));
  EXPECT_NE(routes_schema(scope).find(R"("answers":{"type":"unknown")"), std::string::npos);
}

}  // namespace weather
