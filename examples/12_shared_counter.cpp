// A state that one actor writes and anybody reads, from any thread, without a message: snapshots with a version.
#include <iostream>
#include <optional>

#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

struct Votes {
  int yes = 0;
  int no = 0;
};
struct Vote {
  bool yes;
};
struct Close {};

class Ballot {
 public:
  void init(backstage::Context& cx) { votes_ = cx.share(Votes{}); }
  void handle(Vote vote) {
    votes_.update([&](Votes& now) { ++(vote.yes ? now.yes : now.no); });
  }
  bool handle(Close) const { return true; }

 private:
  backstage::Shared<Votes> votes_;
};

/// Holds the view, which it got once, by link: without the ballot it stops.
class Reporter {
 public:
  backstage::Task<backstage::Result<>> init(backstage::Context& cx) {
    auto view = co_await cx.link<backstage::View<Votes>>(cx.sibling("ballot")).stop().within(5s);
    view_.emplace(std::move(view).or_fail());
    co_return {};
  }
  int handle(Vote) const { return view_->read()->yes; }

 private:
  std::optional<backstage::View<Votes>> view_;
};

int main() {
  backstage::Runtime runtime;
  const auto ballot = runtime.spawn<Ballot>("ballot");
  const auto reporter = runtime.spawn<Reporter>("reporter");
  for (int i = 0; i < 10; ++i) ballot.send(Vote{i % 3 != 0});
  (void)runtime.ask<Close>(ballot).within(5s).value();
  std::cout << "the reporter sees " << runtime.ask<Vote>(reporter, true).within(5s).value() << " yes\n";

  const auto view = runtime.scope("/ballot").value().lookup<backstage::View<Votes>>().value();
  const auto before = view.read();
  ballot.send(Vote{true});
  (void)runtime.ask<Close>(ballot).within(5s).value();
  std::cout << "version " << before.version() << ": " << before->yes << " yes, " << before->no << " no\n";
  const auto now = view.read();
  std::cout << "version " << now.version() << ": " << now->yes << " yes, " << now->no << " no\n";

  auto end = runtime.monitor(reporter);
  runtime.stop(ballot);
  std::cout << "the reporter: " << to_string(end.within(5s).value().reason) << '\n';
}
