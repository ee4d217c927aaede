// L10: timers on real threads, where the worker that waits for them sleeps.
#include "support.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

struct Set {
  int timers;
  Duration apart;
};
struct Due {
  Instant at;
};
struct Fired {
  int early = 0;
  Duration took{};
};

class Waiter {
 public:
  void handle(Set set, Reply<Fired> done, Context& cx) {
    done_ = std::move(done);
    left_ = set.timers;
    began_ = cx.now();
    for (int i = 1; i <= set.timers; ++i) cx.send_after(i * set.apart, cx.self(this), Due{began_ + i * set.apart});
  }
  void handle(Due due, Context& cx) {
    if (cx.now() < due.at) ++fired_.early;
    if (--left_ != 0) return;
    fired_.took = cx.now() - began_;
    std::move(done_)(fired_);
  }

 private:
  Reply<Fired> done_;
  int left_ = 0;
  Instant began_{};
  Fired fired_;
};

// The next of them wait for each other while the worker sleeps: none is forgotten, and none comes early.
TEST(TimersOnThreads, L10_timers_that_come_thick_and_fast_all_come_and_none_is_early) {
  Runtime runtime(threads_test::quiet(2));
  const auto waiter = runtime.spawn<Waiter>("waiter");
  const auto fired = runtime.ask<Set>(waiter, 20'000, 5us).within(threads_test::long_enough);
  ASSERT_TRUE(fired.has_value());
  EXPECT_EQ(fired->early, 0);
  EXPECT_GE(fired->took, 20'000 * Duration(5us));
  threads_test::expect_rest(runtime);
}

}  // namespace
