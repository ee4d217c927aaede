#include <gtest/gtest.h>
#include <iostream>
#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"
using namespace backstage;
using namespace std::chrono_literals;
struct Deposit {
  std::int64_t cents;
};
struct Withdraw {
  std::int64_t cents;
};
struct Balance {};
class Account {
 public:
  explicit Account(std::int64_t o) : cents_(o) {}
  void handle(Deposit d) { cents_ += d.cents; }
  Result<> handle(Withdraw w) {
    if (w.cents > cents_) return Error{"insufficient funds"};
    cents_ -= w.cents;
    return {};
  }
  std::int64_t handle(Balance) const { return cents_; }

 private:
  std::int64_t cents_;
};
TEST(Hello, works) {
  sim::TestRuntime w;
  auto a = w.spawn<Account>("account", 100);
  a.send(Deposit{50});
  w.run();
  EXPECT_EQ(w.ask<Balance>(a).value(), 150);
  auto r = w.ask<Withdraw>(a, 1000);
  ASSERT_FALSE(r.has_value());
  EXPECT_EQ(r.error().text(), "insufficient funds");
  EXPECT_EQ(w.runtime().counts().in_flight(), 0u);
}
struct Go {};
struct Asker {
  Ref<Account> acc;
  std::int64_t got = -1;
  Task<std::int64_t> handle(Go, Context& cx) {
    auto b = co_await acc.ask<Balance>().within(1s);
    co_await cx.sleep(100ms);
    co_return b.value();
  }
};
TEST(Hello, asks) {
  sim::TestRuntime w;
  auto a = w.spawn<Account>("account", 100);
  auto k = w.spawn<Asker>("asker", a);
  EXPECT_EQ(w.ask<Go>(k).value(), 100);
}
struct Boom {};
struct Count {};
struct Bomb {
  int n = 0;
  void handle(Boom) { throw std::runtime_error("boom"); }
  int handle(Count) { return ++n; }
};
TEST(Hello, restarts) {
  sim::TestRuntime w;
  auto b = w.spawn<Bomb>("bomb");
  EXPECT_EQ(w.ask<Count>(b).value(), 1);
  EXPECT_EQ(w.ask<Count>(b).value(), 2);
  b.send(Boom{});
  w.run();
  EXPECT_EQ(w.ask<Count>(b).value(), 1);
  std::cout << w.runtime().service_tree().text();
  auto r = w.runtime().shutdown();
  EXPECT_TRUE(r.has_value()) << r.error().describe();
}
TEST(Real, hello) {
  Runtime rt;
  auto a = rt.spawn<Account>("account", 100);
  a.send(Deposit{50});
  EXPECT_EQ(rt.ask<Balance>(a).within(1s).value(), 150);
  std::cout << rt.service_tree().text();
}
