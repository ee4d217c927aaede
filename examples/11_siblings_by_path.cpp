// Actors find each other by where they are: siblings, uncles, absolute and relative paths; and what a wrong path says.
#include <iostream>

#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

struct Hello {};

/// Tells who it is, and whom it finds.
class Desk {
 public:
  std::string handle(Hello, backstage::Context& cx) { return std::string(cx.name()); }
};

class Clerk {
 public:
  backstage::Task<std::string> handle(Hello, backstage::Context& cx) {
    std::string found;
    for (const backstage::Path& where :
         {backstage::Path("../../archive"), cx.uncle("post"), backstage::Path("/office/post")}) {
      const auto desk = cx.find<Desk>(where).or_fail();
      found += where.text() + " is " + (co_await desk.ask<Hello>().within(1s)).value() + "\n";
    }
    const auto nobody = cx.find<Desk>("../post/box");
    found += nobody.error().text();
    co_return found;
  }
};

/// Two desks, and clerks below actors without a name, which paths pass through.
class Team {
 public:
  void init(backstage::Context& cx) { cx.spawn<Clerk>("clerk"); }
  void handle(Hello) {}
};
class Office {
 public:
  backstage::Task<backstage::Result<>> init(backstage::Context& cx) {
    cx.spawn<Desk>("post");
    auto team = backstage::child<Team>(backstage::unnamed);
    (void)(co_await cx.start(team).within(1s)).or_fail();
    co_return {};
  }
  void handle(Hello) {}
};

int main() {
  backstage::Runtime runtime;
  (void)runtime.spawn<Desk>("archive");
  const auto office = runtime.spawn<Office>("office");
  (void)runtime.ask<Hello>(office).within(5s);  // its init is over
  const auto clerk = runtime.find<Clerk>("/office/clerk").value();
  std::cout << runtime.ask<Hello>(clerk).within(5s).value() << '\n';
}
