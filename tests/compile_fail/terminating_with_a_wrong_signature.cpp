// expect: terminating has no accepted signature: write  R terminating\(Context&, const Result<>& why\)
#include "backstage/actor/actor.hpp"

struct Store {
#ifdef RIGHT
  void terminating(backstage::Context&, const backstage::Result<>&) {}
#else
  void terminating(const backstage::Result<>&) {}
#endif
};

void use(backstage::Runtime& runtime) { runtime.spawn<Store>("store"); }
