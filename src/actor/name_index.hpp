// The children of an actor by name: an open-addressing table of pointers to cells, which know their names themselves, and of
// their names' hashes, so that growing and searching touch no cell but the one that is meant. 16 to 32 bytes a child; a
// node-based map would take 56, as much as a small actor.
// Threads: the caller locks. A cell's name must not change while it is in the table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
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
    const std::uint32_t hash = hash_of(name);
    for (std::size_t at = start(hash);; at = next(at)) {
      if (slots_[at] == nullptr) return nullptr;
      if (hashes_[at] == hash && slots_[at]->name() == name) return slots_[at];
    }
  }

  /// Afterwards the next insert() allocates nothing.
  void make_room() {
    // At most 3/4 full: linear probing stays short, and there is always an end.
    if ((size_ + 1) * 4 > slots_.size() * 3) grow();
  }
  /// Precondition: nobody in the table has that name.
  void insert(Named& named) {
    make_room();
    place(named, hash_of(named.name()));
    ++size_;
  }

  /// Does nothing when it is not in the table.
  void erase(const Named& named) noexcept {
    if (slots_.empty()) return;
    std::size_t hole = start(hash_of(named.name()));
    while (slots_[hole] != &named) {
      if (slots_[hole] == nullptr) return;
      hole = next(hole);
    }
    slots_[hole] = nullptr;
    --size_;
    // Backward shift: whoever stands behind the hole and may stand nearer to its start moves up, so that no search
    // meets a gap (Knuth, The Art of Computer Programming 3, 6.4, Algorithm R).
    for (std::size_t at = next(hole); slots_[at] != nullptr; at = next(at)) {
      const std::size_t home = start(hashes_[at]);
      const bool stays = hole <= at ? (hole < home && home <= at) : (hole < home || home <= at);
      if (stays) continue;
      slots_[hole] = std::exchange(slots_[at], nullptr);
      hashes_[hole] = hashes_[at];
      hole = at;
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Of at most n of them.
  template <class F>
  void for_some(std::size_t n, F f) const {
    for (std::size_t at = 0; at < slots_.size() && n > 0; ++at) {
      if (slots_[at] == nullptr) continue;
      f(*slots_[at]);
      --n;
    }
  }
  template <class F>
  void for_each(F f) const {
    for (Named* const named : slots_) {
      if (named != nullptr) f(*named);
    }
  }

 private:
  [[nodiscard]] static std::uint32_t hash_of(std::string_view name) noexcept {
    const std::size_t hash = std::hash<std::string_view>{}(name);
    return static_cast<std::uint32_t>(hash ^ (hash >> 32U));
  }
  [[nodiscard]] std::size_t start(std::uint32_t hash) const noexcept { return hash & (slots_.size() - 1); }
  [[nodiscard]] std::size_t next(std::size_t at) const noexcept { return (at + 1) & (slots_.size() - 1); }
  void place(Named& named, std::uint32_t hash) noexcept {
    std::size_t at = start(hash);
    while (slots_[at] != nullptr) at = next(at);
    slots_[at] = &named;
    hashes_[at] = hash;
  }
  /// Strong guarantee: both tables are made before either is changed.
  void grow() {
    const std::size_t slots = slots_.empty() ? 8 : slots_.size() * 2;
    std::vector<Named*> before(slots, nullptr);
    std::vector<std::uint32_t> hashes_before(slots, 0);
    before.swap(slots_);
    hashes_before.swap(hashes_);
    for (std::size_t at = 0; at < before.size(); ++at) {
      if (before[at] != nullptr) place(*before[at], hashes_before[at]);
    }
  }

  std::vector<Named*> slots_;  // a power of two
  std::vector<std::uint32_t> hashes_;
  std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
