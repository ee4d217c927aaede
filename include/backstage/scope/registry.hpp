// The boards of all places that somebody asked for, and which of them are exposed.
//
// Finding a board takes a share of a lock, in one of many shards; only making and taking one takes it whole.
// Threads: any. Stability: internal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backstage/base/function.hpp"
#include "backstage/scope/board.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

class BoardRegistry {
 public:
  /// A place, by the address of its cell.
  using PlaceKey = const void*;

  /// Null: there is none, or it is of another generation.
  [[nodiscard]] std::shared_ptr<Board> find(PlaceKey place, std::uint32_t generation) const;
  /// Made if there is none. `is_alive` is asked under the lock that take() needs: who ends a place changes what it answers
  /// first and takes the board then, so no board is made for a place that is over. Null: it is over.
  [[nodiscard]] std::shared_ptr<Board> need(PlaceKey place, std::uint32_t generation,
                                            bool (*is_alive)(PlaceKey, std::uint32_t));
  /// The place is over: its board, or null. Whatever it exposed is exposed no more.
  [[nodiscard]] std::shared_ptr<Board> take(PlaceKey place) noexcept;
  [[nodiscard]] std::size_t size() const noexcept;
  /// Calls f for each board, under a share of its shard's lock.
  void for_each(const std::function<void(PlaceKey, const Board&)>& f) const;

  // ---- exposed places, by type
  struct Exposed {
    PlaceKey place = nullptr;
    std::uint32_t generation = 0;
    std::uint32_t depth = 0;
  };
  /// A place exposes a type once, however often it says so.
  void expose(const void* type, const Exposed& what);
  void withdraw(const void* type, PlaceKey place) noexcept;
  /// The one nearest to the root, and the deepest; of several at one depth whoever came first.
  [[nodiscard]] std::optional<Exposed> highest(const void* type) const;
  [[nodiscard]] std::optional<Exposed> lowest(const void* type) const;

 private:
  struct alignas(64) Shard {
    mutable std::shared_mutex mutex;
    std::unordered_map<PlaceKey, std::shared_ptr<Board>> boards;
  };
  [[nodiscard]] Shard& shard_of(PlaceKey place) noexcept;
  [[nodiscard]] const Shard& shard_of(PlaceKey place) const noexcept;

  std::array<Shard, 64> shards_;
  mutable std::shared_mutex exposed_mutex_;
  std::uint64_t last_exposed_ = 0;
  using Rank = std::pair<std::uint32_t, std::uint64_t>;  // by depth, then by age
  struct Entry {
    const void* type;
    Rank rank;
  };
  void cover(const Entry& entry) noexcept;
  std::unordered_map<const void*, std::map<Rank, Exposed>> exposed_;
  std::unordered_multimap<PlaceKey, Entry> exposed_by_;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
