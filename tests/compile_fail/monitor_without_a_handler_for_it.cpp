// expect: monitor\(target, self\): this actor has no handle\(\) for it
#include "backstage/actor/actor.hpp"

struct Store {};
struct Watcher {
  explicit Watcher(backstage::Ref<Store> s) : store(s) {}
  void init(backstage::Context& cx) { (void)cx.monitor(store, cx.self(this)); }
#ifdef RIGHT
  void handle(backstage::Down) {}
#endif
  backstage::Ref<Store> store;
};
