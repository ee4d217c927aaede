// Whatever stands in /proc: each line is read by itself, so a text gives what its lines give one by one; and rows that
// were read, written as the kernel writes them, are read as the same rows.
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "chronicle/intake/proc_parsers.hpp"
#include "chronicle/intake/text.hpp"
#include "phrases.hpp"

namespace {

using namespace chronicle;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::array<std::string_view, 20> phrases{"cpu ",
                                                   "cpu0 ",
                                                   "ctxt ",
                                                   "\n",
                                                   "1 2 3 4 ",
                                                   "18446744073709551615 ",
                                                   "18446744073709551616 ",
                                                   "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
                                                   "8 0 sda ",
                                                   "eth0:",
                                                   "lo: ",
                                                   "Inter-|   Receive\n",
                                                   "MemTotal: ",
                                                   "4711 kB\n",
                                                   "0.12 ",
                                                   "1/234 ",
                                                   "12 (a b) S ",
                                                   "1 1 1 0 -1 0 0 0 0 0 7 8 0 0 20 0 3 0 99 0 12\n",
                                                   "1e400 ",
                                                   ")"};

std::string words(std::initializer_list<std::uint64_t> numbers) {
  std::string out;
  for (const std::uint64_t number : numbers) out += ' ' + std::to_string(number);
  return out;
}

std::string written(std::string_view name, const CpuTimes& t) {
  return std::string(name) + words({t.user, t.nice, t.system, t.idle, t.iowait, t.irq, t.softirq, t.steal});
}
std::string written(const DiskCounters& d) {
  return "8 0 " + d.name +
         words({d.reads, 0, d.sectors_read, 0, d.writes, 0, d.sectors_written, 0, d.in_flight, d.ms_busy});
}
std::string written(const InterfaceCounters& i) {
  return i.name + ":" +
         words({i.received_bytes, i.received_packets, i.received_errors, i.received_drops, 0, 0, 0, 0, i.sent_bytes,
                i.sent_packets, i.sent_errors, i.sent_drops});
}

/// One line's rows as they are written, and how many odd lines there were.
struct Rows {
  std::vector<std::string> rows;
  std::size_t odd = 0;
  friend bool operator==(const Rows&, const Rows&) = default;
};

Rows stat_rows(std::string_view text) {
  const ProcStat stat = parse_proc_stat(text);
  Rows out{{}, stat.odd_lines};
  for (const auto& [name, times] : stat.cores) out.rows.push_back(written(name, times));
  return out;
}
Rows disk_rows(std::string_view text) {
  const DiskStats stats = parse_diskstats(text);
  Rows out{{}, stats.odd_lines};
  for (const DiskCounters& disk : stats.disks) out.rows.push_back(written(disk));
  return out;
}
Rows net_rows(std::string_view text) {
  const NetDev net = parse_net_dev(text);
  Rows out{{}, net.odd_lines};
  for (const InterfaceCounters& interface : net.interfaces) out.rows.push_back(written(interface));
  return out;
}

template <class Read>
void reads_line_by_line(std::string_view text, Read read) {
  const Rows all = read(text);
  if (all.rows.size() >= max_proc_rows) return;  // where it stops counting
  Rows one_by_one;
  for (std::string_view rest = text; !rest.empty();) {
    const Rows line = read(take_line(rest));
    require(line.rows.size() + line.odd <= 1);
    one_by_one.odd += line.odd;
    one_by_one.rows.insert(one_by_one.rows.end(), line.rows.begin(), line.rows.end());
  }
  require(all == one_by_one);
  std::string again;
  for (const std::string& row : all.rows) again += row + "\n";
  require(read(again) == Rows{all.rows, 0});
}

void reads_memory(std::string_view text) {
  const MemInfo info = parse_meminfo(text);
  if (!info.total) return;
  require(*info.total % 1024 == 0);
  require(parse_meminfo("MemTotal: " + std::to_string(*info.total / 1024) + " kB\n").total == info.total);
}

void reads_load(std::string_view text) {
  const auto load = parse_loadavg(text);
  if (!load) return;
  std::string out;
  for (const double number : {load->one, load->five, load->fifteen}) {
    char digits[64];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr) += ' ';
  }
  out += std::to_string(load->running) + "/" + std::to_string(load->threads) + " 4711\n";
  const auto again = parse_loadavg(out);
  require(again && again->one == load->one && again->five == load->five && again->fifteen == load->fifteen &&
          again->running == load->running && again->threads == load->threads);
}

void reads_processes(std::string_view text) {
  const auto stat = parse_process_stat(text);
  if (!stat) return;
  const std::string out = std::to_string(stat->pid) + " (" + stat->name + ") " + stat->state +
                          " 1 1 1 0 -1 0 0 0 0 0 " + std::to_string(stat->cpu_ticks) + " 0 0 0 20 0 " +
                          std::to_string(stat->threads) + " 0 " + std::to_string(stat->start_ticks) + " 0 " +
                          std::to_string(stat->resident_pages) + "\n";
  const auto again = parse_process_stat(out);
  require(again && again->pid == stat->pid && again->name == stat->name && again->state == stat->state &&
          again->cpu_ticks == stat->cpu_ticks && again->threads == stat->threads &&
          again->start_ticks == stat->start_ticks && again->resident_pages == stat->resident_pages);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string text = backstage_fuzz::with_phrases(input, phrases);
  reads_line_by_line(text, stat_rows);
  reads_line_by_line(text, disk_rows);
  reads_line_by_line(text, net_rows);
  reads_memory(text);
  reads_load(text);
  reads_processes(text);
  return 0;
}
