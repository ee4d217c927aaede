// expect: a coroutine takes its parameters by value: a reference would dangle after the first co_await
#include "backstage/actor/actor.hpp"

struct Get {
  int key;
};
struct Store {
#ifdef RIGHT
  backstage::Interleaved<int> handle(Get get, backstage::Context& cx){
#else
  backstage::Interleaved<int> handle(Get&& get, backstage::Context& cx) {
#endif
      co_await cx.yield();
  co_return get.key;
}
}
;
