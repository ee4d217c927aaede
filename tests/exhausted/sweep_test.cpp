// C6: the Nth allocation fails, for N = 1, 2, 3 ... until none fails, in each operation of the public API that allocates.
// The operation throws std::bad_alloc where it was called, or the actor in whose turn it was fails; whatever happens, the
// runtime goes on, each message is accounted for, and all memory comes back.
//
// The runtime's own pool is off (a Scarcity stands behind its door), so that each block is asked of operator new.
#include <array>
#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "backstage/actor/actor.hpp"
#include "backstage/actor/resource.hpp"
#include "backstage/actor/route.hpp"
#include "backstage/actor/shared.hpp"
#include "backstage/exec/when.hpp"
#include "backstage/sim/test_runtime.hpp"
#include "memory.hpp"

namespace backstage {
namespace {

using namespace std::chrono_literals;

/// Refuses nothing itself: operator new does.
struct NoPool final : Scarcity {
  bool refuses() noexcept override { return false; }
};

struct Poke {};
struct Big {
  std::array<char, 8'000> bytes{};
};
struct Echo {
  int value;
};
struct Pass {
  using reply = int;
  int value;
};
struct Lives {};

/// The other one.
struct Wall {
  void init(Context& cx);
  void handle(Poke) {}
  void handle(const Big&) {}
  int handle(Echo echo) { return echo.value; }
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }
};
/// Whose mailbox is full for a while. It has awaited before: the cold part of a cell, made for its first coroutine, is not
/// among what may fail yet (docs/status.md).
struct Narrow {
  Task<> init(Context& cx) { co_await cx.yield(); }
  Task<> handle(Poke, Context& cx) { co_await cx.sleep(1ms); }
};
struct Forwarder {
  explicit Forwarder(Ref<Wall> t) : to(t) {}
  void handle(Pass pass, Reply<int> reply) { to.forward(Echo{pass.value}, std::move(reply)); }
  Ref<Wall> to;
};

/// Published, by the wall to begin with.
struct Figure {
  int value;
};
struct Others {
  Ref<Wall> wall;
  Ref<Narrow> narrow;
  Ref<Forwarder> forwarder;
};
struct Run {};

void Wall::init(Context& cx) { cx.publish(Figure{1}); }

/// Runs an operation in its own turn, with the failure armed for as long as it lasts.
class Doer {
 public:
  using Inside = Task<> (*)(Context&, Doer*);
  Doer(Inside inside, const Others& others, std::uint64_t at) : others_(others), inside_(inside), at_(at) {}
  Task<> handle(Run, Context& cx) { co_await inside_(cx, this); }
  void handle(Poke) {}
  void handle(Down) {}
  void handle(StatusChanged) {}
  void handle(int) {}
  void handle(const Published<Figure>&) {}
  void handle(Dropped<Figure>) {}
  void handle(const LinkBroken<Figure>&) {}
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }

  [[nodiscard]] const Others& others() const { return others_; }
  void arm() const { exhausted::refuse_at(at_); }

 private:
  Others others_;
  Inside inside_;
  std::uint64_t at_;
};

/// One operation: from a thread outside, or in an actor's turn.
struct Operation {
  const char* name;
  void (*outside)(Runtime&, const Others&) = nullptr;
  Doer::Inside inside = nullptr;
};

