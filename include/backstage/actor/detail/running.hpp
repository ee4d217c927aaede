// Which actor a thread is running: for the last words of a program that is about to die.
// Stability: internal.
#pragma once

#include <cstddef>
#include <string_view>

namespace backstage {
inline namespace v0 {
namespace detail {

struct RunningActor {
  char path[256];            // cut at its front to fit; not terminated
  std::size_t path_at = 0;   // where in it the path begins
  std::string_view type;     // static
  std::string_view message;  // static: what is being handled, or empty

  [[nodiscard]] std::string_view where() const noexcept { return {path + path_at, sizeof(path) - path_at}; }
};

/// The actor in whose turn this thread is. False: in none. Allocates and locks nothing: may be called in a signal handler.
[[nodiscard]] bool find_running_actor(RunningActor& into) noexcept;

}  // namespace detail
}  // namespace v0
}  // namespace backstage
