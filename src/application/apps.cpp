#include "backstage/application/apps.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "apps_impl.hpp"
#include "backstage/actor/detail/child_order.hpp"
#include "json_fields.hpp"

namespace backstage {
inline namespace v0 {

using detail::AppPhase;

Result<> App::check(const std::vector<App>& apps) {
  std::vector<AppDependencies> dependencies;
  for (const App& app : apps) dependencies.push_back(app.dependencies());
  if (auto order = dependency_order(dependencies); !order) return order.error();
  for (const App& app : apps) {
    for (const Dependency& dependency : app.dependencies().depends_on) {
      if (dependency.follow == Follow::pause && !app.actor().can_pause()) {
        return Error(Errc::invalid, "app '" + app.name() + "' follows '" + dependency.app +
                                        "' by Follow::pause, but its actor (" + std::string(app.actor().type()) +
                                        ") has no handle(DependencyDown) and handle(DependencyUp)");
      }
    }
  }
  return {};
}

Apps::Apps(std::shared_ptr<const std::vector<App>> apps) : impl_(std::make_unique<Impl>()) {
  impl_->apps = std::move(apps);
}
Apps::~Apps() = default;

Result<> Apps::init(Context& cx) { return impl_->begin(cx, cx.self(this)); }
void Apps::is_ending() { impl_->own_status(Status::stopping); }

void Apps::handle(Ready, Reply<> reply) {
  if (impl_->plan->all_run()) return std::move(reply)(Result<>());
  impl_->ready.push_back(std::move(reply));
}

void Apps::handle(StartApp start, Reply<> reply, Context& cx) {
  Impl& impl = *impl_;
  const std::size_t app = impl.find(start.name);
  if (app == impl.slots.size()) return std::move(reply)(impl.no_app(start.name));
  detail::PlannedApp& planned = (*impl.plan)[app];
  for (const detail::PlannedApp::Need& need : planned.needs) {
    if (planned.is_up()) break;
    if (const std::size_t holder = impl.plan->held_by(need.app); holder != impl.slots.size()) {
      const std::string& stopped = impl.slots[holder].app->name();
      return std::move(reply)(Error(Errc::unavailable, "app '" + start.name + "' cannot start: it depends on '" +
                                                           impl.slots[need.app].app->name() + "', and '" + stopped +
                                                           "' is stopped; start '" + stopped + "' first"));
    }
  }
  Impl::refuse(impl.slots[app].stops, Error(Errc::cancelled, "app '" + start.name + "' was started meanwhile"));
  planned.wanted = true;
  if (planned.phase == AppPhase::out) planned.finished = false;
  if (!planned.is_up()) impl.slots[app].by_name = true;
  impl.slots[app].starts.push_back(std::move(reply));
  impl.settle(cx);
}

void Apps::handle(StopApp stop, Reply<> reply, Context& cx) {
  Impl& impl = *impl_;
  const std::size_t app = impl.find(stop.name);
  if (app == impl.slots.size()) return std::move(reply)(impl.no_app(stop.name));
  detail::PlannedApp& planned = (*impl.plan)[app];
  planned.wanted = false;
  planned.finished = false;
  const Error why(Errc::cancelled, "app '" + stop.name + "' was stopped meanwhile");
  Impl::refuse(impl.slots[app].starts, why);
  Impl::refuse(impl.slots[app].restarts, why);
  impl.slots[app].stops.push_back(std::move(reply));
  impl.settle(cx);
}

void Apps::handle(RestartApp restart, Reply<> reply, Context& cx) {
  Impl& impl = *impl_;
  const std::size_t app = impl.find(restart.name);
  if (app == impl.slots.size()) return std::move(reply)(impl.no_app(restart.name));
  detail::PlannedApp& planned = (*impl.plan)[app];
  const bool stays_out = planned.phase == AppPhase::out || planned.phase == AppPhase::leaving || !planned.wanted;
  if (stays_out) {
    return std::move(reply)(Error(Errc::unavailable, "app '" + restart.name + "' is " + impl.state_of(app) +
                                                         " and cannot be restarted: start it by StartApp"));
  }
  if (planned.is_up()) {
    planned.again = true;
    impl.plan->restart_followers(app);
  }
  impl.slots[app].restarts.push_back(std::move(reply));
  impl.settle(cx);
}

std::vector<AppView> Apps::handle(ListApps) const {
  const Impl& impl = *impl_;
  std::vector<AppView> views;
  for (std::size_t i = 0; i < impl.slots.size(); ++i) {
    const Impl::Slot& slot = impl.slots[i];
    AppView view;
    view.name = slot.app->name();
    view.actor = slot.app->actor().type();
    view.state = impl.state_of(i);
    view.status = slot.status;
    view.incarnation = slot.incarnation;
    for (const detail::PlannedApp::Need& need : (*impl.plan)[i].needs) {
      view.depends_on.push_back(impl.slots[need.app].app->name());
      if (need.told_down) view.down.push_back(impl.slots[need.app].app->name());
    }
    views.push_back(std::move(view));
  }
  return views;
}

Result<> Apps::handle(const Passthrough& passthrough) {
  auto addressed = detail::read_addressed(passthrough.json);
  if (!addressed) return addressed.error();
  const std::size_t app = impl_->find(addressed->app);
  if (app == impl_->slots.size()) return impl_->no_app(addressed->app);
  auto message = detail::read_message(*addressed, impl_->slots[app].app->actor().taken);
  if (!message) return message.error();
  return impl_->pass(app, *message);
}

Result<> Apps::handle(const detail::PassTyped& passthrough) {
  const std::size_t app = impl_->find(passthrough.app);
  if (app == impl_->slots.size()) return impl_->no_app(passthrough.app);
  const auto& taken = impl_->slots[app].app->actor().taken;
  const auto found =
      std::find_if(taken.begin(), taken.end(), [&](const auto& one) { return one.type == passthrough.type; });
  if (found == taken.end()) {
    std::vector<std::string> names;
    for (const detail::TakenMessage& one : taken) names.push_back(one.name);
    return Error(Errc::not_found, "app '" + passthrough.app + "' takes no message of type " +
                                      std::string(passthrough.type_name) + ": it takes " + detail::listed(names));
  }
  return impl_->pass(app, {&*found, passthrough.message});
}

void Apps::handle(WatchApps watch) {
  for (const Impl::Slot& slot : impl_->slots) {
    watch.who.send(AppStatusChanged{slot.app->name(), slot.status, slot.status, slot.incarnation, "", false});
  }
  watch.who.send(AppStatusChanged{impl_->name, impl_->status, impl_->status, 1, "", true});
  impl_->watchers.push_back(watch.who);
}

void Apps::handle(StatusChanged change, Context& cx) {
  Impl& impl = *impl_;
  const std::size_t app = impl.find(std::string_view(change.path).substr(change.path.rfind('/') + 1));
  if (app == impl.slots.size()) return;
  Impl::Slot& slot = impl.slots[app];
  slot.status = change.to;
  slot.incarnation = change.incarnation;
  impl.tell_all({slot.app->name(), change.from, change.to, change.incarnation, change.word, false}, app);
  // Of a first start AppStarted tells; what comes back in its place says so by its status.
  if ((*impl.plan)[app].phase == AppPhase::returning && says_running(change.to)) impl.runs(app, cx);
}

void Apps::handle(detail::AppStarted started, Context& cx) {
  const AppPhase phase = (*impl_->plan)[started.app].phase;
  if (!started.result) {
    impl_->start_failed(started.app, started.result.error(), cx);
  } else if (phase == AppPhase::starting) {
    impl_->runs(started.app, cx);
  }
}

void Apps::handle(detail::AppEnded ended, Context& cx) {
  const std::size_t app = impl_->find(ended.place);
  if (app != impl_->slots.size()) impl_->ended(app, ended.result, cx);
}

void Apps::handle(detail::AppNews news, Context& cx) {
  Impl& impl = *impl_;
  const std::size_t app = impl.find(news.place);
  if (app == impl.slots.size()) return;
  detail::PlannedApp& planned = (*impl.plan)[app];
  if (news.kept) {
    // Whatever we made of it meanwhile: an order given twice may also end the life that came after the first.
    const bool up = planned.phase == AppPhase::returning || planned.phase == AppPhase::running;
    if (up || planned.phase == AppPhase::parting) planned.phase = AppPhase::kept;
    // The order to stop found it kept already: a place that waits ends only by being closed.
    if (planned.phase == AppPhase::leaving) detail::close_kept_child(*news.place.cell);
  } else if (planned.phase == AppPhase::running || planned.phase == AppPhase::parting) {
    // Parting: it failed, or was begun anew by somebody's order, before ours reached it. settle() gives it again.
    planned.phase = AppPhase::returning;
    impl.plan->restart_followers(app);
  }
  impl.settle(cx);
}

AppsRef apps(const Context& cx) {
  const Result<Ref<Apps>> found = cx.app<Apps>("");
  return found ? AppsRef(*found) : AppsRef();
}

}  // namespace v0
}  // namespace backstage
