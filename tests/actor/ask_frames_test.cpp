// M5: an ask and the frame that waits for it: one that could not be sent leaves nothing behind, and one whose frame goes is waited for no more.
#include <gtest/gtest.h>

#include <concepts>
#include <memory>
#include <optional>
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

/// A request that throws when it is moved, which it is as it is sent, since it carries the right to answer somebody who waits.
struct Clumsy {
  explicit Clumsy(Reply<int> r) : reply(std::move(r)) {}
  Clumsy(Clumsy&& other) : reply(std::move(other.reply)) {
    throw std::runtime_error("the request does not like to be moved");
  }
  Reply<int> reply;
};
struct Counter {
  int handle(const Clumsy&) { return 1; }
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
  Task<> handle(One, Reply<int> reply, Context& cx) {
    auto ask = counter.ask<Clumsy>(std::move(reply)).within(1s);
    try {
      (void)co_await std::move(ask);
    } catch (const std::runtime_error&) {
      woken->emplace_back("thrown", cx.now());
    }
    // Whatever the request that was not sent would have waited for does not end this.
    co_await cx.sleep(5s);
    woken->emplace_back("slept", cx.now());
  }
  Task<> handle(All, Reply<int> reply, Context& cx) {
    try {
      (void)co_await when_all(counter.ask<Clumsy>(std::move(reply)).within(1s), counter.ask<Work>(5s).within(20s));
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
/// Keeps its turn while it waits for who is careful.
struct Patient {
  template <class M>
  Task<> ask() {
    const auto answer = co_await careful.ask<M>().within(1min);
    EXPECT_EQ(answer.error().code(), Errc::dropped);
  }
  Task<> handle(One) { return ask<One>(); }
  Task<> handle(All) { return ask<All>(); }
  Ref<Careful> careful;
};

template <class M>
Woken woken_by(Duration wait) {
  sim::TestRuntime world;
  const auto counter = world.spawn<Counter>("counter");
  Woken woken;
  const auto careful = world.spawn<Careful>("careful", counter, &woken);
  if constexpr (std::same_as<M, Any>) {
    careful.send(M{});
  } else {
    world.spawn<Patient>("patient", careful).send(M{});
  }
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

// ---- where a request is built

/// Says how often it was moved on its way.
struct Carried {
  explicit Carried(int n) : number(n), text(std::to_string(n)) {}
  Carried(Carried&& other) noexcept : number(other.number), text(std::move(other.text)), moves(other.moves + 1) {}
  int number;
  std::string text;  // so that what is destroyed twice, or not at all, is seen
  int moves = 0;
};
struct Scales {
  int handle(const Carried& it) { return it.number * 10 + it.moves; }
};
template <class M>
using AskFor = decltype(std::declval<Ref<Scales>>().ask<M>(1).within(1s));
struct Parcel {
  AskFor<Carried> ask;
};
struct Porter {
  explicit Porter(Ref<Scales> s, Result<int>* r) : scales(s), result(r) {}
  Task<> handle(One) {
    const auto answer = co_await scales.ask<Carried>(7).within(1s);
    *result = answer;
  }
  Task<> handle(Parcel parcel) {
    const auto answer = co_await std::move(parcel.ask);
    *result = answer;
  }
  void handle(All, Context& cx) {
    auto never_sent = scales.ask<Carried>(7).within(1s);
    cx.self(this).send(Parcel{scales.ask<Carried>(8).within(1s)});
  }
  Ref<Scales> scales;
  Result<int>* result;
};
struct Keeper {
  void handle(One) { kept->emplace(scales.ask<Carried>(6).within(1s)); }
  Ref<Scales> scales;
  std::optional<AskFor<Carried>>* kept;
};
struct World {
  sim::TestRuntime runtime;
  Ref<Scales> scales = runtime.spawn<Scales>("scales");
  Result<int> result = Error(Errc::invalid, "none yet");
  Ref<Porter> porter = runtime.spawn<Porter>("porter", scales, &result);
};

TEST(M5, a_request_is_handled_where_it_was_built) {
  World world;
  world.porter.send(One{});
  world.runtime.run();
  EXPECT_EQ(world.result.value(), 70);
}

TEST(M5, a_request_may_be_built_long_before_it_is_sent_or_never_be_sent) {
  World world;
  world.porter.send(All{});
  world.runtime.run();
  EXPECT_EQ(world.result.value(), 80);
}

TEST(M5, a_request_that_was_built_outside_of_actors_is_moved_as_it_is_sent) {
  World world;
  world.porter.send(Parcel{world.scales.ask<Carried>(9).within(1s)});
  world.runtime.run();
  EXPECT_EQ(world.result.value(), 91);
  world.porter.send(Parcel{Ref<Scales>().ask<Carried>(9).within(1s)});
  world.runtime.run();
  EXPECT_EQ(world.result.error().code(), Errc::gone) << "nobody was asked";
}

/// Hands what it was told to ask to an actor of another Runtime.
struct Sender {
  void handle(One) { porter.send(Parcel{scales.ask<Carried>(5).within(1s)}); }
  Ref<Scales> scales;
  Ref<Porter> porter;
};

TEST(M5, a_request_may_be_sent_from_another_runtime_than_it_was_built_in) {
  World world;
  World other;
  world.runtime.spawn<Sender>("sender", world.scales, other.porter).send(One{});
  world.runtime.run();
  other.runtime.run();
  world.runtime.run();
  other.runtime.run();
  EXPECT_EQ(other.result.value(), 50);
}

TEST(M5, a_request_that_outlives_the_runtime_it_was_built_in_asks_nobody) {
  // Its message has gone with the Runtime's memory, as it is; where that is the heap's, checkers would report it.
  if (!SlabPool().pooling()) GTEST_SKIP() << "pooling is off in this build";
  World other;
  std::optional<AskFor<Carried>> kept;
  {
    World world;
    world.runtime.spawn<Keeper>("keeper", world.scales, &kept).send(One{});
    world.runtime.run();
    ASSERT_TRUE(kept.has_value());
  }
  other.porter.send(Parcel{std::move(*kept)});
  other.runtime.run();
  EXPECT_EQ(other.result.error().code(), Errc::gone);
  {
    World world;
    world.runtime.spawn<Keeper>("keeper", world.scales, &kept).send(One{});
    world.runtime.run();
  }
  kept.reset();
}

/// Answers through a Reply that stands where whoever is told of the answer destroys it.
struct Holder {
  std::unique_ptr<Reply<int>>* reply;
  void handle(One, Reply<int> r) { *reply = std::make_unique<Reply<int>>(std::move(r)); }
  void handle(All) { std::move (**reply)(5); }
};

TEST(M5, whoever_is_told_of_an_answer_may_destroy_the_reply_that_gave_it) {
  sim::TestRuntime world;
  std::unique_ptr<Reply<int>> reply;
  const auto holder = world.spawn<Holder>("holder", &reply);
  auto pending = world.runtime().ask<One>(holder).polled_within(1s);
  world.run();
  pending.on_ready([&] { reply.reset(); });
  holder.send(All{});
  world.run();
  EXPECT_EQ(reply, nullptr);
  EXPECT_EQ(pending.poll().value().value(), 5);
}

}  // namespace
