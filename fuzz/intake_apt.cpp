// What apt says, which indexes it has and what stands in them: the same packages come whatever the size of its writes
// and of our batches, every batch gets on, and no program is left running.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "backstage/files/memory_commands.hpp"
#include "chronicle/intake/apt_index.hpp"
#include "phrases.hpp"

namespace {

namespace files = backstage::files;
using chronicle::AptIndex;

constexpr std::array<std::string_view, 10> phrases{"Package: a\n",
                                                   "Version: 1:2\n",
                                                   "Architecture: all\n",
                                                   "Description: d\n",
                                                   " more\n",
                                                   " .\n",
                                                   "\n\n",
                                                   ":",
                                                   "package:",
                                                   "\r\n"};

void require(bool holds) {
  if (!holds) std::abort();
}

struct Seen {
  std::vector<std::string> packages;
  std::vector<std::string> problems;
  friend bool operator==(const Seen&, const Seen&) = default;
};

/// Up to the first NUL the list of indexes, then the first one's content; of further ones there is none.
Seen read(std::string_view list, std::string_view index, std::size_t chunk, std::size_t batch_size) {
  AptIndex::Options options;
  options.max_stanza = 128;
  options.max_indexes = 4;
  options.chunk = chunk;
  files::MemoryCommands commands;
  commands.on(options.targets, {.output = std::string(list), .chunk = chunk});
  Seen seen;
  const auto found = AptIndex::find(commands, options);
  if (found) {
    require(!found->paths().empty() && found->paths().size() <= options.max_indexes);
    auto argv = options.cat;
    argv.push_back(found->paths().front());
    commands.on(argv, {.output = std::string(index), .exit = {.code = index.size() % 3 == 0 ? 100 : 0}});
  }
  auto apt = AptIndex::find(commands, options);
  require(apt.has_value() == found.has_value());
  if (!apt) return seen;
  for (std::size_t steps = 0;; ++steps) {
    require(steps <= index.size() + 8);
    auto batch = apt->next(batch_size, 256);
    require(batch.packages.size() <= batch_size);
    require(batch.end_of_input || !batch.packages.empty() || !batch.problems.empty() || batch.progress.bytes > 0);
    for (const auto& package : batch.packages) {
      require(package.stream == options.stream && !package.idempotency_key.empty());
      seen.packages.push_back(package.idempotency_key + " " + package.payload);
    }
    for (const auto& problem : batch.problems) seen.problems.emplace_back(problem.text());
    if (batch.end_of_input) break;
  }
  require(commands.running() == 0);
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string text = backstage_fuzz::with_phrases({reinterpret_cast<const char*>(data) + 1, size - 1}, phrases);
  const std::string_view input = text;
  const std::size_t end = std::min(input.find('\0'), input.size());
  // Even an empty list is tried with one index: the interesting bytes are in it.
  const std::string list = "/var/lib/apt/lists/first\n" + std::string(input.substr(0, end));
  const std::string_view index = input.substr(std::min(end + 1, input.size()));
  require(read(list, index, data[0] % 16U + 1, data[0] / 16U + 1) == read(list, index, 4096, 1000));
  return 0;
}
