#include "backstage/scope/registry.hpp"

#include <algorithm>
#include <mutex>

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

/// Cells lie in rows of 256 bytes; neighbours come into different shards.
[[nodiscard]] std::size_t shard_number(const void* place, std::size_t shards) noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(place) >> 8U;
  return static_cast<std::size_t>(at ^ (at >> 8U)) % shards;
}

}  // namespace

BoardRegistry::Shard& BoardRegistry::shard_of(PlaceKey place) noexcept {
  return shards_[shard_number(place, shards_.size())];
}
const BoardRegistry::Shard& BoardRegistry::shard_of(PlaceKey place) const noexcept {
  return shards_[shard_number(place, shards_.size())];
}

std::shared_ptr<Board> BoardRegistry::find(PlaceKey place, std::uint32_t generation) const {
  const Shard& shard = shard_of(place);
  const std::shared_lock lock(shard.mutex);
  const auto found = shard.boards.find(place);
  if (found == shard.boards.end() || found->second->generation() != generation) return nullptr;
  return found->second;
}

std::shared_ptr<Board> BoardRegistry::need(PlaceKey place, std::uint32_t generation,
                                           bool (*is_alive)(PlaceKey, std::uint32_t)) {
  if (std::shared_ptr<Board> there = find(place, generation)) return there;
  auto fresh = std::make_shared<Board>(generation);
  Shard& shard = shard_of(place);
  const std::lock_guard lock(shard.mutex);
  if (!is_alive(place, generation)) return nullptr;
  return shard.boards.try_emplace(place, std::move(fresh)).first->second;
}

std::shared_ptr<Board> BoardRegistry::take(PlaceKey place) noexcept {
  {
    const std::lock_guard lock(exposed_mutex_);
    const auto [first, last] = exposed_by_.equal_range(place);
    for (auto at = first; at != last; ++at) cover(at->second);
    exposed_by_.erase(first, last);
  }
  Shard& shard = shard_of(place);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.boards.find(place);
  if (found == shard.boards.end()) return nullptr;
  std::shared_ptr<Board> board = std::move(found->second);
  shard.boards.erase(found);
  return board;
}

std::size_t BoardRegistry::size() const noexcept {
  std::size_t count = 0;
  for (const Shard& shard : shards_) {
    const std::shared_lock lock(shard.mutex);
    count += shard.boards.size();
  }
  return count;
}

void BoardRegistry::for_each(const std::function<void(PlaceKey, const Board&)>& f) const {
  for (const Shard& shard : shards_) {
    const std::shared_lock lock(shard.mutex);
    for (const auto& [place, board] : shard.boards) f(place, *board);
  }
}

/// Under the lock: exposed no more.
void BoardRegistry::cover(const Entry& entry) noexcept {
  const auto all = exposed_.find(entry.type);
  all->second.erase(entry.rank);
  if (all->second.empty()) exposed_.erase(all);
}

void BoardRegistry::expose(const void* type, const Exposed& what) {
  const std::lock_guard lock(exposed_mutex_);
  const auto [first, last] = exposed_by_.equal_range(what.place);
  if (std::any_of(first, last, [&](const auto& one) { return one.second.type == type; })) return;
  const Entry entry{type, {what.depth, ++last_exposed_}};
  const auto added = exposed_by_.emplace(what.place, entry);
  try {
    exposed_[type].emplace(entry.rank, what);
  } catch (...) {
    exposed_by_.erase(added);
    throw;
  }
}

void BoardRegistry::withdraw(const void* type, PlaceKey place) noexcept {
  const std::lock_guard lock(exposed_mutex_);
  const auto [first, last] = exposed_by_.equal_range(place);
  const auto mine = std::find_if(first, last, [&](const auto& one) { return one.second.type == type; });
  if (mine == last) return;
  cover(mine->second);
  exposed_by_.erase(mine);
}

std::optional<BoardRegistry::Exposed> BoardRegistry::highest(const void* type) const {
  const std::shared_lock lock(exposed_mutex_);
  const auto found = exposed_.find(type);
  if (found == exposed_.end() || found->second.empty()) return std::nullopt;
  return found->second.begin()->second;
}

std::optional<BoardRegistry::Exposed> BoardRegistry::lowest(const void* type) const {
  const std::shared_lock lock(exposed_mutex_);
  const auto found = exposed_.find(type);
  if (found == exposed_.end() || found->second.empty()) return std::nullopt;
  const std::uint32_t deepest = found->second.rbegin()->first.first;
  return found->second.lower_bound(std::pair(deepest, std::uint64_t{0}))->second;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
