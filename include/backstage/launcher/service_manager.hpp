// A door to who runs this program as a service: systemd, by its notification protocol (sd_notify), without its library.
//
//   READY=1      when all apps run
//   STATUS=...   how they stand, on each change: "3 of 4 apps run; restarting: store"
//   STOPPING=1   when the orderly stop begins
//   WATCHDOG=1   at half of the watchdog's time, for as long as the apps' supervisor answers
//
// The launcher opens it from NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; without NOTIFY_SOCKET there is no such door.
// A test opens its own. Stability: settling (v0).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backstage/actor/actor.hpp"
#include "backstage/application/apps.hpp"
#include "backstage/exec/environment.hpp"

namespace backstage {
inline namespace v0 {

class ServiceManager {
 public:
  virtual ~ServiceManager() = default;
  /// Any thread; does not wait. Errc::unavailable when it cannot be reached: whoever calls goes on all the same.
  virtual Result<> notify(std::string_view state) = 0;
  /// Within which time it wants to hear WATCHDOG=1, again and again; nothing: never.
  [[nodiscard]] virtual std::optional<Duration> watchdog() const = 0;
};

/// systemd at the address of a datagram socket: "/run/systemd/notify", or "@name" for an abstract one.
/// Errc::invalid: no such address.
[[nodiscard]] Result<std::shared_ptr<ServiceManager>> systemd(std::string address, std::optional<Duration> watchdog);
/// As the environment variables say; null without NOTIFY_SOCKET. They are read, and left as they are.
[[nodiscard]] Result<std::shared_ptr<ServiceManager>> systemd_from_environment();

/// The actor that tells the service manager: spawn it beside Apps, in an environment with that door.
class ServiceReport {
 public:
  explicit ServiceReport(Ref<Apps> apps) : apps_(apps) {}
  void init(Context& cx);
  void terminating(Context& cx);
  void handle(const AppStatusChanged& change, Context& cx);

  struct Beat {};
  Interleaved<void> handle(Beat, Context& cx);
  struct Tell {};
  Interleaved<void> handle(Tell, Context& cx);

 private:
  void say(std::string_view state, Context& cx);
  Ref<Apps> apps_;
  ServiceManager* manager_ = nullptr;
  Duration beat_{0};
  bool beating_ = false;
  bool ready_ = false;
  bool telling_ = false;
  bool stopping_ = false;
  bool complained_ = false;
  std::string told_;
};

}  // namespace v0
}  // namespace backstage
