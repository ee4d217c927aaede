// expect: this actor has no handle\(\) for exactly that message type
#include "backstage/actor/actor.hpp"

struct Deposit {
  long cents;
};
struct Apple {};
struct Account {
  void handle(Deposit) {}
};

void use(backstage::Ref<Account> account) {
#ifdef RIGHT
  account.send(Deposit{1});
#else
  account.send(Apple{});
#endif
}
