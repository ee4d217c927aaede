// How the next actor is picked: the policies of a simulated world, as functions of indices, without any actor.
//
// Each keeps F1: whoever is the oldest of the ready is run after at most `patience` others, so nobody waits for ever.
// Threads: one. Stability: internal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "backstage/base/random.hpp"
#include "backstage/sim/world.hpp"

namespace backstage {
inline namespace v0 {
namespace sim {

class Order {
 public:
  static constexpr std::uint32_t patience = 256;

  /// Draws what is not given, and the policy's own parameters.
  Order(std::uint64_t seed, std::optional<Policy> policy);

  /// `ready` holds numbers that stand for actors, the oldest first, at least one; an actor has the same number every time.
  [[nodiscard]] std::uint32_t choose(const std::vector<std::uint32_t>& ready);
  /// After how many messages a turn ends; 0: the usual.
  [[nodiscard]] std::uint32_t bound(std::uint32_t usual);
  /// For a number not seen before: its name, by which its importance is drawn, however late it comes.
  void introduce(std::uint32_t number, std::string_view name);

  [[nodiscard]] Policy policy() const noexcept { return policy_; }
  [[nodiscard]] std::string text() const;

 private:
  enum class Lengths : std::uint8_t { usual, one, few, any };

  [[nodiscard]] std::uint32_t pick(const std::vector<std::uint32_t>& ready);
  [[nodiscard]] std::uint32_t most_important(const std::vector<std::uint32_t>& ready);
  [[nodiscard]] std::uint32_t not_held_up(const std::vector<std::uint32_t>& ready);
  [[nodiscard]] std::uint32_t not_the_victim(const std::vector<std::uint32_t>& ready);
  [[nodiscard]] std::uint32_t newest(const std::vector<std::uint32_t>& ready);

  const std::uint64_t seed_;
  Random random_;
  Random lengths_random_;
  Policy policy_ = Policy::uniform;
  Lengths lengths_ = Lengths::usual;
  std::uint64_t turn_ = 0;
  std::uint32_t oldest_ = UINT32_MAX;  // and for how many turns it has been
  std::uint32_t oldest_for_ = 0;
  std::vector<std::uint64_t> changes_;  // turns at which the order changes or somebody is held up, the last one first
  std::uint64_t span_ = 0;              // within which they lie
  std::size_t depth_ = 0;
  std::vector<std::uint64_t> importance_;  // by number
  std::uint64_t lowered_ = 0;
  std::uint32_t victim_ = UINT32_MAX;
  std::uint64_t victim_until_ = 0;
  std::size_t before_ = 0;  // how many were ready before, less the one that was run
  std::uint32_t streak_ = 0;
};

/// A seed for a stream of its own.
[[nodiscard]] std::uint64_t split_by_name(std::uint64_t seed, std::string_view name) noexcept;

}  // namespace sim
}  // namespace v0
}  // namespace backstage
