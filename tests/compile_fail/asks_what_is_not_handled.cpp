// expect: this actor has no handle\(\) for exactly that message type
#include "backstage/actor/actor.hpp"

struct Balance {};
struct Apple {};
struct Account {
  long handle(Balance) { return 0; }
};

backstage::Task<> use(backstage::Ref<Account> account) {
#ifdef RIGHT
  (void)co_await account.ask<Balance>().within(std::chrono::seconds(1));
#else
  (void)co_await account.ask<Apple>().within(std::chrono::seconds(1));
#endif
}
