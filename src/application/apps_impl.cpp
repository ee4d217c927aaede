#include "apps_impl.hpp"

#include <algorithm>
#include <map>

#include "backstage/actor/detail/child_order.hpp"
#include "json_fields.hpp"

namespace backstage {
inline namespace v0 {

using detail::AppPhase;
using detail::AppStep;

namespace {

/// Of the error that says what became of an app: a wrong setting is one for whoever runs the program, too.
[[nodiscard]] Errc code_above(const Error& error) noexcept {
  return error.is(Errc::configuration) ? Errc::configuration : Errc::failed;
}

/// Word from the runtime, in the turn of Apps: what it means is handled between two messages, like everything else.
void hear(detail::Cell& supervisor, const detail::Cell* child, detail::ChildOrder::News news) noexcept {
  try {
    if (news == detail::ChildOrder::News::ending) {
      if (supervisor.rest().constructed) supervisor.actor<Apps>().is_ending();
      return;
    }
    const detail::Place place{const_cast<detail::Cell*>(child), child->place_generation};
    detail::tell_place<Apps>({&supervisor, supervisor.generation()},
                             detail::AppNews{place, news == detail::ChildOrder::News::kept});
  } catch (...) {
    // No memory for the news: dependants do not follow. The apps themselves are supervised all the same.
  }
}

}  // namespace

Result<> Apps::Impl::begin(Context& cx, Ref<Apps> self) {
  if (Result<> checked = App::check(*apps); !checked) return checked;
  std::vector<AppDependencies> dependencies;
  for (const App& app : *apps) dependencies.push_back(app.dependencies());
  auto order = dependency_order(dependencies);
  if (!order) return order.error();
  me = self;
  name = cx.name();
  plan = std::make_unique<detail::AppPlan>(dependencies, std::move(order).value());
  slots.resize(apps->size());
  auto child_order = std::make_shared<detail::ChildOrder>();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    slots[i].app = &(*apps)[i];
    std::vector<std::string>& after = child_order->ends_after[slots[i].app->name()];
    for (const std::size_t dependant : (*plan)[i].dependants) after.push_back((*apps)[dependant].name());
  }
  child_order->tell = &hear;
  detail::Cell& cell = *detail::current_cell();
  detail::set_child_order(cell, std::move(child_order));
  detail::register_app(cell, "", &cell, cell.generation(), &detail::type_tag<Apps>, detail::type_name<Apps>());
  own_status(Status::initializing);
  settle(cx);
  return {};
}

std::size_t Apps::Impl::find(std::string_view wanted) const {
  const auto found = std::find_if(slots.begin(), slots.end(), [&](const Slot& s) { return s.app->name() == wanted; });
  return static_cast<std::size_t>(found - slots.begin());
}
std::size_t Apps::Impl::find(detail::Place place) const {
  const auto found = std::find_if(slots.begin(), slots.end(), [&](const Slot& s) {
    return s.place.cell == place.cell && s.place.generation == place.generation;
  });
  return static_cast<std::size_t>(found - slots.begin());
}

Error Apps::Impl::no_app(std::string_view wanted) const {
  std::vector<std::string> names;
  for (const Slot& slot : slots) names.push_back(slot.app->name());
  return Error(Errc::not_found,
               "no app '" + std::string(wanted) + "': the apps of '" + name + "' are " + detail::listed(names));
}

std::string Apps::Impl::state_of(std::size_t app) const {
  const detail::PlannedApp& planned = (*plan)[app];
  switch (planned.phase) {
    case AppPhase::starting: return "starting";
    case AppPhase::running: return "running";
    case AppPhase::returning:
    case AppPhase::parting:
    case AppPhase::kept: return "restarting";
    case AppPhase::leaving: return "stopping";
    case AppPhase::out: break;
  }
  return planned.finished ? "ended" : !planned.wanted ? "stopped" : "waiting";
}

void Apps::Impl::refuse(std::vector<Reply<>>& waiting, const Error& error) {
  for (Reply<>& reply : std::exchange(waiting, {})) std::move(reply)(error);
}
void Apps::Impl::grant(std::vector<Reply<>>& waiting) {
  for (Reply<>& reply : std::exchange(waiting, {})) std::move(reply)(Result<>());
}

void Apps::Impl::settle(Context& cx) {
  for (const detail::AppAction& action : plan->settle()) act(action, cx);
  answer_who_waits();
  if (plan->all_finished()) cx.stop();
}

void Apps::Impl::act(const detail::AppAction& action, Context& cx) {
  Slot& slot = slots[action.app];
  const detail::AppActor& actor = slot.app->actor();
  switch (action.step) {
    case AppStep::start: {
      // Runs until it waits for the init: the child is there when this returns.
      cx.pipe(actor.start(cx, me, action.app), me);
      slot.place = actor.find(cx, slot.app->name());
      return;
    }
    case AppStep::resume: slot.place = actor.resume(cx, me); return;
    case AppStep::stop:
      cx.log().info("stopping app", {{"app", slot.app->name()}});
      if (slot.place.cell != nullptr) {
        detail::order_cell(slot.place.cell, slot.place.generation, detail::signal::stop);
      }
      return;
    case AppStep::keep:
      cx.log().info("restarting app", {{"app", slot.app->name()}});
      detail::keep_child(*slot.place.cell);
      return;
    case AppStep::close: detail::close_kept_child(*slot.place.cell); return;
    case AppStep::tell_down:
      cx.log().info("app pauses", {{"app", slot.app->name()}, {"for", slots[action.about].app->name()}});
      actor.tell(slot.place, DependencyDown{slots[action.about].app->name()});
      return;
    case AppStep::tell_up:
      cx.log().info("app goes on", {{"app", slot.app->name()}, {"with", slots[action.about].app->name()}});
      actor.tell(slot.place, DependencyUp{slots[action.about].app->name()});
      return;
  }
}

void Apps::Impl::answer_who_waits() {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const detail::PlannedApp& planned = (*plan)[i];
    if (planned.phase == AppPhase::running && !planned.again) {
      grant(slots[i].starts);
      grant(slots[i].restarts);
    }
    if (planned.phase == AppPhase::out) {
      grant(slots[i].stops);
      if (planned.finished)
        refuse(slots[i].restarts,
               Error(Errc::cancelled, "app '" + slots[i].app->name() + "' ended by itself meanwhile"));
    }
  }
  const bool all = plan->all_run();
  if (all) grant(ready);
  if (all) {
    own_status(Status::running);
  } else if (status == Status::running) {
    own_status(Status::degraded);
  }
}

