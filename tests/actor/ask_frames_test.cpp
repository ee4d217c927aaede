// M5: an ask and the frame that waits for it: one that could not be sent leaves nothing behind, and one whose frame goes is waited for no more.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

struct Work {
  Duration time;
};

/// A request that throws when it is moved, which it is as it is sent.
struct Clumsy {
  Clumsy() = default;
  Clumsy(Clumsy&&) { throw std::runtime_error("the request does not like to be moved"); }
};
struct Counter {
  int handle(Clumsy) { return 1; }
  Task<int> handle(Work work, Context& cx) {
    co_await cx.sleep(work.time);
    co_return 7;
  }
};
struct One {};
struct All {};
struct Any {};
using Woken = std::vector<std::pair<std::string, Instant>>;
struct Careful {
  Careful(Ref<Counter> c, Woken* w) : counter(c), woken(w) {}
  Task<> handle(One, Context& cx) {
    auto ask = counter.ask<Clumsy>().within(1s);
    try {
      (void)co_await std::move(ask);
    } catch (const std::runtime_error&) {
      woken->emplace_back("thrown", cx.now());
    }
    // Whatever the request that was not sent would have waited for does not end this.
    co_await cx.sleep(5s);
    woken->emplace_back("slept", cx.now());
  }
  Task<> handle(All, Context& cx) {
    try {
      (void)co_await when_all(counter.ask<Clumsy>().within(1s), counter.ask<Work>(5s).within(20s));
    } catch (const std::runtime_error&) {
      woken->emplace_back("thrown", cx.now());
    }
  }
  template <class AskLater>
  static Task<int> inner(AskLater& ask) {
    const auto answer = co_await std::move(ask);
    co_return answer.value();
  }
  static Task<int> nap(Context& cx) {
    co_await cx.sleep(1s);
    co_return 0;
  }
  Task<> handle(Any, Context& cx) {
    auto ask = counter.ask<Work>(3s).within(10s);
    (void)co_await when_any(inner(ask), nap(cx));
    woken->emplace_back("nap", cx.now());
    // The frame that waited for the answer has gone, and the ask with it.
    co_await cx.sleep(20s);
    woken->emplace_back("slept", cx.now());
  }
  Ref<Counter> counter;
  Woken* woken;
};

template <class M>
Woken woken_by(Duration wait) {
  sim::TestRuntime world;
  const auto counter = world.spawn<Counter>("counter");
  Woken woken;
  const auto careful = world.spawn<Careful>("careful", counter, &woken);
  careful.send(M{});
  world.advance(wait);
  const Instant began = world.now();
  for (auto& each : woken) each.second = Instant{} + (wait - (began - each.second));
  return woken;
}
constexpr Instant after(Duration time) { return Instant{} + time; }

TEST(M5, a_request_that_throws_as_it_is_sent_leaves_nobody_waiting_for_it) {
  EXPECT_EQ(woken_by<One>(1min), (Woken{{"thrown", after(0s)}, {"slept", after(5s)}}));
  EXPECT_EQ(woken_by<All>(1min), (Woken{{"thrown", after(5s)}})) << "when all have ended";
}

TEST(M5, an_ask_goes_with_the_frame_that_waits_for_it) {
  EXPECT_EQ(woken_by<Any>(1min), (Woken{{"nap", after(1s)}, {"slept", after(21s)}}));
}

}  // namespace
