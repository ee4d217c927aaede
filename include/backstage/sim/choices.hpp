// What a simulated world decided, as a list that can be kept, replayed and made smaller.
//
// A value of 0 is always the tame choice: the oldest of the ready actors, a turn of the usual length, no fault, a timer
// on time. So a list of zeros, or an empty one, is the plainest run there is, and whatever follows the end of a list is 0.
// Each kind has a list of its own: a fault that is taken away does not shift what the scheduler does.
// Threads: one. Stability: settling (v0).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace backstage {
inline namespace v0 {
namespace sim {

enum class ChoiceKind : std::uint8_t {
  actor,   ///< which of the ready ones, counted from the oldest
  bound,   ///< after how many messages its turn ends; 0: the usual
  fault,   ///< what befalls whom after a turn; 0: nothing
  point,   ///< whether a fault point strikes
  timing,  ///< how late a timer is
  job,     ///< which job of the blocking pool is run after a turn, counted from 1; 0: none before everybody rests
  memory,  ///< whether an allocation fails
};
inline constexpr std::size_t choice_kinds = 7;

struct Choices {
  std::array<std::vector<std::uint32_t>, choice_kinds> made;

  [[nodiscard]] std::vector<std::uint32_t>& of(ChoiceKind kind) noexcept {
    return made[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] const std::vector<std::uint32_t>& of(ChoiceKind kind) const noexcept {
    return made[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] std::size_t size() const noexcept;
  /// Those that are not 0: how far this run is from the plainest one.
  [[nodiscard]] std::size_t wild() const noexcept;
  /// "1203 choices, 17 of them not the plainest (actor 12, fault 5)".
  [[nodiscard]] std::string text() const;

  friend bool operator==(const Choices&, const Choices&) = default;
};

struct Shrunk {
  Choices choices;       ///< the tamest found that still fails
  std::size_t runs = 0;  ///< how many were tried
};

/// Makes a failing list tamer: cuts its ends off and sets choices to 0, as long as `fails` says that what is left still
/// fails. Calls it at most `most_runs` times. Whatever comes back is `failing` itself or was seen to fail.
[[nodiscard]] Shrunk shrink(const Choices& failing, const std::function<bool(const Choices&)>& fails,
                            std::size_t most_runs = 200);

}  // namespace sim
}  // namespace v0
}  // namespace backstage
