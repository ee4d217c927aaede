// expect: arguments are kept for restarts: copyable values
#include <memory>

#include "backstage/actor/actor.hpp"

struct Counter {
#ifdef RIGHT
  explicit Counter(const std::shared_ptr<int>& start) : value(start) {}
  std::shared_ptr<int> value;
#else
  explicit Counter(std::unique_ptr<int> start) : value(std::move(start)) {}
  std::unique_ptr<int> value;
#endif
};

void use(backstage::Runtime& runtime) {
#ifdef RIGHT
  runtime.spawn<Counter>("counter", std::make_shared<int>(1));
#else
  runtime.spawn<Counter>("counter", std::make_unique<int>(1));
#endif
}
