// JSON from outside becomes a typed message, without a macro and without the actor's header; what does not fit comes back.
#include <iostream>
#include <optional>

#include "backstage/application/json_routes.hpp"
#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

struct Reading {
  std::string sensor;
  double celsius;
  std::optional<int> tries;
};
struct Hottest {};

class Station {
 public:
  using routes = backstage::JsonRoutes<Reading, Hottest>;
  void handle(Reading reading) {
    if (reading.celsius > hottest_.celsius) hottest_ = std::move(reading);
  }
  Reading handle(Hottest) const { return hottest_; }

 private:
  Reading hottest_{"nobody", -273.15, {}};
};

/// Asks for somebody who knows no types.
struct Question {
  std::string where;
  std::string message;
};
struct Desk {
  backstage::Task<std::string> handle(Question q, backstage::Context& cx) {
    const backstage::Scope scope = cx.scope(q.where).or_fail();
    co_return (co_await backstage::ask_json(scope, q.message, "{}", 1s)).value();
  }
};

int main() {
  backstage::Runtime runtime;
  (void)runtime.spawn<Station>("station");
  const auto desk = runtime.spawn<Desk>("desk");
  const backstage::Scope station = runtime.scope("/station").value();
  for (const char* const json :
       {R"({"sensor":"roof","celsius":31.5,"tries":2})", R"({"sensor":"cellar","celsius":12})",
        R"({"sensor":"oven","celsius":"hot"})", R"({"sensor":"oven"})"}) {
    const auto sent = backstage::send_json(station, "Reading", json);
    std::cout << (sent ? "sent" : sent.error().text()) << '\n';
  }
  std::cout << runtime.ask<Question>(desk, "/station", "Hottest").within(5s).value() << '\n';
  std::cout << backstage::json_schema<Reading>() << '\n';
}
