// Pooled memory for envelopes, coroutine frames and actor bodies: a pop or a push on a thread's own free list.
//
//     SlabPool pool;                          // one per Runtime; owns all memory
//     SlabCache& cache = pool.take_cache();   // one per worker thread
//     void* p = cache.allocate(96);
//     cache.deallocate(p, 96);                // or another cache's, or pool.shared()'s: any of this pool
//
// Threads: a SlabCache belongs to one thread at a time; SlabPool and SharedSlab may be used from any.
// Promises:
//  (1) A block goes to one owner at a time; the size (and alignment) given back is the one asked for.
//  (2) Blocks are aligned to 16, but those of 17 to 24 bytes to 8: nothing of such a size needs more. To 64 when asked
//      for with that alignment, and beyond through operator new.
//  (3) What is free beyond two magazines a class and cache is kept while it is needed now and then, and goes back to the
//      system with trim(): the chunks that nobody has needed since the last one. Addresses stay the pool's until it dies.
//  (4) census() counts exactly what is live, provided that no cache is in use meanwhile.
//  (5) With pooling off (SlabOptions, or a build with BACKSTAGE_SANITIZED) every block comes from operator new
//      and returns to operator delete at once, so that sanitizers see each use after free.
//  (6) With a Scarcity there is no pooling, and each allocation asks it first; refused, it throws std::bad_alloc.
//
// How: a cache has two magazines (free lists of a bounded length) a class. It takes from and returns to the first;
// empty or full it is swapped with the second, and only when that does not help exchanged whole with the pool's
// depot, behind a mutex a class. Two magazines, so that alternating at a boundary does not go to the depot each time.
// Behind that a class has chunks of 64 KiB, aligned so that a block's address says whose it is. A magazine that comes back
// is dealt out to the chunks of its blocks; a chunk that is whole again is warm: any class may have it next. One that was
// warm from one trim() to the next is cold: its pages are the system's, its address is kept. The first MiB is in small pages,
// what is beyond in large ones, whose chunks get warm together, unless they are the dearer ones just then (fresh_pages.hpp).
// After Bonwick and Adams, "Magazines and Vmem" (USENIX 2001), for the magazines, the depot and the working set of the warm.
// Stability: internal (may change in any version).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "backstage/exec/detail/mapped.hpp"
#include "backstage/exec/detail/yielding_mutex.hpp"
#include "backstage/exec/fresh_pages.hpp"
#include "backstage/exec/scarcity.hpp"

