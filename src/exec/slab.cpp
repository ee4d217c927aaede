#include "backstage/exec/slab.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace backstage {
inline namespace v0 {

using slab_detail::Block;
using slab_detail::chunk_bytes;
using slab_detail::class_bytes;
using slab_detail::class_count;
using slab_detail::class_of;
using slab_detail::magazine_blocks;
using slab_detail::max_pooled;

namespace {

#ifdef BACKSTAGE_SANITIZED
constexpr bool pooling_built_in = false;
#else
constexpr bool pooling_built_in = true;
#endif

constexpr std::size_t line = 64;

// Sizes that are multiples of 64 have a class of exactly that alignment: all classes cut runs that start at a line.
constexpr std::size_t to_line(std::size_t bytes) {
  return (std::max<std::size_t>(bytes, 1) + line - 1) / line * line;
}
static_assert([] {
  for (std::size_t bytes = line; bytes <= max_pooled; bytes += line) {
    if (class_bytes[class_of(bytes)] % line != 0) return false;
  }
  return true;
}());
static_assert(class_of(0) == 1 && class_of(16) == 1 && class_of(17) == 0 && class_of(24) == 0);
static_assert(class_of(25) == 1 && class_of(32) == 1 && class_of(33) == 2 && class_of(4096) == class_count - 1);
static_assert(sizeof(Block) <= class_bytes.front());

}  // namespace

// --- SlabCache ---------------------------------------------------------------------------------------------------

SlabCache::SlabCache(SlabPool& pool) noexcept : pool_(pool) {
  if (!pool.pooling()) return;
  for (std::size_t c = 0; c < class_count; ++c) racks_[c].room = racks_[c].capacity = magazine_blocks(c);
}

void* SlabCache::allocate_slowly(std::size_t bytes) {
  if (bytes > max_pooled || !pool_.pooling()) return pool_.system_allocate(bytes, 16);
  const std::size_t c = class_of(bytes);
  Rack& rack = racks_[c];
  if (rack.second != nullptr) {
    std::swap(rack.first, rack.second);
    rack.room = rack.capacity - std::exchange(rack.second_count, 0);
  } else {
    const SlabPool::Magazine magazine = pool_.take(c);
    rack.first = magazine.first;
    rack.room = rack.capacity - magazine.count;
  }
  Block* const block = rack.first;
  rack.first = block->next;
  ++rack.room;
  return block;
}

void SlabCache::deallocate_slowly(void* p, std::size_t bytes) noexcept {
  if (bytes > max_pooled || !pool_.pooling()) return pool_.system_deallocate(p, bytes, 16);
  const std::size_t c = class_of(bytes);
  Rack& rack = racks_[c];
  if (rack.second != nullptr) pool_.put(c, rack.second, rack.second_count);
  rack.second = rack.first;
  rack.second_count = rack.count();
  rack.first = ::new (p) Block(nullptr);
  rack.room = rack.capacity - 1;
}

void* SlabCache::allocate_aligned(std::size_t bytes, std::size_t align) {
  if (pool_.pooling() && align <= line && bytes <= max_pooled) return allocate(to_line(bytes));
  return pool_.system_allocate(bytes, align);
}

void SlabCache::deallocate_aligned(void* p, std::size_t bytes, std::size_t align) noexcept {
  if (pool_.pooling() && align <= line && bytes <= max_pooled) return deallocate(p, to_line(bytes));
  pool_.system_deallocate(p, bytes, align);
}

void SlabCache::flush() noexcept {
  for (std::size_t c = 0; c < class_count; ++c) {
    Rack& rack = racks_[c];
    if (rack.first != nullptr) pool_.put(c, std::exchange(rack.first, nullptr), rack.count());
    if (rack.second != nullptr) pool_.put(c, std::exchange(rack.second, nullptr), rack.second_count);
    rack.room = rack.capacity;
    rack.second_count = 0;
  }
}

// --- SlabPool ----------------------------------------------------------------------------------------------------

SlabPool::SlabPool(SlabOptions options)
    : scarcity_(options.scarcity),
      pooling_(options.pooling && pooling_built_in && options.scarcity == nullptr),
      pages_(options.pages != nullptr ? *options.pages : large_pages_),
      shared_(new SharedSlab(take_cache())) {}

SlabPool::~SlabPool() {
  for (const Region& region : regions_) munmap(region.at, region.bytes);
}

SlabCache& SlabPool::take_cache() {
  const std::lock_guard lock(caches_mutex_);
  if (!idle_caches_.empty()) {
    SlabCache& cache = *idle_caches_.back();
    idle_caches_.pop_back();
    return cache;
  }
  idle_caches_.reserve(caches_.size() + 1);
  caches_.push_back(std::unique_ptr<SlabCache>(new SlabCache(*this)));
  return *caches_.back();
}

void SlabPool::give_back(SlabCache& cache) noexcept {
  cache.flush();
  const std::lock_guard lock(caches_mutex_);
  assert(std::find(idle_caches_.begin(), idle_caches_.end(), &cache) == idle_caches_.end() &&
         "a SlabCache is given back once");
  idle_caches_.push_back(&cache);
}

void SlabPool::flush_caches() noexcept {
  shared_->flush();
  const std::lock_guard lock(caches_mutex_);
  for (const auto& cache : caches_) {
    if (cache.get() != &shared_->cache_) cache->flush();
  }
}

// --- without pooling ---------------------------------------------------------------------------------------------

void* SlabPool::system_allocate(std::size_t bytes, std::size_t align) {
  static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= 16);
  if (scarcity_ != nullptr && scarcity_->refuses()) throw std::bad_alloc();
  void* const p = align <= 16 ? ::operator new(bytes) : ::operator new(bytes, std::align_val_t{align});
  count(bytes, bytes > max_pooled || align > line, 1);
  return p;
}

