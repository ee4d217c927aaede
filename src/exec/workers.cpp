#include "backstage/exec/workers.hpp"

#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <thread>

namespace backstage {
inline namespace v0 {
namespace {

/// The quota in whole processors, rounded up; 0 where there is none.
unsigned quota() noexcept {
  long long limit = 0;
  long long period = 0;
  if (std::FILE* v2 = std::fopen("/sys/fs/cgroup/cpu.max", "re")) {
    const int read = std::fscanf(v2, "%lld %lld", &limit, &period);
    std::fclose(v2);
    if (read != 2) return 0;  // "max": no limit
  } else {
    std::FILE* const quota_file = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re");
    std::FILE* const period_file = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re");
    const bool read = quota_file != nullptr && period_file != nullptr &&
                      std::fscanf(quota_file, "%lld", &limit) == 1 && std::fscanf(period_file, "%lld", &period) == 1;
    if (quota_file != nullptr) std::fclose(quota_file);
    if (period_file != nullptr) std::fclose(period_file);
    if (!read) return 0;
  }
  if (limit <= 0 || period <= 0) return 0;
  return static_cast<unsigned>((limit + period - 1) / period);
}

}  // namespace

unsigned default_workers() noexcept {
  unsigned count = std::max(1U, std::thread::hardware_concurrency());
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    count = std::max(1U, static_cast<unsigned>(CPU_COUNT(&allowed)));
  }
  const unsigned most = quota();
  return most == 0 ? count : std::min(count, most);
}

}  // namespace v0
}  // namespace backstage
