// The model's own disk: what it forgets, and that a storage on it is poisoned as a real one is. And the write group.
#include "chronicle/memory_storage.hpp"

#include "chronicle/storage_support.hpp"

namespace chronicle::test {
namespace {

struct Bench {
  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  MemoryStorage storage{disk};
  Bench() { EXPECT_TRUE(storage.open().has_value()); }
  Result<std::vector<Outcome>> add(std::int64_t time) {
    return storage.append(std::vector<Draft>{event("s", time, "x")});
  }
};

TEST(MemoryStorage, loses_nothing_told_in_a_crash) {
  Bench bench;
  ASSERT_TRUE(bench.add(1).has_value());
  bench.disk->crash();
  ASSERT_TRUE(bench.storage.open().has_value());
  EXPECT_TRUE((*bench.add(1))[0].is_duplicate());
}

TEST(MemoryStorage, that_does_not_sync_loses_what_it_told) {
  auto disk = std::make_shared<MemoryDisk>();
  MemoryOptions options;
  options.sync = false;  // the planted bug
  MemoryStorage storage(disk, options);
  ASSERT_TRUE(storage.open().has_value());
  append(storage, {event("s", 1, "x")});
  disk->crash();
  ASSERT_TRUE(storage.open().has_value());
  EXPECT_TRUE(storage.streams()->empty());
}

TEST(MemoryStorage, is_poisoned_by_a_failed_sync_until_it_is_opened_anew) {
  Bench bench;
  ASSERT_TRUE(bench.add(1).has_value());
  bench.disk->fail_sync(1);
  const auto failed = bench.add(2);
  ASSERT_FALSE(failed.has_value());
  EXPECT_TRUE(failed.error().is(Errc::unavailable));
  EXPECT_TRUE(failed.error().may_have_run());
  EXPECT_EQ(all_of(bench.storage, "s").size(), 1u) << "what is not synced is not seen";
  const auto refused = bench.add(3);
  EXPECT_TRUE(refused.error().is(Errc::unavailable));
  EXPECT_FALSE(refused.error().may_have_run());
  EXPECT_NE(bench.storage.fault()->cause(), nullptr);

  ASSERT_TRUE(bench.storage.open().has_value());
  EXPECT_TRUE((*bench.add(2))[0].is_duplicate()) << "the failed group had reached the disk's cache";
  bench.disk->crash();
  ASSERT_TRUE(bench.storage.open().has_value());
  EXPECT_TRUE((*bench.add(2))[0].is_duplicate()) << "what open() found must be durable";
}

TEST(MemoryStorage, forgets_the_group_whose_sync_failed_when_the_power_goes_before_it_is_opened_anew) {
  Bench bench;
  bench.disk->fail_sync(1);
  ASSERT_FALSE(bench.add(1).has_value());
  bench.disk->crash();
  ASSERT_TRUE(bench.storage.open().has_value());
  EXPECT_TRUE((*bench.add(1))[0].is_stored());
}

TEST(MemoryStorage, is_poisoned_by_a_failed_write_and_by_a_full_disk) {
  Bench bench;
  bench.disk->fail_write(2);
  ASSERT_TRUE(bench.add(1).has_value());
  ASSERT_FALSE(bench.add(2).has_value());
  ASSERT_TRUE(bench.storage.open().has_value());
  EXPECT_EQ((*bench.add(2))[0].sequence, 2u) << "no hole";

  MemoryStorage small(std::make_shared<MemoryDisk>(1000));
  ASSERT_TRUE(small.open().has_value());
  EXPECT_FALSE(small.append(std::vector<Draft>{event("s", 1, std::string(2000, 'x'))}).has_value());
  EXPECT_TRUE(small.fault().has_value());
}

}  // namespace
}  // namespace chronicle::test
