// expect: describe has no accepted signature: write  std::string describe\(\) const
#include "backstage/actor/actor.hpp"

struct Store {
#ifdef RIGHT
  std::string describe() const { return "open"; }
#else
  std::string describe() { return "open"; }
#endif
};

void use(backstage::Runtime& runtime) { runtime.spawn<Store>("store"); }
