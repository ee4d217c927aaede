// Boards of many: two runtimes apart, two million operations with nothing left at the end.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <vector>

#include "backstage/actor/resource.hpp"
#include "backstage/base/random.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

std::atomic<std::int64_t> alive{0};

/// Counts itself.
struct Counted {
  explicit Counted(std::uint64_t n) : number(n) { alive.fetch_add(1); }
  Counted(const Counted& other) noexcept : number(other.number) { alive.fetch_add(1); }
  Counted(Counted&& other) noexcept : number(other.number) { alive.fetch_add(1); }
  Counted& operator=(const Counted&) = default;
  ~Counted() { alive.fetch_sub(1); }
  std::uint64_t number;
};

struct Work {
  int left;
};
struct Rest {};

std::atomic<std::uint64_t> operations{0};
std::atomic<std::uint64_t> heard{0};

/// Publishes, withdraws, looks, subscribes and cancels among its siblings, as chance has it.
class Worker {
 public:
  Worker(int number, int of) : random_(static_cast<std::uint64_t>(number) + 1), of_(of) {}
  void handle(Work work, Context& cx) {
    std::uint64_t done = 0;
    for (int i = 0; i < 100; ++i) {
      const Path where("/w" + std::to_string(random_.below(static_cast<std::uint64_t>(of_))));
      switch (random_.below(8)) {
        case 0:
        case 1: cx.publish(Counted(++last_)); break;
        case 2: (void)cx.withdraw<Counted>(); break;
        case 3: (void)cx.lookup<Counted>(where); break;
        case 4: held_ = cx.borrow<Counted>(where).value_or(nullptr); break;
        case 5:
          if (subscriptions_.size() < 16) {
            try {
              subscriptions_.push_back(cx.subscribe<Counted>(where, cx.self(this)));
            } catch (const Need&) {
              // It has just ended.
            }
          }
          break;
        case 6:
          if (!subscriptions_.empty()) {
            (void)subscriptions_.back().cancel();
            subscriptions_.pop_back();
          }
          break;
        default: (void)cx.find<Worker>(where); break;
      }
      ++done;
    }
    operations.fetch_add(done);
    if (random_.below(200) == 0) throw std::runtime_error("struck");
    if (work.left > 1) cx.self(this).send(Work{work.left - 1});
  }
  void handle(const Published<Counted>&) { heard.fetch_add(1, std::memory_order_relaxed); }
  void handle(const Dropped<Counted>&) {}
  bool handle(Rest) const { return true; }

 private:
  Random random_;
  int of_;
  std::uint64_t last_ = 0;
  std::shared_ptr<const Counted> held_;
  std::vector<Subscription> subscriptions_;
};

TEST(Scopes, M6_two_million_operations_and_the_census_is_exact) {
#if defined(BACKSTAGE_SANITIZED)
  constexpr std::uint64_t wanted = 200'000;  // a sanitizer makes each of them ten times as long
#else
  constexpr std::uint64_t wanted = 2'000'000;
#endif
  constexpr int workers = 32;
  operations = 0;
  {
    Runtime runtime({.workers = 4, .log_level = Level::off});
    const auto blocks = runtime.memory().live_blocks;
    std::vector<Ref<Worker>> all;
    for (int i = 0; i < workers; ++i) {
      all.push_back(runtime.spawn(
          child<Worker>("w" + std::to_string(i), i, workers).backoff(Duration(0), 1ms).at_most(unlimited)));
    }
    while (operations.load() < wanted) {
      for (const auto& worker : all) worker.send(Work{20});
      for (const auto& worker : all) (void)runtime.ask<Rest>(worker).within(60s);
    }
    EXPECT_GT(heard.load(), 0U);
    EXPECT_TRUE(runtime.shutdown(60s));
    const MessageCounts counts = runtime.counts();
    EXPECT_EQ(counts.in_flight(), 0U);
    EXPECT_EQ(runtime.memory().live_blocks, blocks);
  }
  EXPECT_EQ(alive.load(), 0);
}

struct Name {
  int number;
};
struct Node {
  explicit Node(int n) : number(n) {}
  void init(Context& cx) { cx.publish(Name{number}); }
  int handle(Rest, Context& cx) { return cx.lookup<Name>("/node").value().number; }
  int number;
};

TEST(Scopes, W2_two_runtimes_in_one_process_see_nothing_of_each_other) {
  Runtime one({.workers = 1});
  Runtime other({.workers = 1});
  const auto a = one.spawn<Node>("node", 1);
  const auto b = other.spawn<Node>("node", 2);
  (void)other.spawn<Node>("alone", 3);
  EXPECT_EQ(one.ask<Rest>(a).within(5s).value(), 1);
  EXPECT_EQ(other.ask<Rest>(b).within(5s).value(), 2);
  EXPECT_FALSE(one.find<Node>("/alone"));
  EXPECT_TRUE(one.find<Node>(Path(b) / "x").error().is(Errc::invalid));
}

}  // namespace
