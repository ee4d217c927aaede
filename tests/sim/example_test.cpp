#include <backstage/actor/actor.hpp>
#include <backstage/sim/explore.hpp>

namespace {

using namespace std::chrono_literals;

struct Deposit {
  int amount;
};
struct Balance {
  using reply = int;
};

struct Account {
  int balance = 0;
  void handle(Deposit d, backstage::Context& cx) {
    if (cx.environment().maybe_fault("account.deposit")) throw std::runtime_error("struck");
    balance += d.amount;
    cx.environment().always(balance >= 0, "no account is overdrawn");
    cx.environment().sometimes(balance > 100, "somebody gets rich");
  }
  int handle(Balance) const { return balance; }
};

TEST(W3, the_example_of_the_page_on_simulation_holds) {
  backstage::sim::explore(backstage::sim::seeds(200), [](backstage::sim::World& world) {
    const auto account = world.spawn(backstage::child<Account>("account").at_most(backstage::unlimited));
    auto faults = backstage::sim::Faults::all();
    faults.kill_every = faults.stop_every = 0;  // who is stopped stays so
    world.inject(faults);
    for (int i = 0; i < 50; ++i) {
      account.send(Deposit{10});
      world.run_for(100ms);
    }
    world.heal();  // first safety under faults, then liveness after them
    world.run_for(1min);
    EXPECT_TRUE(world.ask<Balance>(account).has_value());
  });
}

}  // namespace
