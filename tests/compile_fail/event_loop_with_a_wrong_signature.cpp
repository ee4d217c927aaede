// expect: event_loop has no accepted signature: write  Task<Result<>> event_loop\(Context&, Inbox<Messages\.\.\.>&\)
#include "backstage/actor/actor.hpp"

struct Tick {};
struct Loop {
#ifdef RIGHT
  backstage::Task<backstage::Result<>> event_loop(backstage::Context&, backstage::Inbox<Tick>&) { co_return {}; }
#else
  backstage::Task<backstage::Result<>> event_loop(backstage::Context&) { co_return backstage::Result<>(); }
#endif
};

void use(backstage::Runtime& runtime) { runtime.spawn<Loop>("loop"); }
