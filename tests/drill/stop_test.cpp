// L4 in real time: stopping always ends, also when a handler never gives its thread back, and says who it was.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <latch>
#include <memory>
#include <optional>

#include <gtest/gtest.h>

#include "backstage/actor/actor.hpp"
#include "backstage/actor/runtime.hpp"

namespace backstage {
namespace {

using namespace std::chrono_literals;

struct Hold {};
struct Ping {};

/// Never comes back from handle(Hold).
class Holder {
 public:
  explicit Holder(std::latch* inside) : inside_(inside) {}
  void handle(Hold) {
    inside_->count_down();
    std::latch never(1);
    never.wait();
  }
  bool handle(Ping) const { return true; }

 private:
  std::latch* inside_;
};

/// In a process of its own: a thread that is stuck for good goes with it.
[[noreturn]] void stop_with_a_stuck_handler() {
  std::latch inside(1);
  const auto fail = [](const char* why) {
    std::cerr << why << '\n';
    std::_Exit(1);
  };
  RuntimeOptions options;
  options.workers = 2;
  options.log_level = Level::off;
  auto runtime = std::make_unique<Runtime>(options);
  const auto holder = runtime->spawn<Holder>("holder", &inside);
  const auto other = runtime->spawn<Holder>("other", &inside);
  holder.send(Hold{});
  inside.wait();
  if (!runtime->ask<Ping>(other).within(10s).has_value()) fail("the other did not run");
  const auto began = std::chrono::steady_clock::now();
  const Result<> end = runtime->shutdown(300ms);
  const Duration took = std::chrono::steady_clock::now() - began;
  if (end.has_value()) fail("shutdown did not notice");
  if (took > 300ms + 5s) fail("shutdown took too long");
  const std::string text(end.error().text());
  if (text.find("/holder") == std::string::npos || text.find("Hold for ") == std::string::npos) fail(text.c_str());
  if (text.find("/other") != std::string::npos) fail(text.c_str());
  if (runtime->stuck().size() != 1) fail("not exactly one is stuck");
  runtime.reset();
  holder.send(Hold{});  // the Refs stay harmless
  std::cerr << "stopped in " << to_string(took) << " for 300ms: " << text << '\n';
  std::_Exit(0);
}

TEST(StopDrill, L4_a_handler_that_keeps_its_thread_is_named_and_does_not_hold_up_the_end) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(stop_with_a_stuck_handler(), ::testing::ExitedWithCode(0), "stopped in .*/holder.*Hold");
}

struct Work {};
struct Blocker {
  explicit Blocker(std::latch* inside) : inside_(inside) {}
  Task<> handle(Work, Context& cx) {
    auto work = [inside = inside_] {
      inside->count_down();
      std::latch never(1);
      never.wait();
    };
    (void)co_await cx.blocking(moved(work)).within(10ms);
  }
  std::latch* inside_;
};

[[noreturn]] void stop_with_stuck_blocking_work() {
  std::latch inside(1);
  RuntimeOptions options;
  options.log_level = Level::off;
  std::optional<Runtime> runtime(std::in_place, options);
  runtime->spawn<Blocker>("blocker", &inside).send(Work{});
  inside.wait();
  const Result<> end = runtime->shutdown(300ms);
  if (end.has_value()) std::_Exit(1);
  runtime.reset();
  std::cerr << "ended: " << end.error().text() << '\n';
  std::_Exit(0);
}

TEST(StopDrill, L4_work_that_keeps_its_blocking_thread_does_not_hold_up_the_end) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(stop_with_stuck_blocking_work(), ::testing::ExitedWithCode(0), "ended: .*blocking work");
}

}  // namespace
}  // namespace backstage
