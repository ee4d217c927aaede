#include <iostream>

#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

struct Withdraw {
  int cents;
};

struct Account {
  backstage::Result<int> handle(Withdraw w) {
    if (w.cents > cents) return backstage::Error{"insufficient funds"};
    return cents -= w.cents;
  }
  int cents = 100;
};

int main() {
  backstage::Runtime runtime;
  backstage::Ref<Account> account = runtime.spawn<Account>("account");
  std::cout << runtime.ask<Withdraw>(account, 70).within(1s).value() << " cents left\n";
  std::cout << runtime.ask<Withdraw>(account, 70).within(1s).error().describe() << '\n';
}
