// Where a pool's blocks come from and go back to: magazines, the chunks that they are cut from, and the pages of those.
#include <sys/mman.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "backstage/exec/detail/large_pages.hpp"
#include "backstage/exec/slab.hpp"

namespace backstage {
inline namespace v0 {

using slab_detail::Block;
using slab_detail::Chunk;
using slab_detail::chunk_begin;
using slab_detail::chunk_bytes;
using slab_detail::class_bytes;
using slab_detail::class_count;
using slab_detail::magazine_blocks;

namespace {

// The first region is for programs that stay small; who grows beyond it takes large pages.
constexpr std::size_t first_region_bytes = std::size_t{16} * chunk_bytes;
constexpr std::size_t region_bytes = 8 * detail::large_page_bytes;
constexpr std::size_t chunks_in_a_large_page = detail::large_page_bytes / chunk_bytes;
// Fresh blocks are linked a few at a time, so that memory nobody asked for is not touched.
constexpr std::size_t carved_at_once = 8 * 1024;
constexpr int most_yields = 10'000;  // to others, while the blocks of a class are dealt out

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

/// What dealing them out touches, which nobody may have looked at for long: not while others wait.
void fetch(const Block* first) noexcept {
  for (; first != nullptr; first = first->next) __builtin_prefetch(&chunk_around(first), 1);
}

}  // namespace

// --- magazines and chunks ----------------------------------------------------------------------------------------

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
  // One by one: whoever comes for a magazine meanwhile waits for one, as long as the patience lasts; the watch has other things to do.
  int patience = most_yields;
  while (magazine != nullptr) {
    Block* const next = magazine->next_magazine;
    fetch(magazine);
    {
      const std::lock_guard lock(depot.mutex);
      depot.in_magazines -= magazine->magazine_count;
      deal_to_chunks(depot, magazine);
    }
    if (next != nullptr) depot.mutex.let_through(patience);
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

// --- chunks and pages --------------------------------------------------------------------------------------------

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
  regions_.push_back({region, bytes});
  const std::size_t count = wanted / chunk_bytes;
  for (std::size_t i = count; i-- > 0;) cold_.push_back(aligned + i * chunk_bytes);
  chunks_ += count;
}

/// A chunk without pages gets some.
std::byte* SlabPool::warm_cold_chunk() {
  if (cold_.empty()) add_region();
  if (lies_in(regions_.front().at, regions_.front().bytes, cold_.back())) return take_cold();
  void* const page = reinterpret_cast<void*>(detail::large_page_of(cold_.back()));
  const std::size_t count = cold_.size();
  const bool is_whole = count >= chunks_in_a_large_page &&
                        reinterpret_cast<void*>(detail::large_page_of(cold_[count - chunks_in_a_large_page])) == page;
  if (pages_.prefers_large()) {
    if (is_whole) return warm_large_page();
    // Others of it are in use: it may be joined by the system, in time.
    detail::ask_for_large_pages(page, detail::large_page_bytes);
  } else if (is_whole) {
    detail::refuse_large_pages(page, detail::large_page_bytes);
  }
  std::byte* const chunk = take_cold();
  pages_.take_small(chunk, chunk_bytes);
  return chunk;
}

std::byte* SlabPool::take_cold() noexcept {
  std::byte* const chunk = cold_.back();
  cold_.pop_back();
  return chunk;
}

/// Those that share a large page with it get theirs by that, too: they are warm.
std::byte* SlabPool::warm_large_page() noexcept {
  std::byte* const first = take_cold();
  pages_.take_large(first);
  for (std::size_t i = 1; i < chunks_in_a_large_page; ++i)
    warm_ = ::new (static_cast<void*>(take_cold())) Chunk{.next = warm_};
  warm_count_ += chunks_in_a_large_page - 1;
  return first;
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

void SlabPool::trim(Trim which) noexcept {
  const std::lock_guard one_at_a_time(trim_mutex_);
  for (std::size_t c = 0; c < class_count; ++c) deal_out(c, which);
  Places surplus;
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
    detail::refuse_large_pages(reinterpret_cast<void*>(page), detail::large_page_bytes);
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

}  // namespace v0
}  // namespace backstage
