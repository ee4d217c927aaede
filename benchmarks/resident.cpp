#include "resident.hpp"

#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

namespace bench {

std::uint64_t resident() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  file >> pages >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t sleeps_of_the_others() {
  const std::string me = std::to_string(gettid());
  std::uint64_t sum = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    if (thread.path().filename() == me) continue;
    std::ifstream file(thread.path() / "status");
    for (std::string word; file >> word;) {
      std::uint64_t switches = 0;
      if (word == "voluntary_ctxt_switches:" && file >> switches) sum += switches;
    }
  }
  return sum;
}

double processor_seconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace bench
