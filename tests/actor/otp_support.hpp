// What the tests of OTP's cases share: a supervisor that does what it is told, and workers with one normal end each.
#pragma once

#include <string>
#include <utility>

#include "life_support.hpp"

namespace otp {

using namespace life;

/// Ends normally with the first Say: an event loop that returns. Answers, while it waits, with its life.
struct Worker {
  explicit Worker(Journal* j = nullptr) : journal(j) {}
  Task<Result<>> event_loop(Context& cx, Inbox<Say, Break, Asked<Lives>>& inbox) {
    if (journal != nullptr) journal->note("+" + std::string(cx.name()) + std::to_string(cx.incarnation()));
    while (auto event = co_await inbox.next()) {
      if (auto* asked = std::get_if<Asked<Lives>>(&*event)) {
        std::move(asked->reply())(cx.incarnation());
        continue;
      }
      if (const auto* how = std::get_if<Break>(&*event)) throw std::runtime_error(how->text);
      break;
    }
    co_return {};
  }
  Journal* journal;
};

/// Sets a supervisor up in its init, and does to it what a test says.
class Sup {
 public:
  explicit Sup(std::function<void(Context&)> build = {}) : build_(std::move(build)) {}
  void init(Context& cx) {
    if (build_) build_(cx);
  }
  void handle(Do what, Context& cx) { what.what(cx); }
  void handle(Break how) { throw std::runtime_error(how.text); }
  std::size_t handle(Lives, Context& cx) { return cx.children(); }

 private:
  std::function<void(Context&)> build_;
};

/// Runs `what` in the supervisor's turn, and all that follows from it at this instant.
inline void in(sim::TestRuntime& world, const Ref<Sup>& sup, std::function<void(Context&)> what) {
  sup.send(Do{std::move(what)});
  world.run();
}

template <class A>
Ref<A> find(sim::TestRuntime& world, const Ref<Sup>& sup, const std::string& name) {
  Ref<A> found;
  in(world, sup, [&](Context& cx) {
    if (auto one = cx.child<A>(name)) found = one.value();
  });
  return found;
}

/// How often the child has begun, or 0 when it is gone.
template <class A>
std::uint32_t lives(sim::TestRuntime& world, const Ref<A>& child) {
  const auto answer = world.ask<Lives>(child);
  return answer ? static_cast<std::uint32_t>(answer.value()) : 0;
}

}  // namespace otp
