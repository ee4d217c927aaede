// Applications: actors that a program is made of, started in the order of their dependencies, on any Runtime.
//
//     std::vector<App> apps;
//     apps.push_back(app<Store>("store"));
//     apps.push_back(app<Api>("api").depends_on("store"));
//     auto running = runtime.spawn<Apps>("chronicle", App::share(std::move(apps)));
//     runtime.ask<Apps::Ready>(running).within(30s);       // answers when all of them run
//
// Each starts when those it depends on run; they stop in the reverse order of their start. An app that fails is
// restarted by its policy; one that fails for good ends all of them, and Apps with a failure. When every app has
// ended by itself, in order, so does Apps. From any actor `cx.app<Store>("store")` finds them.
// Stability: settling (v0).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/actor/detail/apps.hpp"
#include "backstage/application/dependency_order.hpp"

namespace backstage {
inline namespace v0 {

class Apps;

namespace detail {

/// An app is gone for good.
struct AppEnded {
  std::string name;
  Result<> result;
};

/// Starts one app below the running actor and makes it known.
using StartApp = std::function<Task<Result<>>(Context&, Ref<Apps>)>;

template <class A>
Envelope* make_app_ended(Cell& child, CoreFace& core, WorkerContext* context, std::uint32_t generation,
                         Result<> result);

template <class A>
Task<Result<>> start_app(Context& cx, std::shared_ptr<std::function<Child<A>()>> make, Ref<Apps> apps);

}  // namespace detail

/// One application of a program: its name, its actor, what it depends on.
class App {
 public:
  App(std::string name, detail::StartApp start) : start_(std::move(start)) { dependencies_.name = std::move(name); }

  template <class... Names>
  App depends_on(Names&&... names) && {
    (dependencies_.depends_on.emplace_back(std::forward<Names>(names)), ...);
    return std::move(*this);
  }
  void add_dependency(std::string name) { dependencies_.depends_on.push_back(std::move(name)); }

  [[nodiscard]] const AppDependencies& dependencies() const noexcept { return dependencies_; }
  [[nodiscard]] const std::string& name() const noexcept { return dependencies_.name; }
  [[nodiscard]] Task<Result<>> start(Context& cx, Ref<Apps> apps) const { return start_(cx, apps); }

  /// For Runtime::spawn<Apps>: shared, since it is kept for the actor's life.
  [[nodiscard]] static std::shared_ptr<const std::vector<App>> share(std::vector<App> apps) {
    return std::make_shared<const std::vector<App>>(std::move(apps));
  }

 private:
  AppDependencies dependencies_;
  detail::StartApp start_;
};

/// The actor above the applications.
class Apps {
 public:
  struct Ready {};  ///< answered when all apps run

  explicit Apps(std::shared_ptr<const std::vector<App>> apps) : apps_(std::move(apps)) {}

  Task<Result<>> init(Context& cx);
  void handle(Ready) {}
  void handle(detail::AppEnded ended, Context& cx);

 private:
  std::shared_ptr<const std::vector<App>> apps_;
  std::size_t living_ = 0;
};

namespace detail {

template <class A>
Envelope* make_app_ended(Cell& child, CoreFace& core, WorkerContext* context, std::uint32_t generation,
                         Result<> result) {
  try {
    auto* const block = build<PlainEnvelope<AppEnded>>(core, context, system_descriptor<Apps, AppEnded>, generation,
                                                       AppEnded{std::string(child.name()), std::move(result)});
    return &block->head;
  } catch (...) {
    return nullptr;
  }
}

template <class A>
Task<Result<>> start_app(Context& cx, std::shared_ptr<std::function<Child<A>()>> make, Ref<Apps> apps) {
  Child<A> spec = (*make)();
  const std::string name = spec.name();
  const Duration within = spec.policy().start_within;
  spec =
      std::move(spec).end_notice(EndTarget{RefAccess::cell(apps), RefAccess::generation(apps), &make_app_ended<A>});
  auto started = co_await cx.start(spec).within(within);
  if (!started) co_return started.error();
  Cell* const cell = RefAccess::cell(started.value());
  register_app(*RefAccess::cell(apps), name, cell, RefAccess::generation(started.value()), &type_tag<A>,
               type_name<A>());
  co_return Result<>();
}

}  // namespace detail

/// An application whose actor is A, made from `arguments` (kept by value).
template <class A, class... X>
[[nodiscard]] App app(std::string name, X&&... arguments) {
  auto kept = std::make_shared<std::tuple<std::decay_t<X>...>>(std::forward<X>(arguments)...);
  auto make = std::make_shared<std::function<Child<A>()>>(
      [name, kept] { return std::apply([&](const auto&... x) { return child<A>(name, x...); }, *kept); });
  return App(name, [make](Context& cx, Ref<Apps> apps) { return detail::start_app<A>(cx, make, apps); });
}

/// An application with a spec of its own; `make` is called for each start.
template <class A>
[[nodiscard]] App app_with(std::string name, std::function<Child<A>()> make) {
  auto shared = std::make_shared<std::function<Child<A>()>>(std::move(make));
  return App(std::move(name),
             [shared](Context& cx, Ref<Apps> apps) { return detail::start_app<A>(cx, shared, apps); });
}

}  // namespace v0
}  // namespace backstage
