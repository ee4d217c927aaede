// L2, L4, M6 together: whatever is spawned, failed, stopped and asked at random, everything ends, and nothing is left.
#include "life_support.hpp"

#include "backstage/base/random.hpp"

namespace {

using namespace life;

struct Storm {
  Random* random;
  int depth;
};

/// Does something at random with itself, its children and its neighbours for each Say that it gets.
class Mad {
 public:
  explicit Mad(const Storm& storm) : storm_(storm) {
    if (chance(60)) throw std::runtime_error("constructor");
  }
  Task<> init(Context& cx) {
    if (chance(20)) co_await cx.sleep(random_time());
    for (int i = 0; storm_.depth > 0 && i < 3; ++i) {
      if (chance(3)) continue;
      const char* const names[] = {"a", "b", "c"};
      cx.spawn(spec(chance(4) ? "" : names[i], cx));
    }
    if (chance(20)) co_await cx.sleep(random_time());
    if (chance(30)) throw Need::fail(Error("init"));
  }
  Task<> handle(Say, Context& cx) {
    switch (storm_.random->below(16)) {
      case 0: throw std::runtime_error("handler");
      case 1: throw Need::stop();
      case 2: cx.stop(); break;
      case 3: co_await cx.sleep(random_time()); break;
      case 4: co_await cx.sleep(random_time()); throw 1;
      case 5: (void)cx.send_every(random_time(), cx.self(this), Say{"tick"}); break;
      case 6:
        if (storm_.depth > 0) cx.spawn(spec("", cx));
        break;
      case 7:
        for (const char* name : {"a", "b", "c"}) {
          if (auto below = cx.child<Mad>(name); below && chance(2)) cx.stop(below.value());
        }
        break;
      case 8:
        for (const char* name : {"a", "b", "c"}) {
          if (auto beside = cx.sibling<Mad>(name)) (void)co_await beside.value().ask<Lives>().within(random_time());
        }
        break;
      case 9:
        if (storm_.depth > 0) {
          auto started = spec("", cx);
          (void)co_await cx.start(started).within(random_time());
        }
        break;
      case 10: (void)cx.stop_token(); break;
      case 11: cx.stop(); throw std::runtime_error("stop and fail");
      default:
        for (const char* name : {"a", "b", "c"}) {
          if (auto below = cx.child<Mad>(name)) below.value().send(Say{"down"});
        }
    }
  }
  std::uint32_t handle(Lives, Context& cx) {
    if (chance(10)) throw std::runtime_error("asked");
    return cx.incarnation();
  }
  void handle(Eol<Mad>, Context& cx) {
    if (storm_.depth > 0 && chance(3)) cx.spawn(spec("", cx));
  }
  Task<> terminating(Context& cx) {
    if (chance(6)) co_await cx.sleep(random_time());
    if (chance(10)) throw 2;
  }

 private:
  bool chance(std::uint64_t one_in) { return storm_.random->below(one_in) == 0; }
  Duration random_time() { return std::chrono::milliseconds(storm_.random->below(3'000)); }
  Child<Mad> spec(const char* name, Context& cx) {
    const Restart policies[] = {Restart::always, Restart::on_failure, Restart::on_failure, Restart::never};
    auto made = child<Mad>(name, Storm{storm_.random, storm_.depth - 1})
                    .restart(policies[storm_.random->below(4)])
                    .backoff(10ms, 500ms)
                    .at_most(static_cast<std::uint32_t>(storm_.random->below(4)), per(1s))
                    .stop_within(std::chrono::milliseconds(storm_.random->below(2'000)))
                    .on_stop(chance(3) ? drop : drain);
    if (chance(2)) made = std::move(made).on_end(cx.self(this));
    if (chance(3)) made = std::move(made).mailbox(bounded(3).drop_oldest());
    return made;
  }
  Storm storm_;
};

class Storms : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Storms, L4_end_and_leave_nothing_behind) {
  Random random(GetParam());
  sim::TestRuntime world({.seed = GetParam(), .log_level = Level::error});
  const auto blocks = world.runtime().memory().live_blocks;
  std::vector<Ref<Mad>> tops;
  for (int step = 0; step < 400; ++step) {
    if (random.below(10) == 0 || tops.empty()) {
      tops.push_back(world.spawn(child<Mad>(unnamed, Storm{&random, 3}).backoff(10ms, 1s)));
    }
    const Ref<Mad> one = tops[random.below(tops.size())];
    switch (random.below(8)) {
      case 0: world.runtime().stop(one); break;
      case 1: (void)world.runtime().ask<Lives>(one).polled_within(1s); break;
      case 2: world.advance(std::chrono::milliseconds(random.below(1'000))); break;
      case 3: (void)world.runtime().service_tree(); break;
      case 4:
        for (int i = 0; i < 5; ++i) (void)world.step();
        break;
      default: one.send(Say{"go"});
    }
  }
  // Half of the storms end in order, in virtual time; the others by a shutdown in the middle of everything.
  if (GetParam() % 2 == 0) {
    for (const auto& one : tops) world.runtime().stop(one);
    world.advance(2min);
    expect_nothing_left(world, blocks);
    EXPECT_EQ(world.next_timer(), Instant::never());
  }
  // Unclean exactly if somebody was left at the deadline.
  const bool clean = world.runtime().shutdown().has_value();
  EXPECT_EQ(clean, world.runtime().still_alive().root.type.empty());
  expect_nothing_left(world, blocks);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Storms, testing::Range<std::uint64_t>(1, 61));

}  // namespace
