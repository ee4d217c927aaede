// Scopes on real threads: places that come and go while others look for them, wait for them, and read what they publish.
#include <array>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "backstage/actor/resource.hpp"
#include "backstage/scope/detail/snapshot_box.hpp"
#include "threads/support.hpp"

namespace backstage::threads_test {
namespace {

using namespace std::chrono_literals;

class ScopesOnThreads : public WithWorkers {};
INSTANTIATE_TEST_SUITE_P(Workers, ScopesOnThreads, worker_counts(), named);

struct Get {};
struct Make {
  int number;
};
struct Value {
  int number;
};
[[nodiscard]] std::string store_name(int number) { return "store-" + std::to_string(number); }

struct Store {
  explicit Store(int n) : number(n) {}
  void init(Context& cx) { cx.publish(Value{number}); }
  int handle(Get) const { return number; }
  int number;
};
struct Top {
  bool handle(Make make, Context& cx) {
    (void)cx.spawn(child<Store>(store_name(make.number), make.number));
    return true;
  }
};
struct AskWhenThere {
  int number;
};
struct Reader {
  Task<int> handle(AskWhenThere what, Context& cx) {
    const auto store = co_await cx.depends_on<Ref<Store>>("/top/" + store_name(what.number)).within(long_enough);
    if (!store) co_return -1;
    const auto answer = co_await store->ask<Get>().within(long_enough);
    co_return answer ? *answer : -2;
  }
};

// Who waits for a place is told when messages to it are no dead letters any more. Many wait, so that the first may run while
// the others are being told.
TEST_P(ScopesOnThreads, R3_a_place_that_appears_takes_messages_at_once) {
  constexpr int rounds = 100;
  constexpr int waiting = 200;
  Runtime runtime(quiet(GetParam()));
  const auto top = runtime.spawn<Top>("top");
  std::vector<Ref<Reader>> readers;
  for (int i = 0; i < waiting; ++i) readers.push_back(runtime.spawn<Reader>(unnamed));
  for (int i = 0; i < rounds; ++i) {
    std::vector<PendingAnswer<int>> answers;
    for (const auto& reader : readers) {
      answers.push_back(runtime.ask<AskWhenThere>(reader, i).polled_within(long_enough));
    }
    // All wait by now, or nearly so.
    while (runtime.inspect(readers.back()).within(long_enough).value().waits.empty()) {
    }
    ASSERT_TRUE(runtime.ask<Make>(top, i).within(long_enough).value());
    std::atomic<int> there{0};
    for (auto& answer : answers) {
      answer.on_ready([&there] {
        there.fetch_add(1);
        there.notify_all();
      });
    }
    for (int seen = 0; (seen = there.load()) < waiting;) there.wait(seen);
    for (auto& answer : answers) ASSERT_EQ(answer.poll()->value(), i);
  }
  EXPECT_EQ(runtime.counts().count(Undelivered::gone), 0U);
  expect_rest(runtime);
}

// ---- unnamed actors that are passed through come and go, on several workers at once

struct Grow {
  int children;
};
struct Middle {
  bool handle(Grow grow, Context& cx) {
    for (int i = 0; i < grow.children; ++i) (void)cx.spawn(child<Store>(store_name(i), i));
    return true;
  }
};
struct Round {};
struct Grandparent {
  Task<bool> handle(Round, Context& cx) {
    for (int i = 0; i < 6; ++i) {
      const auto middle = cx.spawn(child<Middle>(unnamed));
      middle.send(Grow{3});
      if (i % 2 == 0) cx.stop(middle);
    }
    co_await cx.yield();
    co_return true;
  }
};

TEST_P(ScopesOnThreads, R5_unnamed_actors_come_and_go_while_paths_lead_through_them) {
  Runtime runtime(quiet(GetParam()));
  const auto top = runtime.spawn<Grandparent>("top");
  std::atomic<bool> over{false};
  std::atomic<int> found{0};
  std::thread looks([&] {
    while (!over.load()) {
      if (runtime.find<Store>("/top/store-1")) found.fetch_add(1);
      EXPECT_TRUE(runtime.find<Store>("/top/nobody").error().is(Errc::not_found));
      if (const auto scope = runtime.scope("/top/store-2")) (void)scope->lookup<Value>();
    }
  });
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(runtime.ask<Round>(top).within(long_enough).value());
  while (found.load() == 0) ASSERT_TRUE(runtime.ask<Round>(top).within(long_enough).value());
  over.store(true);
  looks.join();
  expect_rest(runtime);
}

// ---- publishers end and begin while others listen, wait, link and look

constexpr int lives = 300;
[[nodiscard]] bool is_whole(int number) { return number >= 0 && number <= lives; }
struct Watch {};
struct Count {};
struct Listener {
  bool handle(Watch, Context& cx) {
    if (!cx.find<Store>("/store-0")) return false;
    try {
      (void)cx.subscribe<Value>("/store-0", cx.self(this));
    } catch (const Need&) {
      return false;  // it has ended just now
    }
    return true;
  }
  Interleaved<> handle(AskWhenThere, Context& cx) {
    const auto held = co_await cx.link<Value>("/store-0").soft().tell(cx.self(this)).within(long_enough);
    if (!held) co_return;
    ++links;
    // Two that waited for the same store: the second link takes the place of the first, and breaks once.
    if (!linked.insert(held->number).second) ++again;
  }
  void handle(const Published<Value>& news) { values += is_whole(news->number) ? 1 : 1'000'000; }
  void handle(Dropped<Value> news) { ends += news.over ? 1 : 0; }
  void handle(const LinkBroken<Value>&) { ++broken; }
  std::array<int, 4> handle(Count) const { return {values, ends, links, broken + again}; }
  int values = 0;
  int ends = 0;
  int links = 0;
  int broken = 0;
  std::set<int> linked;
  int again = 0;
};

TEST_P(ScopesOnThreads, R2_who_listens_to_a_place_that_ends_hears_its_end_once) {
  Runtime runtime(quiet(GetParam()));
  const auto listener = runtime.spawn<Listener>("listener");
  std::atomic<bool> over{false};
  std::thread looks([&] {
    while (!over.load()) {
      const auto scope = runtime.scope("/store-0");
      if (!scope) continue;
      const auto value = scope->lookup<Value>();
      if (value) {
        EXPECT_TRUE(is_whole(value->number)) << value->number;
      }
      (void)scope->resources();
    }
  });
  int watched = 0;
  for (int i = 0; i < lives; ++i) {
    const auto store = runtime.spawn(child<Store>(store_name(0), i));
    listener.send(AskWhenThere{0});
    if (runtime.ask<Watch>(listener).within(long_enough).value()) ++watched;
    // Ended while the link is being made, or a little later.
    const auto down = runtime.monitor(store);
    runtime.stop(store);
    (void)down.within(long_enough);
  }
  // The last link may wait for a store that does not come: one more, and then each link is made.
  const auto last = runtime.spawn(child<Store>(store_name(0), lives));
  std::array<int, 4> seen{};
  while (seen[1] < watched || seen[2] < lives) seen = runtime.ask<Count>(listener).within(long_enough).value();
  EXPECT_EQ(seen[1], watched) << "each end once";
  EXPECT_EQ(seen[2], lives);
  EXPECT_LT(seen[0], 1'000'000);
  const auto down = runtime.monitor(last);
  runtime.stop(last);
  (void)down.within(long_enough);
  // Each link has broken, or another took its place.
  while (seen[3] < seen[2]) seen = runtime.ask<Count>(listener).within(long_enough).value();
  over.store(true);
  looks.join();
  expect_rest(runtime);
}

// ---- the box itself: many read without pause, and the count above the address must not run over

std::atomic<int> counted{0};
struct Counted {
  explicit Counted(int n) : number(n) { counted.fetch_add(1); }
  ~Counted() { counted.fetch_sub(1); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  int number;
};

TEST(SnapshotBoxOnThreads, R1_however_many_read_without_pause_each_value_is_freed_once) {
  // Settled at 8 claims: what takes 32,768 reads else happens all the time.
  using Box = detail::SnapshotBox<Counted, detail::StdAtomics, detail::DeleteNode, 8>;
  {
    Box box;
    box.put(new Box::Node(0));
    std::atomic<bool> over{false};
    on_threads(5, [&](unsigned index) {
      if (index == 0) {
        for (int i = 1; i <= 2'000; ++i) {
          box.put(new Box::Node(i));
          for (int read = 0; read < 50; ++read) EXPECT_EQ(box.read()->number, i);
        }
        over.store(true);
        return;
      }
      int last = 0;
      while (!over.load()) {
        const auto now = box.read();
        EXPECT_GE(now->number, last);
        last = now->number;
      }
    });
    EXPECT_EQ(counted.load(), 1);
  }
  EXPECT_EQ(counted.load(), 0);
}

}  // namespace
}  // namespace backstage::threads_test
