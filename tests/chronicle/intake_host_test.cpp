#include <gtest/gtest.h>

#include <map>
#include <string>

#include <boost/json.hpp>

#include "backstage/exec/environment.hpp"
#include "backstage/files/memory_files.hpp"
#include "chronicle/intake/host_telemetry.hpp"

namespace {

using namespace chronicle;
using namespace std::chrono_literals;
using backstage::Instant;
using backstage::WallTime;
namespace json = boost::json;

struct Host : ::testing::Test {
  backstage::files::MemoryFiles files;
  HostTelemetry host{files, {.top = 1}};
  std::vector<std::string> problems;

  std::map<std::string, json::value> sample(Instant at) {
    auto taken = host.sample(at, WallTime{at.ns + 5});
    std::map<std::string, json::value> streams;
    for (const auto& seen : taken.observations) streams[seen.stream] = json::parse(seen.payload);
    problems = taken.problems;
    return streams;
  }
  void counters(std::uint64_t n) {
    const std::string s = std::to_string(n);
    files.put("/proc/stat",
              "cpu  " + s + " 0 0 " + s + " 0 0 0 0 0 0\ncpu0 " + s + " 0 0 " + s + "\nctxt " + s + "\n");
    files.put("/proc/diskstats",
              " 8 0 sda " + s + " 0 " + s + " 0 " + s + " 0 0 0 2 " + s + " 0\n 7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n");
    files.put("/proc/net/dev", "Inter-|  R | T\n face |b|b\n eth0:" + s + " 1 2 3 0 0 0 0 " + s + " 1 2 3 0 0 0 0\n");
    files.put("/proc/loadavg", "0.50 0.25 0.10 1/89 5329\n");
    files.put("/proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 250 kB\n");
    files.put("/proc/7/stat", "7 (a) b) (c) S 1 7 7 0 -1 0 1 0 0 0 " + s + " 0 0 0 20 0 3 0 50 1000 6 0\n");
    files.put("/proc/8/stat", "8 (idle) R 1 8 8 0 -1 0 1 0 0 0 5 5 0 0 20 0 1 0 60 1000 9 0\n");
  }
};

TEST_F(Host, first_levels_then_rates_against_the_previous_sample) {
  counters(1000);
  auto first = sample(Instant{0});
  ASSERT_EQ(first.size(), 5U);
  EXPECT_TRUE(problems.empty());
  EXPECT_TRUE(first["host/cpu"].at("usage").is_null());
  EXPECT_TRUE(first["host/disk"].at("interval_s").is_null());
  EXPECT_EQ(first["host/memory"].at("total").to_number<int>(), 1000 * 1024);
  EXPECT_DOUBLE_EQ(first["host/memory"].at("used").as_double(), 0.75);
  counters(1200);
  auto second = sample(Instant{0} + 2s);
  EXPECT_DOUBLE_EQ(second["host/cpu"].at("usage").at("busy").as_double(), 0.5);
  EXPECT_DOUBLE_EQ(second["host/cpu"].at("context_switches_per_s").as_double(), 100);
  const auto& disks = second["host/disk"].at("devices").as_array();
  ASSERT_EQ(disks.size(), 1U);
  EXPECT_DOUBLE_EQ(disks[0].at("read_bytes_per_s").as_double(), 51'200);
  EXPECT_DOUBLE_EQ(disks[0].at("busy").as_double(), 0.1);
  const auto& net = second["host/network"].at("interfaces").as_array();
  EXPECT_EQ(net[0].at("name"), "eth0");
  EXPECT_DOUBLE_EQ(net[0].at("sent_bytes_per_s").as_double(), 100);
  const auto& processes = second["host/processes"];
  EXPECT_EQ(processes.at("count").to_number<int>(), 2);
  EXPECT_EQ(processes.at("threads").to_number<int>(), 4);
  EXPECT_EQ(processes.at("top_cpu").at(0).at("name"), "a) b) (c");
  EXPECT_DOUBLE_EQ(processes.at("top_cpu").at(0).at("cpu").as_double(), 1.0);
  EXPECT_EQ(processes.at("top_memory").at(0).at("pid").to_number<int>(), 8);
}

TEST_F(Host, counters_that_go_back_give_no_rate_and_then_rates_again) {
  counters(1000);
  sample(Instant{0});
  counters(10);
  auto back = sample(Instant{0} + 1s);
  EXPECT_TRUE(back["host/cpu"].at("usage").is_null());
  EXPECT_TRUE(back["host/disk"].at("devices").at(0).at("reads_per_s").is_null());
  EXPECT_TRUE(back["host/network"].at("interfaces").at(0).at("sent_bytes_per_s").is_null());
  counters(20);
  auto again = sample(Instant{0} + 2s);
  EXPECT_DOUBLE_EQ(again["host/network"].at("interfaces").at(0).at("sent_bytes_per_s").as_double(), 10);
  EXPECT_TRUE(sample(Instant{0} + 2s)["host/disk"].at("interval_s").is_null());
}

TEST_F(Host, what_is_missing_is_left_out_and_named_once) {
  counters(1);
  ASSERT_TRUE(files.remove("/proc/meminfo"));
  files.append("/proc/diskstats", "odd line\n");
  auto streams = sample(Instant{0});
  EXPECT_FALSE(streams.contains("host/memory"));
  EXPECT_EQ(streams.size(), 4U);
  EXPECT_EQ(problems.size(), 2U);
  sample(Instant{0} + 1s);
  EXPECT_TRUE(problems.empty());
}

TEST_F(Host, no_proc_at_all_is_no_observation_and_no_crash) { EXPECT_TRUE(sample(Instant{0}).empty()); }

TEST_F(Host, no_more_processes_are_looked_at_than_allowed) {
  counters(1);
  HostTelemetry few(files, {.max_processes = 1});
  auto taken = few.sample(Instant{0}, WallTime{0});
  const auto payload = json::parse(taken.observations.back().payload);
  EXPECT_EQ(payload.at("count").to_number<int>(), 2);
  EXPECT_EQ(payload.at("examined").to_number<int>(), 1);
  EXPECT_FALSE(payload.at("is_complete").as_bool());
}

TEST(ProcParsers, odd_lines_are_counted_and_the_rest_is_kept) {
  EXPECT_EQ(parse_proc_stat("cpu 1 2\ncpu0 1 2 3 4\nctxt x\n").odd_lines, 2U);
  EXPECT_EQ(parse_proc_stat("cpu 1 2\ncpu0 1 2 3 4\nctxt x\n").cores.size(), 1U);
  EXPECT_EQ(parse_meminfo("MemTotal: 99999999999999999999 kB\nMemFree: 5\nDirty: 1 kB").odd_lines, 2U);
  EXPECT_EQ(parse_meminfo("Dirty: 1 kB").dirty, 1024U);
  EXPECT_EQ(parse_diskstats("8 0 sda 1 2\n8 1 sdb 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15").disks.size(), 1U);
  EXPECT_EQ(parse_net_dev("eth0:1: 1 2 3 4 5 6 7 8 9 10 11 12\nbad 1 2\n").interfaces.at(0).name, "eth0:1");
  EXPECT_EQ(parse_net_dev("eth0:1: 1 2 3 4 5 6 7 8 9 10 11 12\nbad 1 2\n").odd_lines, 1U);
  for (const char* bad : {"", "1", "1 2 x", "nan 1 1", "1 inf 1"}) EXPECT_FALSE(parse_loadavg(bad)) << bad;
  for (const char* bad : {"", "7 (a S", ")(", "7 (a) S", "x (a) S 1 1 1 1 1", "7 (a) SS 1"}) {
    EXPECT_FALSE(parse_process_stat(bad)) << bad;
  }
}

TEST(HostForReal, this_machine_gives_every_stream) {
  auto environment = backstage::real_environment();
  auto files = backstage::files::posix_files();
  HostTelemetry host(*files);
  const auto now = environment->clock().now();
  static_cast<void>(host.sample(now, environment->clock().wall()));
  auto sample = host.sample(now + 1s, environment->clock().wall());
  EXPECT_EQ(sample.observations.size(), 5U);
  for (const auto& seen : sample.observations) EXPECT_TRUE(json::parse(seen.payload).is_object());
}

}  // namespace
