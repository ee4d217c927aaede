#include "backstage/application/application.hpp"

#include <string>
#include <utility>

namespace backstage {
inline namespace v0 {

Task<Result<>> Apps::init(Context& cx) {
  std::vector<AppDependencies> dependencies;
  for (const App& app : *apps_) dependencies.push_back(app.dependencies());
  auto order = dependency_order(dependencies);
  if (!order) co_return order.error();
  for (const std::size_t index : order.value()) {
    const App& app = (*apps_)[index];
    const Ref<Apps> me = cx.self(this);
    Task<Result<>> starting = app.start(cx, me);
    auto started = co_await starting;
    if (!started) {
      co_return Error(Errc::failed, "app '" + app.name() + "' did not start: " + started.error().describe());
    }
    ++living_;
    cx.log().info("app runs", {{"app", app.name()}});
  }
  co_return Result<>();
}

void Apps::handle(detail::AppEnded ended, Context& cx) {
  detail::unregister_app(*detail::current_cell(), ended.name);
  if (living_ > 0) --living_;
  if (!ended.result) {
    throw Need::fail(
        Error(Errc::failed, "app '" + ended.name + "' ended for good: " + ended.result.error().describe()));
  }
  cx.log().info("app ended", {{"app", ended.name}});
  if (living_ == 0) cx.stop();
}

}  // namespace v0
}  // namespace backstage
