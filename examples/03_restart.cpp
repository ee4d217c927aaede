// Supervision: an actor that fails is made anew behind the same Ref, and what waits in its mailbox is not lost.
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

struct Line {
  std::string text;
};
struct Count {};

struct Counts {
  std::uint32_t life;  // 1 for the first incarnation
  int lines;
};

class Parser {
 public:
  void handle(const Line& line) {
    // Whatever escapes ends this incarnation, and nothing else. The line that did it is not handled again.
    if (line.text.empty()) throw std::invalid_argument("an empty line");
    ++lines_;
  }
  Counts handle(Count, backstage::Context& cx) const { return {cx.incarnation(), lines_}; }

 private:
  int lines_ = 0;
};

int main() {
  backstage::RuntimeOptions options;
  options.log_level = backstage::Level::off;  // the failures are meant
  backstage::Runtime runtime(std::move(options));
  // Restarted on failure by default; here with a policy of its own. It belongs to the place, not to the type.
  auto parser = runtime.spawn(backstage::child<Parser>("parser").backoff(1ms, 20ms).at_most(2, backstage::per(1min)));

  const auto feed = [&](std::initializer_list<const char*> lines) {
    for (const char* line : lines) parser.send(Line{line});
    auto counts = runtime.ask<Count>(parser).within(5s);
    if (counts) {
      std::cout << "life " << counts->life << " has parsed " << counts->lines << '\n';
    } else {
      std::cout << "no answer: " << to_string(counts.error().code()) << '\n';
    }
  };
  feed({"one", "two"});
  feed({"three", "", "five", "six"});  // the restart lies between "" and "five"
  feed({"seven", ""});
  feed({""});  // the third failure in a minute: the place is given up
}
