// Files in memory, for tests: whole behaviour of the door, plus what a disk does to you.
//
//     files::MemoryFiles files;
//     files.append("/log", "one\n");
//     files.rename("/log", "/log.1");              // open Files keep reading the old one
//     files.fail_reads("/log", Error(Errc::unavailable, "broken disk"), 1);
//
// Directories exist as soon as a file lies in them. Threads: any.
// Stability: settling (v0).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "backstage/files/files.hpp"

namespace backstage {
inline namespace v0 {
namespace files {

class MemoryFiles final : public Files {
 public:
  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path) override;
  [[nodiscard]] Result<FileInfo> info(const std::string& path) override;
  [[nodiscard]] Result<Listing> list(const std::string& directory, std::size_t limit) override;
  [[nodiscard]] Result<> write_whole(const std::string& path, std::string_view content) override;
  [[nodiscard]] Result<> remove(const std::string& path) override;

  /// Overwrites in place: the same inode, as a shell's `>` does; makes the file if need be.
  void put(const std::string& path, std::string_view content);
  void append(const std::string& path, std::string_view content);
  /// Does nothing if the file is absent or shorter.
  void truncate(const std::string& path, std::size_t size);
  /// Takes the place of what `to` named.
  void rename(const std::string& from, const std::string& to);
  /// Where the next file that is made takes its inode from: the deleted file's, as real file systems often do.
  void reuse_inode(std::uint64_t inode);

  /// The next `count` reads of the file now at `path` fail.
  void fail_reads(const std::string& path, Error error, std::size_t count);
  /// The next `count` calls of open, info or list that name `path` fail.
  void fail_opens(const std::string& path, Error error, std::size_t count);
  /// The next write_whole to `path` fails; the old content stays.
  void fail_write(const std::string& path, Error error);
  /// From now on each read gives at most `bytes`.
  void short_reads(std::size_t bytes);
  /// Called before each read with the offset: the place to change the file under the reader.
  void before_read(std::function<void(std::uint64_t offset)> hook);

  /// Reads of file content so far.
  [[nodiscard]] std::uint64_t reads() const;
  /// The content now at `path`, if there is such a file.
  [[nodiscard]] std::optional<std::string> content(const std::string& path) const;

 private:
  struct Fault {
    Error error;
    std::size_t left = 0;
  };
  struct Node {
    FileId id;
    WallTime modified;
    std::string content;
    std::optional<Fault> read_fault;
  };
  struct State {
    std::mutex mutex;
    std::map<std::string, std::shared_ptr<Node>> nodes;
    std::map<std::string, Fault> open_faults;
    std::map<std::string, Error> write_faults;
    std::function<void(std::uint64_t)> before_read;
    std::size_t largest_read = SIZE_MAX;
    std::uint64_t next_inode = 1;
    std::optional<std::uint64_t> reused_inode;
    std::int64_t ticks = 0;  // every change is a second later: a deterministic calendar
    std::uint64_t reads = 0;
  };
  class OpenFile;

  static FileInfo describe(const Node& node);
  static std::shared_ptr<Node> make_node(State& state);
  static void touch(State& state, Node& node);
  static Result<> take_open_fault(State& state, const std::string& path);

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace files
}  // namespace v0
}  // namespace backstage
