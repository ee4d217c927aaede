// Passthrough: messages for an app by names, as JSON and typed.
#include "apps_world.hpp"

namespace {

using namespace appsworld;

struct Shutdown {};
struct Greet {
  std::string name;
  std::int32_t times = 0;
  std::optional<bool> loudly;
};

struct HelloWorld {
  Diary* diary;
  explicit HelloWorld(Diary* d) : diary(d) {}
  void handle(Shutdown, Context& cx) { cx.stop(); }
  void handle(const Greet& greet) {
    diary->note(greet.name + " x" + std::to_string(greet.times) + (greet.loudly.value_or(false) ? "!" : ""));
  }
};

class Passing : public testing::Test {
 protected:
  Passing() { EXPECT_TRUE(program.ready().has_value()); }
  Result<> pass(const std::string& json) {
    const Result<> passed = world.ask<Passthrough>(program.top, json);
    world.run();
    return passed;
  }
  std::string refusal(const std::string& json) {
    const Result<> passed = pass(json);
    return passed ? "passed" : std::string(passed.error().text());
  }

  sim::TestRuntime world;
  Diary diary{world};
  Program program{world, list(app<HelloWorld>("hello_world", &diary)
                                  .takes<Shutdown>("shutdown")
                                  .takes<Greet>("greet", field("name", &Greet::name), field("times", &Greet::times),
                                                field("loudly", &Greet::loudly)),
                              part("store", diary, {.begins = 0ms}))};
};

TEST_F(Passing, L7_json_of_app_and_message_reaches_the_app) {
  EXPECT_TRUE(pass(R"({"hello_world":"shutdown"})").has_value());
  EXPECT_EQ(program.states(), "hello_world=ended store=running");
}

TEST_F(Passing, L7_fields_are_read_by_their_types) {
  (void)diary.take();
  EXPECT_TRUE(pass(R"({"hello_world":{"greet":{"name":"sea","times":-3}}})").has_value());
  EXPECT_TRUE(pass(R"({"hello_world":{"greet":{"loudly":true,"name":"sky","times":2}}})").has_value());
  EXPECT_EQ(diary.take(), (Lines{"0 sea x-3", "0 sky x2!"}));
}

TEST_F(Passing, L7_what_is_no_json_and_what_has_not_the_form_of_a_message_is_refused_with_its_text) {
  const std::string no_json = refusal("{hello");
  EXPECT_TRUE(no_json.starts_with("passthrough: {hello is no JSON: ")) << no_json;
  for (const std::string text :
       {"7", "[]", R"({})", R"({"a":"x","b":"y"})", R"({"a":7})", R"({"a":{"x":{},"y":{}}})"}) {
    EXPECT_EQ(refusal(text),
              "passthrough: " + text + R"( is neither {"app":"message"} nor {"app":{"message":{"field":value}}})");
  }
}

TEST_F(Passing, L7_what_does_not_fit_is_named_with_its_place_and_what_there_is) {
  EXPECT_EQ(refusal(R"({"hello":"shutdown"})"), "no app 'hello': the apps of 'demo' are [hello_world, store]");
  EXPECT_EQ(refusal(R"({"hello_world":"shut"})"),
            "app 'hello_world' takes no message 'shut': it takes [shutdown, greet]");
  EXPECT_EQ(refusal(R"({"store":"shutdown"})"), "app 'store' takes no message 'shutdown': it takes []");
  EXPECT_EQ(refusal(R"({"hello_world":{"greet":{"name":"sea","tmies":1}}})"),
            "app 'hello_world', message 'greet' has no field 'tmies': its fields are [name, times, loudly]");
  EXPECT_EQ(refusal(R"({"hello_world":{"greet":{"name":"sea"}}})"),
            "app 'hello_world', message 'greet', field 'times': it is missing and has to be a whole number from "
            "-2147483648 to 2147483647; there is [name]");
  EXPECT_EQ(refusal(R"({"hello_world":{"greet":{"name":"sea","times":"three"}}})"),
            "app 'hello_world', message 'greet', field 'times': \"three\" is not a whole number from -2147483648 to "
            "2147483647");
  EXPECT_EQ(refusal(R"({"hello_world":{"greet":{"name":"sea","times":2147483648}}})"),
            "app 'hello_world', message 'greet', field 'times': 2147483648 is not a whole number from -2147483648 to "
            "2147483647");
  EXPECT_EQ(refusal(R"({"hello_world":{"greet":{"name":"sea","times":1.5}}})"),
            "app 'hello_world', message 'greet', field 'times': 1.5E0 is not a whole number from -2147483648 to "
            "2147483647");
  EXPECT_EQ(refusal(R"({"hello_world":{"greet":{"name":7,"times":1}}})"),
            "app 'hello_world', message 'greet', field 'name': 7 is not a text");
}

TEST_F(Passing, L7_text_that_is_no_message_is_refused) {
  EXPECT_EQ(refusal("{"), "passthrough: { is no JSON: incomplete JSON");
  for (const char* text : {"[]", "{}", "\"shutdown\"", R"({"hello_world":7})", R"({"hello_world":{"greet":7}})",
                           R"({"hello_world":{}})", R"({"a":"b","c":"d"})"}) {
    EXPECT_NE(refusal(text).find(R"(is neither {"app":"message"} nor {"app":{"message":{"field":value}}})"),
              std::string::npos)
        << text;
  }
}

TEST_F(Passing, L7_a_message_for_an_app_that_does_not_run_is_refused_not_lost) {
  ASSERT_TRUE(program.stop("hello_world").has_value());
  EXPECT_EQ(refusal(R"({"hello_world":"shutdown"})"),
            "app 'hello_world' is stopped and takes no 'shutdown': start it first");
}

TEST_F(Passing, L7_an_app_passes_a_typed_message_without_knowing_the_other_ones_type) {
  (void)diary.take();
  struct Go {};
  struct Sender {
    Diary* diary;
    explicit Sender(Diary* d) : diary(d) {}
    Task<> handle(Go, Context& cx) {
      const AppsRef all = apps(cx);
      Greet greet{"typed", 1, {}};
      const auto passed = co_await all.pass("hello_world", std::move(greet)).within(1s);
      diary->note(passed ? "passed" : passed.error().describe());
      const auto refused = co_await all.pass("hello_world", Go{}).within(1s);
      diary->note(std::string(refused.error().text()));
    }
  };
  const auto sender = world.spawn<Sender>("sender", &diary);
  sender.send(Go{});
  world.run();
  Lines lines = diary.take_untimed();
  std::sort(lines.begin(), lines.end(), std::greater<>());
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "typed x1");
  EXPECT_EQ(lines[1], "passed");
  EXPECT_NE(lines[2].find("app 'hello_world' takes no message of type"), std::string::npos) << lines[2];
  EXPECT_NE(lines[2].find("it takes [shutdown, greet]"), std::string::npos) << lines[2];
}

TEST(PassingPlainly, L7_without_declared_fields_they_are_those_of_the_struct) {
  sim::TestRuntime world;
  Diary diary{world};
  Program program{world, list(app<HelloWorld>("hello_world", &diary).takes<Greet>("greet"))};
  (void)diary.take();
  EXPECT_TRUE(world.ask<Passthrough>(program.top, R"({"hello_world":{"greet":{"name":"sea","times":3}}})"));
  EXPECT_EQ(diary.take(), (Lines{"0 sea x3"}));
  EXPECT_EQ(world.ask<Passthrough>(program.top, R"({"hello_world":{"greet":{"name":"sea"}}})").error().text(),
            "app 'hello_world', message 'greet', field 'times': it is missing and has to be a whole number from "
            "-2147483648 to 2147483647; there is [name]");
}

}  // namespace
