// A store publishes how it is set; who depends on it waits for that, holds on to it, and begins anew when it is replaced.
#include <iostream>

#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

/// What the store publishes.
struct Layout {
  int shards;
};
struct Reshard {
  int shards;
};
struct Put {
  std::string key;
};
struct Count {};

class Store {
 public:
  void init(backstage::Context& cx) { cx.publish(Layout{2}); }
  void handle(Reshard to, backstage::Context& cx) { cx.publish(Layout{to.shards}); }
  void handle(const Put&) { ++stored_; }
  int handle(Count) const { return stored_; }

 private:
  int stored_ = 0;
};

/// Started before the store: it waits. Its table is made for one layout only, so it holds on to that one hard.
class Writer {
 public:
  backstage::Task<backstage::Result<>> init(backstage::Context& cx) {
    const backstage::Path store = cx.sibling("store");
    store_ = (co_await cx.depends_on<backstage::Ref<Store>>(store).within(5s)).or_fail();
    layout_ = (co_await cx.link<Layout>(store).hard().restart().within(5s)).or_fail();
    std::cout << "writer: life " << cx.incarnation() << ", a table of " << layout_.shards << " shards\n";
    co_return {};
  }
  void handle(Put put) { store_.send(std::move(put)); }
  int handle(Count) const { return layout_.shards; }

 private:
  backstage::Ref<Store> store_;
  Layout layout_{};
};

int main() {
  backstage::Runtime runtime;
  const auto writer = runtime.spawn<Writer>("writer");
  const auto store = runtime.spawn<Store>("store");
  for (int i = 0; i < 3; ++i) writer.send<Put>("key");
  (void)runtime.ask<Count>(writer).within(5s).value();
  std::cout << "store: " << runtime.ask<Count>(store).within(5s).value() << " keys\n";
  store.send(Reshard{4});
  // The writer goes through its restart before it answers.
  while (runtime.ask<Count>(writer).within(5s).value() != 4) {
  }
  const auto nothing = runtime.scope("/writer").value().lookup<Layout>();
  std::cout << nothing.error().text() << '\n';
}
