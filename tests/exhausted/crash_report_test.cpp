// L3 with no memory left: recording a failure allocates nothing, and the crash report still comes, shortened. In a
// program of its own, whose operator new can be told to fail (memory.hpp).
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "backstage/actor/actor.hpp"
#include "backstage/actor/runtime.hpp"
#include "memory.hpp"

namespace backstage {
namespace {

using namespace std::chrono_literals;

/// Memory is there again when the first record of a failure has come.
struct Sink final : LogSink {
  void write(const LogRecord& record) noexcept override {
    if (record.text != "actor failed") return;
    exhausted::refuse_all(false);
    ++records;
    where = record.where;
    for (const Field& field : record.fields) {
      if (field.key == "error") error = std::get<std::string_view>(field.value);
      if (field.key == "message") message = std::get<std::string_view>(field.value);
      if (field.key == "shortened") shortened = std::get<bool>(field.value);
    }
  }
  int records = 0;
  std::string where, error, message;
  bool shortened = false;
};

struct Exhaust {};
struct Lives {
  using reply = std::uint32_t;
};
struct Hungry {
  void handle(Exhaust) {
    exhausted::refuse_all(true);
    throw std::bad_alloc();
  }
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }
  std::string describe() const { return "a description that is too long to be kept in the string object itself"; }
};
struct Kennel {
  void init(Context& cx) { (void)cx.spawn(child<Hungry>("hungry").backoff(0ns, 0ns)).send(Exhaust{}); }
  Ref<Hungry> handle(Lives, Context& cx) { return cx.child<Hungry>("hungry").value(); }
};

TEST(L3, without_memory_the_crash_report_still_comes_shortened_and_the_actor_is_restarted) {
#ifdef BACKSTAGE_SANITIZED
  GTEST_SKIP() << "a sanitizer's operator new cannot be replaced";
#endif
  const auto sink = std::make_shared<Sink>();
  std::optional<ActorFailed> event;
  RuntimeOptions options;
  options.manual = true;
  options.log_sink = sink;
  options.name = "test";
  Runtime runtime(options);
  const auto subscription = runtime.events().subscribe([&](const Event& one) {
    if (const auto* failed = std::get_if<ActorFailed>(&one)) event = *failed;
  });
  const auto kennel = runtime.spawn<Kennel>("kennel");
  const Ref<Hungry> hungry = runtime.ask<Lives>(kennel).within(1s).value();
  EXPECT_EQ(sink->records, 1);
  EXPECT_TRUE(sink->shortened);
  EXPECT_EQ(sink->where, "/test/kennel/hungry");
  EXPECT_EQ(sink->error, "std::bad_alloc");
  EXPECT_NE(sink->message.find("Exhaust"), std::string::npos);
  ASSERT_TRUE(event.has_value());
  EXPECT_TRUE(event->path.empty());
  EXPECT_EQ(event->incarnation, 1U);
  EXPECT_NE(event->message.find("Exhaust"), std::string_view::npos);
  EXPECT_EQ(runtime.ask<Lives>(hungry).within(1s).value(), 2U);
  EXPECT_FALSE(exhausted::refuses_all());
}

}  // namespace
}  // namespace backstage
