// How many workers is the present work worth: the decision, as plain data without threads or clocks.
//
// Actors that send each other short messages are often done sooner by one worker than by two, since a message to another
// core costs more than to handle it; and others not. Which, nobody can tell beforehand: it is tried out. While all
// workers handle short messages, half of them are left out for a moment; that stays so if more messages are
// handled then. Now and then more are tried again. Hill climbing, as in J. L. Hellerstein, V. Morrison, E. Eilebrecht:
// "Applying control theory in the real world" (2009), but for steps that double and halve.
//
// What a try costs when it does not pay is bounded: it lasts for `settling` and `window` (`glance`, where it is plainly worse), and
// the pause before the next one doubles each time, up to `longest_pause`. A limit that somebody had to lift, since he could not wait, is
// tried anew soon if it had held for `pause_at_end`; else after pauses that double, too. A limit of one that had paid and ended with
// the work is tried anew with the next.
// Threads: one at a time. Stability: internal.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "backstage/base/time.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

struct TuningRules {
  Duration window = std::chrono::milliseconds(1);       ///< of a measurement
  Duration glance = std::chrono::microseconds(250);     ///< of a try that is plainly worse
  Duration settling = std::chrono::microseconds(200);   ///< before it, when the number has changed
  Duration first_pause = std::chrono::milliseconds(2);  ///< after a try that paid; one that did not doubles it first
  Duration pause_at_end = std::chrono::milliseconds(40);  ///< the same, where one that paid led to one worker or all
  Duration longest_pause = std::chrono::seconds(2);
  Duration between_looks = std::chrono::milliseconds(5);  ///< at most, while a limit is in force: has it been lifted?
  Duration longest_message = std::chrono::microseconds(5);  ///< on the average: longer ones are worth all workers
  double margin = 1.1;                                      ///< so many times the messages, or it did not pay
  double plainly_worse = 0.7;  ///< so many times the messages, or no more of them are counted
};

class WorkerTuning {
 public:
  /// `limit`: so many workers take part; `next`: when to look again.
  struct Step {
    unsigned limit;
    Instant next;
  };

  WorkerTuning(unsigned workers, TuningRules rules) : rules_(rules), workers_(workers), limit_(workers) {}

  /// `messages`: handled by all together so far, modulo 2^32. `all_worked`: each that takes part has handled something since the last look,
  /// and none is stuck. `in_force`: how many really take part, for the limit may have been lifted meanwhile.
  [[nodiscard]] Step look(Instant now, std::uint32_t messages, bool all_worked, unsigned in_force) noexcept {
    // Until when a limit was seen in force: afterwards there may have been nothing to do for long.
    const Instant seen = std::exchange(looked_, now);
    if (in_force != limit_) {
      const bool held = seen - fewer_since_ >= rules_.pause_at_end - rules_.between_looks;
      limit_ = in_force;
      paid_ = false;
      if (std::exchange(rested_, false)) {
        // Most of what comes now and then is alike, but not all; and work may begin slowly.
        pause_ = rules_.first_pause;
        return rest(now, rules_.settling);
      }
      lifted_pause_ = held ? rules_.first_pause : std::min(2 * lifted_pause_, rules_.longest_pause);
      return rest(now, lifted_pause_);
    }
    if (stage_ != Stage::resting && spans_a_rest(now)) return begin(now, messages, Stage::measuring, rules_.window);
    switch (stage_) {
      case Stage::resting:
        if (now < rests_until_) return {limit_, next_look(now)};
        if (std::exchange(paid_, false)) pause_ = has_further() ? rules_.first_pause : rules_.pause_at_end;
        break;
      case Stage::measuring: {
        const double rate = rate_until(now, messages);
        const bool is_short = rate * static_cast<double>(rules_.longest_message.count()) >= limit_;
        if (!is_short && limit_ != workers_) {
          limit_ = workers_;
          lengthen_pause();
          return rest(now, pause_);
        }
        if (!is_short || !all_worked) break;
        before_ = rate;
        tried_from_ = limit_;
        if (!has_further()) down_ = !down_;
        limit_ = down_ ? limit_ / 2 : std::min(2 * limit_, workers_);
        if (down_) fewer_since_ = now;
        return begin(now, messages, Stage::settling, rules_.settling);
      }
      case Stage::settling: return begin(now, messages, Stage::trying, rules_.glance);
      case Stage::trying: {
        const double rate = rate_until(now, messages);
        if (const Instant end = began_ + rules_.window; now < end && rate >= rules_.plainly_worse * before_)
          return {limit_, end};
        // More than had something to do are not more.
        paid_ = rate >= rules_.margin * before_ && (down_ || all_worked);
        if (!paid_) {
          limit_ = tried_from_;
          down_ = !down_;
          lengthen_pause();
        }
        return rest(now, pause_);
      }
    }
    return begin(now, messages, Stage::measuring, rules_.window);
  }

  /// Nothing is left to do for any worker that takes part, and for that the limit is lifted: nobody had to wait.
  void work_ends() noexcept { rested_ = limit_ == 1 && (stage_ == Stage::resting || stage_ == Stage::measuring); }

 private:
  enum class Stage : std::uint8_t { resting, measuring, settling, trying };

  Step begin(Instant now, std::uint32_t messages, Stage stage, Duration looks_after) noexcept {
    began_ = now;
    messages_ = messages;
    stage_ = stage;
    return {limit_, now + looks_after};
  }
  Step rest(Instant now, Duration pause) noexcept {
    stage_ = Stage::resting;
    rests_until_ = now + pause;
    return {limit_, next_look(now)};
  }
  [[nodiscard]] Instant next_look(Instant now) const noexcept {
    return limit_ == workers_ ? rests_until_ : std::min(rests_until_, now + rules_.between_looks);
  }
  /// The work ended in it, and this is the next. (Under a limit there is no rest, and who looks late had a long message.)
  [[nodiscard]] bool spans_a_rest(Instant now) const noexcept {
    return limit_ == workers_ && now - began_ > 2 * rules_.window;
  }
  void lengthen_pause() noexcept { pause_ = std::min(2 * pause_, rules_.longest_pause); }
  [[nodiscard]] bool has_further() const noexcept { return down_ ? limit_ > 1 : limit_ < workers_; }
  /// Messages a nanosecond.
  [[nodiscard]] double rate_until(Instant now, std::uint32_t messages) const noexcept {
    const Duration took = std::max(now - began_, Duration(1));
    return static_cast<double>(messages - messages_) / static_cast<double>(took.count());
  }

  TuningRules rules_;
  unsigned workers_;
  unsigned limit_;
  unsigned tried_from_ = 0;
  bool down_ = true;
  bool rested_ = false;  // a limit that had paid ended with the work
  bool paid_ = false;    // the last try did, and its limit has not been in force for a whole pause yet
  Stage stage_ = Stage::resting;
  std::uint32_t messages_ = 0;
  Instant looked_{};
  Instant began_{};
  double before_ = 0;
  Instant fewer_since_{};
  Instant rests_until_{};
  Duration pause_ = rules_.first_pause;
  Duration lifted_pause_ = rules_.first_pause;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