namespace backstage {
inline namespace v0 {

struct SlabOptions {
  bool pooling = true;
  Scarcity* scarcity = nullptr;  ///< asked before each allocation; outlives the pool
  FreshPages* pages =
      nullptr;  ///< says how memory is taken, outlives the pool; null: one of the pool's own, without a clock
};

namespace slab_detail {

/// A free block. The first of a magazine that lies in the depot has the other two.
struct Block {
  explicit Block(Block* following) noexcept : next(following) {}
  Block* next;
  Block* next_magazine;
  std::uint32_t magazine_count;
};

/// At the start of 64 KiB that hold blocks of one class.
struct Chunk {
  Block* free = nullptr;  // blocks that came back
  Chunk* previous = nullptr;
  Chunk* next = nullptr;         // in its depot's list, while there is something to be had, or in that of the warm
  std::uint32_t free_count = 0;  // in `free`
  std::uint32_t carved = 0;      // blocks that were ever cut; the rest is untouched
  std::uint32_t out = 0;         // with a cache, or in use
  std::uint32_t capacity = 0;
};
inline constexpr std::size_t chunk_bytes = 64 * 1024;
inline constexpr std::size_t chunk_begin = 64;  // of the blocks, behind the header
static_assert(sizeof(Chunk) <= chunk_begin);

/// 24 for the shortest messages, 32-byte steps to 256, 64 to 512, 128 to 1024, 256 to 1536, then 2048 and 4096.
inline constexpr std::array<std::uint16_t, 22> class_bytes{
    24, 32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 2048, 4096};
inline constexpr std::size_t class_count = class_bytes.size();
inline constexpr std::size_t max_pooled = class_bytes.back();

inline constexpr std::size_t step_bytes = 8;
inline constexpr auto class_of_step = [] {
  std::array<std::uint8_t, max_pooled / step_bytes + 1> table{};
  std::uint8_t c = 1;
  for (std::size_t step = 0; step < table.size(); ++step) {
    while (class_bytes[c] < step * step_bytes) ++c;
    // Of 16 bytes and less some may need an alignment of 16.
    table[step] = step * step_bytes == class_bytes.front() ? 0 : c;
  }
  return table;
}();

/// Precondition: bytes <= max_pooled.
[[nodiscard]] constexpr std::size_t class_of(std::size_t bytes) noexcept {
  return class_of_step[(bytes + step_bytes - 1) / step_bytes];
}

/// How many blocks a magazine holds: 128, fewer of the large ones (32 KiB together), at least 8.
[[nodiscard]] constexpr std::uint32_t magazine_blocks(std::size_t c) noexcept {
  const std::size_t fit = 32 * 1024 / class_bytes[c];
  return static_cast<std::uint32_t>(fit > 128 ? 128 : fit < 8 ? 8 : fit);
}

}  // namespace slab_detail

/// A block's size that is known when the program is built, and with it its class.
class BlockSize {
 public:
  constexpr BlockSize(std::size_t bytes) noexcept  // NOLINT(google-explicit-constructor)
      : bytes_(static_cast<std::uint32_t>(bytes)),
        class_(static_cast<std::uint8_t>(bytes <= slab_detail::max_pooled ? slab_detail::class_of(bytes)
                                                                          : slab_detail::class_count)) {}
  [[nodiscard]] constexpr std::uint32_t bytes() const noexcept { return bytes_; }

 private:
  friend class SlabCache;
  std::uint32_t bytes_;
  std::uint8_t class_;  // class_count: none
};

/// What is live, in blocks and in bytes (of blocks: sizes are rounded up to their class).
struct SlabCensus {
  struct Class {
    std::size_t block_bytes = 0;
    std::int64_t live = 0;    ///< handed out
    std::int64_t pooled = 0;  ///< free in caches and depot
  };
  std::array<Class, slab_detail::class_count> classes{};
  std::int64_t large_live = 0;  ///< blocks over 4096 bytes or of large alignment
  std::int64_t large_bytes = 0;
  std::int64_t live_blocks = 0;  ///< all of the above
  std::int64_t live_bytes = 0;
  std::size_t reserved_bytes = 0;  ///< in chunks that are in use or warm: what of it was touched is resident
  std::size_t warm_bytes = 0;      ///< in chunks that are wholly free, and not yet given back
};

class SlabPool;

/// One thread's magazines. Owned by the pool.
class SlabCache {
 public:
  SlabCache(const SlabCache&) = delete;
  SlabCache& operator=(const SlabCache&) = delete;

  /// At least `bytes` bytes, aligned as promised. Throws std::bad_alloc when the system gives no more.
  [[nodiscard]] void* allocate(std::size_t bytes) {
    if (bytes <= slab_detail::max_pooled) [[likely]] {
      Rack& rack = racks_[slab_detail::class_of(bytes)];
      if (slab_detail::Block* block = rack.first) [[likely]] {
        rack.first = block->next;
        ++rack.room;
        return block;
      }
    }
    return allocate_slowly(bytes);
  }

  /// The same if there is one at hand, else null: allocate() fetches more.
  [[nodiscard]] void* allocate_at_hand(std::size_t bytes) noexcept {
    if (bytes > slab_detail::max_pooled) return nullptr;
    Rack& rack = racks_[slab_detail::class_of(bytes)];
    slab_detail::Block* const block = rack.first;
    if (block == nullptr) [[unlikely]]
      return nullptr;
    rack.first = block->next;
    ++rack.room;
    return block;
  }

  /// Gives back what any cache of this pool allocated with the same `bytes`.
  void deallocate(void* p, std::size_t bytes) noexcept {
    if (bytes > slab_detail::max_pooled || !put_at_hand(p, slab_detail::class_of(bytes))) [[unlikely]]
      deallocate_slowly(p, bytes);
  }
  void deallocate(void* p, const BlockSize& size) noexcept {
    if (!put_at_hand(p, size.class_)) [[unlikely]]
      deallocate_slowly(p, size.bytes());
  }

  /// The same aligned to `align`, a power of two.
  [[nodiscard]] void* allocate(std::size_t bytes, std::size_t align) {
    return align <= 16 ? allocate(for_alignment(bytes, align)) : allocate_aligned(bytes, align);
  }
  void deallocate(void* p, std::size_t bytes, std::size_t align) noexcept {
    if (align <= 16) {
      deallocate(p, for_alignment(bytes, align));
    } else {
      deallocate_aligned(p, bytes, align);
    }
  }

 private:
  friend class SlabPool;
  friend class SharedSlab;

  /// The magazine in use, and the second, which is either empty or full. Without pooling the capacity is 0, so
  /// that `first` stays null and both directions end in the slow path without a further question here.
  struct Rack {
    slab_detail::Block* first = nullptr;
    std::uint32_t room = 0;  // so many blocks fewer than its capacity
    std::uint32_t capacity = 0;
    slab_detail::Block* second = nullptr;
    std::uint32_t second_count = 0;

    [[nodiscard]] std::uint32_t count() const noexcept { return capacity - room; }
  };

  /// False: its magazine is full.
  [[nodiscard]] bool put_at_hand(void* p, std::size_t c) noexcept {
    Rack& rack = racks_[c];
    if (rack.room == 0) return false;
    rack.first = ::new (p) slab_detail::Block(rack.first);
    --rack.room;
    return true;
  }
  /// A size whose blocks are aligned so.
  [[nodiscard]] static std::size_t for_alignment(std::size_t bytes, std::size_t align) noexcept {
    return align > 8 && bytes <= slab_detail::class_bytes.front() ? slab_detail::class_bytes[1] : bytes;
  }
  explicit SlabCache(SlabPool& pool) noexcept;
  [[nodiscard]] void* allocate_slowly(std::size_t bytes);
  void deallocate_slowly(void* p, std::size_t bytes) noexcept;
  [[nodiscard]] void* allocate_aligned(std::size_t bytes, std::size_t align);
  void deallocate_aligned(void* p, std::size_t bytes, std::size_t align) noexcept;
  /// Hands both magazines of every class to the depot.
  void flush() noexcept;

  SlabPool& pool_;
  // On lines of its own: two workers' caches never share one.
  // One more than there are classes: what is too large finds no room there.
  alignas(64) std::array<Rack, slab_detail::class_count + 1> racks_{};
};

/// For threads without a cache: the same behind a mutex.
class SharedSlab {
 public:
  SharedSlab(const SharedSlab&) = delete;
  SharedSlab& operator=(const SharedSlab&) = delete;

  [[nodiscard]] void* allocate(std::size_t bytes, std::size_t align = 8) {
    const std::lock_guard lock(mutex_);
    return cache_.allocate(bytes, align);
  }
  void deallocate(void* p, std::size_t bytes, std::size_t align = 8) noexcept {
    const std::lock_guard lock(mutex_);
    cache_.deallocate(p, bytes, align);
  }

 private:
  friend class SlabPool;
  void flush() noexcept {
    const std::lock_guard lock(mutex_);
    cache_.flush();
  }
  explicit SharedSlab(SlabCache& cache) noexcept : cache_(cache) {}
  std::mutex mutex_;
  SlabCache& cache_;
};

class SlabPool {
 public:
  explicit SlabPool(SlabOptions options = {});
  /// Frees all memory, live or not. No cache is in use any more.
  ~SlabPool();
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;

  /// A cache for the calling thread, until given back (or the pool's end).
  [[nodiscard]] SlabCache& take_cache();
  /// For a thread that ends: its free blocks go to the depot, the cache to the next who asks.
  void give_back(SlabCache& cache) noexcept;
  [[nodiscard]] SharedSlab& shared() noexcept { return *shared_; }

  [[nodiscard]] bool pooling() const noexcept { return pooling_; }
  /// How it takes fresh memory, for who has other memory to take.
  [[nodiscard]] FreshPages& pages() noexcept { return pages_; }
  /// Gives the pages of free chunks back to the system: of those that were not needed since the last call, or all.
  enum class Trim : std::uint8_t { unneeded, all };
  /// Takes what lies free in the caches. No cache is in use, but that of shared().
  void flush_caches() noexcept;
  void trim(Trim which) noexcept;
  /// Exact when no cache is in use (and its last use happened before this call).
  [[nodiscard]] SlabCensus census() const;

 private:
  friend class SlabCache;

  /// A class's chunks. Each on its own line: classes do not disturb each other.
  struct alignas(64) Depot {
    mutable detail::YieldingMutex mutex;      // trim() takes it many times
    slab_detail::Block* magazines = nullptr;  // linked by next_magazine, the last that came first
    std::size_t magazine_count = 0;
    std::size_t unneeded = 0;              // the fewest magazines there were since the last trim()
    slab_detail::Block* above = nullptr;   // the one that lies on those; null: they are all
    slab_detail::Chunk* usable = nullptr;  // those with something to be had
    std::int64_t out = 0;                  // blocks in magazines, with caches, or in use
    std::int64_t in_magazines = 0;
    std::int64_t in_chunks = 0;  // that came back to their chunks
  };
  struct Magazine {
    slab_detail::Block* first = nullptr;
    std::uint32_t count = 0;
  };
  struct Region {
    void* at = nullptr;
    std::size_t bytes = 0;
  };

  /// A magazine that came back, or about one of blocks that did, or of fresh ones.
  [[nodiscard]] Magazine take(std::size_t c);
  void put(std::size_t c, slab_detail::Block* first, std::uint32_t count) noexcept;
  void deal_out(std::size_t c, Trim which) noexcept;
  void deal_to_chunks(Depot& depot, slab_detail::Block* first) noexcept;
  static void hand_out(slab_detail::Chunk& chunk, std::uint32_t most, Magazine& into) noexcept;
  static void carve(slab_detail::Chunk& chunk, std::size_t c, Magazine& into) noexcept;
  static void make_usable(Depot& depot, slab_detail::Chunk& chunk) noexcept;
  static void make_unusable(Depot& depot, slab_detail::Chunk& chunk) noexcept;
  [[nodiscard]] slab_detail::Chunk& new_chunk(std::size_t c);
  void warm_up(slab_detail::Chunk& chunk) noexcept;
  void add_region();
  [[nodiscard]] std::byte* warm_cold_chunk();
  [[nodiscard]] std::byte* take_cold() noexcept;
  [[nodiscard]] std::byte* warm_large_page() noexcept;
  [[nodiscard]] void* system_allocate(std::size_t bytes, std::size_t align);
  void system_deallocate(void* p, std::size_t bytes, std::size_t align) noexcept;
  void count(std::size_t bytes, bool large, std::int64_t change) noexcept;

  Scarcity* const scarcity_;
  const bool pooling_;
  FreshPages large_pages_;
  FreshPages& pages_;
  std::array<Depot, slab_detail::class_count> depots_;

  std::mutex trim_mutex_;  // taken first
  // Taken while a depot's is held, never the other way round.
  mutable std::mutex chunk_mutex_;
  std::vector<Region> regions_;  // mappings that chunks are cut from; the first is in small pages
  using Places = std::vector<std::byte*, detail::MappedAllocator<std::byte*>>;
  Places cold_;                         // chunks without pages; room for all there are
  slab_detail::Chunk* warm_ = nullptr;  // linked by next
  std::size_t warm_count_ = 0;
  std::size_t warm_unneeded_ = 0;  // the fewest there were since the last trim()
  std::size_t chunks_ = 0;         // ever cut from regions

  // Blocks that operator new gave, by class and large. Relaxed throughout: read only when quiescent.
  std::array<std::atomic<std::int64_t>, slab_detail::class_count> direct_live_{};
  std::atomic<std::int64_t> large_live_{0};
  std::atomic<std::int64_t> large_bytes_{0};

  mutable std::mutex caches_mutex_;
  std::vector<std::unique_ptr<SlabCache>> caches_;
  std::vector<SlabCache*> idle_caches_;  // capacity always for all of caches_: giving back does not allocate
  std::unique_ptr<SharedSlab> shared_;
};

}  // namespace v0
}  // namespace backstage
