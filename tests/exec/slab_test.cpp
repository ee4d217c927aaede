#include "backstage/exec/slab.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "backstage/exec/detail/large_pages.hpp"

namespace backstage {
namespace {

bool aligned(const void* p, std::size_t to) { return reinterpret_cast<std::uintptr_t>(p) % to == 0; }

void expect_empty(const SlabPool& pool) {
  const SlabCensus census = pool.census();
  EXPECT_EQ(census.live_blocks, 0);
  EXPECT_EQ(census.live_bytes, 0);
  EXPECT_EQ(census.large_live, 0);
  for (const auto& entry : census.classes) EXPECT_EQ(entry.live, 0) << "blocks of " << entry.block_bytes;
}

// Every block is filled with its own byte and found unchanged: no two overlap, each is as long as asked.
struct Owned {
  unsigned char* p;
  std::size_t bytes;
  std::size_t align;
  unsigned char mark;

  void fill() const { std::memset(p, mark, bytes); }
  [[nodiscard]] bool intact() const {
    for (std::size_t i = 0; i < bytes; ++i) {
      if (p[i] != mark) return false;
    }
    return true;
  }
};

class SlabInBothModes : public ::testing::TestWithParam<bool> {
 protected:
  SlabPool pool_{SlabOptions{.pooling = GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(Pooling, SlabInBothModes, ::testing::Bool());

TEST_P(SlabInBothModes, gives_every_size_with_the_alignment_promised) {
  SlabCache& cache = pool_.take_cache();
  for (std::size_t bytes = 0; bytes <= 5000; ++bytes) {
    void* p = cache.allocate(bytes);
    EXPECT_TRUE(aligned(p, bytes > 16 && bytes <= 24 ? 8 : 16)) << bytes;
    std::memset(p, 0xAB, bytes);
    cache.deallocate(p, bytes);
    for (const std::size_t align :
         {std::size_t{8}, std::size_t{16}, std::size_t{32}, std::size_t{64}, std::size_t{256}}) {
      void* q = cache.allocate(bytes, align);
      EXPECT_TRUE(aligned(q, align)) << bytes << " to " << align;
      std::memset(q, 0xCD, bytes);
      cache.deallocate(q, bytes, align);
    }
  }
  expect_empty(pool_);
}

TEST_P(SlabInBothModes, no_block_has_two_owners_over_random_operations_on_two_caches) {
  SlabCache* const caches[] = {&pool_.take_cache(), &pool_.take_cache()};
  std::mt19937_64 random(11);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  std::deque<Owned> owned;
  std::int64_t live = 0;
  for (int step = 0; step < 300'000; ++step) {
    SlabCache& cache = *caches[below(2)];
    // Long swings up and down, so that magazines fill, empty and travel through the depot.
    const bool growing = (step / 20'000) % 2 == 0;
    if (below(10) < (growing ? 6U : 4U) || owned.empty()) {
      Owned block{nullptr, below(16) == 0 ? below(9000) : below(600), std::size_t{8} << below(5),
                  static_cast<unsigned char>(random())};
      block.p = static_cast<unsigned char*>(cache.allocate(block.bytes, block.align));
      block.fill();
      owned.push_back(block);
      ++live;
    } else {
      std::swap(owned[below(owned.size())], owned.back());
      ASSERT_TRUE(owned.back().intact());
      cache.deallocate(owned.back().p, owned.back().bytes, owned.back().align);
      owned.pop_back();
      --live;
    }
    if (step % 10'000 == 0) {
      ASSERT_EQ(pool_.census().live_blocks, live);
    }
  }
  for (const Owned& block : owned) {
    EXPECT_TRUE(block.intact());
    pool_.shared().deallocate(block.p, block.bytes, block.align);
  }
  expect_empty(pool_);
}

TEST_P(SlabInBothModes, the_census_names_what_leaked) {
  SlabCache& cache = pool_.take_cache();
  void* small = cache.allocate(100);
  void* large = cache.allocate(10'000);
  const SlabCensus census = pool_.census();
  EXPECT_EQ(census.live_blocks, 2);
  EXPECT_EQ(census.live_bytes, 128 + 10'000);
  EXPECT_EQ(census.classes[5].block_bytes, 128U);
  EXPECT_EQ(census.classes[5].live, 1);
  EXPECT_EQ(census.large_live, 1);
  EXPECT_EQ(census.large_bytes, 10'000);
  cache.deallocate(small, 100);
  cache.deallocate(large, 10'000);
  expect_empty(pool_);
}

// One thread allocates, the other frees, as envelopes travel. The handing over is the only synchronisation.
TEST_P(SlabInBothModes, what_one_thread_allocates_another_may_free) {
  constexpr int total = 200'000;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Owned> in_flight;
  bool done = false;
  std::thread consumer([&] {
    SlabCache& cache = pool_.take_cache();
    int broken = 0;
    for (bool last = false; !last;) {
      std::vector<Owned> batch;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return done || !in_flight.empty(); });
        batch.swap(in_flight);
        last = done;
      }
      changed.notify_one();
      for (const Owned& block : batch) {
        broken += block.intact() ? 0 : 1;
        cache.deallocate(block.p, block.bytes);
      }
    }
    EXPECT_EQ(broken, 0);
    pool_.give_back(cache);
  });
  SlabCache& cache = pool_.take_cache();
  for (int i = 0; i < total; ++i) {
    Owned block{nullptr, 16 + static_cast<std::size_t>(i % 5) * 40, 16, static_cast<unsigned char>(i)};
    block.p = static_cast<unsigned char*>(cache.allocate(block.bytes));
    block.fill();
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return in_flight.size() < 1000; });
    in_flight.push_back(block);
    lock.unlock();
    if (i % 64 == 0) changed.notify_one();
  }
  {
    const std::lock_guard lock(mutex);
    done = true;
  }
  changed.notify_one();
  consumer.join();
  expect_empty(pool_);
  if (pool_.pooling()) {
    // Bounded: the blocks came back to the producer. 200 000 of them would be 25 MB.
    EXPECT_LT(pool_.census().reserved_bytes, 2U << 20U);
  }
}

TEST_P(SlabInBothModes, threads_without_a_cache_share_one) {
  const auto churn = [&] {
    std::vector<void*> mine;
    for (int i = 0; i < 20'000; ++i) {
      mine.push_back(pool_.shared().allocate(96));
      if (i % 3 != 0) {
        pool_.shared().deallocate(mine.back(), 96);
        mine.pop_back();
      }
    }
    for (void* p : mine) pool_.shared().deallocate(p, 96);
  };
  std::thread other(churn);
  churn();
  other.join();
  expect_empty(pool_);
}

TEST(Slab, a_freed_block_is_the_next_one_allocated) {
  SlabPool pool;
  if (!pool.pooling()) GTEST_SKIP() << "pooling is off in this build";
  SlabCache& cache = pool.take_cache();
  void* p = cache.allocate(200);
  cache.deallocate(p, 200);
  EXPECT_EQ(cache.allocate(193), p);
  cache.deallocate(p, 193);
}

TEST(Slab, memory_given_back_by_an_ended_thread_serves_the_next) {
  SlabPool pool;
  if (!pool.pooling()) GTEST_SKIP() << "pooling is off in this build";
  std::size_t reserved = 0;
  for (int round = 0; round < 10; ++round) {
    std::thread([&] {
      SlabCache& cache = pool.take_cache();
      std::vector<void*> mine;
      for (int i = 0; i < 5000; ++i) mine.push_back(cache.allocate(256));
      for (void* p : mine) cache.deallocate(p, 256);
      pool.give_back(cache);
    }).join();
    if (round == 0) reserved = pool.census().reserved_bytes;
  }
  EXPECT_GT(reserved, 5000U * 256);
  EXPECT_EQ(pool.census().reserved_bytes, reserved);
  expect_empty(pool);
}

TEST(Slab, alternating_at_a_magazines_edge_does_not_go_to_the_depot) {
  SlabPool pool;
  if (!pool.pooling()) GTEST_SKIP() << "pooling is off in this build";
  SlabCache& cache = pool.take_cache();
  const std::size_t capacity = slab_detail::magazine_blocks(slab_detail::class_of(32));
  std::vector<void*> mine;
  for (std::size_t i = 0; i < 4 * capacity; ++i) mine.push_back(cache.allocate(32));
  // Fill both magazines exactly, then go to and fro over the edge: the same few blocks must move.
  for (std::size_t i = 0; i <= 2 * capacity; ++i) {
    cache.deallocate(mine.back(), 32);
    mine.pop_back();
  }
  std::set<void*> seen;
  for (int i = 0; i < 1000; ++i) {
    void* a = cache.allocate(32);
    void* b = cache.allocate(32);
    seen.insert({a, b});
    cache.deallocate(b, 32);
    cache.deallocate(a, 32);
  }
  EXPECT_EQ(seen.size(), 2U);
  for (void* p : mine) cache.deallocate(p, 32);
  expect_empty(pool);
}

TEST(Slab, what_a_burst_left_goes_back_to_the_system_when_nobody_needs_it) {
  SlabPool pool;
  if (!pool.pooling()) GTEST_SKIP() << "pooling is off in this build";
  SlabCache& cache = pool.take_cache();
  constexpr std::size_t blocks = 100'000;
  std::vector<unsigned char*> mine;
  const auto burst = [&](std::size_t bytes) {
    for (std::size_t i = 0; i < blocks; ++i) {
      mine.push_back(static_cast<unsigned char*>(cache.allocate(bytes)));
      std::memset(mine.back(), static_cast<int>(i % 251), bytes);
    }
    for (std::size_t i = 0; i < blocks; ++i) ASSERT_EQ(mine[i][bytes - 1], i % 251);
    for (unsigned char* p : mine) cache.deallocate(p, bytes);
    mine.clear();
  };
  burst(32);
  const std::size_t most = pool.census().reserved_bytes;
  EXPECT_GE(most, blocks * 32);
  pool.trim(SlabPool::Trim::unneeded);
  // But for what shares a large page with the last one that was needed.
  EXPECT_LT(pool.census().warm_bytes, detail::large_page_bytes) << "it was needed since";
  pool.trim(SlabPool::Trim::unneeded);
  EXPECT_GT(pool.census().reserved_bytes, most - detail::large_page_bytes)
      << "the chunks are free for a while before they go";
  EXPECT_GE(pool.census().warm_bytes, blocks * 32 - 256 * 1024) << "all but what the cache and the class keep";
  burst(64);  // of another class: the chunks are anybody's
  EXPECT_LE(pool.census().reserved_bytes, blocks * 64 + 512 * 1024 + detail::large_page_bytes)
      << "the chunks of a large page get warm together";
  for (int i = 0; i < 3; ++i) pool.trim(SlabPool::Trim::unneeded);
  EXPECT_EQ(pool.census().warm_bytes, 0U);
  EXPECT_LE(pool.census().reserved_bytes, 512U * 1024) << "a chunk or two a class, and what the caches hold";
  burst(32);
  pool.trim(SlabPool::Trim::all);
  EXPECT_EQ(pool.census().warm_bytes, 0U);
  EXPECT_LE(pool.census().reserved_bytes, 512U * 1024);
  pool.give_back(cache);
  expect_empty(pool);
}

// Threads that allocate and free in bursts, blocks that travel, and one that gives memory back all the while.
TEST(Slab, memory_is_given_back_while_others_allocate_and_free) {
  SlabPool pool;
  if (!pool.pooling()) GTEST_SKIP() << "pooling is off in this build";
  std::atomic<bool> over{false};
  std::thread trimmer([&] {
    for (bool all = false; !over.load(); all = !all) pool.trim(all ? SlabPool::Trim::all : SlabPool::Trim::unneeded);
  });
  std::mutex mutex;
  std::vector<Owned> handed_on;
  std::atomic<int> broken{0};
  const auto churn = [&](unsigned seed) {
    SlabCache& cache = pool.take_cache();
    std::mt19937_64 random(seed);
    for (int round = 0; round < 30; ++round) {
      std::vector<Owned> mine;
      const std::size_t bytes = 20 + random() % 3 * 100;
      for (int i = 0; i < 4'000; ++i) {
        mine.push_back(
            {static_cast<unsigned char*>(cache.allocate(bytes)), bytes, 16, static_cast<unsigned char>(random())});
        mine.back().fill();
      }
      const std::lock_guard lock(mutex);
      mine.swap(handed_on);
      for (const Owned& block : mine) {
        broken += block.intact() ? 0 : 1;
        cache.deallocate(block.p, block.bytes);
      }
    }
    pool.give_back(cache);
  };
  std::thread one(churn, 1);
  std::thread two(churn, 2);
  one.join();
  two.join();
  over.store(true);
  trimmer.join();
  for (const Owned& block : handed_on) pool.shared().deallocate(block.p, block.bytes);
  EXPECT_EQ(broken.load(), 0);
  expect_empty(pool);
}

TEST(Slab, without_pooling_nothing_is_reserved) {
  SlabPool pool(SlabOptions{.pooling = false});
  EXPECT_FALSE(pool.pooling());
  SlabCache& cache = pool.take_cache();
  void* p = cache.allocate(64);
  EXPECT_EQ(pool.census().reserved_bytes, 0U);
  EXPECT_EQ(pool.census().live_blocks, 1);
  cache.deallocate(p, 64);
  expect_empty(pool);
}

}  // namespace
}  // namespace backstage
