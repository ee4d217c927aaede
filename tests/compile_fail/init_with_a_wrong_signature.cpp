// expect: init has no accepted signature: write  R init\(Context&\)  or  R init\(\)
// A misspelt hook would silently never run.
#include "backstage/actor/actor.hpp"

struct Store {
#ifdef RIGHT
  void init(backstage::Context&) {}
#else
  void init(int) {}
#endif
};

void use(backstage::Runtime& runtime) { runtime.spawn<Store>("store"); }
