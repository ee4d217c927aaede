// The last lines of what happened in a simulated world, kept as plain data and put into words only when somebody reads.
// Threads: one. Stability: internal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backstage/base/time.hpp"

namespace backstage {
inline namespace v0 {
namespace sim {

struct Entry {
  enum class What : std::uint8_t {
    turn,
    message,
    ended,
    draw,
    time,
    wall,
    fault,
    point,
    heal,
    broken,
    late,
    job,
    memory
  };
  What what = What::turn;
  Instant at{};
  std::uint32_t who = 0;       // the number of an actor
  std::uint64_t a = 0;         // by kind
  std::uint64_t b = 0;         // by kind
  std::string_view text = {};  // static, or as long-lived as the diary
};

class Diary {
 public:
  explicit Diary(std::size_t most) : lines_(most) {}
  void add(const Entry& entry) noexcept {
    if (lines_.empty()) return;
    lines_[count_++ % lines_.size()] = entry;
  }
  [[nodiscard]] std::string text(const std::vector<std::string>& names) const;

 private:
  std::vector<Entry> lines_;
  std::uint64_t count_ = 0;
};

}  // namespace sim
}  // namespace v0
}  // namespace backstage
