// expect: (deleted|co_await)
// An ask always has a deadline.
#include "backstage/actor/actor.hpp"

struct Balance {};
struct Account {
  long handle(Balance) { return 0; }
};

backstage::Task<long> use(backstage::Ref<Account> account) {
#ifdef RIGHT
  auto balance = co_await account.ask<Balance>().within(std::chrono::seconds(1));
#else
  auto balance = co_await account.ask<Balance>();
#endif
  co_return balance.value();
}
