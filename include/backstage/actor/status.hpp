// What state an actor is in, for its supervisor, its subscribers and the service tree (promise L1).
//
//   starting -> initializing -> running (or degraded, maintenance, idle, outage as the actor says) -> stopping -> stopped
//
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace backstage {
inline namespace v0 {

/// Ordered for the roll-up from the mildest to the gravest, as far as children count.
enum class Status : std::uint8_t {
  starting,
  initializing,
  idle,
  running,
  degraded,
  maintenance,
  outage,
  stopping,
  stopped,
};

[[nodiscard]] constexpr std::string_view to_string(Status status) noexcept {
  switch (status) {
    case Status::starting: return "starting";
    case Status::initializing: return "initializing";
    case Status::idle: return "idle";
    case Status::running: return "running";
    case Status::degraded: return "degraded";
    case Status::maintenance: return "maintenance";
    case Status::outage: return "outage";
    case Status::stopping: return "stopping";
    case Status::stopped: return "stopped";
  }
  return "unknown";
}

/// L1: outage > degraded > maintenance > initializing > running > idle.
[[nodiscard]] constexpr int gravity(Status status) noexcept {
  switch (status) {
    case Status::outage: return 6;
    case Status::degraded: return 5;
    case Status::maintenance: return 4;
    case Status::starting:
    case Status::initializing: return 3;
    case Status::running: return 2;
    case Status::idle: return 1;
    case Status::stopping: return 2;  // on its way out, in order: as running
    case Status::stopped: return 0;   // ended: does not count
  }
  return 0;
}

/// A word of an actor's own for its status is cut to this many bytes.
inline constexpr std::size_t max_status_word = 64;

/// A place changed its status, or its word for it (then `from` and `to` are the same). An event of the runtime (events.hpp), and a message to whoever the child's spec names with
/// `report_to`, or who subscribed. Changes of one place come in order, each once.
struct StatusChanged {
  std::string path;
  std::string_view actor;  ///< its type
  Status from;
  Status to;
  std::uint32_t incarnation;
  std::string word;  ///< the actor's own word for it ("disconnected"), or empty
};

}  // namespace v0
}  // namespace backstage
