// expect: an actor has either handle\(\) members or an event_loop\(\), not both
#include "backstage/actor/actor.hpp"

struct Tick {};
struct Flush {};
struct Both {
  backstage::Task<backstage::Result<>> event_loop(backstage::Context&, backstage::Inbox<Tick>&) { co_return {}; }
#ifndef RIGHT
  void handle(Flush) {}
#endif
};

void use(backstage::Runtime& runtime) { runtime.spawn<Both>("both"); }
