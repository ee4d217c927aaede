// An app is restarted with its dependants: one begins again with it, one pauses until it is back.
#include <iostream>
#include <stdexcept>
#include <string>

#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

struct Put {
  std::string text;
};
struct Count {};
struct Spoil {};

/// Keeps lines; a spoilt one breaks it.
class Store {
 public:
  void init(backstage::Context& cx) { std::cout << "store: life " << cx.incarnation() << '\n'; }
  void handle(const Put&) { ++lines_; }
  int handle(Count) const { return lines_; }
  void handle(Spoil) { throw std::runtime_error("a spoilt line"); }

 private:
  int lines_ = 0;
};

/// Holds what only this life of the store knows, so it has to begin again with it.
class Cache {
 public:
  void init(backstage::Context& cx) { std::cout << "cache: life " << cx.incarnation() << ", empty\n"; }
  void handle(Count) {}
};

struct Read {};

/// Feeds the store, and stops reading while it is away.
class Feed {
 public:
  void init(backstage::Context& cx) {
    store_ = cx.app<Store>("store").or_fail();
    cx.self(this).send(Read{});
  }
  backstage::Task<> handle(Read, backstage::Context& cx) {
    (co_await backstage::apps(cx).ready().within(5s)).or_fail();
    store_.send<Put>("sea");
    std::cout << "feed: the store has " << (co_await store_.ask<Count>().within(5s)).value() << " line\n";
    store_.send(Spoil{});
  }
  void handle(backstage::DependencyDown) { paused_ = true; }
  backstage::Task<> handle(backstage::DependencyUp up, backstage::Context& cx) {
    const backstage::AppsRef all = backstage::apps(cx);
    (co_await all.ready().within(5s)).or_fail();
    // The same Ref as before: a restarted app keeps its place.
    if (paused_) std::cout << "feed: paused; ";
    std::cout << up.app << " is back and has " << (co_await store_.ask<Count>().within(5s)).value() << " lines\n";
    // By name: the cache ends before the store; who pauses stays.
    (co_await all.stop("store").within(5s)).or_fail();
    const auto refused = co_await all.start("cache").within(5s);
    std::cout << "feed: " << refused.error().text() << '\n';
    for (const backstage::AppView& app : (co_await all.list().within(5s)).value()) {
      std::cout << "  " << app.name << ": " << app.state << '\n';
    }
    cx.stop(all.ref());  // ends the program in order
  }

 private:
  backstage::Ref<Store> store_;
  bool paused_ = false;
};

int main(int argc, char** argv) {
  using backstage::Follow;
  backstage::Launcher launcher{"apps_restarted", "An app restarted with its dependants."};
  launcher.add<Store>("store").spec([](auto spec) { return std::move(spec).backoff(10ms, 1s); });
  launcher.add<Cache>("cache").depends_on("store", Follow::restart);
  launcher.add<Feed>("feed").depends_on("store", Follow::pause);
  return launcher.run(argc, argv);
}
