// expect: the actor cannot be constructed from these arguments \(they are kept by value and passed as const T&\)
#include <string>

#include "backstage/actor/actor.hpp"

struct Named {
  explicit Named(std::string its_name) : name(std::move(its_name)) {}
  std::string name;
};

void use(backstage::Runtime& runtime) {
#ifdef RIGHT
  runtime.spawn<Named>("named", "Ada");
#else
  runtime.spawn<Named>("named", 7);
#endif
}
