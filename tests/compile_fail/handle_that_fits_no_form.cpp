// expect: handle has no accepted signature: write
#include "backstage/actor/actor.hpp"

struct Deposit {};
struct Account {
#ifdef RIGHT
  void handle(Deposit, backstage::Context&) {}
#else
  void handle(Deposit, backstage::Context&, int) {}
#endif
};

void use(backstage::Runtime& runtime) { runtime.spawn<Account>("account"); }
