// What the tests of an actor's life share: a journal of what happened, in order, and an actor that keeps it.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace life {

using namespace backstage;  // NOLINT(google-build-using-namespace): a test's own header
using namespace std::chrono_literals;

using Lines = std::vector<std::string>;

struct Journal {
  Lines lines;
  void note(std::string line) { lines.push_back(std::move(line)); }
  [[nodiscard]] Lines take() { return std::exchange(lines, {}); }
  [[nodiscard]] bool has(std::string_view line) const { return count(line) != 0; }
  [[nodiscard]] std::size_t count(std::string_view line) const {
    std::size_t n = 0;
    for (const std::string& one : lines) n += one == line ? 1U : 0U;
    return n;
  }
};

struct Say {
  std::string text;
};
struct Break {
  std::string text;
};  // throws std::runtime_error
struct Nap {
  Duration d;
};  // keeps the turn for so long
struct Quit {};  // cx.stop()
struct Lives {
  using reply = std::uint32_t;
};
struct Do {
  std::function<void(Context&)> what;
};

/// What a Part does beyond noting. Kept by value for its restarts. `init` and `end` may wait, and so capture nothing:
/// a capturing lambda must not be a coroutine.
struct Plan {
  Journal* journal = nullptr;
  std::function<void(Context&)> build{};
  std::function<Task<>(Context&)> init{};
  std::function<void(Context&)> finish{};
  std::function<Task<>(Context&)> end{};
  std::function<void()> construct{};
};

/// Notes its hooks, messages, the ends of its children, and its destruction.
class Part {
 public:
  explicit Part(const Plan& plan) : plan_(plan) {
    if (plan_.construct) plan_.construct();
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  ~Part() {
    if (!name_.empty()) note("destroyed");
  }
  Task<> init(Context& cx) {
    name_ = cx.name();
    note("init");
    if (plan_.build) plan_.build(cx);
    if (plan_.init) co_await plan_.init(cx);
  }
  void handle(Say say) { note(say.text); }
  void handle(Break how) { throw std::runtime_error(how.text); }
  Task<> handle(Nap nap, Context& cx) {
    const OnExit cancelled{this};
    note("naps");
    co_await cx.sleep(nap.d);
    note("woke");
  }
  void handle(Quit, Context& cx) { cx.stop(); }
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }
  void handle(Do d, Context& cx) { d.what(cx); }
  void handle(Eol<Part> end) {
    note("eol " + end.name + " " + (end.result ? "ok" : std::string(end.result.error().text())) + " " +
         std::to_string(end.incarnation));
  }
  Task<> terminating(Context& cx, const Result<>& why) {
    note(std::string("terminating ") + (why ? "ok" : std::string(why.error().text())));
    if (plan_.finish) plan_.finish(cx);
    if (plan_.end) co_await plan_.end(cx);
  }

 private:
  struct OnExit {
    Part* part;
    ~OnExit() { part->note("frame gone"); }
  };
  void note(const std::string& what) {
    if (plan_.journal != nullptr) plan_.journal->note(name_ + " " + what);
  }
  Plan plan_;
  std::string name_;
};

/// The events of a runtime as lines: "/a starting>running 1", "/a failed 1: text", "/a restarting 1", "/a ended ok".
class Watch {
 public:
  explicit Watch(Runtime& runtime)
      : subscription_(runtime.events().subscribe([this](const Event& event) { std::visit(*this, event); })) {}
  [[nodiscard]] Lines take() { return std::exchange(lines, {}); }
  [[nodiscard]] std::size_t count(std::string_view line) const {
    std::size_t n = 0;
    for (const std::string& one : lines) n += one == line ? 1U : 0U;
    return n;
  }

  void operator()(const DeadLetter&) { ++dead_letters; }
  void operator()(const StatusChanged& e) {
    lines.push_back(e.path + " " + std::string(to_string(e.from)) + ">" + std::string(to_string(e.to)) + " " +
                    std::to_string(e.incarnation));
  }
  void operator()(const ActorFailed& e) {
    lines.push_back(e.path + " failed " + std::to_string(e.incarnation) + ": " + std::string(e.error.text()));
  }
  void operator()(const Restarting& e) {
    lines.push_back(e.path + " restarting " + std::to_string(e.restarts));
    waits.push_back(e.after);
  }
  void operator()(const Quarantined& e) { lines.push_back(e.path + " set aside " + std::to_string(e.tries)); }
  void operator()(const Ended& e) { lines.push_back(e.path + " ended " + (e.result ? "ok" : "failed")); }
  void operator()(const GaveUp& e) { lines.push_back(e.path + " gave up"); }
  void operator()(const Hog& e) {
    lines.push_back(e.path + (e.over ? " gave its worker back" : " keeps its worker"));
  }

  Lines lines;
  std::vector<Duration> waits;
  std::size_t dead_letters = 0;

 private:
  Events::Subscription subscription_;
};

/// Everything was given back: no actor but the root, no block more than before, no message in flight.
inline void expect_nothing_left(sim::TestRuntime& world, std::int64_t blocks_before) {
  EXPECT_EQ(world.runtime().actors(), 1U);
  EXPECT_EQ(world.runtime().memory().live_blocks, blocks_before);
  EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
}

}  // namespace life
