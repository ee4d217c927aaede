#include "backstage/exec/slab.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <functional>
#include <utility>

#include "backstage/exec/detail/large_pages.hpp"

namespace backstage {
inline namespace v0 {

using slab_detail::Block;
using slab_detail::Chunk;
using slab_detail::chunk_begin;
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
// The first region is for programs that stay small; who grows beyond it takes large pages.
constexpr std::size_t first_region_bytes = std::size_t{16} * chunk_bytes;
constexpr std::size_t region_bytes = 8 * detail::large_page_bytes;
constexpr std::size_t chunks_in_a_large_page = detail::large_page_bytes / chunk_bytes;
// Fresh blocks are linked a few at a time, so that memory nobody asked for is not touched.
constexpr std::size_t carved_at_once = 8 * 1024;

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

namespace {

[[nodiscard]] Chunk& chunk_around(const void* block) noexcept {
  return *reinterpret_cast<Chunk*>(reinterpret_cast<std::uintptr_t>(block) & ~(chunk_bytes - 1));
}
[[nodiscard]] bool lies_in(const void* region, std::size_t bytes, const std::byte* chunk) noexcept {
  const auto* const begin = static_cast<const std::byte*>(region);
  return !std::less<>()(chunk, begin) && std::less<>()(chunk, begin + bytes);
}
[[nodiscard]] bool has_blocks(const Chunk& chunk) noexcept {
  return chunk.free != nullptr || chunk.carved < chunk.capacity;
}

}  // namespace

void SlabPool::make_usable(Depot& depot, Chunk& chunk) noexcept {
  chunk.previous = nullptr;
  chunk.next = depot.usable;
  if (depot.usable != nullptr) depot.usable->previous = &chunk;
  depot.usable = &chunk;
}

void SlabPool::make_unusable(Depot& depot, Chunk& chunk) noexcept {
  (chunk.previous != nullptr ? chunk.previous->next : depot.usable) = chunk.next;
  if (chunk.next != nullptr) chunk.next->previous = chunk.previous;
}

/// Blocks that came back, in front of what `into` has.
void SlabPool::hand_out(Chunk& chunk, std::uint32_t most, Magazine& into) noexcept {
  const std::uint32_t count = std::min(most, chunk.free_count);
  if (count == 0) return;
  Block* last = chunk.free;
  for (std::uint32_t i = 1; i < count; ++i) last = last->next;
  Block* const rest = last->next;
  last->next = into.first;
  into.first = std::exchange(chunk.free, rest);
  into.count += count;
  chunk.free_count -= count;
  chunk.out += count;
}

/// Blocks that nobody has had yet.
void SlabPool::carve(Chunk& chunk, std::size_t c, Magazine& into) noexcept {
  const std::size_t size = class_bytes[c];
  const std::size_t wanted = std::clamp<std::size_t>(carved_at_once / size, 1, magazine_blocks(c));
  const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(wanted, chunk.capacity - chunk.carved));
  std::byte* const run = reinterpret_cast<std::byte*>(&chunk) + chunk_begin + chunk.carved * size;
  for (std::size_t i = count; i-- > 0;) into.first = ::new (run + i * size) Block(into.first);
  into.count += count;
  chunk.carved += count;
  chunk.out += count;
}

SlabPool::Magazine SlabPool::take(std::size_t c) {
  Depot& depot = depots_[c];
  const std::lock_guard lock(depot.mutex);
  if (Block* const first = depot.magazines; first != nullptr) {
    depot.magazines = first->next_magazine;
    if (--depot.magazine_count <= depot.unneeded) {
      depot.unneeded = depot.magazine_count;
      depot.above = nullptr;
    }
    depot.in_magazines -= first->magazine_count;
    return {first, first->magazine_count};
  }
  if (depot.usable == nullptr) make_usable(depot, new_chunk(c));
  Magazine magazine;
  const std::uint32_t enough = magazine_blocks(c) / 2;
  while (magazine.count < enough && depot.usable != nullptr) {
    // The list's front is what was used up last: it is filled before emptier ones are touched, so that these may become free.
    Chunk& chunk = *depot.usable;
    const std::uint32_t had = magazine.count;
    hand_out(chunk, magazine_blocks(c) - had, magazine);
    depot.in_chunks -= magazine.count - had;
    if (magazine.count == 0) {
      carve(chunk, c, magazine);
      if (!has_blocks(chunk)) make_unusable(depot, chunk);
      break;
    }
    if (has_blocks(chunk)) break;
    make_unusable(depot, chunk);
  }
  depot.out += magazine.count;
  return magazine;
}

void SlabPool::put(std::size_t c, Block* first, std::uint32_t count) noexcept {
  Depot& depot = depots_[c];
  const std::lock_guard lock(depot.mutex);
  if (depot.magazine_count == depot.unneeded) depot.above = first;
  first->next_magazine = depot.magazines;
  first->magazine_count = count;
  depot.magazines = first;
  ++depot.magazine_count;
  depot.in_magazines += count;
}

/// Magazines that nobody needed since the last time: their blocks go home, so that chunks may become free.
void SlabPool::deal_out(std::size_t c, Trim which) noexcept {
  Depot& depot = depots_[c];
  Block* magazine = nullptr;
  {
    const std::lock_guard lock(depot.mutex);
    if (which == Trim::all || depot.above == nullptr) {
      if (which == Trim::all || depot.magazine_count == depot.unneeded)
        magazine = std::exchange(depot.magazines, nullptr);
    } else {
      magazine = std::exchange(depot.above->next_magazine, nullptr);
    }
    depot.magazine_count -= which == Trim::all ? depot.magazine_count : depot.unneeded;
    depot.unneeded = depot.magazine_count;
    depot.above = nullptr;
  }
  // One by one: whoever comes for a magazine meanwhile does not wait for long.
  while (magazine != nullptr) {
    Block* const next = magazine->next_magazine;
    const std::lock_guard lock(depot.mutex);
    depot.in_magazines -= magazine->magazine_count;
    deal_to_chunks(depot, magazine);
    magazine = next;
  }
}

void SlabPool::deal_to_chunks(Depot& depot, Block* first) noexcept {
  while (first != nullptr) {
    // Neighbours in a magazine mostly lie in one chunk.
    Chunk& chunk = chunk_around(first);
    Block* last = first;
    std::uint32_t count = 1;
    for (; last->next != nullptr && &chunk_around(last->next) == &chunk; last = last->next) ++count;
    Block* const rest = last->next;
    if (!has_blocks(chunk)) make_usable(depot, chunk);
    last->next = chunk.free;
    chunk.free = first;
    chunk.free_count += count;
    chunk.out -= count;
    depot.in_chunks += count;
    depot.out -= count;
    // The only one that has something stays: the next who takes would want it.
    if (chunk.out == 0 && (chunk.previous != nullptr || chunk.next != nullptr)) {
      make_unusable(depot, chunk);
      depot.in_chunks -= chunk.free_count;
      warm_up(chunk);
    }
    first = rest;
  }
}

// --- chunks ------------------------------------------------------------------------------------------------------

void SlabPool::add_region() {
  const bool large = !regions_.empty();
  const std::size_t wanted = large ? region_bytes : first_region_bytes;
  const std::size_t alignment = large ? detail::large_page_bytes : chunk_bytes;
  const std::size_t bytes = wanted + alignment;  // more, so that an aligned part of it is as large as wanted
  // The lists first: what cannot fail afterwards gives nothing back.
  regions_.reserve(regions_.size() + 1);
  cold_.reserve(chunks_ + wanted / chunk_bytes);
  void* const region = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (region == MAP_FAILED) throw std::bad_alloc();
  const auto begin = reinterpret_cast<std::uintptr_t>(region);
  auto* const aligned = reinterpret_cast<std::byte*>((begin + alignment - 1) & ~(alignment - 1));
  if (large) detail::ask_for_large_pages(aligned, wanted);
  regions_.push_back({region, bytes});
  const std::size_t count = wanted / chunk_bytes;
  for (std::size_t i = count; i-- > 0;) cold_.push_back(aligned + i * chunk_bytes);
  chunks_ += count;
}

/// A chunk without pages gets some. Those that share a large page with it have got theirs by that, too: they are warm.
std::byte* SlabPool::warm_cold_chunk() {
  if (cold_.empty()) add_region();
  std::array<std::byte*, chunks_in_a_large_page> got{};
  std::size_t count = 0;
  const bool large = !lies_in(regions_.front().at, regions_.front().bytes, cold_.back());
  do {
    got[count++] = cold_.back();
    cold_.pop_back();
  } while (large && !cold_.empty() && detail::large_page_of(cold_.back()) == detail::large_page_of(got[0]));
  // What trim() took back: of a region that is new it is asked for already.
  if (large) {
    detail::ask_for_large_pages(reinterpret_cast<void*>(detail::large_page_of(got[0])), detail::large_page_bytes);
  }
  for (std::size_t i = count; i-- > 1;) warm_ = ::new (static_cast<void*>(got[i])) Chunk{.next = warm_};
  warm_count_ += count - 1;
  return got[0];
}

Chunk& SlabPool::new_chunk(std::size_t c) {
  std::byte* place = nullptr;
  {
    const std::lock_guard lock(chunk_mutex_);
    if (warm_ != nullptr) {
      place = reinterpret_cast<std::byte*>(std::exchange(warm_, warm_->next));
      warm_unneeded_ = std::min(warm_unneeded_, --warm_count_);
    } else {
      place = warm_cold_chunk();
    }
  }
  auto* const chunk = ::new (static_cast<void*>(place)) Chunk();
  chunk->capacity = static_cast<std::uint32_t>((chunk_bytes - chunk_begin) / class_bytes[c]);
  return *chunk;
}

void SlabPool::warm_up(Chunk& chunk) noexcept {
  const std::lock_guard lock(chunk_mutex_);
  chunk.next = std::exchange(warm_, &chunk);
  ++warm_count_;
}

void SlabPool::flush_caches() noexcept {
  shared_->flush();
  const std::lock_guard lock(caches_mutex_);
  for (const auto& cache : caches_) {
    if (cache.get() != &shared_->cache_) cache->flush();
  }
}

void SlabPool::trim(Trim which) noexcept {
  const std::lock_guard one_at_a_time(trim_mutex_);
  for (std::size_t c = 0; c < class_count; ++c) deal_out(c, which);
  std::vector<std::byte*> surplus;
  Region small;  // the first
  try {
    const std::lock_guard lock(chunk_mutex_);
    if (!regions_.empty()) small = regions_.front();
    std::size_t count = which == Trim::all ? warm_count_ : warm_unneeded_;
    surplus.reserve(count);
    for (; count > 0; --count, --warm_count_) {
      surplus.push_back(reinterpret_cast<std::byte*>(std::exchange(warm_, warm_->next)));
    }
    warm_unneeded_ = warm_count_;
  } catch (const std::bad_alloc&) {
    return;  // the next time
  }
  // The system is asked without the lock: whoever needs a chunk meanwhile does not wait. And for neighbours in one go: a
  // large page that goes back as a whole can be had as a whole again.
  std::sort(surplus.begin(), surplus.end());
  // The system joins large pages by itself, too, in the background, and would fill those again of which a part goes back.
  std::uintptr_t page = 0;
  for (std::byte* const chunk : surplus) {
    const std::uintptr_t its = detail::large_page_of(chunk);
    if (its == page || lies_in(small.at, small.bytes, chunk)) continue;
    page = its;
    (void)madvise(reinterpret_cast<void*>(page), detail::large_page_bytes, MADV_NOHUGEPAGE);
  }
  for (std::size_t i = 0; i < surplus.size();) {
    std::size_t end = i + 1;
    while (end < surplus.size() && surplus[end] == surplus[end - 1] + chunk_bytes) ++end;
    (void)madvise(surplus[i], (end - i) * chunk_bytes, MADV_DONTNEED);
    i = end;
  }
  const std::lock_guard lock(chunk_mutex_);
  cold_.insert(cold_.end(), surplus.begin(), surplus.end());  // there is room for all
  std::sort(cold_.begin(), cold_.end(), std::greater<>());    // the lowest first, large pages together
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
