// When does a worker hog: the watch's decision about one worker, as plain data without threads or clocks.
//
// The watch looks at each worker every few milliseconds. A worker that is in a turn and has not got any further since
// the last look is *stuck*: what it holds is shared with the others. Once it has been stuck for `after`, it *hogs*: an
// episode begins, and is told once. It ends at the first look that finds progress, and that is told once, too.
//
// A look that comes late counts as `most_a_look` at most: if the watch itself was not let run, neither may the worker
// have been (one busy core, a stopped process, a paused machine), and nobody is to be blamed for that.
// Threads: the watch's only. Stability: internal.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "backstage/base/time.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

struct HogRules {
  Duration after = std::chrono::milliseconds(50);
  Duration most_a_look = std::chrono::milliseconds(20);
};

class HogEpisode {
 public:
  enum class News : std::uint8_t { none, began, ended };

  /// One look: whether the worker is in a turn, its count of messages and turns, and the time since the last look.
  [[nodiscard]] News look(bool in_turn, std::uint32_t progress, Duration since_last, const HogRules& rules) noexcept {
    const bool same = in_turn && was_in_turn_ && progress == seen_;
    seen_ = progress;
    was_in_turn_ = in_turn;
    if (!same) {
      stuck_for_ = Duration::zero();
      const bool ended = open_;
      open_ = false;
      return ended ? News::ended : News::none;
    }
    stuck_for_ += std::clamp(since_last, Duration::zero(), rules.most_a_look);
    if (open_ || stuck_for_ < rules.after) return News::none;
    open_ = true;
    return News::began;
  }

  /// No further since the look before.
  [[nodiscard]] bool is_stuck() const noexcept { return stuck_for_ > Duration::zero(); }
  /// An episode is under way.
  [[nodiscard]] bool is_open() const noexcept { return open_; }

 private:
  std::uint32_t seen_ = 0;
  bool was_in_turn_ = false;
  bool open_ = false;
  Duration stuck_for_{0};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
