// Context: who an actor is, its status, what it waits for. (Its children: spawning.cpp; its timers: timers.cpp.)
#include "backstage/actor/context.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core.hpp"
#include "inspecting.hpp"

namespace backstage {
inline namespace v0 {

detail::Cell& Context::cell() { return static_cast<detail::Cell&>(*this); }
const detail::Cell& Context::cell() const { return static_cast<const detail::Cell&>(*this); }

std::string_view Context::name() const {
  const detail::Cell& me = cell();
  if (!me.name().empty() || me.parent() == nullptr) return me.name();
  // "#3": the last step of the path that the logger's cache holds.
  const std::string_view path = log_path();
  return path.substr(path.rfind('/') + 1);
}
std::string Context::path() const { return cell().full_path(); }
std::uint32_t Context::incarnation() const { return cell().incarnation(); }
const Environment& Context::environment() const { return *cell().core().environment; }
Instant Context::now() const { return cell().core().scheduler->now(); }

std::string_view Context::log_path() const {
  auto& me = const_cast<detail::Cell&>(cell());
  // A place's path never changes, so it is built once and lives as long as the place.
  std::string& path = me.need_extras().path_text;
  if (path.empty()) path = me.full_path();
  return path;
}

Logger Context::log() const { return cell().core().logger(log_path()); }

std::size_t Context::children() const { return cell().extras != nullptr ? cell().extras->children : 0; }

void Context::status(Status next) { status(next, {}); }
void Context::status(Status next, std::string_view word) {
  detail::settle_turn();
  detail::Cell& me = cell();
  if (gravity(next) == 0 || next == Status::starting || next == Status::initializing || next == Status::stopping) {
    throw Need::fail(
        Error(Errc::invalid, "an actor says running, idle, degraded, maintenance or outage of itself; '" +
                                 std::string(to_string(next)) + "' is for the runtime to say"));
  }
  // On its way out it is stopping, whatever it says (L1: changes come in order).
  if (me.phase != detail::Phase::initializing && me.phase != detail::Phase::running) return;
  me.rest().status_stated = true;
  me.set_status(next, detail::tame(word, max_status_word));
}
void Context::strategy(Strategy strategy) {
  detail::Extras& extras = cell().need_extras();
  if (extras.supervising == nullptr) extras.supervising = std::make_unique<detail::Supervising>();
  extras.supervising->strategy = strategy;
}
void Context::at_most(std::uint32_t restarts, Per window) {
  if (window.window <= Duration::zero()) {
    throw Need::fail(Error(Errc::invalid, "cx.at_most: a window of " + to_string(window.window)));
  }
  detail::Extras& extras = cell().need_extras();
  if (extras.supervising == nullptr) extras.supervising = std::make_unique<detail::Supervising>();
  extras.supervising->budget = Intensity{restarts, window.window};
}
void Context::stop() {
  detail::Cell& me = cell();
  if (!me.rest().stop_ordered) me.own_end = true;
  me.own_commands |= detail::signal::stop;  // its own turn, whose loop looks after each message
}

std::stop_token Context::stop_token() {
  std::stop_source& source = cell().need_extras().stop_source;
  if (!source.stop_possible()) {
    source = std::stop_source();
    if (cell().rest().stop_ordered) source.request_stop();
  }
  return source.get_token();
}

SleepAwait Context::sleep(Duration d) { return SleepAwait(d); }
YieldAwait Context::yield() { return YieldAwait(); }
Pending<ServiceTree> Context::service_tree() { return Pending<ServiceTree>(); }

void YieldAwait::await_suspend(std::coroutine_handle<> handle) {
  detail::Cell& cell = *detail::current_cell();
  enlist(cell, handle, Instant::never());
  yields_ = true;
  cell.signals.fetch_or(detail::signal::yield, std::memory_order_relaxed);
}

}  // namespace v0
}  // namespace backstage
