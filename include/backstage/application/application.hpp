// Applications: actors that a program is made of, started in the order of their dependencies, on any Runtime.
//
//     std::vector<App> apps;
//     apps.push_back(app<Store>("store", path).spec([](Child<Store> c) { return std::move(c).stop_within(30s); }));
//     apps.push_back(app<Api>("api").depends_on("store"));
//     auto running = runtime.spawn(child<Apps>("chronicle", App::share(std::move(apps))).restart(Restart::never));
//     runtime.ask<Apps::Ready>(running).within(30s);       // answers when all of them run
//
// From any actor `cx.app<Store>("store")` finds an app's main actor, and `apps(cx)` the Apps (apps.hpp).
// Stability: settling (v0).
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "backstage/application/apps.hpp"
#include "backstage/application/dependency_order.hpp"
#include "backstage/application/detail/app_actor.hpp"

namespace backstage {
inline namespace v0 {

/// One application of a program: its name, its actor, what it depends on, what it takes by name.
class App {
 public:
  App(std::string name, std::shared_ptr<detail::AppActor> actor) : actor_(std::move(actor)) {
    dependencies_.name = std::move(name);
  }

  template <class... Names>
    requires(std::convertible_to<Names, std::string_view> && ...)
  App depends_on(Names&&... names) && {
    (add_dependency(Dependency(std::string(std::forward<Names>(names)))), ...);
    return std::move(*this);
  }
  App depends_on(std::string name, Follow follow) && {
    add_dependency(Dependency(std::move(name), follow));
    return std::move(*this);
  }
  void add_dependency(Dependency dependency) { dependencies_.depends_on.push_back(std::move(dependency)); }
  [[nodiscard]] const AppDependencies& dependencies() const noexcept { return dependencies_; }
  [[nodiscard]] const std::string& name() const noexcept { return dependencies_.name; }
  [[nodiscard]] detail::AppActor& actor() const noexcept { return *actor_; }

  /// For Runtime::spawn<Apps>: shared, since it is kept for the actor's life.
  [[nodiscard]] static std::shared_ptr<const std::vector<App>> share(std::vector<App> apps) {
    return std::make_shared<const std::vector<App>>(std::move(apps));
  }
  /// Whether these apps can be a program: dependencies are known and not circular, each name is there once, and who
  /// follows by Follow::pause can be told.
  [[nodiscard]] static Result<> check(const std::vector<App>& apps);

 private:
  AppDependencies dependencies_;
  std::shared_ptr<detail::AppActor> actor_;
};

/// An App while its actor's type is known: what app<A>() returns. Kept as an App.
template <class A>
class AppOf : public App {
 public:
  explicit AppOf(App app) : App(std::move(app)) {}

  template <class... Names>
    requires(std::convertible_to<Names, std::string_view> && ...)
  AppOf depends_on(Names&&... names) && {
    (add_dependency(Dependency(std::string(std::forward<Names>(names)))), ...);
    return std::move(*this);
  }
  AppOf depends_on(std::string name, Follow follow) && {
    add_dependency(Dependency(std::move(name), follow));
    return std::move(*this);
  }
  /// Changes the actor's spec: `.spec([](Child<Store> c) { return std::move(c).stop_within(30s); })`. Called for each
  /// start. (Its on_end and report_to are the launcher's.)
  AppOf spec(std::function<Child<A>(Child<A>)> change) && {
    detail::change_spec<A>(actor(), std::move(change));
    return std::move(*this);
  }
  /// The app takes M by this name, from JSON and from apps that do not know its type.
  template <class M, class... F>
    requires(std::same_as<F, MessageField<M>> && ...)
  AppOf takes(std::string name, F... fields) && {
    detail::add_taken<A, M>(actor(), std::move(name), {std::move(fields)...});
    return std::move(*this);
  }
};

/// An application whose actor is A, made from `arguments` (kept by value).
template <class A, class... X>
[[nodiscard]] AppOf<A> app(std::string name, X&&... arguments) {
  auto kept = std::make_shared<std::tuple<std::decay_t<X>...>>(std::forward<X>(arguments)...);
  auto make = [name, kept] { return std::apply([&](const auto&... x) { return child<A>(name, x...); }, *kept); };
  return AppOf<A>(App(name, std::make_shared<detail::AppActorOf<A>>(std::move(make))));
}

/// An application with a spec made by `make`, which is called for each start.
template <class A>
[[nodiscard]] AppOf<A> app_with(std::string name, std::function<Child<A>()> make) {
  return AppOf<A>(App(std::move(name), std::make_shared<detail::AppActorOf<A>>(std::move(make))));
}

}  // namespace v0
}  // namespace backstage
