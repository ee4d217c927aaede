// What the tests of resources share: an actor that does what it is told and notes what it hears.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/actor/resource.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace scope_test {

using namespace backstage;
using namespace std::chrono_literals;

struct Settings {
  int number = 0;
};
struct Limits {
  int most = 0;
};

class Part;
struct Do {
  std::function<void(Context&, Ref<Part>)> what;
};
using Steps = std::function<Task<Result<>>(Context&)>;
/// Something that waits: its own turn is kept for as long.
struct Wait {
  Steps what;
};

struct Notes {
  std::vector<std::string> lines;
  void note(std::string line) { lines.push_back(std::move(line)); }
  [[nodiscard]] std::string text() const {
    std::string all;
    for (const std::string& line : lines) all += (all.empty() ? "" : " | ") + line;
    return all;
  }
  std::string take() {
    std::string all = text();
    lines.clear();
    return all;
  }
};

class Part {
 public:
  explicit Part(std::shared_ptr<Notes> notes = {}, Steps begin = {})
      : notes_(notes != nullptr ? std::move(notes) : std::make_shared<Notes>()), begin_(std::move(begin)) {}
  Task<Result<>> init(Context& cx) {
    notes_->note("begins " + std::to_string(cx.incarnation()));
    if (!begin_) co_return Result<>();
    Result<> done = co_await begin_(cx);
    if (!done) notes_->note(done.error().describe());
    co_return done;
  }
  void terminating(Context&) { notes_->note("ends"); }
  void handle(const Do& d, Context& cx) { d.what(cx, cx.self(this)); }
  Task<> handle(Wait wait, Context& cx) {
    const Result<> done = co_await wait.what(cx);
    notes_->note(done ? "waited" : done.error().describe());
  }
  void handle(Published<Settings> news) { notes_->note("settings " + std::to_string(news->number)); }
  void handle(Dropped<Settings> news) { notes_->note(news.over ? "settings over" : "settings dropped"); }
  void handle(LinkBroken<Settings> news) { notes_->note("broken: " + std::string(news.why.text())); }
  void handle(Published<Ref<Part>> news) { notes_->note(*news.value ? "ref" : "null ref"); }
  void handle(Dropped<Ref<Part>> news) { notes_->note(news.over ? "ref over" : "ref dropped"); }
  void handle(Published<Service> news) {
    notes_->note("service " + std::string(to_string(news->status)) +
                 (news->word.empty() ? "" : " '" + news->word + "'"));
  }
  void handle(Dropped<Service> news) { notes_->note(news.over ? "service over" : "service dropped"); }

 private:
  std::shared_ptr<Notes> notes_;
  Steps begin_;
};

/// Actors below the root by name, each with its notes.
class Resources : public testing::Test {
 protected:
  Child<Part> spec(std::string_view name, Steps begin = {}) {
    return child<Part>(name, notes(name), std::move(begin)).backoff(1ms, 1ms);
  }
  Ref<Part> part(std::string_view name, Steps begin = {}) {
    const auto made = world.spawn(spec(name, std::move(begin)));
    world.run();
    return made;
  }
  Ref<Part> below(const Ref<Part>& parent, std::string_view name, Steps begin = {}) {
    Ref<Part> made;
    in(parent, [&](Context& cx) { made = cx.spawn(spec(name, begin)); });
    return made;
  }
  void in(const Ref<Part>& who, std::function<void(Context&)> what) {
    who.send(Do{[what = std::move(what)](Context& cx, Ref<Part>) { what(cx); }});
    world.run();
  }
  template <class T>
  Subscription subscribe(const Ref<Part>& who, const Path& where, std::size_t every = 0) {
    Subscription made;
    who.send(Do{[&](Context& cx, Ref<Part> me) { made = cx.subscribe<T>(where, me, every_value(every)); }});
    world.run();
    return made;
  }
  void publish(const Ref<Part>& who, int number) {
    in(who, [number](Context& cx) { cx.publish(Settings{number}); });
  }
  std::shared_ptr<Notes> notes(std::string_view name) {
    auto& mine = all_[std::string(name)];
    if (mine == nullptr) mine = std::make_shared<Notes>();
    return mine;
  }
  std::map<std::string, std::shared_ptr<Notes>> all_;
  sim::TestRuntime world;
};

}  // namespace scope_test
