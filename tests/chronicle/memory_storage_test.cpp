// The model's own disk: what it forgets, and that a storage on it is poisoned as a real one is. And the write group.
#include "chronicle/memory_storage.hpp"

#include "chronicle/storage_support.hpp"
#include "chronicle/write_group.hpp"

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

TEST(WriteGroup, answers_every_ticket_once_after_one_sync) {
  Bench bench;
  const auto syncs = bench.disk->syncs();
  WriteGroup<int> group(Limits{}, 3, 1'000'000);
  group.add(event("s", 1, "a"), 1);
  group.add(event("s", 1, "a"), 2);
  EXPECT_FALSE(group.is_due());
  group.add(event("not good", 1, "a"), 3);
  EXPECT_TRUE(group.is_due());
  std::string said;
  group.flush(bench.storage, [&](int ticket, Result<Outcome> outcome) {
    EXPECT_EQ(bench.disk->syncs(), syncs + 1) << "an answer left before the sync";
    said += std::to_string(ticket) + (outcome->is_stored() ? "stored " : outcome->is_duplicate() ? "twice " : "no ");
    if (ticket == 1) group.add(event("s", 2, "b"), 4);
  });
  EXPECT_EQ(said, "1stored 2twice 3no ");
  EXPECT_EQ(group.count(), 1u);
  bench.disk->fail_sync(1);
  group.flush(bench.storage, [&](int ticket, Result<Outcome> outcome) {
    EXPECT_EQ(ticket, 4);
    EXPECT_FALSE(outcome.has_value());
  });
  EXPECT_TRUE(group.is_empty());
}

TEST(WriteGroup, fits_what_one_append_takes_and_any_draft_alone) {
  Limits limits;
  limits.group_count = 2;
  limits.group_bytes = 1000;
  WriteGroup<int> group(limits);
  EXPECT_TRUE(group.fits(event("s", 1, std::string(5000, 'x'))));
  group.add(event("s", 1, "a"), 1);
  EXPECT_TRUE(group.is_due());
  EXPECT_FALSE(group.fits(event("s", 2, std::string(900, 'x'))));
  EXPECT_TRUE(group.fits(event("s", 2, "b")));
  group.add(event("s", 2, "b"), 2);
  EXPECT_FALSE(group.fits(event("s", 3, "c")));
}

}  // namespace
}  // namespace chronicle::test
