// expect: this actor has no handle\(\) for exactly that message type
#include "backstage/actor/actor.hpp"

struct Tick {};
struct Flush {};
struct Loop {
  backstage::Task<backstage::Result<>> event_loop(backstage::Context&, backstage::Inbox<Tick>&) { co_return {}; }
};

void use(backstage::Ref<Loop> loop) {
#ifdef RIGHT
  loop.send(Tick{});
#else
  loop.send(Flush{});
#endif
}
