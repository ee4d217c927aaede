// What an app does when another that it depends on goes away and comes back, and what apps are told of each other.
//
//     launcher.add<Api>("api").depends_on("store");                       // ignore: a Ref outlives a restart
//     launcher.add<Cache>("cache").depends_on("store", Follow::restart);  // begins anew with it
//     launcher.add<Feed>("feed").depends_on("store", Follow::pause);      // handle(DependencyDown), handle(DependencyUp)
//
// See docs/adr/0015-follow-policies.md. Stability: settling (v0).
#pragma once

#include <cstdint>
#include <string>

#include "backstage/actor/status.hpp"
#include "backstage/base/error.hpp"

namespace backstage {
inline namespace v0 {

/// How an app follows one it depends on.
enum class Follow : std::uint8_t {
  /// It goes on while that one is restarted: Refs stay good, asks wait or time out. Stopped by name, it is stopped
  /// before.
  ignore,
  /// When that one fails or is restarted it is ended, too, and started again when that one runs. Its place, mailbox
  /// and Refs stay. Stopped by name, it is stopped before.
  restart,
  /// It goes on, also while that one is stopped by name, and is told: DependencyDown, DependencyUp. After a stop by
  /// name the dependency is another actor: look it up again by cx.app<A>(name).
  pause,
};
[[nodiscard]] constexpr std::string_view to_string(Follow follow) noexcept {
  return follow == Follow::ignore ? "ignore" : follow == Follow::restart ? "restart" : "pause";
}

/// To an app that follows by Follow::pause: one that it depends on does not run.
struct DependencyDown {
  std::string app;
};
/// It runs again.
struct DependencyUp {
  std::string app;
};

/// To every app that has a handle() for it, of each change of another, and of the launcher's own (which is running
/// when all apps run, degraded when one does not, and stopping). In order for each app; never refused by a mailbox.
struct AppStatusChanged {
  std::string app;  ///< its name; of the launcher itself the program's
  Status from;
  Status to;
  std::uint32_t incarnation;
  std::string word;       ///< the app's own word for it, or empty
  bool launcher = false;  ///< it is the launcher's own
};

}  // namespace v0
}  // namespace backstage