// Each begins with arm(): what its frame needs is there by then.
const Operation operations[] = {
    {"spawn", [](Runtime& r, const Others&) { (void)r.spawn<Wall>("new"); }},
    {"spawn_spec",
     [](Runtime& r, const Others&) {
       (void)r.spawn(child<Wall>("a_name_that_is_too_long_for_the_string_object")
                         .backoff(1ms, 1s)
                         .mailbox(bounded(4).drop_oldest()));
     }},
    {"send", [](Runtime&, const Others& o) { o.wall.send(Poke{}); }},
    {"send_big", [](Runtime&, const Others& o) { o.wall.send(Big{}); }},
    {"try_send", [](Runtime&, const Others& o) { (void)o.wall.try_send(Poke{}); }},
    {"ask", [](Runtime& r, const Others& o) { (void)r.ask<Echo>(o.wall, 1).within(1s); }},
    {"ask_polled", [](Runtime& r, const Others& o) { (void)r.ask<Echo>(o.wall, 1).polled_within(1s); }},
    {"monitor", [](Runtime& r, const Others& o) { (void)r.monitor(o.wall); }},
    {"fail", [](Runtime& r, const Others& o) { r.fail(o.wall, Error("made to fail")); }},
    {"inspect", [](Runtime& r, const Others& o) { (void)r.inspect(o.wall).within(1s); }},
    {"service_tree", [](Runtime& r, const Others&) { (void)r.service_tree(1s); }},
    {"subscribe", [](Runtime& r, const Others&) { (void)r.events().subscribe([](const Event&) {}); }},
    {"cx_spawn", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       (void)cx.spawn<Wall>("new");
       co_return;
     }},
    {"cx_spawn_spec", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       (void)cx.spawn(child<Wall>("new").backoff(1ms, 1s).mailbox(bounded(4).bytes(100)));
       co_return;
     }},
    {"cx_start", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       (void)co_await cx.start(child<Wall>("new")).within(1s);
     }},
    {"cx_send", nullptr,
     [](Context&, Doer* me) -> Task<> {
       me->arm();
       me->others().wall.send(Poke{});
       co_return;
     }},
    {"cx_ask", nullptr,
     [](Context&, Doer* me) -> Task<> {
       me->arm();
       (void)co_await me->others().wall.ask<Echo>(1).within(1s);
     }},
    {"cx_ask_forwarded", nullptr,
     [](Context&, Doer* me) -> Task<> {
       me->arm();
       (void)co_await me->others().forwarder.ask<Pass>(1).within(1s);
     }},
    {"cx_send_wait", nullptr,
     [](Context&, Doer* me) -> Task<> {
       for (int i = 0; i < 3; ++i) me->others().narrow.send(Poke{});
       me->arm();
       (void)co_await me->others().narrow.send_wait(Poke{}).within(1s);
     }},
    {"cx_send_after", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       (void)cx.send_after(1ms, cx.self(me), Poke{});
       co_return;
     }},
    {"cx_send_every", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       Timer timer = cx.send_every(1ms, me->others().wall, Poke{});
       co_await cx.sleep(3ms);
       (void)timer.cancel();
     }},
    {"cx_monitor", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       (void)cx.monitor(me->others().wall, cx.self(me));
       co_return;
     }},
    {"cx_link", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       cx.link(me->others().wall);
       cx.unlink(me->others().wall);
       co_return;
     }},
    {"cx_watch_status", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       (void)cx.watch_status(me->others().wall, cx.self(me));
       co_return;
     }},
    {"cx_supervise", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       cx.strategy(Strategy::one_for_all);
       cx.at_most(3, per(1min));
       co_return;
     }},
    {"cx_status", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       cx.status(Status::degraded, "a word that is too long to be kept in the string object");
       co_return;
     }},
    {"cx_sleep", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       co_await cx.sleep(1ms);
     }},
    {"cx_yield", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       co_await cx.yield();
     }},
    {"cx_blocking", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       auto work = [] { return 1; };
       me->arm();
       (void)co_await cx.blocking(moved(work)).within(1s);
     }},
    {"cx_pipe", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       const auto nap = [](Context& context) -> Task<int> {
         co_await context.sleep(1ms);
         co_return 1;
       };
       me->arm();
       cx.pipe(nap(cx), cx.self(me));
       co_return;
     }},
    {"cx_when_all", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       const auto nap = [](Context& context) -> Task<int> {
         co_await context.sleep(1ms);
         co_return 1;
       };
       me->arm();
       (void)co_await when_all(nap(cx), nap(cx));
     }},
    {"cx_when_all_asks", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       const Ref<Wall> wall = me->others().wall;
       bool failed = false;
       me->arm();
       try {
         (void)co_await when_all(wall.ask<Echo>(1).within(1s), wall.ask<Echo>(2).within(1s));
       } catch (const std::bad_alloc&) {
         failed = true;
       }
       // Whatever was begun is over: nothing resumes it while this waits.
       if (failed) co_await cx.sleep(2s);
     }},
    {"cx_inspect", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       (void)co_await cx.inspect(me->others().wall).within(1s);
     }},
    {"cx_child", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       (void)cx.child<Wall>("nobody");
       co_return;
     }},
    {"scope", [](Runtime& r, const Others&) { (void)r.scope("/wall")->lookup<Figure>(); }},
    {"publish_at_root", [](Runtime& r, const Others&) { r.publish(Figure{2}); }},
    {"cx_find", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       (void)cx.find<Wall>("/wall/and/nobody");
       co_return;
     }},
    {"cx_publish", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       cx.publish(Figure{2});
       cx.publish(Figure{3});
       (void)cx.withdraw<Figure>();
       co_return;
     }},
    {"cx_expose", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       cx.expose(Figure{2});
       (void)cx.highest<Figure>();
       co_return;
     }},
    {"cx_lookup", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       (void)cx.lookup<Figure>("/wall");
       (void)cx.lookup<Service>("/wall");
       co_return;
     }},
    {"cx_subscribe", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       Subscription news = cx.subscribe<Figure>("/wall", cx.self(me), every_value(4));
       co_await cx.yield();
       (void)news.cancel();
     }},
    {"cx_subscribe_to_oneself", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       (void)cx.subscribe<Figure>("/doer", cx.self(me));
       cx.publish(Figure{2});
       co_await cx.yield();
       cx.publish(Figure{3});
       (void)cx.withdraw<Figure>();
     }},
    {"cx_depends_on", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       (void)co_await cx.depends_on<Figure, Ref<Wall>, std::optional<Figure>>("/wall", "/wall", "/narrow").within(1s);
     }},
    {"cx_depends_on_in_vain", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       (void)co_await cx.depends_on<Figure>("/nobody").within(1ms);
     }},
    {"cx_link_to_a_value", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       cx.publish(Figure{2});
       me->arm();
       (void)co_await cx.link<Figure>("/doer").hard().tell(cx.self(me)).within(1s);
       cx.publish(Figure{3});
       co_await cx.yield();
     }},
    {"cx_share", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       Shared<int> shared = cx.share(1);
       shared.set(2);
       co_return;
     }},
    {"cx_add_route", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       cx.add_route<Poke>(me->others().wall);
       (void)cx.send("/doer", Poke{});
       (void)cx.remove_route<Poke>();
       co_return;
     }},
    {"cx_counter", nullptr,
     [](Context& cx, Doer* me) -> Task<> {
       me->arm();
       cx.counter("of_what_happened").add();
       cx.histogram("of_how_long_it_took").observe(1);
       co_return;
     }},
};

