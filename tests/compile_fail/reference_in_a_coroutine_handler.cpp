// expect: a coroutine takes its parameters by value: a reference would dangle after the first co_await
#include "backstage/actor/actor.hpp"

struct Reading {
  int value;
};
struct Sensor {
#ifdef RIGHT
  backstage::Task<> handle(Reading reading, backstage::Context& cx) {
#else
  backstage::Task<> handle(const Reading& reading, backstage::Context& cx) {
#endif
    co_await cx.yield();
    last = reading.value;
  }
  int last = 0;
};
