// expect-gcc12: g\+\+ 12 would destroy this argument twice inside co_await: name it and pass backstage::moved\(name\)
#include <string>

#include "backstage/actor/actor.hpp"

struct Line {
  std::string text;
};
struct Sink {
  void handle(Line) {}
};

backstage::Task<> use(backstage::Ref<Sink> sink) {
#ifdef RIGHT
  Line line{"a line"};
  (void)co_await sink.send_wait(backstage::moved(line)).within(std::chrono::seconds(1));
#else
  (void)co_await sink.send_wait(Line{"a line"}).within(std::chrono::seconds(1));
#endif
}
