// Durability where it can fail: the store on a disk that forgets what was not synced, that fails, that fills up.
#ifndef CHRONICLE_WITHOUT_ROCKSDB

#include <map>

#include "chronicle/storage_support.hpp"
#include "support/forgetful_file_system.hpp"

namespace chronicle::test {
namespace {

using Fault = ForgetfulFileSystem::Fault;
using At = ForgetfulFileSystem::At;

struct Bench {
  std::shared_ptr<ForgetfulFileSystem> disk = std::make_shared<ForgetfulFileSystem>();
  std::unique_ptr<rocksdb::Env> env = forgetful_env(disk);

  [[nodiscard]] std::unique_ptr<Storage> make(bool sync = true) const {
    RocksOptions options;
    options.folder = "/data/store";
    options.env = env.get();
    options.sync = sync;
    options.write_buffer = 64 * 1024;  // small: the log is changed and files are flushed within the workload
    return std::make_unique<RocksStorage>(options);
  }
};

/// What was told to have been stored or to be there.
using Told = std::map<std::pair<std::string, std::uint64_t>, std::string>;

/// Groups into three streams, with repeats, a restart in the middle, enough bytes for several flushes. Ends at the
/// first failure, as a store's actor would.
void work(Storage& storage, Told& told) {
  for (int group = 0; group < 10; ++group) {
    if (group == 5 && !storage.open()) return;
    std::vector<Draft> drafts;
    for (int i = 0; i < 3; ++i) {
      const int n = group * 3 + i;
      const std::string filler(static_cast<std::size_t>(n % 4) * 6000, static_cast<char>('a' + n % 26));
      drafts.push_back(event(n % 2 == 0 ? "even" : "odd", n, std::to_string(n) + filler));
    }
    if (group > 0) drafts.push_back(event((group - 1) % 2 == 0 ? "odd" : "even", (group - 1) * 3 + 1, "other"));
    drafts.push_back(content("ledger", group, "block " + std::to_string(group / 2)));
    const auto outcomes = storage.append(drafts);
    if (!outcomes) return;
    for (std::size_t i = 0; i < drafts.size(); ++i) {
      const Outcome& outcome = (*outcomes)[i];
      ASSERT_FALSE(outcome.is_refused()) << outcome.refused->error.describe();
      told[{outcome.stream, outcome.sequence}] = drafts[i].payload;
    }
  }
}

/// Opens it; a failure says why.
[[nodiscard]] bool opens(Storage& storage, std::uint64_t nth) {
  const auto opened = storage.open();
  EXPECT_TRUE(opened.has_value()) << "operation " << nth << ": " << opened.error().describe();
  return opened.has_value();
}

/// How many of what was told are missing or changed. Holes and contradictions are failures at once.
std::size_t count_lost(const Storage& storage, const Told& told) {
  std::map<std::pair<std::string, std::uint64_t>, std::string> there;
  const auto infos = storage.streams();
  EXPECT_TRUE(infos.has_value());
  if (!infos) return told.size();
  for (const StreamInfo& info : *infos) {
    const auto messages = all_of(storage, info.name);
    EXPECT_EQ(messages.size(), info.count);
    for (std::size_t i = 0; i < messages.size(); ++i) {
      EXPECT_EQ(messages[i].sequence, i + 1) << "a hole in " << info.name;
      const auto same = storage.get(messages[i].id);
      EXPECT_TRUE(same.has_value() && *same == messages[i]);
      there[{info.name, messages[i].sequence}] = messages[i].payload;
    }
  }
  std::size_t lost = 0;
  for (const auto& [place, payload] : told) {
    const auto found = there.find(place);
    if (found == there.end() || found->second != payload) ++lost;
  }
  return lost;
}

/// Cuts the power at the nth operation; true if the workload ended before that.
bool cut_power_at(std::uint64_t nth, bool sync, std::optional<std::uint64_t> seed, std::size_t& lost) {
  Bench bench;
  Told told;
  bench.disk->arm(Fault::power, nth);
  {
    auto storage = bench.make(sync);
    if (storage->open()) work(*storage, told);
  }
  const bool is_over = !bench.disk->has_struck();
  bench.disk->crash(seed);
  auto storage = bench.make(sync);
  if (!opens(*storage, nth)) return true;
  const std::size_t lost_now = count_lost(*storage, told);
  lost += lost_now;
  if (!sync) return is_over;
  EXPECT_EQ(lost_now, 0u) << "power cut at operation " << nth;

  // What the reopened store shows is durable as well, and it goes on: the same work sent again.
  Told shown;
  work(*storage, shown);
  EXPECT_EQ(count_lost(*storage, told), 0u);
  storage->close();
  bench.disk->crash(seed);
  if (!opens(*storage, nth)) return true;
  EXPECT_EQ(count_lost(*storage, told), 0u) << "power cut at operation " << nth << " and again later";
  EXPECT_EQ(count_lost(*storage, shown), 0u) << "power cut at operation " << nth << " and again later";
  return is_over;
}

std::size_t cut_power_everywhere(bool sync, bool gentle) {
  std::size_t lost = 0;
  std::uint64_t nth = 1;
  while (!cut_power_at(nth, sync, gentle ? std::optional(nth) : std::nullopt, lost)) {
    if (testing::Test::HasFailure()) break;
    ++nth;
  }
  EXPECT_GT(nth, 50u) << "the workload is too small to prove anything";
  testing::Test::RecordProperty("operations", static_cast<int>(nth));
  return lost;
}

TEST(RocksDurability, nothing_told_is_lost_when_the_power_goes_at_any_operation) {
  EXPECT_EQ(cut_power_everywhere(true, false), 0u);
}

TEST(RocksDurability, nothing_told_is_lost_when_a_crash_keeps_a_random_part_of_what_was_not_synced) {
  EXPECT_EQ(cut_power_everywhere(true, true), 0u);
}

TEST(RocksDurability, the_same_test_finds_a_store_that_tells_before_it_has_synced) {
  EXPECT_GT(cut_power_everywhere(false, false), 0u) << "the test has no teeth";
}

/// One fault at the nth operation of a kind; then the store is opened anew and goes on, then the power goes.
bool fail_at(Fault fault, At at, std::uint64_t nth, int& poisoned) {
  Bench bench;
  Told told;
  bench.disk->arm(fault, nth, at);
  auto storage = bench.make();
  if (storage->open()) {
    work(*storage, told);
    if (const auto why = storage->fault(); why && bench.disk->has_struck()) {
      ++poisoned;
      const auto again = storage->append(std::vector<Draft>{event("even", 1000, "after the fault")});
      EXPECT_FALSE(again.has_value()) << "a poisoned store took a message, operation " << nth;
      EXPECT_TRUE(!again && again.error().is(Errc::unavailable));
    }
  }
  const bool is_over = !bench.disk->has_struck();
  bench.disk->disarm();
  if (!opens(*storage, nth)) return true;
  EXPECT_EQ(count_lost(*storage, told), 0u) << "operation " << nth;
  work(*storage, told);  // sent again: what the failed group left is recognised, and is durable from now on
  EXPECT_FALSE(storage->fault().has_value());
  storage.reset();
  bench.disk->crash();
  storage = bench.make();
  if (!opens(*storage, nth)) return true;
  EXPECT_EQ(count_lost(*storage, told), 0u) << "after the crash, operation " << nth;
  return is_over;
}

void fail_everywhere(Fault fault, At at) {
  std::uint64_t nth = 1;
  int poisoned = 0;
  while (!fail_at(fault, at, nth, poisoned) && !testing::Test::HasFailure()) ++nth;
  EXPECT_GT(nth, 10u);
  EXPECT_GE(poisoned, 5) << "the faults hardly ever met an append";
}

TEST(RocksDurability, a_failed_sync_at_any_place_poisons_and_loses_nothing_told) {
  fail_everywhere(Fault::io_error, At::sync);
}

TEST(RocksDurability, a_failed_write_at_any_place_poisons_and_loses_nothing_told) {
  fail_everywhere(Fault::io_error, At::append);
}

TEST(RocksDurability, a_full_disk_at_any_place_poisons_and_loses_nothing_told) {
  fail_everywhere(Fault::disk_full, At::append);
}

TEST(RocksDurability, a_group_that_fails_to_sync_says_that_it_may_be_there) {
  Bench bench;
  auto storage = bench.make();
  ASSERT_TRUE(storage->open().has_value());
  append(*storage, {event("even", 1, "one")});
  bench.disk->arm(Fault::io_error, 1, At::sync);
  const auto failed = storage->append(std::vector<Draft>{event("even", 2, "two")});
  ASSERT_FALSE(failed.has_value());
  EXPECT_TRUE(failed.error().is(Errc::unavailable));
  EXPECT_TRUE(failed.error().may_have_run());
  const auto refused = storage->append(std::vector<Draft>{event("even", 3, "three")});
  ASSERT_FALSE(refused.has_value());
  EXPECT_FALSE(refused.error().may_have_run());
  EXPECT_EQ(all_of(*storage, "even").size(), 1u) << "what is not synced must not be seen";
  EXPECT_EQ(storage->counters().failed, 2u);
}

}  // namespace
}  // namespace chronicle::test

#endif
