// Ten times what the store just sustained, for a minute, over loopback: memory stays bounded, and each message that was
// sent is stored, a duplicate or refused, as the store itself says afterwards.
//
// A message is a line of a batch; a line in fifty repeats one of the batch before. The pace is open: a connection
// that is behind sends at once, without pause, and the offer that was reached is printed beside the one aimed at.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "drill/chronicle_process.hpp"

namespace chronicle::drill {
namespace {

using Time = std::chrono::steady_clock;

constexpr std::size_t batch_lines = 100;
constexpr std::size_t connections = 256;
constexpr std::uint64_t most_memory = std::uint64_t{300} << 20U;
// Shorter only for whoever works on the drill itself.
std::chrono::seconds load_time() {
  const char* seconds = std::getenv("CHRONICLE_DRILL_SECONDS");
  return std::chrono::seconds(seconds != nullptr ? std::atoi(seconds) : 60);
}

struct Count {
  std::uint64_t sent = 0;
  std::uint64_t stored = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t refused = 0;
  std::uint64_t unanswered = 0;
  std::uint64_t other = 0;

  void add(const Count& more) {
    sent += more.sent;
    stored += more.stored;
    duplicates += more.duplicates;
    refused += more.refused;
    unanswered += more.unanswered;
    other += more.other;
  }
};

std::uint64_t occurrences(const std::string& in, std::string_view what) {
  std::uint64_t count = 0;
  for (auto at = in.find(what); at != std::string::npos; at = in.find(what, at + what.size())) ++count;
  return count;
}

std::string batch(const std::string& prefix, std::uint64_t first) {
  std::string body;
  for (std::uint64_t n = first; n < first + batch_lines; ++n) {
    const std::uint64_t number = n % 50 == 0 && n >= batch_lines ? n - batch_lines + 1 : n;
    body += R"({"stream":"load/)" + prefix + R"(","key":")" + std::to_string(number) +
            R"(","payload":{"reading":12.5,"unit":"degrees","note":"overload drill"}})" + "\n";
  }
  return body;
}

/// Batches on one connection until `end`; `interval` from one to the next, none: as fast as it goes.
Count offer(std::uint16_t port, const std::string& prefix, Time::time_point end, Time::duration interval) {
  Count count;
  auto connection = std::make_unique<Connection>(port);
  auto next = Time::now();
  for (std::uint64_t first = 0; Time::now() < end; first += batch_lines) {
    std::this_thread::sleep_until(next);
    next += interval;
    const auto answer =
        connection->send("POST", "/api/messages", batch(prefix, first), "Content-Type: application/x-ndjson\r\n");
    count.sent += batch_lines;
    if (!answer) {
      count.unanswered += batch_lines;
    } else if (occurrences(answer->body, "\"status\":") == batch_lines) {
      const auto stored = occurrences(answer->body, "\"status\":201");
      const auto duplicates = occurrences(answer->body, "\"status\":200");
      const auto refused = occurrences(answer->body, "\"status\":503");
      count.stored += stored;
      count.duplicates += duplicates;
      count.refused += refused;
      count.other += batch_lines - stored - duplicates - refused;
    } else if (answer->status == 503) {
      count.refused += batch_lines;  // refused as a whole, before it was read
    } else {
      count.other += batch_lines;
    }
    if (!connection->is_open()) connection = std::make_unique<Connection>(port);
  }
  return count;
}

Count offer_from(std::uint16_t port, std::size_t clients, const std::string& phase, Time::duration time,
                 Time::duration interval) {
  std::vector<Count> counts(clients);
  std::vector<std::thread> threads;
  const auto end = Time::now() + time;
  for (std::size_t i = 0; i < clients; ++i) {
    threads.emplace_back([&, i] { counts[i] = offer(port, phase + std::to_string(i), end, interval); });
  }
  for (std::thread& thread : threads) thread.join();
  Count sum;
  for (const Count& count : counts) sum.add(count);
  return sum;
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
  const Count sustained = offer_from(chronicle.port(), 8, "calm", calm, Time::duration(0));
  const double rate = static_cast<double>(sustained.stored) / static_cast<double>(calm.count());
  ASSERT_GT(rate, 0.0);

  const auto interval = std::chrono::duration_cast<Time::duration>(
      std::chrono::duration<double>(static_cast<double>(batch_lines * connections) / (10.0 * rate)));
  std::atomic<bool> is_over = false;
  std::uint64_t peak = 0;
  std::thread watch([&] {
    while (!is_over) {
      peak = std::max(peak, chronicle.memory("VmRSS"));
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  const auto began = Time::now();
  const Count load = offer_from(chronicle.port(), connections, "load", load_time(), interval);
  const double seconds = std::chrono::duration<double>(Time::now() - began).count();
  is_over = true;
  watch.join();
  peak = std::max(peak, chronicle.memory("VmHWM"));

  Count all = sustained;
  all.add(load);
  Connection reader(chronicle.port());
  const auto streams = reader.send("GET", "/api/streams");
  ASSERT_TRUE(streams && streams->status == 200);
  const std::uint64_t held = sum_of(streams->body, "count");

  std::printf("sustained %.0f messages/s; aimed at %.0f/s, offered %.0f/s for %.1f s over %zu connections\n", rate,
              10 * rate, static_cast<double>(load.sent) / seconds, seconds, connections);
  std::printf("sent %llu = stored %llu + duplicate %llu + refused %llu (unanswered %llu, other %llu); held %llu\n",
              static_cast<unsigned long long>(all.sent), static_cast<unsigned long long>(all.stored),
              static_cast<unsigned long long>(all.duplicates), static_cast<unsigned long long>(all.refused),
              static_cast<unsigned long long>(all.unanswered), static_cast<unsigned long long>(all.other),
              static_cast<unsigned long long>(held));
  std::printf("peak resident memory %.1f MiB\n", static_cast<double>(peak) / 1048576.0);

  EXPECT_EQ(all.unanswered, 0u);
  EXPECT_EQ(all.other, 0u);
  EXPECT_EQ(all.sent, all.stored + all.duplicates + all.refused);
  EXPECT_EQ(held, all.stored);
  EXPECT_LT(peak, most_memory);
  EXPECT_EQ(chronicle.end(SIGINT), 0);
}

}  // namespace
}  // namespace chronicle::drill