void SlabPool::system_deallocate(void* p, std::size_t bytes, std::size_t align) noexcept {
  count(bytes, bytes > max_pooled || align > line, -1);
  // Not a conditional expression: of `c ? ::operator delete(p) : ::operator delete(p, a)` clang 19.1 calls both arms.
  if (align <= 16) {
    ::operator delete(p);
  } else {
    ::operator delete(p, std::align_val_t{align});
  }
}

void SlabPool::count(std::size_t bytes, bool large, std::int64_t change) noexcept {
  // relaxed: sums only; census() is exact when its caller has joined with every user, which orders these before it.
  if (large) {
    large_live_.fetch_add(change, std::memory_order_relaxed);
    large_bytes_.fetch_add(change * static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
  } else {
    direct_live_[class_of(bytes)].fetch_add(change, std::memory_order_relaxed);
  }
}

SlabCensus SlabPool::census() const {
  SlabCensus census;
  const std::lock_guard caches_lock(caches_mutex_);
  for (std::size_t c = 0; c < class_count; ++c) {
    SlabCensus::Class& entry = census.classes[c];
    entry.block_bytes = class_bytes[c];
    for (const auto& cache : caches_) {
      entry.pooled += cache->racks_[c].count();
      entry.pooled += cache->racks_[c].second_count;
    }
    const Depot& depot = depots_[c];
    const std::lock_guard lock(depot.mutex);
    // relaxed: see count().
    entry.pooled += depot.in_magazines;
    entry.live = depot.out - entry.pooled + direct_live_[c].load(std::memory_order_relaxed);
    entry.pooled += depot.in_chunks;
    census.live_blocks += entry.live;
    census.live_bytes += entry.live * static_cast<std::int64_t>(entry.block_bytes);
  }
  census.large_live = large_live_.load(std::memory_order_relaxed);
  census.large_bytes = large_bytes_.load(std::memory_order_relaxed);
  census.live_blocks += census.large_live;
  census.live_bytes += census.large_bytes;
  const std::lock_guard lock(chunk_mutex_);
  census.reserved_bytes = (chunks_ - cold_.size()) * chunk_bytes;
  census.warm_bytes = warm_count_ * chunk_bytes;
  return census;
}

}  // namespace v0
}  // namespace backstage
