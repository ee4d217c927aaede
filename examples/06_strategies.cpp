// Strategies: whom a failure takes along; and a Verdict, by which a supervisor looks at what failed before it decides.
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

struct Row {
  std::string text;
};
struct Count {};
struct Ready {};

/// A step of a pipeline: what was begun after it depends on it.
class Step {
 public:
  void init(backstage::Context& cx) { std::cout << "  " << cx.name() << " begins\n"; }
  void handle(const Row& row) {
    if (row.text == "torn") throw std::runtime_error("a torn row");
  }
  void handle(Ready) {}
};

/// Counts rows. It can be moved, so its state travels with its end.
class Tally {
 public:
  void handle(const Row& row) {
    ++rows;
    if (row.text == "torn") throw std::runtime_error("a torn row");
  }
  int handle(Count) const { return rows; }
  int rows = 0;
};

struct Where {
  std::string_view step;
};

class Pipeline {
 public:
  void init(backstage::Context& cx) {
    cx.strategy(backstage::Strategy::rest_for_one);  // the step that failed, and those begun after it
    for (const char* name : {"read", "parse", "store"}) cx.spawn(backstage::child<Step>(name).backoff(1ms, 1ms));
    // Begun last, so nobody goes with it; and this actor decides what becomes of it.
    cx.spawn(
        backstage::child<Tally>("tally").restart(backstage::Restart::ask).backoff(1ms, 1ms).on_end(cx.self(this)));
  }
  backstage::Verdict handle(backstage::Eol<Tally> end) {
    std::cout << "  tally: " << end.result.error().text().substr(0, 30) << ", after " << end.state->rows << " rows\n";
    end.state->rows -= 1;  // the torn one does not count
    return backstage::Verdict::restart_with_state(std::move(end.state));
  }
  backstage::Ref<Step> handle(Where where, backstage::Context& cx) { return cx.child<Step>(where.step).or_fail(); }
  backstage::Ref<Tally> handle(Count, backstage::Context& cx) { return cx.child<Tally>("tally").or_fail(); }
};

int main() {
  backstage::RuntimeOptions options;
  options.log_level = backstage::Level::off;  // the failures are meant
  options.workers = 1;                        // one after the other, so that the output is the same each time
  backstage::Runtime runtime(std::move(options));
  std::cout << "the pipeline starts\n";
  const auto pipeline = runtime.spawn<Pipeline>("pipeline");
  const auto parse = runtime.ask<Where>(pipeline, "parse").within(5s).value();
  const auto store = runtime.ask<Where>(pipeline, "store").within(5s).value();
  const auto tally = runtime.ask<Count>(pipeline).within(5s).value();
  for (const char* text : {"one", "two"}) tally.send(Row{text});
  if (!runtime.ask<Ready>(store).within(5s)) return 1;

  std::cout << "the tally meets a torn row\n";
  tally.send(Row{"torn"});
  tally.send(Row{"three"});  // waits until the Verdict is given
  const int counted = runtime.ask<Count>(tally).within(5s).value();
  std::cout << "  it has counted " << counted << " whole rows\n";

  std::cout << "parse fails: store begins anew with it, read does not\n";
  parse.send(Row{"torn"});
  if (!runtime.ask<Ready>(parse).within(5s)) return 1;
  if (!runtime.ask<Ready>(store).within(5s)) return 1;
}
