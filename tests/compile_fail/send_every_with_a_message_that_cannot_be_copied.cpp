// expect: a message that is sent again and again must be copyable
#include <memory>

#include "backstage/actor/actor.hpp"

struct Tick {
  std::unique_ptr<int> load;
};
struct Clock {
  void handle(Tick) {}
  void init(backstage::Context& cx) {
#ifdef RIGHT
    cx.send_after(std::chrono::seconds(1), cx.self(this), Tick{});
#else
    cx.send_every(std::chrono::seconds(1), cx.self(this), Tick{});
#endif
  }
};
