#include "backstage/sim/choices.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace sim {
namespace {

constexpr std::array<std::string_view, choice_kinds> kind_names{"actor",  "bound", "fault", "point",
                                                                "timing", "job",   "memory"};

[[nodiscard]] std::size_t count_wild(const std::vector<std::uint32_t>& list) {
  return static_cast<std::size_t>(std::count_if(list.begin(), list.end(), [](auto value) { return value != 0; }));
}

/// Zeros at the end say nothing.
void trim(std::vector<std::uint32_t>& list) {
  while (!list.empty() && list.back() == 0) list.pop_back();
}

class Shrinking {
 public:
  Shrinking(const Choices& failing, const std::function<bool(const Choices&)>& fails, std::size_t most)
      : fails_(fails), most_(most), best_(failing) {
    for (auto& list : best_.made) trim(list);
  }

  Shrunk run() {
    // Whole kinds first: a failure that needs no fault at all is much easier to read.
    for (std::size_t kind = 0; kind < choice_kinds; ++kind) cut(kind, 0);
    for (bool again = true; again && !is_over();) {
      const std::size_t before = best_.wild();
      for (std::size_t kind = 0; kind < choice_kinds; ++kind) {
        cut_the_end(kind);
        tame_pieces(kind);
      }
      again = best_.wild() < before;
    }
    return {std::move(best_), runs_};
  }

 private:
  [[nodiscard]] bool is_over() const noexcept { return runs_ >= most_; }

  bool accept(Choices candidate) {
    if (is_over()) return false;
    ++runs_;
    if (!fails_(candidate)) return false;
    for (auto& list : candidate.made) trim(list);
    best_ = std::move(candidate);
    return true;
  }

  bool cut(std::size_t kind, std::size_t keep) {
    if (best_.made[kind].size() <= keep) return false;
    Choices candidate = best_;
    candidate.made[kind].resize(keep);
    return accept(std::move(candidate));
  }

  /// By halves: a bad event needs nothing of what came after it.
  void cut_the_end(std::size_t kind) {
    std::size_t low = 0;
    std::size_t high = best_.made[kind].size();
    while (low < high && !is_over()) {
      const std::size_t middle = low + (high - low) / 2;
      if (cut(kind, middle)) {
        high = std::min(middle, best_.made[kind].size());
      } else {
        low = middle + 1;
      }
    }
  }

  /// Delta debugging over what is not 0, in pieces of halving size.
  void tame_pieces(std::size_t kind) {
    for (std::size_t piece = (count_wild(best_.made[kind]) + 1) / 2; piece > 0 && !is_over(); piece /= 2) {
      for (std::size_t skipped = 0; !is_over();) {
        Choices candidate = best_;
        std::size_t passed = 0;
        std::size_t tamed = 0;
        for (std::uint32_t& value : candidate.made[kind]) {
          if (value == 0) continue;
          if (passed++ < skipped) continue;
          if (tamed == piece) break;
          value = 0;
          ++tamed;
        }
        if (tamed == 0) break;
        if (!accept(std::move(candidate))) skipped += tamed;
      }
    }
  }

  const std::function<bool(const Choices&)>& fails_;
  const std::size_t most_;
  std::size_t runs_ = 0;
  Choices best_;
};

}  // namespace

std::size_t Choices::size() const noexcept {
  std::size_t sum = 0;
  for (const auto& list : made) sum += list.size();
  return sum;
}

std::size_t Choices::wild() const noexcept {
  std::size_t sum = 0;
  for (const auto& list : made) sum += count_wild(list);
  return sum;
}

std::string Choices::text() const {
  std::string out = std::to_string(size()) + " choices, " + std::to_string(wild()) + " of them not the plainest";
  std::string kinds;
  for (std::size_t kind = 0; kind < choice_kinds; ++kind) {
    const std::size_t count = count_wild(made[kind]);
    if (count == 0) continue;
    kinds += (kinds.empty() ? "" : ", ") + std::string(kind_names[kind]) + " " + std::to_string(count);
  }
  return kinds.empty() ? out : out + " (" + kinds + ")";
}

Shrunk shrink(const Choices& failing, const std::function<bool(const Choices&)>& fails, std::size_t most_runs) {
  return Shrinking(failing, fails, most_runs).run();
}

}  // namespace sim
}  // namespace v0
}  // namespace backstage
