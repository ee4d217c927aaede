// Apps: the actor above the applications of a program. It starts each app when those it depends on run, independent
// ones at the same time; ends them the other way round; starts, stops and restarts them by name; lets dependants
// follow; and tells apps of each other.
//
//     AppsRef apps = backstage::apps(cx);                                   // from any actor of the program
//     auto stopped = co_await apps.stop("store").within(5s);                // and, before it, those that need it
//     auto started = co_await apps.start("store").within(5s);               // they come back, too
//     cx.stop(apps.ref());                                                  // ends the program, in order
//     auto passed = co_await apps.pass_json(R"({"hello_world":"shutdown"})").within(1s);
//
// An app that fails is restarted by its policy. One that fails for good ends all of them, and Apps with a failure.
// When every app has ended by itself, in order, so does Apps. Give Apps Restart::never, as the launcher does: a
// restarted Apps starts all apps anew.
// Errors: not_found (no such app, message or field: named with what there is), unavailable (the app does not run, or
// one that it depends on is stopped), invalid (a field that does not fit), cancelled (another order came meanwhile).
// Stability: settling (v0).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/application/follow.hpp"
#include "backstage/application/takes.hpp"

namespace backstage {
inline namespace v0 {

class App;

/// Starts an app that was stopped by name (or has ended, or could not be started). What it depends on has to run, or to
/// be on its way. Answered when it runs; with its own error when its init fails, and then it is stopped again.
struct StartApp {
  std::string name;
};
/// Stops an app for as long as nobody starts it. Those that depend on it end before; they are started again with it.
/// Answered when it has ended: an app that depends on it must not wait for the answer, since it is to end first.
struct StopApp {
  std::string name;
};
/// Ends an app and starts it again in its place: mailbox and Refs stay. Those that follow it by Follow::restart end
/// before and start after it. Answered when it runs.
struct RestartApp {
  std::string name;
};
/// The apps as they stand.
struct ListApps {};
/// A message for an app, by names: {"app": "message"} or {"app": {"message": {"field": value}}}. Answered when sent.
struct Passthrough {
  std::string json;
};
/// `who` is told how each app, and the launcher itself, stands (from and to are the same), and from now on of each
/// change.
struct WatchApps {
  To<void(AppStatusChanged)> who;
};

/// One app, as ListApps answers.
struct AppView {
  std::string name;
  std::string actor;  ///< its type
  std::string state;  ///< "waiting", "starting", "running", "restarting", "stopping", "stopped", "ended"
  Status status = Status::stopped;
  std::uint32_t incarnation = 0;
  std::vector<std::string> depends_on;
  std::vector<std::string> down;  ///< of these it was told that they are down: it pauses
};

namespace detail {
/// An app's first init is over.
struct AppStarted {
  std::size_t app;
  Result<> result;
};
/// An app is gone for good.
struct AppEnded {
  Place place;
  Result<> result;
};
/// What became of an app that is not gone.
struct AppNews {
  Place place;
  bool kept;  // else: it failed and will be restarted
};
/// A typed message for an app whose actor's type the sender does not know.
struct PassTyped {
  std::string app;
  const void* type;
  std::string_view type_name;
  std::shared_ptr<void> message;
};
}  // namespace detail

class Apps {
 public:
  struct Ready {};  ///< answered when all apps run that are not stopped by name (and did not end in order)

  explicit Apps(std::shared_ptr<const std::vector<App>> apps);
  ~Apps();
  Apps(const Apps&) = delete;
  Apps& operator=(const Apps&) = delete;

  Result<> init(Context& cx);
  void handle(Ready, Reply<> reply);
  void handle(StartApp start, Reply<> reply, Context& cx);
  void handle(StopApp stop, Reply<> reply, Context& cx);
  void handle(RestartApp restart, Reply<> reply, Context& cx);
  std::vector<AppView> handle(ListApps) const;
  Result<> handle(const Passthrough& passthrough);
  Result<> handle(const detail::PassTyped& passthrough);
  void handle(WatchApps watch);

  // From below.
  void handle(StatusChanged change, Context& cx);
  void handle(detail::AppStarted started, Context& cx);
  void handle(detail::AppEnded ended, Context& cx);
  void handle(detail::AppNews news, Context& cx);
  void is_ending();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Apps, as their users meet it. Null when this program has no apps: every ask then fails with Errc::gone.
class AppsRef {
 public:
  AppsRef() = default;
  explicit AppsRef(Ref<Apps> apps) : apps_(apps) {}

  [[nodiscard]] auto start(std::string_view app) const { return apps_.ask<StartApp>(std::string(app)); }
  [[nodiscard]] auto stop(std::string_view app) const { return apps_.ask<StopApp>(std::string(app)); }
  [[nodiscard]] auto restart(std::string_view app) const { return apps_.ask<RestartApp>(std::string(app)); }
  [[nodiscard]] auto list() const { return apps_.ask<ListApps>(); }
  [[nodiscard]] auto ready() const { return apps_.ask<Apps::Ready>(); }
  [[nodiscard]] auto pass_json(std::string_view json) const { return apps_.ask<Passthrough>(std::string(json)); }
  /// A message of exactly this type for an app that takes it by name; its actor's type need not be known.
  template <class M>
  [[nodiscard]] auto pass(std::string_view app, M message) const {
    return apps_.ask<detail::PassTyped>(std::string(app), static_cast<const void*>(&detail::message_tag<M>),
                                        detail::type_name<M>(),
                                        std::shared_ptr<void>(std::make_shared<M>(std::move(message))));
  }
  [[nodiscard]] const Ref<Apps>& ref() const noexcept { return apps_; }
  explicit operator bool() const noexcept { return static_cast<bool>(apps_); }

 private:
  Ref<Apps> apps_;
};

/// The apps of the program that this actor is part of.
[[nodiscard]] AppsRef apps(const Context& cx);

}  // namespace v0
}  // namespace backstage
