// A file system for RocksDB, kept in memory, that forgets what was not synced when its power goes.
//
// The strict reading of POSIX: bytes survive a crash only up to the last successful sync of their file; a name (made,
// renamed, deleted) only if its directory was synced since. In a gentler crash each file keeps a random part of its
// unsynced end and each directory perhaps its unsynced names, as real disks do: both are legal, a store must live
// with either. After a failed sync the bytes that were unsynced then are never synced, though later syncs succeed:
// that is how Linux behaves, and why a store must not try again.
// Every change (create, append, sync, rename, delete, directory sync ...) counts as one operation; a fault comes at
// the nth. Threads: any; one mutex.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace chronicle::test {

class ForgetfulFileSystem final : public rocksdb::FileSystem {
 public:
  enum class Fault : std::uint8_t {
    io_error,   ///< EIO, once; a failed append leaves half of its bytes
    disk_full,  ///< ENOSPC, once
    power,      ///< this operation and every later one fail, until crash()
  };
  enum class At : std::uint8_t { any, append, sync };

  /// The root directory "/" is there and survives.
  ForgetfulFileSystem() = default;

  /// The fault comes at the nth operation (of that kind) from now on; 1 is the next.
  void arm(Fault fault, std::uint64_t nth, At at = At::any);
  void disarm();
  [[nodiscard]] bool has_struck() const;
  /// The power has gone and is back: what was not synced is gone; with a seed, some of it, by chance.
  void crash(std::optional<std::uint64_t> seed = std::nullopt);
  [[nodiscard]] std::uint64_t operations() const;

  struct Inode {
    std::string data;
    std::size_t synced = 0;   // bytes that survive a crash
    bool lost_pages = false;  // a sync failed: `synced` advances no more
  };
  // For the file handles. The reason to fail, or ok.
  rocksdb::IOStatus append(Inode& inode, const rocksdb::Slice& data);
  rocksdb::IOStatus sync(Inode& inode);
  rocksdb::IOStatus truncate(Inode& inode, std::uint64_t size);
  rocksdb::IOStatus sync_directory(const std::string& path);
  std::uint64_t size_of(const Inode& inode) const;
  rocksdb::IOStatus read(const Inode& inode, std::uint64_t offset, std::size_t count, rocksdb::Slice* result,
                         char* scratch) const;

  const char* Name() const override { return "ForgetfulFileSystem"; }
  using Options = rocksdb::IOOptions;
  using Files = rocksdb::FileOptions;
  using Debug = rocksdb::IODebugContext;
  using Status = rocksdb::IOStatus;
  Status NewSequentialFile(const std::string& name, const Files&, std::unique_ptr<rocksdb::FSSequentialFile>* file,
                           Debug*) override;
  Status NewRandomAccessFile(const std::string& name, const Files&,
                             std::unique_ptr<rocksdb::FSRandomAccessFile>* file, Debug*) override;
  Status NewWritableFile(const std::string& name, const Files&, std::unique_ptr<rocksdb::FSWritableFile>* file,
                         Debug*) override;
  Status ReopenWritableFile(const std::string& name, const Files&, std::unique_ptr<rocksdb::FSWritableFile>* file,
                            Debug*) override;
  Status ReuseWritableFile(const std::string& name, const std::string& old, const Files& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file, Debug* debug) override;
  Status NewDirectory(const std::string& name, const Options&, std::unique_ptr<rocksdb::FSDirectory>* directory,
                      Debug*) override;
  Status FileExists(const std::string& name, const Options&, Debug*) override;
  Status GetChildren(const std::string& name, const Options&, std::vector<std::string>* children, Debug*) override;
  Status DeleteFile(const std::string& name, const Options&, Debug*) override;
  Status CreateDir(const std::string& name, const Options&, Debug*) override;
  Status CreateDirIfMissing(const std::string& name, const Options&, Debug*) override;
  Status DeleteDir(const std::string& name, const Options&, Debug*) override;
  Status GetFileSize(const std::string& name, const Options&, std::uint64_t* size, Debug*) override;
  Status GetFileModificationTime(const std::string& name, const Options&, std::uint64_t* time, Debug*) override;
  Status RenameFile(const std::string& from, const std::string& to, const Options&, Debug*) override;
  Status LockFile(const std::string& name, const Options&, rocksdb::FileLock** lock, Debug*) override;
  Status UnlockFile(rocksdb::FileLock* lock, const Options&, Debug*) override;
  Status GetTestDirectory(const Options&, std::string* path, Debug*) override;
  Status NewLogger(const std::string& name, const Options&, std::shared_ptr<rocksdb::Logger>* logger,
                   Debug*) override;
  Status GetAbsolutePath(const std::string& name, const Options&, std::string* path, Debug*) override;
  Status IsDirectory(const std::string& name, const Options&, bool* is_directory, Debug*) override;

 private:
  using File = std::shared_ptr<Inode>;
  struct Names {
    std::map<std::string, File> files;
    std::set<std::string> directories{"/"};
  };

  Status count(At at);  // one operation; mutex_ is held
  Status open(const std::string& name, File* file) const;
  Status make_directory(const std::string& name);

  mutable std::mutex mutex_;
  Names now_;
  Names kept_;  // what a crash leaves
  std::set<std::string> locks_;
  std::uint64_t operations_ = 0;
  std::uint64_t countdown_ = 0;  // 0: not armed
  Fault fault_ = Fault::io_error;
  At at_ = At::any;
  bool has_struck_ = false;
  bool is_off_ = false;  // the power is gone
};

/// An Env on that disk. Its clock does not sleep: RocksDB waits a second after each failure in the background.
[[nodiscard]] std::unique_ptr<rocksdb::Env> forgetful_env(const std::shared_ptr<ForgetfulFileSystem>& disk);

}  // namespace chronicle::test
