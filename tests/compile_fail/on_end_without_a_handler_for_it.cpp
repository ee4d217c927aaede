// expect: on_end\(self\): the target has no handle\(\) for the end of this child
#include "backstage/actor/actor.hpp"

struct Child {};
struct Parent {
  void init(backstage::Context& cx) { cx.spawn(backstage::child<Child>("child").on_end(cx.self(this))); }
#ifdef RIGHT
  void handle(backstage::Eol<Child>) {}
#endif
};