/// Runs it once, with the n-th allocation failing. False: it needed fewer.
bool run_once(const Operation& operation, std::uint64_t n) {
  bool refused = false;
  {
    sim::TestOptions options;
    options.open_doors = [](Environment& environment) { environment.open<Scarcity>(std::make_shared<NoPool>()); };
    sim::TestRuntime world(options);
    Runtime& runtime = world.runtime();
    Others others;
    others.wall = world.spawn<Wall>("wall");
    others.narrow = world.spawn(child<Narrow>("narrow").mailbox(bounded(1)));
    others.forwarder = world.spawn<Forwarder>("forwarder", others.wall);
    Ref<Doer> doer;
    if (operation.inside != nullptr) {
      doer = world.spawn(child<Doer>("doer", operation.inside, others, n).backoff(1ms, 1ms));
    }
    world.run();
    if (operation.outside != nullptr) {
      try {
        exhausted::refuse_at(n);
        operation.outside(runtime, others);
      } catch (const std::bad_alloc&) {
        // As it should be.
      }
    } else {
      doer.send(Run{});
    }
    world.run();
    world.advance(10ms);
    refused = exhausted::has_refused();
    exhausted::refuse_at(0);
    world.advance(1min);
    // It goes on, and nobody but who was at it has noticed.
    EXPECT_TRUE(world.ask<Lives>(others.wall).has_value()) << operation.name << ", " << n;
    if (doer) {
      EXPECT_LE(world.ask<Lives>(doer).value(), 2U) << operation.name << ", " << n;
    }
    EXPECT_TRUE(runtime.shutdown().has_value()) << operation.name << ", " << n;
    EXPECT_EQ(runtime.counts().in_flight(), 0U) << operation.name << ", " << n;
    EXPECT_EQ(runtime.actors(), 1U) << operation.name << ", " << n;
  }
  return refused;
}

class Sweep : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Sweep, C6_whichever_allocation_of_an_operation_fails_all_goes_on_and_all_memory_comes_back) {
  // A sanitizer's operator new refuses nothing: there the operations run, and none of them leaks.
  const Operation& operation = operations[GetParam()];
  // What is made once in a process is made now.
  (void)run_once(operation, 0);
  (void)run_once(operation, 0);
  const std::int64_t before = exhausted::blocks_held();
  (void)run_once(operation, 0);
  ASSERT_EQ(exhausted::blocks_held(), before);
  std::uint64_t failures = 0;
  for (std::uint64_t n = 1; run_once(operation, n); ++n, ++failures) {
    ASSERT_EQ(exhausted::blocks_held(), before) << operation.name << ", allocation " << n;
    ASSERT_LT(n, 2'000U);
  }
  RecordProperty("allocations", static_cast<int>(failures));
}
INSTANTIATE_TEST_SUITE_P(Operations, Sweep, ::testing::Range<std::size_t>(0, std::size(operations)),
                         [](const auto& one) { return std::string(operations[one.param].name); });

}  // namespace
}  // namespace backstage
