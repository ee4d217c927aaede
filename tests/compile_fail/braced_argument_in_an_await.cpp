// expect-gcc12: g\+\+ 12 would destroy this argument twice inside co_await: name it and pass backstage::moved\(name\)
#include <string>

#include "backstage/actor/actor.hpp"

struct Reading {
  std::string text;
};
struct Put {
  Reading reading;
};
struct Store {
  void handle(Put) {}
};

backstage::Task<> use(backstage::Ref<Store> store) {
#ifdef RIGHT
  Reading reading{"a reading"};
  (void)co_await store.ask<Put>(backstage::moved(reading)).within(std::chrono::seconds(1));
#else
  (void)co_await store.ask<Put>(Reading{"a reading"}).within(std::chrono::seconds(1));
#endif
}
