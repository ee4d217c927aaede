#include "chronicle/intake/host_telemetry.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <unistd.h>
#include <boost/json.hpp>

#include "chronicle/intake/text.hpp"

namespace chronicle {
namespace {

namespace json = boost::json;

constexpr std::size_t file_limit = std::size_t{4} << 20U;
constexpr std::uint64_t sector = 512;  // of /proc/diskstats, whatever the disk's own is

/// Four digits behind the point are plenty for people, and keep the payload short.
double rounded(double number) { return std::round(number * 10'000) / 10'000; }

/// Some of the kernel's counters of time (iowait above all) go back a little at times: that is no time spent.
double gain(std::uint64_t now, std::uint64_t before) { return now > before ? static_cast<double>(now - before) : 0; }

std::uint64_t sum(const CpuTimes& t) {
  return t.user + t.nice + t.system + t.idle + t.iowait + t.irq + t.softirq + t.steal;
}

struct CpuShares {
  double user, nice, system, idle, iowait, irq, softirq, steal;
  [[nodiscard]] double busy() const { return user + nice + system + irq + softirq + steal; }
};

/// Nothing when no time has passed, or the core was taken away and given back, with its counters at zero.
std::optional<CpuShares> shares(const CpuTimes& now, const CpuTimes& before) {
  if (sum(now) <= sum(before)) return std::nullopt;
  CpuShares s{gain(now.user, before.user),       gain(now.nice, before.nice),     gain(now.system, before.system),
              gain(now.idle, before.idle),       gain(now.iowait, before.iowait), gain(now.irq, before.irq),
              gain(now.softirq, before.softirq), gain(now.steal, before.steal)};
  const double all = s.busy() + s.idle + s.iowait;
  for (double* part : {&s.user, &s.nice, &s.system, &s.idle, &s.iowait, &s.irq, &s.softirq, &s.steal}) *part /= all;
  return s;
}

const CpuTimes* find_core(const ProcStat& stat, const std::string& name) {
  for (const auto& [core, times] : stat.cores) {
    if (core == name) return &times;
  }
  return nullptr;
}

void put(json::object& object, json::string_view name, const std::optional<std::uint64_t>& number) {
  if (number) object[name] = *number;
}

template <class Map>
const typename Map::mapped_type* find(const Map& map, const typename Map::key_type& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

/// A disk of this name that did nothing yet (spare loop and ram devices) is no news.
bool is_used(const DiskCounters& disk) { return disk.reads + disk.writes > 0; }

}  // namespace

HostTelemetry::Options HostTelemetry::Options::of_this_machine() {
  Options options;
  if (const long page = ::sysconf(_SC_PAGESIZE); page > 0) options.page_size = static_cast<std::uint64_t>(page);
  if (const long tick = ::sysconf(_SC_CLK_TCK); tick > 0) options.ticks_per_second = static_cast<std::uint64_t>(tick);
  return options;
}

HostTelemetry::Sample HostTelemetry::sample(backstage::Instant now, backstage::WallTime at) {
  Sample sample;
  seconds_ = sampled_at_ && now > *sampled_at_ ? static_cast<double>((now - *sampled_at_).count()) / 1e9 : 0;
  sampled_at_ = now;
  at_ = at;
  problems_.clear();
  sample_cpu(sample);
  sample_memory(sample);
  sample_disks(sample);
  sample_network(sample);
  sample_processes(sample);
  for (const std::string& problem : problems_) {
    if (!old_problems_.contains(problem)) sample.problems.push_back(problem);
  }
  old_problems_.swap(problems_);
  return sample;
}

std::optional<std::string> HostTelemetry::read(std::string_view name) {
  auto text = files_.read_whole(options_.root + "/" + std::string(name), file_limit);
  if (text) return std::move(*text);
  problems_.insert(text.error().describe());
  return std::nullopt;
}

void HostTelemetry::odd(std::string_view name, std::size_t lines) {
  if (lines == 0) return;
  problems_.insert("'" + options_.root + "/" + std::string(name) + "' has " + std::to_string(lines) +
                   " lines that cannot be understood: they are left out");
}

void HostTelemetry::add(Sample& sample, std::string_view stream, json::object payload) const {
  Observation seen;
  seen.stream = stream;
  seen.source_time = at_;
  payload["interval_s"] = seconds_ > 0 ? json::value(rounded(seconds_)) : json::value(nullptr);
  seen.payload = json::serialize(payload);
  seen.content_type = "application/json";
  sample.observations.push_back(std::move(seen));
}

json::value HostTelemetry::rate(std::uint64_t now, const std::uint64_t* before, double unit) const {
  if (before == nullptr || seconds_ <= 0 || now < *before) return nullptr;
  return rounded(static_cast<double>(now - *before) * unit / seconds_);
}

void HostTelemetry::sample_cpu(Sample& sample) {
  const auto text = read("stat");
  const auto load_text = read("loadavg");
  std::optional<ProcStat> now;
  if (text) {
    now = parse_proc_stat(*text);
    odd("stat", now->odd_lines);
  }
  const auto load = load_text ? parse_loadavg(*load_text) : std::nullopt;
  if (load_text && !load) odd("loadavg", 1);
  json::object payload;
  if (load) payload["load"] = {load->one, load->five, load->fifteen};
  if (now && now->total) {
    const auto s = cpu_ && cpu_->total ? shares(*now->total, *cpu_->total) : std::nullopt;
    json::value usage = nullptr;
    if (s) {
      usage = {{"busy", rounded(s->busy())},   {"user", rounded(s->user)},       {"nice", rounded(s->nice)},
               {"system", rounded(s->system)}, {"idle", rounded(s->idle)},       {"iowait", rounded(s->iowait)},
               {"irq", rounded(s->irq)},       {"softirq", rounded(s->softirq)}, {"steal", rounded(s->steal)}};
    }
    payload["usage"] = std::move(usage);
    json::array cores;
    for (const auto& [name, times] : now->cores) {
      const CpuTimes* before = cpu_ ? find_core(*cpu_, name) : nullptr;
      const auto core = before != nullptr ? shares(times, *before) : std::nullopt;
      cores.emplace_back(core ? json::value(rounded(core->busy())) : json::value(nullptr));
    }
    payload["cores"] = now->cores.size();
    payload["busy_per_core"] = std::move(cores);
    const auto counter = [&](json::string_view name, std::optional<std::uint64_t> ProcStat::* slot) {
      if (!((*now).*slot)) return;
      const bool has_before = cpu_ && (*cpu_).*slot;
      payload[name] = rate(*((*now).*slot), has_before ? &*((*cpu_).*slot) : nullptr);
    };
    counter("context_switches_per_s", &ProcStat::context_switches);
    counter("forks_per_s", &ProcStat::forks);
    put(payload, "running", now->running);
    put(payload, "blocked", now->blocked);
  }
  cpu_ = std::move(now);
  if (!payload.empty()) add(sample, "host/cpu", std::move(payload));
}

void HostTelemetry::sample_memory(Sample& sample) {
  const auto text = read("meminfo");
  if (!text) return;
  const MemInfo info = parse_meminfo(*text);
  odd("meminfo", info.odd_lines);
  json::object payload;
  put(payload, "total", info.total);
  put(payload, "free", info.free);
  put(payload, "available", info.available);
  put(payload, "buffers", info.buffers);
  put(payload, "cached", info.cached);
  put(payload, "dirty", info.dirty);
  put(payload, "swap_total", info.swap_total);
  put(payload, "swap_free", info.swap_free);
  if (info.total && info.available && *info.total > 0 && *info.available <= *info.total) {
    payload["used"] = rounded(1 - static_cast<double>(*info.available) / static_cast<double>(*info.total));
  }
  if (!payload.empty()) add(sample, "host/memory", std::move(payload));
}

void HostTelemetry::sample_disks(Sample& sample) {
  const auto text = read("diskstats");
  std::map<std::string, DiskCounters> next;
  if (text) {
    const DiskStats stats = parse_diskstats(*text);
    odd("diskstats", stats.odd_lines);
    json::array devices;
    for (const DiskCounters& disk : stats.disks) {
      const DiskCounters* old = find(disks_, disk.name);
      if (is_used(disk)) {
        json::object device;
        device["name"] = clean_utf8(disk.name);
        device["reads_per_s"] = rate(disk.reads, old != nullptr ? &old->reads : nullptr);
        device["read_bytes_per_s"] = rate(disk.sectors_read, old != nullptr ? &old->sectors_read : nullptr, sector);
        device["writes_per_s"] = rate(disk.writes, old != nullptr ? &old->writes : nullptr);
        device["written_bytes_per_s"] =
            rate(disk.sectors_written, old != nullptr ? &old->sectors_written : nullptr, sector);
        device["busy"] = rate(disk.ms_busy, old != nullptr ? &old->ms_busy : nullptr, 0.001);
        device["in_flight"] = disk.in_flight;
        device["reads"] = disk.reads;
        device["writes"] = disk.writes;
        devices.emplace_back(std::move(device));
      }
      next.insert_or_assign(disk.name, disk);
    }
    add(sample, "host/disk", {{"devices", std::move(devices)}});
  }
  disks_ = std::move(next);
}

void HostTelemetry::sample_network(Sample& sample) {
  const auto text = read("net/dev");
  std::map<std::string, InterfaceCounters> next;
  if (text) {
    const NetDev net = parse_net_dev(*text);
    odd("net/dev", net.odd_lines);
    json::array interfaces;
    for (const InterfaceCounters& now : net.interfaces) {
      const InterfaceCounters* old = find(interfaces_, now.name);
      const auto rate_of = [&](std::uint64_t InterfaceCounters::* counter) {
        return rate(now.*counter, old != nullptr ? &(old->*counter) : nullptr);
      };
      json::object entry;
      entry["name"] = clean_utf8(now.name);
      entry["received_bytes_per_s"] = rate_of(&InterfaceCounters::received_bytes);
      entry["received_packets_per_s"] = rate_of(&InterfaceCounters::received_packets);
      entry["sent_bytes_per_s"] = rate_of(&InterfaceCounters::sent_bytes);
      entry["sent_packets_per_s"] = rate_of(&InterfaceCounters::sent_packets);
      entry["received_bytes"] = now.received_bytes;
      entry["sent_bytes"] = now.sent_bytes;
      entry["errors"] = now.received_errors + now.sent_errors;
      entry["drops"] = now.received_drops + now.sent_drops;
      interfaces.emplace_back(std::move(entry));
      next.insert_or_assign(now.name, now);
    }
    add(sample, "host/network", {{"interfaces", std::move(interfaces)}});
  }
  interfaces_ = std::move(next);
}

void HostTelemetry::sample_processes(Sample& sample) {
  struct Seen {
    ProcessStat stat;
    std::optional<double> cpu;  // of one core
  };
  // All names, not only the first: the payload tells how many there are even where not all are looked at.
  auto listing = files_.list(options_.root, std::size_t{1} << 20U);
  if (!listing) {
    problems_.insert(listing.error().describe());
    processes_.clear();
    return;
  }
  std::vector<Seen> seen;
  std::unordered_map<std::uint64_t, Usage> next;
  std::map<std::string, std::uint64_t> states;
  std::uint64_t count = 0;
  std::uint64_t examined = 0;
  std::uint64_t threads = 0;
  std::size_t odd_ones = 0;
  for (const std::string& name : listing->names) {
    if (!to_number(name)) continue;
    ++count;
    if (examined == options_.max_processes) continue;
    ++examined;
    const auto text = files_.read_whole(options_.root + "/" + name + "/stat", 64 * 1024);
    if (!text) continue;  // it ended between the listing and now
    auto stat = parse_process_stat(*text);
    if (!stat) {
      ++odd_ones;
      continue;
    }
    threads += stat->threads;
    ++states[clean_utf8(std::string_view(&stat->state, 1))];
    std::optional<double> cpu;
    // The same number and the same start: the same process, not one that was given a dead one's number.
    if (const Usage* old = find(processes_, stat->pid); old != nullptr && old->start_ticks == stat->start_ticks &&
                                                        seconds_ > 0 && stat->cpu_ticks >= old->cpu_ticks) {
      cpu = static_cast<double>(stat->cpu_ticks - old->cpu_ticks) /
            (static_cast<double>(options_.ticks_per_second) * seconds_);
    }
    next.insert_or_assign(stat->pid, Usage{stat->start_ticks, stat->cpu_ticks});
    seen.push_back({std::move(*stat), cpu});
  }
  processes_ = std::move(next);
  odd("<pid>/stat", odd_ones);

  const std::size_t top = std::min(options_.top, seen.size());
  const auto top_by = [&](auto amount) {
    // The pid decides between equals, so that the same state gives the same payload.
    std::partial_sort(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(top), seen.end(),
                      [&](const Seen& a, const Seen& b) {
                        return std::pair(-amount(a), a.stat.pid) < std::pair(-amount(b), b.stat.pid);
                      });
    json::array rows;
    for (std::size_t i = 0; i < top; ++i) {
      const Seen& one = seen[i];
      rows.emplace_back(json::object{{"pid", one.stat.pid},
                                     {"name", clean_utf8(one.stat.name)},
                                     {"cpu", one.cpu ? json::value(rounded(*one.cpu)) : json::value(nullptr)},
                                     {"resident", one.stat.resident_pages * options_.page_size},
                                     {"threads", one.stat.threads}});
    }
    return rows;
  };
  json::object payload;
  payload["count"] = count;
  payload["examined"] = examined;
  payload["is_complete"] = listing->is_complete && examined == count;
  payload["threads"] = threads;
  json::object by_state;
  for (const auto& [state, number] : states) by_state[state] = number;
  payload["states"] = std::move(by_state);
  payload["top_cpu"] = top_by([](const Seen& one) { return one.cpu.value_or(0); });
  payload["top_memory"] = top_by([](const Seen& one) { return static_cast<double>(one.stat.resident_pages); });
  add(sample, "host/processes", std::move(payload));
}

}  // namespace chronicle
