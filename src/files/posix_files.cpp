// The Files door on POSIX calls (Linux: statx for the time of birth).
//
// Durable replacement: temporary file beside the target → fsync → rename → fsync of the directory. Renaming within
// one directory is atomic, and syncing the file first keeps a crash from finding the new name on empty content.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backstage/files/files.hpp"
#include "os_error.hpp"

namespace backstage {
inline namespace v0 {
namespace files {
namespace {

WallTime wall_of(const struct statx_timestamp& at) { return WallTime{at.tv_sec * 1'000'000'000 + at.tv_nsec}; }

FileInfo info_of(const struct statx& raw) {
  FileInfo info;
  info.id.device = makedev(raw.stx_dev_major, raw.stx_dev_minor);
  info.id.inode = raw.stx_ino;
  if ((raw.stx_mask & STATX_BTIME) != 0) info.id.born_ns = wall_of(raw.stx_btime).ns;
  info.kind = S_ISREG(raw.stx_mode)   ? FileKind::regular
              : S_ISDIR(raw.stx_mode) ? FileKind::directory
                                      : FileKind::other;
  info.size = raw.stx_size;
  info.modified = wall_of(raw.stx_mtime);
  return info;
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> buffer) override {
    for (;;) {
      const ssize_t got = ::pread(fd_.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return os_error(errno, "read", path_);
    }
  }

  Result<FileInfo> info() const override {
    struct statx raw{};
    if (::statx(fd_.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &raw) != 0) {
      return os_error(errno, "stat", path_);
    }
    return info_of(raw);
  }

 private:
  Descriptor fd_;
  std::string path_;
};

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t put = ::write(fd, content.data(), content.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      return os_error(errno, "write", path);
    }
    content.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<> sync_directory(const std::string& path) {
  const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open()) return os_error(errno, "open directory", path);
  if (::fsync(directory.get()) != 0) return os_error(errno, "sync directory", path);
  return {};
}

class PosixFiles final : public Files {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path) override {
    // O_NONBLOCK: opening a named pipe without a writer must not hang; for regular files it means nothing.
    Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd.is_open()) return os_error(errno, "open", path);
    auto file = std::make_unique<PosixFile>(std::move(fd), path);
    auto info = file->info();
    if (!info) return info.error();
    if (info->kind == FileKind::directory) return os_error(EISDIR, "open", path);
    return std::unique_ptr<File>(std::move(file));
  }

  Result<FileInfo> info(const std::string& path) override {
    struct statx raw{};
    if (::statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &raw) != 0) {
      return os_error(errno, "stat", path);
    }
    return info_of(raw);
  }

  Result<Listing> list(const std::string& directory, std::size_t limit) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), &::closedir);
    if (!stream) return os_error(errno, "list", directory);
    Listing listing;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(stream.get());
      if (entry == nullptr) {
        if (errno != 0) return os_error(errno, "list", directory);
        break;
      }
      const std::string_view name = static_cast<const char*>(entry->d_name);
      if (name == "." || name == "..") continue;
      if (listing.names.size() == limit) {
        listing.is_complete = false;
        break;
      }
      listing.names.emplace_back(name);
    }
    std::sort(listing.names.begin(), listing.names.end());
    return listing;
  }

  Result<> write_whole(const std::string& path, std::string_view content) override {
    std::string temporary = path + ".XXXXXX";
    Descriptor fd(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd.is_open()) return os_error(errno, "make a temporary file beside", path);
    auto prepared = prepare(fd.get(), path, content);
    if (prepared && ::rename(temporary.c_str(), path.c_str()) != 0) {
      prepared = os_error(errno, "put new content in place of", path);
    }
    if (!prepared) {
      ::unlink(temporary.c_str());
      return prepared;
    }
    if (auto synced = sync_directory(directory_of(path)); !synced) {
      return Error(synced.error()).and_may_have_run();
    }
    return {};
  }

  Result<> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return os_error(errno, "remove", path);
    return {};
  }

 private:
  static Result<> prepare(int fd, const std::string& path, std::string_view content) {
    struct stat old{};
    if (::stat(path.c_str(), &old) == 0 && ::fchmod(fd, old.st_mode & 07777U) != 0) {
      return os_error(errno, "keep the permissions of", path);
    }
    if (auto written = write_all(fd, content, path); !written) return written;
    if (::fsync(fd) != 0) return os_error(errno, "sync", path);
    return {};
  }
};

}  // namespace

std::shared_ptr<Files> posix_files() { return std::make_shared<PosixFiles>(); }

}  // namespace files
}  // namespace v0
}  // namespace backstage
