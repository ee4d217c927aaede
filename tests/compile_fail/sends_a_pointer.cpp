// expect: a pointer is no message: send the value, or a smart pointer that owns it
#include "backstage/actor/actor.hpp"

struct Picture {
  int pixels[64] = {};
};
struct Painter {
  void handle(std::shared_ptr<const Picture>) {}
  void handle(const Picture*) {}
};

void use(backstage::Ref<Painter> painter) {
#ifdef RIGHT
  painter.send<std::shared_ptr<const Picture>>(std::make_shared<const Picture>());
#else
  static const Picture picture;
  painter.send(&picture);
#endif
}
