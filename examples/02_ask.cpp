// Asking: a question has a deadline, and its answer is a value, or an Error that says why there is none.
#include <iostream>
#include <string>
#include <utility>

#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

struct Price {
  std::string item;
};
struct Discount {};

/// What handle() returns is the answer; an Error is one, too. With a Reply it may be given later, from anywhere.
struct Shelf {
  backstage::Result<int> handle(const Price& price) const {
    if (price.item == "apple") return 30;
    return backstage::Error{"no " + price.item + " here"};
  }
  void handle(Discount, backstage::Reply<int> reply) { thinking_it_over = std::move(reply); }

  backstage::Reply<int> thinking_it_over;
};

struct Sum {
  std::string first, second;
};

/// A handler that waits is a coroutine. It keeps its actor's turn; no thread waits with it.
struct Till {
  explicit Till(backstage::Ref<Shelf> its_shelf) : shelf(its_shelf) {}

  backstage::Task<backstage::Result<int>> handle(Sum sum) {
    auto first = co_await shelf.ask<Price>(sum.first).within(500ms);
    if (!first) co_return first.error();
    auto second = co_await shelf.ask<Price>(sum.second).within(500ms);
    if (!second) co_return second.error();
    co_return first.value() + second.value();
  }

  backstage::Ref<Shelf> shelf;
};

int main() {
  backstage::Runtime runtime;
  auto shelf = runtime.spawn<Shelf>("shelf");
  auto till = runtime.spawn<Till>("till", shelf);

  // From a thread of your own an ask blocks that thread, and no other.
  std::cout << "two apples: " << runtime.ask<Sum>(till, "apple", "apple").within(5s).value() << '\n';

  auto refused = runtime.ask<Sum>(till, "apple", "pear").within(5s);
  std::cout << "with a pear: " << refused.error().text() << '\n';

  auto late = runtime.ask<Discount>(shelf).within(10ms);
  std::cout << "a discount: " << to_string(late.error().code()) << '\n';
}
