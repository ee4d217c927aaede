// Launcher: a program of applications. It reads the flags, starts each app when those it depends on run (independent
// ones at the same time), waits, and stops them the other way round. From inside, `apps(cx)` starts, stops and restarts
// them by name (apps.hpp).
//
//     int main(int argc, char** argv) {
//       backstage::Launcher launcher{"chronicle"};
//       launcher.add<Store>("store");
//       launcher.add<Api>("api").depends_on("store");
//       return launcher.run(argc, argv);
//     }
//
// Under systemd (NOTIFY_SOCKET) it tells when the apps run, how they stand, and feeds the watchdog (service_manager.hpp).
// A stop that takes longer than a second says each second which apps still live.
//
// Flags of every launcher: --workers N, --log LEVEL, --log-format line|json, --stop-within SECONDS, --help. Where a flag
// says nothing, a variable of the environment may: BACKSTAGE_WORKERS, BACKSTAGE_LOG, BACKSTAGE_LOG_FORMAT,
// BACKSTAGE_STOP_WITHIN; of the program's own flags CHRONICLE_DATA for --data, and so on (not of switches and lists).
// First SIGINT or SIGTERM: orderly stop; second: out at once (promise L5).
// Exit codes: 0 orderly, 1 an app failed for good, 2 usage (flags, dependencies), 3 unclean stop (a thread was not
// given back), 4 a setting that cannot be: a wrong variable, a check() that says Errc::configuration, an app whose
// constructor or init fails with it (it is not restarted), 130/143 second signal.
// A program that dies in an actor (a destructor that throws, a stack overflow) names the actor in its last words.
// Threads: the main one. One launcher at a time runs in a process, since signals belong to the process; it gives them
// back. Any number of Runtimes may run beside it.
// Stability: settling (v0).
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backstage/application/application.hpp"
#include "backstage/exec/variables.hpp"

namespace backstage {
inline namespace v0 {

class Launcher {
 public:
  explicit Launcher(std::string name, std::string about = "");
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;
  ~Launcher();

  /// What add() returns: says more of the app. A is its actor, or void where the type is not known any more.
  template <class A>
  class Added {
   public:
    Added(Launcher& launcher, std::size_t index) noexcept : launcher_(launcher), index_(index) {}
    template <class... Names>
      requires(std::convertible_to<Names, std::string_view> && ...)
    Added& depends_on(Names&&... names) {
      (app().add_dependency(Dependency(std::string(std::forward<Names>(names)))), ...);
      return *this;
    }
    /// ... and what it does when that one goes away and comes back (follow.hpp).
    Added& depends_on(std::string name, Follow follow) {
      app().add_dependency(Dependency(std::move(name), follow));
      return *this;
    }
    /// Changes its actor's spec: restarts, mailbox, deadlines. See AppOf::spec.
    template <class F>
    Added& spec(F change) {
      detail::change_spec<A>(app().actor(), std::function<Child<A>(Child<A>)>(std::move(change)));
      return *this;
    }
    /// A message that it takes by name. See takes.hpp.
    template <class M, class... Fields>
    Added& takes(std::string name, Fields... fields) {
      detail::add_taken<A, M>(app().actor(), std::move(name), {std::move(fields)...});
      return *this;
    }

   private:
    [[nodiscard]] App& app() { return launcher_.at(index_); }
    Launcher& launcher_;
    std::size_t index_;
  };

  /// An application whose actor is A. The arguments are kept by value. To hand over what flags set, pass a
  /// shared_ptr to it: flags are read in run(), before any app is made.
  template <class A, class... X>
  Added<A> add(std::string name, X&&... arguments) {
    return add(app<A>(std::move(name), std::forward<X>(arguments)...));
  }
  template <class A>
  Added<A> add(AppOf<A> app) {
    return {*this, keep(std::move(app))};
  }
  Added<void> add(App app) { return {*this, keep(std::move(app))}; }

  /// A flag of the program's own: `launcher.option("--data", "folder of the store", settings->data)`. The variable
  /// holds the default until run() has read the flags. A bool is a switch; a vector may be given several times.
  void option(std::string flag, std::string help, std::string& value);
  void option(std::string flag, std::string help, bool& value);
  void option(std::string flag, std::string help, std::uint16_t& value);
  void option(std::string flag, std::string help, std::uint64_t& value);
  void option(std::string flag, std::string help, std::vector<std::string>& value);
  /// Looks at the flags together, after they were read; an Error is a usage error (exit 2), or one of the configuration
  /// (Errc::configuration, exit 4).
  void check(std::function<Result<>()> check);

  /// Environment variables other than this process's, for tests. Apps find them behind the door `Variables`.
  void variables(std::shared_ptr<Variables> given);
  /// Called after the flags were read and before the Runtime starts: to open doors.
  void open(std::function<void(Environment&)> open);
  /// Called on the main thread when all apps run.
  void on_running(std::function<void(Runtime&)> call);

  /// Runs the program. Returns its exit code.
  int run(int argc, const char* const* argv);

 private:
  std::size_t keep(App app);
  [[nodiscard]] App& at(std::size_t index) noexcept;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace v0
}  // namespace backstage
