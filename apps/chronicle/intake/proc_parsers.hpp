// What stands in the texts of /proc, as plain numbers. Pure functions; any bytes are fine input.
//
// A line that cannot be understood is left out and counted in `odd_lines`; more columns than known are no fault, for
// kernels add them at the end. The number of rows kept is bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chronicle {

inline constexpr std::size_t max_proc_rows = 1'024;

/// Ticks since boot. `user` holds guest time too, as the kernel counts it.
struct CpuTimes {
  std::uint64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
};
struct ProcStat {
  std::optional<CpuTimes> total;
  std::vector<std::pair<std::string, CpuTimes>> cores;  ///< "cpu0" ...
  std::optional<std::uint64_t> context_switches, forks, running, blocked;
  std::size_t odd_lines = 0;
};
[[nodiscard]] ProcStat parse_proc_stat(std::string_view text);

/// Bytes.
struct MemInfo {
  std::optional<std::uint64_t> total, free, available, buffers, cached, dirty, swap_total, swap_free;
  std::size_t odd_lines = 0;
};
[[nodiscard]] MemInfo parse_meminfo(std::string_view text);

struct DiskCounters {
  std::string name;
  std::uint64_t reads = 0, sectors_read = 0, writes = 0, sectors_written = 0, in_flight = 0, ms_busy = 0;
};
struct DiskStats {
  std::vector<DiskCounters> disks;
  std::size_t odd_lines = 0;
};
[[nodiscard]] DiskStats parse_diskstats(std::string_view text);

struct InterfaceCounters {
  std::string name;
  std::uint64_t received_bytes = 0, received_packets = 0, received_errors = 0, received_drops = 0;
  std::uint64_t sent_bytes = 0, sent_packets = 0, sent_errors = 0, sent_drops = 0;
};
struct NetDev {
  std::vector<InterfaceCounters> interfaces;
  std::size_t odd_lines = 0;
};
[[nodiscard]] NetDev parse_net_dev(std::string_view text);

struct LoadAverage {
  double one = 0, five = 0, fifteen = 0;
  std::uint64_t running = 0, threads = 0;
};
[[nodiscard]] std::optional<LoadAverage> parse_loadavg(std::string_view text);

struct ProcessStat {
  std::uint64_t pid = 0;
  std::string name;  ///< as the process chose it: any bytes, parentheses and spaces included
  char state = '?';
  std::uint64_t cpu_ticks = 0, threads = 0, start_ticks = 0, resident_pages = 0;
};
/// /proc/<pid>/stat
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(std::string_view text);

}  // namespace chronicle
