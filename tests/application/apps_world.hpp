// What the tests of Apps share: an app that writes down what happens to it, and when, in virtual time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "backstage/application/application.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace appsworld {

using namespace backstage;  // NOLINT(google-build-using-namespace): a test's own header
using namespace std::chrono_literals;

using Lines = std::vector<std::string>;

/// Lines with the milliseconds since the test began: "20 api starts".
struct Diary {
  explicit Diary(sim::TestRuntime& w) : world(w), began(w.now()) {}
  void note(const std::string& line) {
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(world.now() - began);
    lines.push_back(std::to_string(since.count()) + " " + line);
  }
  [[nodiscard]] Lines take() { return std::exchange(lines, {}); }
  /// Without the times.
  [[nodiscard]] Lines take_untimed() {
    for (std::string& line : lines) line = line.substr(line.find(' ') + 1);
    return take();
  }
  /// Sorted among the lines of one instant: the order of independent apps is nobody's promise.
  [[nodiscard]] Lines take_sorted() {
    const auto time = [](const std::string& line) { return std::stol(line); };
    std::sort(lines.begin(), lines.end(), [&](const std::string& a, const std::string& b) {
      return std::pair(time(a), a) < std::pair(time(b), b);
    });
    return take();
  }
  void restart_clock() { began = world.now(); }
  sim::TestRuntime& world;
  Instant began;
  Lines lines;
};

struct Fail {};
struct FailLater {
  Duration after;
};
struct Finish {};
struct Hello {
  using reply = std::string;
};

/// How long an app takes to begin and to end, and whether it can begin.
struct Manner {
  Duration begins = 10ms;
  Duration ends = 0ms;
  std::shared_ptr<int> broken_inits = std::make_shared<int>(0);  // so many inits fail
};

class Part {
 public:
  Part(std::string name, Diary* diary, Manner manner)
      : name_(std::move(name)), diary_(diary), manner_(std::move(manner)) {}
  Task<Result<>> init(Context& cx) {
    diary_->note(name_ + " starts");
    co_await cx.sleep(manner_.begins);
    if (*manner_.broken_inits > 0) {
      --*manner_.broken_inits;
      co_return Error(Errc::unavailable, "no disk");
    }
    diary_->note(name_ + " runs");
    co_return Result<>();
  }
  Task<> terminating(Context& cx) {
    diary_->note(name_ + " is stopping");
    co_await cx.sleep(manner_.ends);
    diary_->note(name_ + " ends");
  }
  std::string handle(Hello) {
    ++greeted_;
    return name_ + " " + std::to_string(greeted_);
  }
  void handle(Fail) { throw std::runtime_error("broken"); }
  void handle(FailLater later) { throw Need::restart_after(later.after, "again, later"); }
  void handle(Finish, Context& cx) { cx.stop(); }

 private:
  std::string name_;
  Diary* diary_;
  Manner manner_;
  int greeted_ = 0;
};

/// One that pauses while what it depends on is away.
class Pauser : public Part {
 public:
  Pauser(const std::string& name, Diary* diary, Manner manner)
      : Part(name, diary, std::move(manner)), own_name_(name), own_diary_(diary) {}
  using Part::handle;
  void handle(DependencyDown down) { own_diary_->note(own_name_ + " hears " + down.app + " is down"); }
  void handle(DependencyUp up) { own_diary_->note(own_name_ + " hears " + up.app + " is up"); }

 private:
  std::string own_name_;
  Diary* own_diary_;
};

inline AppOf<Part> part(const std::string& name, Diary& diary, Manner manner = {}) {
  return app<Part>(name, name, &diary, std::move(manner)).spec([](Child<Part> c) {
    return std::move(c).backoff(50ms, 50ms);
  });
}

/// Apps, with somebody inside the program to do what tests want done.
struct Program {
  explicit Program(sim::TestRuntime& w, std::vector<App> all)
      : world(w), top(w.spawn(child<Apps>("demo", App::share(std::move(all))).restart(Restart::never))) {}

  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  /// Before the diaries go.
  ~Program() { (void)world.runtime().shutdown(); }

  /// Stops them all, in order, and lets time go by until that is done.
  void stop_all() {
    world.runtime().stop(top);
    world.advance(1h);
  }

  struct Do {
    std::function<void(Context&)> what;
  };
  struct Hand {
    void handle(Do d, Context& cx) { d.what(cx); }
  };
  /// From within the program, at once.
  void inside(std::function<void(Context&)> what) {
    if (!hand) hand = world.spawn<Hand>("hand");
    hand.send(Do{std::move(what)});
    world.run();
  }
  template <class A, class M>
  void send(const std::string& name, M message) {
    inside([name, message](Context& cx) { cx.app<A>(name).or_fail().send(message); });
  }
  template <class A = Part>
  Ref<A> ref(const std::string& name) {
    Ref<A> found;
    inside([&](Context& cx) { found = cx.app<A>(name).value_or(Ref<A>()); });
    return found;
  }
  Result<> start(const std::string& name) { return world.ask<StartApp>(top, name); }
  Result<> stop(const std::string& name) { return world.ask<StopApp>(top, name); }
  Result<> restart(const std::string& name) { return world.ask<RestartApp>(top, name); }
  Result<> ready() { return world.ask<Apps::Ready>(top); }
  std::string states() {
    std::string text;
    for (const AppView& view : world.ask<ListApps>(top).value()) {
      text += (text.empty() ? "" : " ") + view.name + "=" + view.state;
      for (const std::string& down : view.down) text += "(pauses for " + down + ")";
    }
    return text;
  }

  sim::TestRuntime& world;
  Ref<Apps> top;
  Ref<Hand> hand;
};

template <class... A>
std::vector<App> list(A&&... apps) {
  std::vector<App> all;
  (all.push_back(std::forward<A>(apps)), ...);
  return all;
}

}  // namespace appsworld
