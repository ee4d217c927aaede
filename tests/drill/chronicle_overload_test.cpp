// Ten times what the store just sustained, for a minute, over loopback: memory stays bounded, and each message that was
// sent is stored, a duplicate or refused, as the store itself says afterwards.
//
// A message is a line of a batch, in both phases: first as fast as answers come over a few connections, which is what
// the machine can store while it also makes the load; then at ten times that, over many.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "drill/chronicle_load.hpp"

namespace chronicle::drill {
namespace {

constexpr std::size_t few_connections = 64;
constexpr std::size_t many_connections = 500;
constexpr std::uint64_t most_memory = std::uint64_t{300} << 20U;
// Shorter only for whoever works on the drill itself.
std::chrono::seconds load_time() {
  const char* seconds = std::getenv("CHRONICLE_DRILL_SECONDS");
  return std::chrono::seconds(seconds != nullptr ? std::atoi(seconds) : 60);
}

/// The numbers behind `"name":` in the text, added up.
std::uint64_t sum_of(const std::string& text, const std::string& name) {
  std::uint64_t sum = 0;
  const std::string key = "\"" + name + "\":";
  for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at + 1)) {
    sum += std::stoull(text.substr(at + key.size()));
  }
  return sum;
}

TEST(ChronicleOverload, M4_ten_times_the_sustained_rate_is_stored_or_refused_and_memory_stays_bounded) {
  const DataFolder folder;
  ChronicleProcess chronicle(folder.path());

  constexpr std::chrono::seconds calm{5};
  const Count sustained = Load(chronicle.port(), "calm", few_connections).offer(calm, std::nullopt);
  ASSERT_EQ(sustained.refused, 0u) << "more was offered than is sustained";
  const double rate = static_cast<double>(sustained.stored) / static_cast<double>(calm.count());
  ASSERT_GT(rate, 0.0);

  std::atomic<bool> is_over = false;
  std::uint64_t peak = 0;
  std::thread watch([&] {
    while (!is_over) {
      peak = std::max(peak, chronicle.memory("VmRSS"));
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  // A little more than ten times is aimed at, so that ten times is reached whatever the last moment does.
  const Count load = Load(chronicle.port(), "load", many_connections).offer(load_time(), 10.1 * rate);
  is_over = true;
  watch.join();
  peak = std::max(peak, chronicle.memory("VmHWM"));

  Count all = sustained;
  all.add(load);
  Connection reader(chronicle.port());
  const auto streams = reader.send("GET", "/api/streams");
  ASSERT_TRUE(streams && streams->status == 200);
  const std::uint64_t held = sum_of(streams->body, "count");

  const double offered = static_cast<double>(load.sent) / static_cast<double>(load_time().count());
  std::printf("sustained %.0f messages/s; offered %.0f/s (%.1f times) for %lld s over %zu connections\n", rate,
              offered, offered / rate, static_cast<long long>(load_time().count()), many_connections);
  std::printf("sent %llu = stored %llu + duplicate %llu + refused %llu (unanswered %llu, other %llu); held %llu\n",
              static_cast<unsigned long long>(all.sent), static_cast<unsigned long long>(all.stored),
              static_cast<unsigned long long>(all.duplicates), static_cast<unsigned long long>(all.refused),
              static_cast<unsigned long long>(all.unanswered), static_cast<unsigned long long>(all.other),
              static_cast<unsigned long long>(held));
  std::printf("peak resident memory %.1f MiB\n", static_cast<double>(peak) / 1048576.0);

  EXPECT_GE(offered, 10 * rate);
  EXPECT_EQ(all.unanswered, 0u);
  EXPECT_EQ(all.other, 0u);
  EXPECT_EQ(all.sent, all.stored + all.duplicates + all.refused);
  EXPECT_EQ(held, all.stored);
  EXPECT_LT(peak, most_memory);
  EXPECT_EQ(chronicle.end(SIGINT), 0);
}

}  // namespace
}  // namespace chronicle::drill
