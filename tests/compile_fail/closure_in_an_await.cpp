// expect-gcc12: g\+\+ 12 would destroy this closure twice inside co_await: name it and pass backstage::moved\(name\)
#include <string>

#include "backstage/actor/actor.hpp"

backstage::Task<std::size_t> use(backstage::Context& cx, std::string text) {
#ifdef RIGHT
  auto work = [text] { return text.size(); };
  auto size = co_await cx.blocking(backstage::moved(work)).within(std::chrono::seconds(1));
#else
  auto size = co_await cx.blocking([text] { return text.size(); }).within(std::chrono::seconds(1));
#endif
  co_return size.value();
}
