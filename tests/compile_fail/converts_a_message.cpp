// expect: this actor has no handle\(\) for exactly that message type
// An int would convert to the long that is handled: messages are matched exactly.
#include "backstage/actor/actor.hpp"

struct Account {
  void handle(long) {}
};

void use(backstage::Ref<Account> account) {
#ifdef RIGHT
  account.send(1L);
#else
  account.send(1);
#endif
}
