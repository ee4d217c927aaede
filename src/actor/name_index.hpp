// The children of an actor by name: an open-addressing table of pointers to cells, which know their names themselves.
// About 12 bytes a child; a node-based map would take 56, as much as a small actor.
// Threads: the caller locks. A cell's name must not change while it is in the table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace backstage {
inline namespace v0 {
namespace detail {

/// Named: `std::string_view name() const`.
template <class Named>
class NameIndex {
 public:
  [[nodiscard]] Named* find(std::string_view name) const noexcept {
    if (slots_.empty()) return nullptr;
    for (std::size_t at = start(name);; at = next(at)) {
      if (slots_[at] == nullptr) return nullptr;
      if (slots_[at]->name() == name) return slots_[at];
    }
  }

  /// Precondition: nobody in the table has that name.
  void insert(Named& named) {
    // At most 7/8 full: linear probing stays short, and there is always an end.
    if ((size_ + 1) * 8 > slots_.size() * 7) grow();
    place(named);
    ++size_;
  }

  /// Does nothing when it is not in the table.
  void erase(const Named& named) noexcept {
    if (slots_.empty()) return;
    std::size_t hole = start(named.name());
    while (slots_[hole] != &named) {
      if (slots_[hole] == nullptr) return;
      hole = next(hole);
    }
    slots_[hole] = nullptr;
    --size_;
    // Backward shift: whoever stands behind the hole and may stand nearer to its start moves up, so that no search
    // meets a gap (Knuth, The Art of Computer Programming 3, 6.4, Algorithm R).
    for (std::size_t at = next(hole); slots_[at] != nullptr; at = next(at)) {
      const std::size_t home = start(slots_[at]->name());
      const bool stays = hole <= at ? (hole < home && home <= at) : (hole < home || home <= at);
      if (stays) continue;
      slots_[hole] = slots_[at];
      slots_[at] = nullptr;
      hole = at;
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  template <class F>
  void for_each(F f) const {
    for (Named* const named : slots_) {
      if (named != nullptr) f(*named);
    }
  }

 private:
  [[nodiscard]] std::size_t start(std::string_view name) const noexcept {
    return std::hash<std::string_view>{}(name) & (slots_.size() - 1);
  }
  [[nodiscard]] std::size_t next(std::size_t at) const noexcept { return (at + 1) & (slots_.size() - 1); }
  void place(Named& named) noexcept {
    std::size_t at = start(named.name());
    while (slots_[at] != nullptr) at = next(at);
    slots_[at] = &named;
  }
  void grow() {
    std::vector<Named*> before(slots_.empty() ? 8 : slots_.size() * 2, nullptr);
    before.swap(slots_);
    for (Named* const named : before) {
      if (named != nullptr) place(*named);
    }
  }

  std::vector<Named*> slots_;  // a power of two
  std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