void Apps::Impl::runs(std::size_t app, Context& cx) {
  detail::PlannedApp& planned = (*plan)[app];
  Slot& slot = slots[app];
  slot.by_name = false;
  planned.phase = AppPhase::running;
  slot.app->actor().make_known(*detail::current_cell(), slot.app->name(), slot.place);
  cx.log().info("app runs", {{"app", slot.app->name()}});
  settle(cx);
}

void Apps::Impl::start_failed(std::size_t app, const Error& error, Context& cx) {
  Slot& slot = slots[app];
  detail::PlannedApp& planned = (*plan)[app];
  const bool gone = slot.place.cell == nullptr;
  if (planned.phase == AppPhase::leaving) {
    // Told to stop while it started: that is no failure.
    if (gone) planned.phase = AppPhase::out;
    return settle(cx);
  }
  if (!slot.by_name) {
    throw Need::fail(Error(code_above(error), "app '" + slot.app->name() + "' did not start: " + error.describe()));
  }
  slot.by_name = false;
  planned.wanted = false;
  planned.phase = gone ? AppPhase::out : AppPhase::leaving;  // too late for its deadline, it is being stopped
  cx.log().warn("app did not start", {{"app", slot.app->name()}, {"error", error.describe()}});
  refuse(slot.starts, error);
  settle(cx);
}

void Apps::Impl::ended(std::size_t app, const Result<>& result, Context& cx) {
  Slot& slot = slots[app];
  detail::PlannedApp& planned = (*plan)[app];
  const AppPhase was = planned.phase;
  detail::unregister_app(*detail::current_cell(), slot.app->name());
  slot.place = {};
  // Its init failed: the reason comes with AppStarted. Not started again before that is heard.
  if (was == AppPhase::starting) return;
  planned.phase = AppPhase::out;
  const bool told = was == AppPhase::leaving || was == AppPhase::parting;
  if (!told) {
    if (!result) {
      throw Need::fail(Error(code_above(result.error()),
                             "app '" + slot.app->name() + "' ended for good: " + result.error().describe()));
    }
    planned.finished = true;
    slot.status = Status::stopped;
  }
  cx.log().info(told ? "app stopped" : "app ended", {{"app", slot.app->name()}});
  grant(slot.stops);
  settle(cx);
}

void Apps::Impl::tell_all(const AppStatusChanged& change, std::size_t but) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (i != but && slots[i].place.cell != nullptr) (void)slots[i].app->actor().tell(slots[i].place, change);
  }
  for (const auto& watcher : watchers) watcher.send(change);
}

void Apps::Impl::own_status(Status next) {
  const Status before = std::exchange(status, next);
  if (before != next) tell_all({name, before, next, 1, "", true}, slots.size());
}

Result<> Apps::Impl::pass(std::size_t app, const detail::ReadMessage& message) const {
  const Slot& slot = slots[app];
  const AppPhase phase = (*plan)[app].phase;
  if (phase == AppPhase::out || phase == AppPhase::leaving) {
    return Error(Errc::unavailable, "app '" + slot.app->name() + "' is " + state_of(app) + " and takes no '" +
                                        message.kind->name + "': start it first");
  }
  message.kind->deliver(slot.place, message.message.get());
  return {};
}

}  // namespace v0
}  // namespace backstage
