// A program is applications: a launcher starts each when those it depends on run, and stops them in the reverse order.
//
// Try: 05_two_apps --help; 05_two_apps --log debug --workers 1. What happens inside is logged to standard error.
#include <iostream>
#include <map>
#include <string>
#include <utility>

#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

struct Put {
  std::string key, value;
};
struct Get {
  std::string key;
};

class Store {
 public:
  void init() { std::cout << "store: open\n"; }
  void handle(Put put) { entries_[std::move(put.key)] = std::move(put.value); }
  backstage::Result<std::string> handle(const Get& get) const {
    const auto found = entries_.find(get.key);
    if (found == entries_.end())
      return backstage::Error{backstage::Errc::not_found, "nothing under '" + get.key + "'"};
    return found->second;
  }
  void terminating() { std::cout << "store: closed with " << entries_.size() << " entries\n"; }

 private:
  std::map<std::string, std::string> entries_;
};

struct Work {};

class Front {
 public:
  void init(backstage::Context& cx) {
    // It runs: front depends on it. Of an app that is not known the error says so, and this one does not start.
    store_ = cx.app<Store>("store").or_fail();
    std::cout << "front: open\n";
    cx.self(this).send(Work{});
  }
  backstage::Task<> handle(Work, backstage::Context& cx) {
    store_.send<Put>("sea", "wide");
    store_.send<Put>("sky", "high");
    // Two questions at once, answered in this actor's own turn.
    auto [sky, rain] =
        co_await backstage::when_all(store_.ask<Get>("sky").within(5s), store_.ask<Get>("rain").within(5s));
    std::cout << "sky: " << sky.value() << "\nrain: " << rain.error().text() << '\n';
    // When every app has ended in order the program does, with exit code 0. A server would wait for a signal instead.
    cx.stop(store_);
    cx.stop();
  }

 private:
  backstage::Ref<Store> store_;
};

int main(int argc, char** argv) {
  backstage::Launcher launcher{"two_apps", "Two applications, of which one needs the other."};
  launcher.add<Front>("front").depends_on("store");  // in any order: dependencies decide
  launcher.add<Store>("store");
  return launcher.run(argc, argv);
}
