#include "backstage/exec/fresh_pages.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "backstage/exec/detail/large_pages.hpp"
#include "backstage/exec/environment.hpp"
#include "backstage/exec/slab.hpp"

namespace backstage {
namespace {

using detail::large_page_bytes;
using detail::PageCosts;
using namespace std::chrono_literals;

constexpr std::size_t part = 64 * 1024;
constexpr std::size_t mib = 1024 * 1024;

/// Bytes of small pages, each 64 KiB of which takes so long, until a large page is preferred again.
std::size_t small_ones_until_a_large_one(PageCosts& costs, Duration each) {
  std::size_t bytes = 0;
  while (!costs.prefers_large()) {
    costs.note_small(each, part, large_page_bytes);
    bytes += part;
  }
  return bytes;
}

TEST(PageCosts, large_pages_are_taken_for_as_long_as_they_are_quick) {
  PageCosts costs;
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(costs.prefers_large()) << i;
    costs.note_large(250us);
  }
}

TEST(PageCosts, a_slow_large_page_is_followed_by_small_ones_for_longer_each_time) {
  PageCosts costs;
  for (const std::size_t expected : {8 * mib, 32 * mib, 128 * mib, 512 * mib, 512 * mib}) {
    costs.note_large(4400us);
    EXPECT_FALSE(costs.prefers_large());
    EXPECT_EQ(small_ones_until_a_large_one(costs, 18us), expected);
  }
  // A quick one, and patience is short again.
  costs.note_large(250us);
  EXPECT_TRUE(costs.prefers_large());
  costs.note_large(4400us);
  EXPECT_EQ(small_ones_until_a_large_one(costs, 18us), 8 * mib);
}

TEST(PageCosts, small_pages_that_turn_out_slower_are_given_up_at_once) {
  PageCosts costs;
  costs.note_large(2ms);
  EXPECT_FALSE(costs.prefers_large());
  // 203 us for 64 KiB are 6.5 ms for 2 MiB. One alone is not believed: somebody else may have had the processor.
  EXPECT_EQ(small_ones_until_a_large_one(costs, 203us), 2 * part);
  // And large ones that take less are what is usual here, for a while.
  costs.note_large(2ms);
  EXPECT_TRUE(costs.prefers_large());
  int large = 1;
  for (; costs.prefers_large(); ++large) costs.note_large(2ms);
  EXPECT_LE(large, 8) << "then small ones are tried again: they may have become quick";
}

TEST(PageCosts, whoever_was_put_off_its_processor_has_not_measured_memory) {
  PageCosts costs;
  costs.note_large(4400us);
  // A small part of 64 KiB that took 10 ms would make 320 ms of a large page.
  costs.note_small(10ms, part, large_page_bytes);
  EXPECT_FALSE(costs.prefers_large());
  EXPECT_EQ(small_ones_until_a_large_one(costs, 18us), 8 * mib - part);
}

/// Each reading is so much later than the last one.
class SteppingClock final : public Clock {
 public:
  Instant now() const noexcept override { return at_ = at_ + step; }
  WallTime wall() const noexcept override { return {}; }
  Duration step{};

 private:
  mutable Instant at_{};
};

TEST(FreshPages, memory_is_zero_and_ones_own_either_way) {
  SteppingClock clock;
  FreshPages pages(clock);
  constexpr std::size_t wanted = 3 * large_page_bytes;  // so that two aligned ones lie in it
  void* const wide = mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(wide, MAP_FAILED);
  auto* const begin =
      reinterpret_cast<std::byte*>(detail::large_page_of(static_cast<std::byte*>(wide) + large_page_bytes - 1));
  pages.take_large(begin);
  pages.take_small(begin + large_page_bytes, part);
  EXPECT_TRUE(std::all_of(begin, begin + large_page_bytes + part, [](std::byte b) { return b == std::byte{0}; }));
  std::memset(begin, 1, large_page_bytes + part);
  EXPECT_EQ(begin[large_page_bytes + part - 1], std::byte{1});
  munmap(wide, wanted);
}

TEST(FreshPages, a_pool_takes_chunk_by_chunk_where_large_pages_are_slow) {
  SteppingClock clock;
  FreshPages pages(clock);
  SlabPool pool({.pages = &pages});
  if (!pool.pooling()) GTEST_SKIP() << "pooling is off in this build";
  SlabCache& cache = pool.take_cache();
  std::vector<void*> mine;
  const auto grow = [&](std::size_t bytes) {
    for (std::size_t i = 0; i < bytes / 4096; ++i) {
      mine.push_back(cache.allocate(4096));
      std::memset(mine.back(), 1, 4096);
    }
  };
  // The first MiB is in small pages in any case, and not measured; each of its 16 chunks has 15 of these blocks.
  grow(16 * 15 * 4096);
  EXPECT_TRUE(pages.prefers_large());

  clock.step = 4400us;
  grow(part);
  EXPECT_FALSE(pages.prefers_large());
  EXPECT_GT(pool.census().warm_bytes, mib) << "the others of that large page";
  clock.step = 18us;
  grow(2 * mib);
  EXPECT_EQ(pool.census().warm_bytes, 0U) << "used up";
  grow(5 * mib);
  EXPECT_EQ(pool.census().warm_bytes, 0U) << "chunk by chunk";
  EXPECT_FALSE(pages.prefers_large());

  clock.step = 250us;
  grow(12 * mib);
  EXPECT_TRUE(pages.prefers_large()) << "tried again, and quick";
  EXPECT_LE(pool.census().reserved_bytes, 24 * mib);

  for (void* block : mine) cache.deallocate(block, 4096);
  for (int i = 0; i < 3; ++i) pool.trim(SlabPool::Trim::unneeded);
  EXPECT_LE(pool.census().reserved_bytes, 512U * 1024) << "all of it goes back";
  mine.clear();
  // What went back is taken as fresh memory is.
  clock.step = 4400us;
  grow(mib);
  EXPECT_FALSE(pages.prefers_large());
  const std::size_t warm = pool.census().warm_bytes;
  clock.step = 18us;
  grow(warm + mib);
  EXPECT_EQ(pool.census().warm_bytes, 0U);
  for (void* block : mine) cache.deallocate(block, 4096);
  pool.give_back(cache);
  EXPECT_EQ(pool.census().live_blocks, 0);
}

TEST(FreshPages, runtimes_of_the_real_world_share_what_was_measured) {
  const auto one = real_environment();
  const auto other = real_environment();
  EXPECT_EQ(&one->door<FreshPages>(), &other->door<FreshPages>());
  EXPECT_EQ(&one->clock(), &other->clock());
  EXPECT_NE(&one->chance(), &other->chance());
}

}  // namespace
}  // namespace backstage
