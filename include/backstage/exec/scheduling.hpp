// The door by which somebody else decides what a scheduler without threads runs next: the seam of simulated worlds.
//
//   (1) It is looked at in manual mode only (threads = 0). With threads nobody asks, and nothing is paid for it.
//   (2) Whatever it answers, each runnable that was scheduled is run, once; an index too large counts from the front again.
//   (3) Without the door the order is the scheduler's own, as ever.
//
// Open it before the Runtime is built: environment.open<Scheduling>(...). Runnables are known by address only; what they
// are is the business of the floor above.
// Threads: one. Errors: none may be thrown. Stability: internal.
#pragma once

#include <cstddef>
#include <span>

namespace backstage {
inline namespace v0 {
namespace detail {
struct Runnable;
}

class Scheduling {
 public:
  virtual ~Scheduling() = default;
  /// Which of `ready` is run next: an index. They stand in the order in which they were scheduled, and there is at
  /// least one.
  [[nodiscard]] virtual std::size_t choose(std::span<detail::Runnable* const> ready) noexcept = 0;
  /// After how many messages the turn of whoever was chosen ends, at least 1; `usual` is the scheduler's own bound.
  [[nodiscard]] virtual unsigned bound(unsigned usual) noexcept = 0;
  /// After each message of a turn, and after whatever else the runnable counts as one. `message` is what it noted last,
  /// or null.
  virtual void handled(detail::Runnable& running, const void* message) noexcept = 0;
  /// After its turn. It may schedule and set timers.
  virtual void ended(detail::Runnable& ran) noexcept = 0;
};

}  // namespace v0
}  // namespace backstage
