// expect: the subscriber needs  void handle\(backstage::Event\)
#include "backstage/actor/actor.hpp"

struct Watcher {
#ifdef RIGHT
  void handle(backstage::Event) {}
#endif
};

void use(backstage::Runtime& runtime, backstage::Ref<Watcher> watcher) { runtime.events().subscribe(watcher); }
