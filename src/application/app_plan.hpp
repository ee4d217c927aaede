// What has to happen next so that every app is where it should be: a pure table, without actors. Apps feeds in what
// happened and carries out what settle() says.
//
//            start                 has started
//   out ---------------> starting -------------> running --stop--> leaving --has ended--> out
//    ^                                           |  ^  \--keep--> parting --was kept--> kept --close--> leaving
//    |                                    failed v  | has started                        |
//    |                                        returning <------------resume--------------/
//
// (1) An app is started when those it depends on run (or have ended in order). (2) It is ended when all who depend on it
// and have to go have gone. Both as early as that allows, so independent apps go at the same time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "backstage/application/dependency_order.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

enum class AppPhase : std::uint8_t {
  out,        ///< not there
  starting,   ///< in a new place, its init under way
  returning,  ///< in its old place: waits for its policy's restart, or its init is under way
  running,
  leaving,  ///< told to end for good
  parting,  ///< told to end and leave its place
  kept,     ///< its place waits
};

enum class AppStep : std::uint8_t { start, resume, stop, keep, close, tell_down, tell_up };
struct AppAction {
  AppStep step;
  std::size_t app;
  std::size_t about = 0;  ///< tell_down, tell_up: the dependency
  friend bool operator==(const AppAction&, const AppAction&) = default;
};

struct PlannedApp {
  struct Need {
    std::size_t app;
    Follow follow;
    bool told_down = false;
  };
  std::vector<Need> needs;
  std::vector<std::size_t> dependants;
  AppPhase phase = AppPhase::out;
  bool wanted = true;     // false: stopped by name
  bool finished = false;  // it ended by itself, in order
  bool again = false;     // to be ended and started again

  [[nodiscard]] bool is_up() const noexcept {
    return phase == AppPhase::starting || phase == AppPhase::returning || phase == AppPhase::running;
  }
  [[nodiscard]] bool is_down() const noexcept { return phase == AppPhase::out || phase == AppPhase::kept; }
};

class AppPlan {
 public:
  /// `apps` in the order in which they were added, `order` as dependency_order says.
  AppPlan(const std::vector<AppDependencies>& apps, std::vector<std::size_t> order);

  [[nodiscard]] PlannedApp& operator[](std::size_t app) noexcept { return apps_[app]; }
  [[nodiscard]] const PlannedApp& operator[](std::size_t app) const noexcept { return apps_[app]; }
  [[nodiscard]] std::size_t size() const noexcept { return apps_.size(); }

  /// Those that follow `app` by Follow::restart are to begin again, and those that follow them.
  void restart_followers(std::size_t app);
  /// What to do now; the phases already say that it is being done.
  [[nodiscard]] std::vector<AppAction> settle();
  /// It cannot run as long as nobody starts what was stopped by name: itself (then its own number), or what it depends
  /// on. size(): nothing is in the way.
  [[nodiscard]] std::size_t held_by(std::size_t app) const;
  /// All run that are not held and have not ended in order.
  [[nodiscard]] bool all_run() const;
  /// Every app has ended by itself, in order.
  [[nodiscard]] bool all_finished() const;

 private:
  [[nodiscard]] bool can_run(const PlannedApp& app) const;
  void tell_followers(std::vector<AppAction>& actions);

  std::vector<PlannedApp> apps_;
  std::vector<std::size_t> order_;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
