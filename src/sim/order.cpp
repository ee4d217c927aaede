#include "order.hpp"

#include <algorithm>
#include <array>
#include <functional>

namespace backstage {
inline namespace v0 {
namespace sim {
namespace {

constexpr std::array<std::string_view, policies> policy_names{"uniform",    "priority",    "delay_bounded",
                                                              "starve_one", "round_robin", "newest_first"};
constexpr std::uint64_t victim_for = 1'024;  // turns
constexpr std::uint32_t longest_streak = 16;

}  // namespace

std::string_view to_string(Policy policy) noexcept { return policy_names[static_cast<std::size_t>(policy)]; }

std::uint64_t split_by_name(std::uint64_t seed, std::string_view name) noexcept {
  std::uint64_t mixed = 0xcbf29ce484222325U;
  for (const char c : name) mixed = (mixed ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  std::uint64_t state = split_mix(seed) ^ mixed;
  return split_mix(state);
}

Order::Order(std::uint64_t seed, std::optional<Policy> policy)
    : seed_(seed), random_(split_by_name(seed, "order")), lengths_random_(split_by_name(seed, "lengths of turns")) {
  const auto drawn = static_cast<Policy>(random_.below(policies));
  policy_ = policy.value_or(drawn);
  lengths_ = static_cast<Lengths>(lengths_random_.below(4));
  // Changes that lie too late never happen in a short run, so the span varies by powers of two.
  depth_ = 1 + random_.below(4);
  span_ = std::uint64_t{64} << random_.below(9);
  for (std::size_t i = 0; i < depth_; ++i) changes_.push_back(random_.below(span_));
  std::sort(changes_.begin(), changes_.end(), std::greater<>());
}

void Order::introduce(std::uint32_t number, std::string_view name) {
  if (importance_.size() <= number) importance_.resize(number + std::size_t{1});
  // Never among the lowest, which are for those that a change puts down.
  importance_[number] = split_by_name(seed_, name) | (std::uint64_t{1} << 63U);
}

std::uint32_t Order::choose(const std::vector<std::uint32_t>& ready) {
  ++turn_;
  if (ready.front() == oldest_) {
    ++oldest_for_;
  } else {
    oldest_ = ready.front();
    oldest_for_ = 0;
  }
  const std::uint32_t at = oldest_for_ >= patience ? 0 : pick(ready);
  before_ = ready.size() - 1;
  if (at == 0) oldest_ = UINT32_MAX;
  return at;
}

std::uint32_t Order::pick(const std::vector<std::uint32_t>& ready) {
  switch (policy_) {
    case Policy::uniform: return static_cast<std::uint32_t>(random_.below(ready.size()));
    case Policy::priority: return most_important(ready);
    case Policy::delay_bounded: return not_held_up(ready);
    case Policy::starve_one: return not_the_victim(ready);
    case Policy::round_robin: return 0;
    case Policy::newest_first: return newest(ready);
  }
  return 0;
}

std::uint32_t Order::most_important(const std::vector<std::uint32_t>& ready) {
  const auto most = std::max_element(ready.begin(), ready.end(), [this](std::uint32_t a, std::uint32_t b) {
    return importance_[a] < importance_[b];
  });
  // Below all others, and below whoever was put down before.
  while (!changes_.empty() && changes_.back() <= turn_) {
    changes_.pop_back();
    importance_[*most] = depth_ - lowered_++;
  }
  return static_cast<std::uint32_t>(most - ready.begin());
}

std::uint32_t Order::not_held_up(const std::vector<std::uint32_t>& ready) {
  while (!changes_.empty() && changes_.back() <= turn_) {
    changes_.pop_back();
    victim_ = ready.front();
    victim_until_ = turn_ + 1 + random_.below(patience);
  }
  if (turn_ >= victim_until_) return 0;
  const auto other = std::find_if(ready.begin(), ready.end(), [this](std::uint32_t one) { return one != victim_; });
  return other == ready.end() ? 0 : static_cast<std::uint32_t>(other - ready.begin());
}

std::uint32_t Order::not_the_victim(const std::vector<std::uint32_t>& ready) {
  if (turn_ >= victim_until_) {
    victim_ = ready[random_.below(ready.size())];
    victim_until_ = turn_ + victim_for;
  }
  const auto at = static_cast<std::uint32_t>(random_.below(ready.size()));
  if (ready[at] != victim_) return at;
  return (at + 1) % static_cast<std::uint32_t>(ready.size());
}

std::uint32_t Order::newest(const std::vector<std::uint32_t>& ready) {
  if (ready.size() > before_ && streak_ < longest_streak) {
    ++streak_;
    return static_cast<std::uint32_t>(ready.size() - 1);
  }
  streak_ = 0;
  return 0;
}

std::uint32_t Order::bound(std::uint32_t usual) {
  switch (lengths_) {
    case Lengths::usual: return 0;
    case Lengths::one: return 1;
    case Lengths::few: return 1 + static_cast<std::uint32_t>(lengths_random_.below(4));
    case Lengths::any: return static_cast<std::uint32_t>(lengths_random_.below(usual));
  }
  return 0;
}

std::string Order::text() const {
  std::string out(to_string(policy_));
  if (policy_ == Policy::priority || policy_ == Policy::delay_bounded) {
    out += " (" + std::to_string(depth_) + " changes within " + std::to_string(span_) + " turns)";
  }
  constexpr std::array<std::string_view, 4> lengths{"usual turns", "turns of one message", "turns of 1 to 4 messages",
                                                    "turns of any length"};
  return out + ", " + std::string(lengths[static_cast<std::size_t>(lengths_)]);
}

}  // namespace sim
}  // namespace v0
}  // namespace backstage
