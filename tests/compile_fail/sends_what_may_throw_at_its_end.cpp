// expect: a message's destructor must not throw
#include "backstage/actor/actor.hpp"

struct Loud {
  Loud() = default;
  Loud(Loud&&) noexcept {}
#ifdef RIGHT
  ~Loud() {}
#else
  ~Loud() noexcept(false) {}
#endif
};
struct Listener {
  void handle(Loud) {}
};

void use(const backstage::Ref<Listener>& listener) { listener.send(Loud()); }
