#include "chronicle/intake/proc_parsers.hpp"

#include <array>
#include <limits>
#include <span>

#include "chronicle/intake/text.hpp"

namespace chronicle {
namespace {

/// Fills `numbers` from the front of `rest`; how many there were before the first word that is none.
std::size_t take_numbers(std::string_view& rest, std::span<std::uint64_t> numbers) {
  std::size_t count = 0;
  for (std::uint64_t& number : numbers) {
    const auto parsed = to_number(take_word(rest));
    if (!parsed) break;
    number = *parsed;
    ++count;
  }
  return count;
}

/// Old kernels give four columns; those that are not there are zero.
std::optional<CpuTimes> parse_cpu_times(std::string_view rest) {
  std::array<std::uint64_t, 8> n{};
  if (take_numbers(rest, n) < 4) return std::nullopt;
  return CpuTimes{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]};
}

/// Takes `name` and its one number, if the line is about it.
bool take_single(std::string_view word, std::string_view rest, std::string_view name,
                 std::optional<std::uint64_t>& slot, std::size_t& odd_lines) {
  if (word != name) return false;
  slot = to_number(take_word(rest));
  if (!slot) ++odd_lines;
  return true;
}

}  // namespace

ProcStat parse_proc_stat(std::string_view text) {
  ProcStat stat;
  while (!text.empty()) {
    std::string_view rest = take_line(text);
    const std::string_view word = take_word(rest);
    if (word.starts_with("cpu")) {
      const auto times = parse_cpu_times(rest);
      if (!times) {
        ++stat.odd_lines;
      } else if (word == "cpu") {
        stat.total = times;
      } else if (stat.cores.size() < max_proc_rows) {
        stat.cores.emplace_back(word, *times);
      }
      continue;
    }
    static_cast<void>(take_single(word, rest, "ctxt", stat.context_switches, stat.odd_lines) ||
                      take_single(word, rest, "processes", stat.forks, stat.odd_lines) ||
                      take_single(word, rest, "procs_running", stat.running, stat.odd_lines) ||
                      take_single(word, rest, "procs_blocked", stat.blocked, stat.odd_lines));
  }
  return stat;
}

MemInfo parse_meminfo(std::string_view text) {
  MemInfo info;
  struct Row {
    std::string_view name;
    std::optional<std::uint64_t>* slot;
  };
  const std::array<Row, 8> rows{{{"MemTotal:", &info.total},
                                 {"MemFree:", &info.free},
                                 {"MemAvailable:", &info.available},
                                 {"Buffers:", &info.buffers},
                                 {"Cached:", &info.cached},
                                 {"Dirty:", &info.dirty},
                                 {"SwapTotal:", &info.swap_total},
                                 {"SwapFree:", &info.swap_free}}};
  while (!text.empty()) {
    std::string_view rest = take_line(text);
    const std::string_view word = take_word(rest);
    for (const Row& row : rows) {
      if (row.name != word) continue;
      const auto number = to_number(take_word(rest));
      const std::string_view unit = take_word(rest);
      if (!number || unit != "kB" || *number > std::numeric_limits<std::uint64_t>::max() / 1024) {
        ++info.odd_lines;
      } else {
        *row.slot = *number * 1024;
      }
    }
  }
  return info;
}

DiskStats parse_diskstats(std::string_view text) {
  DiskStats stats;
  while (!text.empty()) {
    std::string_view rest = take_line(text);
    if (trim(rest).empty()) continue;
    std::array<std::uint64_t, 2> device{};
    const bool has_device = take_numbers(rest, device) == 2;
    const std::string_view name = take_word(rest);
    // reads merged sectors ms | writes merged sectors ms | in flight, ms busy
    std::array<std::uint64_t, 10> n{};
    if (!has_device || name.empty() || take_numbers(rest, n) < n.size()) {
      ++stats.odd_lines;
      continue;
    }
    if (stats.disks.size() == max_proc_rows) break;
    stats.disks.push_back({std::string(name), n[0], n[2], n[4], n[6], n[8], n[9]});
  }
  return stats;
}

NetDev parse_net_dev(std::string_view text) {
  NetDev net;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    // The two lines of headings have bars; no interface name may.
    if (trim(line).empty() || line.find('|') != std::string_view::npos) continue;
    // Old kernels write no blank behind the colon, and an alias ("eth0:1") has one of its own: the last one counts.
    const std::size_t colon = line.rfind(':');
    const std::string_view name = colon == std::string_view::npos ? "" : trim(line.substr(0, colon));
    std::array<std::uint64_t, 16> n{};
    std::string_view rest = name.empty() ? "" : line.substr(colon + 1);
    if (take_numbers(rest, n) < 12) {
      ++net.odd_lines;
      continue;
    }
    if (net.interfaces.size() == max_proc_rows) break;
    net.interfaces.push_back({std::string(name), n[0], n[1], n[2], n[3], n[8], n[9], n[10], n[11]});
  }
  return net;
}

std::optional<LoadAverage> parse_loadavg(std::string_view text) {
  std::string_view rest = take_line(text);
  const auto one = to_fraction(take_word(rest));
  const auto five = to_fraction(take_word(rest));
  const auto fifteen = to_fraction(take_word(rest));
  if (!one || !five || !fifteen) return std::nullopt;
  LoadAverage load{*one, *five, *fifteen, 0, 0};
  const std::string_view counts = take_word(rest);
  const std::size_t slash = counts.find('/');
  if (slash == std::string_view::npos) return load;
  load.running = to_number(counts.substr(0, slash)).value_or(0);
  load.threads = to_number(counts.substr(slash + 1)).value_or(0);
  return load;
}

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  // pid (name) state ppid ...: the name may hold anything, so it ends at the last parenthesis.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  const auto pid = to_number(trim(text.substr(0, open)));
  std::string_view rest = text.substr(close + 1);
  rest = take_line(rest);
  const std::string_view state = take_word(rest);
  if (!pid || state.size() != 1) return std::nullopt;
  ProcessStat stat;
  stat.pid = *pid;
  stat.name = text.substr(open + 1, close - open - 1);
  stat.state = state.front();
  // Fields as proc(5) numbers them, from 4 (ppid). Some may be negative: those that are used may not.
  std::array<std::string_view, 21> fields;
  for (std::string_view& field : fields) field = take_word(rest);
  const auto field = [&](std::size_t number) { return to_number(fields[number - 4]); };
  const auto user = field(14);
  const auto system = field(15);
  const auto threads = field(20);
  const auto start = field(22);
  const auto resident = field(24);
  if (!user || !system || !threads || !start || !resident) return std::nullopt;
  stat.cpu_ticks = *user + *system;
  stat.threads = *threads;
  stat.start_ticks = *start;
  stat.resident_pages = *resident;
  return stat;
}

}  // namespace chronicle
