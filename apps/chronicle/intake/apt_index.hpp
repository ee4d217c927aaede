// Debian's package index of this machine, as one observation per package.
//
//     auto index = AptIndex::find(commands);           // no apt, no index: an error that says so; go on without
//     while (true) {
//       auto batch = index->next(500);                 // blocks while apt decompresses: call from blocking work
//       ...
//       if (batch->end_of_input) break;
//     }
//
// apt itself tells where its index files are (indextargets) and reads them (apt-helper cat-file), however they are
// compressed. Promises: (1) Nothing is read ahead of demand but one chunk and what fits in the pipe. (2) An index that
// cannot be read to its end is a problem in a batch, with the packages before it kept, and the next index follows.
// (3) next() always gets on: it gives packages, problems or progress, or says that the input has ended.
// Threads: one at a time. The Commands must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backstage/base/result.hpp"
#include "backstage/files/commands.hpp"
#include "chronicle/intake/observation.hpp"
#include "chronicle/intake/stanza_splitter.hpp"

namespace chronicle {

class AptIndex {
 public:
  struct Options {
    std::vector<std::string> targets{"apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages"};
    std::vector<std::string> cat{"/usr/lib/apt/apt-helper", "cat-file"};  ///< the file's name is added
    backstage::Duration patience = std::chrono::seconds(30);
    std::size_t max_stanza = std::size_t{1} << 20U;
    std::size_t max_indexes = 1'000;
    std::size_t chunk = 64 * 1024;
    std::string stream = "debian/packages";
  };
  struct Progress {
    std::size_t index = 0;       ///< which index is being read, from 1
    std::size_t indexes = 0;     ///< of how many
    std::string path;            ///< its file
    std::uint64_t bytes = 0;     ///< read of it, decompressed
    std::uint64_t packages = 0;  ///< given so far, of all indexes
  };
  struct Batch {
    std::vector<Observation> packages;
    std::vector<backstage::Error> problems;
    Progress progress;
    bool end_of_input = false;
  };

  /// Errc::not_found when there is no apt, or it has no index.
  [[nodiscard]] static backstage::Result<AptIndex> find(backstage::files::Commands& commands, Options options);
  [[nodiscard]] static backstage::Result<AptIndex> find(backstage::files::Commands& commands) {
    return find(commands, Options{});
  }

  /// At most `max` packages, and no more after `max_bytes` of payload or, without any package, of input.
  [[nodiscard]] Batch next(std::size_t max, std::size_t max_bytes = std::size_t{4} << 20U);
  [[nodiscard]] const std::vector<std::string>& paths() const noexcept { return paths_; }

 private:
  AptIndex(backstage::files::Commands& commands, Options options, std::vector<std::string> paths);

  void start_index(Batch& batch);
  void end_index(Batch& batch);
  bool give(Batch& batch, std::string stanza);
  void problem(Batch& batch, const std::string& text) const;

  backstage::files::Commands* commands_;
  Options options_;
  std::vector<std::string> paths_;
  std::string buffer_;
  std::size_t at_ = 0;  // paths_[at_] is being read, or is next
  std::unique_ptr<backstage::files::Process> process_;
  StanzaSplitter stanzas_;
  std::uint64_t bytes_ = 0;
  std::uint64_t packages_ = 0;
  std::uint64_t nameless_ = 0;  // stanzas of this index that name no package
};

/// One package: a JSON object of its fields, with the key that package, version and architecture make; nothing when
/// the stanza names no package.
[[nodiscard]] std::optional<Observation> observe_package(const std::string& stream, std::string_view stanza);

}  // namespace chronicle
