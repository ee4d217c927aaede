#include "backstage/exec/blocking_pool.hpp"

#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <utility>

namespace backstage::exec_test {
namespace {

TEST(BlockingPool, what_is_dropped_is_destroyed_and_never_begun_and_what_is_under_way_goes_on) {
  std::latch begun(1);
  std::latch leave(1);
  std::latch last(1);
  int done = 0;
  const auto held = std::make_shared<int>(0);
  {
    BlockingPool pool(1, 4);
    ASSERT_TRUE(pool.submit([&] {
      begun.count_down();
      leave.wait();
      ++done;
    }));
    begun.wait();
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(pool.submit([&done, held] { done += 100; }));
    EXPECT_FALSE(pool.submit([&] { done += 100; })) << "the queue is bounded";
    EXPECT_EQ(held.use_count(), 5);
    pool.drop_queued();
    EXPECT_EQ(held.use_count(), 1);
    EXPECT_EQ(pool.queued(), 0U);
    EXPECT_EQ(pool.running(), 1U);
    ASSERT_TRUE(pool.submit([&done, &last, held] {
      done += 100;
      last.count_down();
    })) << "there is room again";
    leave.count_down();
    last.wait();
  }
  EXPECT_EQ(done, 101);
}

TEST(BlockingPool, a_job_may_submit_another_when_it_is_dropped) {
  struct Again {
    BlockingPool* pool;
    int* submitted;
    Again(BlockingPool* p, int* s) : pool(p), submitted(s) {}
    Again(Again&& other) noexcept : pool(std::exchange(other.pool, nullptr)), submitted(other.submitted) {}
    Again& operator=(Again&&) = delete;
    ~Again() {
      if (pool != nullptr && pool->submit([] {})) ++*submitted;
    }
    void operator()() {}
  };
  int submitted = 0;
  {
    BlockingPool pool(0, 4);
    ASSERT_TRUE(pool.submit(Again(&pool, &submitted)));
    pool.drop_queued();
    EXPECT_EQ(submitted, 1);
    EXPECT_EQ(pool.queued(), 0U) << "what came meanwhile is dropped too";
  }
}

}  // namespace
}  // namespace backstage::exec_test
