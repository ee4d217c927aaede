// The state of this machine, sampled from /proc: cpu, memory, disks, network, processes.
//
//     HostTelemetry host(files);
//     auto sample = host.sample(clock.now(), clock.wall());   // once a second, say; blocks for a few milliseconds
//     for (auto& seen : sample.observations) ...              // streams host/cpu, host/memory, host/disk, ...
//
// Promises: (1) What cannot be read or understood is left out and named in `problems`, once, until it changes; the
// rest goes on. (2) Rates are per second of monotonic time since the previous sample, and null where there is none: at
// first, for a device that is new, and when a counter went back (wrapped or started anew). Levels are always there.
// (3) Memory and time are bounded, whatever the number of processes.
// Payloads are JSON objects; sizes in bytes, shares from 0 to 1. Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/json/fwd.hpp>

#include "backstage/base/time.hpp"
#include "backstage/files/files.hpp"
#include "chronicle/intake/observation.hpp"
#include "chronicle/intake/proc_parsers.hpp"

namespace chronicle {

class HostTelemetry {
 public:
  struct Options {
    std::string root = "/proc";
    std::size_t top = 10;               ///< how many processes are named, by cpu and by memory
    std::size_t max_processes = 4'096;  ///< how many are looked at; the payload says if there are more
    std::uint64_t page_size = 4'096;
    std::uint64_t ticks_per_second = 100;
    /// With this machine's page size and tick.
    [[nodiscard]] static Options of_this_machine();
  };
  struct Sample {
    std::vector<Observation> observations;
    std::vector<std::string> problems;  ///< new since the previous sample
  };

  explicit HostTelemetry(backstage::files::Files& files) : HostTelemetry(files, Options::of_this_machine()) {}
  HostTelemetry(backstage::files::Files& files, Options options) : files_(files), options_(std::move(options)) {}

  [[nodiscard]] Sample sample(backstage::Instant now, backstage::WallTime at);

 private:
  std::optional<std::string> read(std::string_view name);
  void odd(std::string_view name, std::size_t lines);
  void add(Sample& sample, std::string_view stream, boost::json::object payload) const;
  [[nodiscard]] boost::json::value rate(std::uint64_t now, const std::uint64_t* before, double unit = 1) const;

  void sample_cpu(Sample& sample);
  void sample_memory(Sample& sample);
  void sample_disks(Sample& sample);
  void sample_network(Sample& sample);
  void sample_processes(Sample& sample);

  backstage::files::Files& files_;
  const Options options_;
  std::optional<backstage::Instant> sampled_at_;
  double seconds_ = 0;  // since the previous sample; 0: there is none
  backstage::WallTime at_;
  std::set<std::string> problems_;      // of this sample
  std::set<std::string> old_problems_;  // of the previous one

  std::optional<ProcStat> cpu_;
  std::map<std::string, DiskCounters> disks_;
  std::map<std::string, InterfaceCounters> interfaces_;
  struct Usage {
    std::uint64_t start_ticks = 0;
    std::uint64_t cpu_ticks = 0;
  };
  std::unordered_map<std::uint64_t, Usage> processes_;
};

}  // namespace chronicle
