#include "app_plan.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace detail {

AppPlan::AppPlan(const std::vector<AppDependencies>& apps, std::vector<std::size_t> order)
    : apps_(apps.size()), order_(std::move(order)) {
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < apps.size(); ++i) index.emplace(apps[i].name, i);
  for (std::size_t i = 0; i < apps.size(); ++i) {
    for (const Dependency& dependency : apps[i].depends_on) {
      const std::size_t on = index.at(dependency.app);
      apps_[i].needs.push_back({on, dependency.follow});
      apps_[on].dependants.push_back(i);
    }
  }
}

void AppPlan::restart_followers(std::size_t app) {
  for (const std::size_t at : apps_[app].dependants) {
    PlannedApp& dependant = apps_[at];
    const bool follows =
        std::any_of(dependant.needs.begin(), dependant.needs.end(),
                    [&](const PlannedApp::Need& need) { return need.app == app && need.follow == Follow::restart; });
    if (!follows || dependant.again || !dependant.is_up()) continue;
    dependant.again = true;
    restart_followers(at);
  }
}

std::size_t AppPlan::held_by(std::size_t app) const {
  if (!apps_[app].wanted) return app;
  for (const PlannedApp::Need& need : apps_[app].needs) {
    // Who pauses outlives its dependency, but does not begin without it.
    if (need.follow == Follow::pause && apps_[app].is_up()) continue;
    if (const std::size_t holder = held_by(need.app); holder != apps_.size()) return holder;
  }
  return apps_.size();
}

bool AppPlan::can_run(const PlannedApp& app) const {
  return std::all_of(app.needs.begin(), app.needs.end(), [&](const PlannedApp::Need& need) {
    const PlannedApp& on = apps_[need.app];
    return (on.phase == AppPhase::running && !on.again) || (on.finished && on.phase == AppPhase::out);
  });
}

bool AppPlan::all_run() const {
  for (std::size_t i = 0; i < apps_.size(); ++i) {
    const PlannedApp& app = apps_[i];
    const bool settled = app.phase == AppPhase::running && !app.again;
    if (!settled && !app.finished && held_by(i) == apps_.size()) return false;
  }
  return true;
}

bool AppPlan::all_finished() const {
  return std::all_of(apps_.begin(), apps_.end(),
                     [](const PlannedApp& app) { return app.finished && app.phase == AppPhase::out; });
}

std::vector<AppAction> AppPlan::settle() {
  std::vector<AppAction> actions;
  std::vector<bool> held(apps_.size());
  for (const std::size_t i : order_) {
    held[i] = held_by(i) != apps_.size();
    if (apps_[i].is_down()) apps_[i].again = false;
  }
  const auto goes = [&](std::size_t i) { return held[i] || apps_[i].again; };
  // Dependants first: the order of these lines is the order in which they are told.
  for (auto at = order_.rbegin(); at != order_.rend(); ++at) {
    PlannedApp& app = apps_[*at];
    if (app.phase == AppPhase::kept && held[*at]) {
      app.phase = AppPhase::leaving;
      actions.push_back({AppStep::close, *at});
    }
    if (!app.is_up() || !goes(*at)) continue;
    const bool waits = std::any_of(app.dependants.begin(), app.dependants.end(),
                                   [&](std::size_t other) { return goes(other) && !apps_[other].is_down(); });
    if (waits) continue;
    // Of a first start somebody waits for the outcome: such an app ends for good, and is then started anew.
    const bool stops = held[*at] || app.phase == AppPhase::starting;
    app.phase = stops ? AppPhase::leaving : AppPhase::parting;
    actions.push_back({stops ? AppStep::stop : AppStep::keep, *at});
  }
  tell_followers(actions);
  for (std::size_t i = 0; i < apps_.size(); ++i) {
    PlannedApp& app = apps_[i];
    if (!app.is_down() || app.finished || held[i] || !can_run(app)) continue;
    const bool resumes = app.phase == AppPhase::kept;
    app.phase = resumes ? AppPhase::returning : AppPhase::starting;
    actions.push_back({resumes ? AppStep::resume : AppStep::start, i});
  }
  return actions;
}

void AppPlan::tell_followers(std::vector<AppAction>& actions) {
  for (std::size_t i = 0; i < apps_.size(); ++i) {
    for (PlannedApp::Need& need : apps_[i].needs) {
      if (need.follow != Follow::pause) continue;
      const PlannedApp& on = apps_[need.app];
      const bool runs = on.phase == AppPhase::running;
      if (!apps_[i].is_up()) {
        need.told_down = false;
      } else if (!runs && !on.finished && !need.told_down) {
        need.told_down = true;
        actions.push_back({AppStep::tell_down, i, need.app});
      } else if (runs && need.told_down) {
        need.told_down = false;
        actions.push_back({AppStep::tell_up, i, need.app});
      }
    }
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
