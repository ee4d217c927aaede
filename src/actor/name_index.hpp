// The children of an actor by name: an open-addressing table of words, in each of which stand a cell's address, which knows its
// name itself, and as many bits of that name's hash as the address leaves free, so that growing and searching touch no cell but
// the one that is meant. 11 to 16 bytes a child; a node-based map would take 56, as much as a small actor.
// Threads: the caller locks. A cell's name must not change while it is in the table.
#pragma once

#include <bit>
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
    const std::uint64_t hash = hash_of(name);
    for (std::size_t at = home(hash);; at = next(at)) {
      if (slots_[at] == 0) return nullptr;
      if (hash_in(slots_[at]) == hash && named_in(slots_[at])->name() == name) return named_in(slots_[at]);
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
    place(word_of(named, hash_of(named.name())));
    ++size_;
  }

  /// Does nothing when it is not in the table.
  void erase(const Named& named) noexcept {
    if (slots_.empty()) return;
    const std::uint64_t word = word_of(named, hash_of(named.name()));
    std::size_t hole = home(hash_in(word));
    while (slots_[hole] != word) {
      if (slots_[hole] == 0) return;
      hole = next(hole);
    }
    slots_[hole] = 0;
    --size_;
    // Backward shift: whoever stands behind the hole and may stand nearer to its start moves up, so that no search
    // meets a gap (Knuth, The Art of Computer Programming 3, 6.4, Algorithm R).
    for (std::size_t at = next(hole); slots_[at] != 0; at = next(at)) {
      const std::size_t start = home(hash_in(slots_[at]));
      const bool stays = hole <= at ? (hole < start && start <= at) : (hole < start || start <= at);
      if (stays) continue;
      slots_[hole] = std::exchange(slots_[at], 0);
      hole = at;
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Of at most n of them.
  template <class F>
  void for_some(std::size_t n, F f) const {
    for (std::size_t at = 0; at < slots_.size() && n > 0; ++at) {
      if (slots_[at] == 0) continue;
      f(*named_in(slots_[at]));
      --n;
    }
  }
  template <class F>
  void for_each(F f) const {
    for_some(size_, f);
  }

 private:
  // User space ends at 2^47.
  static constexpr unsigned hash_bits = 64 - 47 + std::countr_zero(alignof(Named));
  static constexpr unsigned address_bits = 64 - hash_bits;

  [[nodiscard]] static std::uint64_t hash_of(std::string_view name) noexcept {
    return std::hash<std::string_view>{}(name) >> address_bits;
  }
  [[nodiscard]] static std::uint64_t word_of(const Named& named, std::uint64_t hash) noexcept {
    return reinterpret_cast<std::uintptr_t>(&named) / alignof(Named) | hash << address_bits;
  }
  [[nodiscard]] static std::uint64_t hash_in(std::uint64_t word) noexcept { return word >> address_bits; }
  [[nodiscard]] static Named* named_in(std::uint64_t word) noexcept {
    return reinterpret_cast<Named*>((word & ((std::uint64_t{1} << address_bits) - 1)) * alignof(Named));
  }
  /// In the order of the hashes. With more slots than there are hashes whoever shares one stands in a row, and there is room between.
  [[nodiscard]] std::size_t home(std::uint64_t hash) const noexcept { return hash * slots_.size() >> hash_bits; }
  [[nodiscard]] std::size_t next(std::size_t at) const noexcept { return at + 1 < slots_.size() ? at + 1 : 0; }
  void place(std::uint64_t word) noexcept {
    std::size_t at = home(hash_in(word));
    while (slots_[at] != 0) at = next(at);
    slots_[at] = word;
  }
  /// By a half, then to the next power of two. Strong guarantee: the table is made before the old one is changed.
  void grow() {
    const std::size_t had = slots_.size();
    const std::size_t slots = had == 0 ? 8 : std::has_single_bit(had) ? had + had / 2 : had / 3 * 4;
    std::vector<std::uint64_t> before(slots, 0);
    before.swap(slots_);
    for (const std::uint64_t word : before) {
      if (word != 0) place(word);
    }
  }

  std::vector<std::uint64_t> slots_;
  std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
