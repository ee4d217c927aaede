// What a burst of actors took is given back when all rest, whoever has Refs to them, and whoever comes meanwhile (M1, L2).
#include <algorithm>
#include <atomic>
#include <iterator>
#include <optional>
#include <vector>

#include <sys/mman.h>

#include "../src/actor/core.hpp"
#include "threads/support.hpp"

namespace backstage::threads_test {
namespace {

using RestOnThreads = WithWorkers;
INSTANTIATE_TEST_SUITE_P(Workers, RestOnThreads, worker_counts(), named);

struct Number {
  std::uint64_t value;
};
struct Get {
  using reply = std::uint64_t;
};
class Guest {
 public:
  explicit Guest(std::uint64_t mine) : mine_(mine) {}
  void handle(Number) {}
  std::uint64_t handle(Get) const { return mine_; }

 private:
  std::uint64_t mine_;
};

constexpr std::uint64_t guests = 3 * detail::cells_per_chunk;

std::vector<Ref<Guest>> invite(Runtime& runtime, std::uint64_t first) {
  std::vector<Ref<Guest>> all;
  for (std::uint64_t i = 0; i < guests; ++i) all.push_back(runtime.spawn<Guest>(unnamed, first + i));
  return all;
}

/// Until each has ended and its place is free.
void send_away(Runtime& runtime, const std::vector<Ref<Guest>>& all) {
  for (const auto& guest : all) runtime.stop(guest);
  while (runtime.actors() > 1) std::this_thread::yield();
}

/// All rest at once only now and then while others send: until it has worked.
void rest(Runtime& runtime, std::size_t free_before) {
  bool all = false;
  while (!all || runtime.core().cells_kept() >= free_before) {
    all = runtime.core().rest();
    std::this_thread::yield();
  }
}

/// Of the chunk that it lies in.
std::size_t resident_pages(std::uintptr_t chunk) {
  std::vector<unsigned char> pages(detail::chunk_bytes / detail::page_bytes);
  EXPECT_EQ(mincore(reinterpret_cast<void*>(chunk), detail::chunk_bytes, pages.data()), 0);
  return static_cast<std::size_t>(
      std::count_if(pages.begin(), pages.end(), [](auto page) { return (page & 1U) != 0; }));
}

TEST_P(RestOnThreads, M1_of_chunks_that_nobody_is_in_one_page_in_each_region_stays) {
  Runtime runtime(quiet(GetParam()));
  // Two regions at least.
  std::vector<Ref<Guest>> all;
  for (int i = 0; i < 2; ++i) std::ranges::copy(invite(runtime, 0), std::back_inserter(all));
  std::vector<std::uintptr_t> chunks;
  for (const auto& guest : all) {
    const auto at = reinterpret_cast<std::uintptr_t>(detail::RefAccess::cell(guest)) & ~(detail::chunk_bytes - 1);
    if (chunks.empty() || chunks.back() != at) chunks.push_back(at);
  }
  std::ranges::sort(chunks);
  const auto [end, last] = std::ranges::unique(chunks);
  chunks.erase(end, last);
  ASSERT_GT(chunks.size(), detail::chunks_in_a_region);
  send_away(runtime, all);
  rest(runtime, runtime.core().cells_kept());
  const auto first = reinterpret_cast<std::uintptr_t>(runtime.core().root) & ~(detail::chunk_bytes - 1);
  for (const std::uintptr_t chunk : chunks) {
    if (chunk == first) continue;
    EXPECT_EQ(resident_pages(chunk), chunk % detail::region_bytes == 0 ? 1U : 0U);
  }
  // A Ref into them finds its Runtime, which counts what is sent there.
  const std::uint64_t before = runtime.counts().count(Undelivered::gone);
  for (std::size_t i = 0; i < all.size(); i += 97) all[i].send(Number{1});
  EXPECT_EQ(runtime.counts().count(Undelivered::gone) - before, (all.size() + 96) / 97);
  expect_rest(runtime);
}

TEST_P(RestOnThreads, L2_refs_of_actors_whose_memory_was_given_back_name_nobody_ever_after) {
  Runtime runtime(quiet(GetParam()));
  const auto first = invite(runtime, 0);
  EXPECT_EQ(runtime.ask<Get>(first[7]).within(long_enough).value(), 7U);
  send_away(runtime, first);
  const std::size_t most = runtime.core().cells_kept();
  EXPECT_GE(most, guests);
  rest(runtime, most);
  EXPECT_LT(runtime.core().cells_kept(), most - 2 * detail::cells_per_chunk + 64);
  for (const auto& gone : first) {
    EXPECT_EQ(gone.try_send(Number{1}).error().code(), Errc::gone);
    runtime.restart(gone);
  }
  EXPECT_EQ(runtime.ask<Get>(first[7]).within(long_enough).error().code(), Errc::gone);
  // The places are others' now: none of the old Refs is one of theirs.
  const auto second = invite(runtime, guests);
  for (std::uint64_t i = 0; i < guests; i += 97) {
    EXPECT_EQ(first[i].try_send(Number{1}).error().code(), Errc::gone);
    EXPECT_EQ(runtime.ask<Get>(second[i]).within(long_enough).value(), guests + i);
  }
  send_away(runtime, second);
  expect_rest(runtime);
}

TEST_P(RestOnThreads, M1_a_few_who_live_on_keep_no_more_than_the_pages_in_front_of_them) {
  Runtime runtime(quiet(GetParam()));
  const auto first = invite(runtime, 0);
  constexpr std::size_t living = 10;
  for (std::size_t i = living; i < first.size(); ++i) runtime.stop(first[i]);
  while (runtime.actors() > living + 1) std::this_thread::yield();
  const std::size_t most = runtime.core().cells_kept();
  rest(runtime, most);
  EXPECT_LT(runtime.core().cells_kept(), 300U) << "of " << most;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (i >= living) {
      ASSERT_EQ(first[i].try_send(Number{1}).error().code(), Errc::gone);
    } else {
      ASSERT_EQ(runtime.ask<Get>(first[i]).within(long_enough).value(), i);
    }
  }
  // Behind them others live now, and none is taken for one that was there before.
  const auto second = invite(runtime, guests);
  for (std::size_t i = 0; i < guests; i += 97) {
    if (i >= living) {
      ASSERT_EQ(first[i].try_send(Number{1}).error().code(), Errc::gone);
    }
    ASSERT_EQ(runtime.ask<Get>(second[i]).within(long_enough).value(), guests + i);
  }
  for (const auto& guest : second) runtime.stop(guest);
  while (runtime.actors() > living + 1) std::this_thread::yield();
  expect_rest(runtime);
}

TEST(WornCells, L2_a_cell_whose_generations_are_used_up_is_nobodys_place_again) {
  Runtime runtime(quiet(1));
  constexpr std::uint32_t nearly = (1U << (32 - detail::gate_bit::bits)) - 3;
  const auto age = [&](std::uint32_t generation) {
    detail::Cell& cell = runtime.core().new_cell();
    cell.gate.store(generation << detail::gate_bit::bits);
    runtime.core().free_cell(cell);
    return &cell;
  };
  const detail::Cell* const fresh = age(nearly);
  EXPECT_EQ(&runtime.core().new_cell(), fresh) << "the one that was freed last is the next";
  const detail::Cell* const worn = age(nearly + 1);
  for (int i = 0; i < 10'000; ++i) ASSERT_NE(&runtime.core().new_cell(), worn);
}

TEST_P(RestOnThreads, M6_senders_from_outside_and_ends_go_on_while_memory_is_given_back) {
  Runtime runtime(quiet(GetParam()));
  std::atomic<bool> over{false};
  std::vector<Ref<Guest>> gone = invite(runtime, 0);
  send_away(runtime, gone);
  const auto lives = runtime.spawn<Guest>("lives", std::uint64_t{0});
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> senders;
  for (unsigned id = 0; id < 3; ++id) {
    senders.emplace_back([&, id] {
      for (std::size_t i = id; !over.load(); i = (i + 31) % gone.size()) {
        if (gone[i].try_send(Number{i})) wrong.fetch_add(1);
        lives.send(Number{i});
        runtime.stop(gone[i]);
        if (runtime.inspect(gone[i]).within(long_enough)) wrong.fetch_add(1);
      }
    });
  }
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 300; ++i) (void)runtime.core().rest();
    const auto more = invite(runtime, 1);
    for (const auto& guest : more) runtime.stop(guest);
    while (runtime.actors() > 2) std::this_thread::yield();
  }
  over.store(true);
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(wrong.load(), 0U);
  expect_rest(runtime);
}

}  // namespace
}  // namespace backstage::threads_test
