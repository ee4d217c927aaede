#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "backstage/launcher/service_manager.hpp"

namespace backstage {
inline namespace v0 {
namespace {

constexpr Duration answer_within = std::chrono::seconds(10);

/// "all 3 apps run"; "1 of 3 apps run; restarting: store; waiting: api".
std::string describe(const std::vector<AppView>& apps) {
  std::map<std::string, std::string> others;
  std::size_t running = 0;
  for (const AppView& app : apps) {
    if (app.state == "running" && app.down.empty()) {
      ++running;
      continue;
    }
    std::string& names = others[app.state == "running" ? "paused" : app.state];
    names += (names.empty() ? "" : ", ") + app.name;
  }
  if (others.empty()) return "all " + std::to_string(running) + " apps run";
  std::string text = std::to_string(running) + " of " + std::to_string(apps.size()) + " apps run";
  for (const auto& [state, names] : others) text += "; " + state + ": " + names;
  return text;
}

}  // namespace

void ServiceReport::init(Context& cx) {
  manager_ = &cx.environment().door<ServiceManager>();
  apps_.send(WatchApps{cx.self(this)});
  if (const auto watchdog = manager_->watchdog()) {
    beat_ = *watchdog / 2;
    cx.send_every(beat_, cx.self(this), Beat{});
  }
}

void ServiceReport::say(std::string_view state, Context& cx) {
  const Result<> told = manager_->notify(state);
  // Once: it is told again and again.
  if (!told && !std::exchange(complained_, true)) cx.log().warn("untold", {{"error", told.error().text()}});
}

void ServiceReport::handle(const AppStatusChanged& change, Context& cx) {
  if (change.launcher && change.to == Status::running && !std::exchange(ready_, true)) say("READY=1", cx);
  if (change.launcher && change.to == Status::stopping) return terminating(cx);
  // What the apps are together is asked for once for all changes that wait here.
  if (!std::exchange(telling_, true)) cx.self(this).send(Tell{});
}

Interleaved<void> ServiceReport::handle(Tell, Context& cx) {
  telling_ = false;
  const Result<std::vector<AppView>> apps = co_await apps_.ask<ListApps>().within(answer_within);
  if (!apps || stopping_) co_return;
  std::string text = describe(*apps);
  if (text == told_) co_return;
  told_ = std::move(text);
  say("STATUS=" + told_, cx);
}

Interleaved<void> ServiceReport::handle(Beat, Context& cx) {
  // One question at a time: a beat that finds the last one unanswered is no sign of life.
  if (std::exchange(beating_, true)) co_return;
  const Result<std::vector<AppView>> apps = co_await apps_.ask<ListApps>().within(beat_);
  beating_ = false;
  if (apps) say("WATCHDOG=1", cx);
}

void ServiceReport::terminating(Context& cx) {
  if (!std::exchange(stopping_, true)) say("STOPPING=1\nSTATUS=stopping in order", cx);
}

}  // namespace v0
}  // namespace backstage
