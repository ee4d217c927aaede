// Owning the loop: an actor may take its messages one by one. What its Inbox lists is what it can be sent and asked.
#include <iostream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

struct Word {
  std::string text;
};
struct EndOfLine {};
struct Lines {};

/// Gathers words into lines: the place in the program says where we are in the line, no flags do.
class Gatherer {
 public:
  using Inbox = backstage::Inbox<Word, EndOfLine, backstage::Asked<Lines, std::vector<std::string>>>;

  backstage::Task<backstage::Result<>> event_loop(backstage::Context&, Inbox& inbox) {
    std::string line;
    // Nothing comes once the actor is told to stop and its queue is empty.
    while (auto event = co_await inbox.next()) {
      if (auto* word = std::get_if<Word>(&*event)) {
        if (!line.empty()) line += ' ';
        line += word->text;
      } else if (std::holds_alternative<EndOfLine>(*event)) {
        lines_.push_back(std::exchange(line, {}));
      } else {
        std::get<2>(std::move(*event)).answer(lines_);
      }
    }
    if (!line.empty()) std::cout << "left over: " << line << '\n';
    co_return {};
  }

 private:
  std::vector<std::string> lines_;
};

int main() {
  backstage::Runtime runtime;
  auto gatherer = runtime.spawn<Gatherer>("gatherer");

  for (const char* text : {"all", "the", "world's", "a", "stage"}) gatherer.send<Word>(text);
  gatherer.send(EndOfLine{});
  for (const char* text : {"and", "all", "the", "men", "and", "women"}) gatherer.send<Word>(text);

  for (const std::string& line : runtime.ask<Lines>(gatherer).within(5s).value()) std::cout << line << '\n';
  runtime.shutdown().value();
}
