// expect: init has no accepted signature: write  R init\(Context&\)  or  R init\(\)  with R one of void
#include "backstage/actor/actor.hpp"

struct Store {
#ifdef RIGHT
  backstage::Result<> init(backstage::Context&) { return {}; }
#else
  bool init(backstage::Context&) { return true; }
#endif
};

void use(backstage::Runtime& runtime) { runtime.spawn<Store>("store"); }
