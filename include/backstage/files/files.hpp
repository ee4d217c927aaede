// The door to files: reading at an offset, listing, and writing a whole file durably.
//
//     environment.open<files::Files>(files::posix_files());
//     auto& files = environment.door<files::Files>();
//     auto text = files.read_whole("/proc/loadavg", 4096);
//
// Promises: (1) Nothing is read beyond the limit that the caller names. (2) After write_whole has succeeded the new
// content survives a crash of the machine; if it fails or the machine dies before, whoever opens the path finds the
// old content whole or the new content whole. (3) An open File stays the file that was opened, whatever happens to its
// name. Every call may block for as long as the disk takes: actors call it from blocking work.
// Threads: a Files may be used from any thread, a File by one thread at a time.
// Stability: settling (v0).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backstage/base/result.hpp"
#include "backstage/base/time.hpp"
#include "backstage/files/fwd.hpp"

namespace backstage {
inline namespace v0 {
namespace files {

/// Which file this is, whatever its name. Inode numbers are given again to new files soon after the old ones are
/// deleted; the time of birth (0 where the file system keeps none) tells such files apart.
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t born_ns = 0;

  friend constexpr auto operator<=>(const FileId&, const FileId&) = default;
};

enum class FileKind : std::uint8_t { regular, directory, other };

struct FileInfo {
  FileId id;
  FileKind kind = FileKind::regular;
  std::uint64_t size = 0;
  WallTime modified;
};

struct Listing {
  std::vector<std::string> names;  ///< without "." and "..", sorted
  bool is_complete = true;         ///< false: the limit was reached and some names are missing
};

/// A file open for reading.
class File {
 public:
  virtual ~File() = default;
  /// Fills the front of `buffer` with what stands at `offset`; fewer bytes than asked for are normal, 0 is the end.
  [[nodiscard]] virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<char> buffer) = 0;
  [[nodiscard]] virtual Result<FileInfo> info() const = 0;
};

class Files {
 public:
  virtual ~Files() = default;

  /// Errc::not_found when there is no such file; Errc::invalid for a directory.
  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path) = 0;
  /// Follows symbolic links.
  [[nodiscard]] virtual Result<FileInfo> info(const std::string& path) = 0;
  [[nodiscard]] virtual Result<Listing> list(const std::string& directory, std::size_t limit) = 0;
  /// Replaces the file's content (or makes the file), atomically and durably. An existing file keeps its permissions,
  /// a new one may be read and written by its owner only. The directory must exist. When the error says may_have_run()
  /// the new content is in place but may not survive a crash.
  [[nodiscard]] virtual Result<> write_whole(const std::string& path, std::string_view content) = 0;
  /// Removing what is not there is an error (Errc::not_found).
  [[nodiscard]] virtual Result<> remove(const std::string& path) = 0;

  /// The whole content, also of files that do not know their size (/proc). Errc::full when it is longer than `limit`.
  [[nodiscard]] Result<std::string> read_whole(const std::string& path, std::size_t limit);
};

/// The files of this machine.
[[nodiscard]] std::shared_ptr<Files> posix_files();

}  // namespace files
}  // namespace v0
}  // namespace backstage
