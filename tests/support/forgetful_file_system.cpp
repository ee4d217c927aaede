#include "support/forgetful_file_system.hpp"

#include <rocksdb/system_clock.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace chronicle::test {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;
using Inode = ForgetfulFileSystem::Inode;

std::string clean(const std::string& path) {
  std::string out;
  for (const char letter : path) {
    if (letter != '/' || out.empty() || out.back() != '/') out.push_back(letter);
  }
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

class Sequential final : public rocksdb::FSSequentialFile {
 public:
  Sequential(const ForgetfulFileSystem& disk, std::shared_ptr<Inode> inode) : disk_(disk), inode_(std::move(inode)) {}
  IOStatus Read(std::size_t count, const IOOptions&, Slice* result, char* scratch, IODebugContext*) override {
    const auto status = disk_.read(*inode_, offset_, count, result, scratch);
    offset_ += result->size();
    return status;
  }
  IOStatus Skip(std::uint64_t count) override {
    offset_ += count;
    return IOStatus::OK();
  }

 private:
  const ForgetfulFileSystem& disk_;
  std::shared_ptr<Inode> inode_;
  std::uint64_t offset_ = 0;
};

class RandomAccess final : public rocksdb::FSRandomAccessFile {
 public:
  RandomAccess(const ForgetfulFileSystem& disk, std::shared_ptr<Inode> inode)
      : disk_(disk), inode_(std::move(inode)) {}
  IOStatus Read(std::uint64_t offset, std::size_t count, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    return disk_.read(*inode_, offset, count, result, scratch);
  }

 private:
  const ForgetfulFileSystem& disk_;
  std::shared_ptr<Inode> inode_;
};

class Writable final : public rocksdb::FSWritableFile {
 public:
  Writable(ForgetfulFileSystem& disk, std::shared_ptr<Inode> inode) : disk_(disk), inode_(std::move(inode)) {}
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    return disk_.append(*inode_, data);
  }
  IOStatus Append(const Slice& data, const IOOptions&, const rocksdb::DataVerificationInfo&,
                  IODebugContext*) override {
    return disk_.append(*inode_, data);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions&, IODebugContext*) override {
    return disk_.truncate(*inode_, size);
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }  // writes nothing, syncs nothing
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }  // to the page cache only
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return disk_.sync(*inode_); }
  bool IsSyncThreadSafe() const override { return true; }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return disk_.size_of(*inode_); }

 private:
  ForgetfulFileSystem& disk_;
  std::shared_ptr<Inode> inode_;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(ForgetfulFileSystem& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return disk_.sync_directory(path_); }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  ForgetfulFileSystem& disk_;
  std::string path_;
};

struct Lock final : rocksdb::FileLock {
  explicit Lock(std::string path) : name(std::move(path)) {}
  std::string name;
};

// RocksDB's own log: not part of what is tested, and its lines would make the operations uncountable.
struct Silent final : rocksdb::Logger {
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
  std::size_t GetLogFileSize() const override { return 0; }
};

}  // namespace

void ForgetfulFileSystem::arm(Fault fault, std::uint64_t nth, At at) {
  const std::lock_guard lock(mutex_);
  fault_ = fault;
  countdown_ = nth;
  at_ = at;
  has_struck_ = false;
}

void ForgetfulFileSystem::disarm() {
  const std::lock_guard lock(mutex_);
  countdown_ = 0;
}

bool ForgetfulFileSystem::has_struck() const {
  const std::lock_guard lock(mutex_);
  return has_struck_;
}

std::uint64_t ForgetfulFileSystem::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}

void ForgetfulFileSystem::crash(std::optional<std::uint64_t> seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 chance(seed.value_or(0));
  if (seed) {
    std::set<std::string> lucky;  // directories whose unsynced names reached the disk anyway
    for (const auto& name : now_.directories) {
      if (chance() % 2 == 0) lucky.insert(name);
    }
    std::erase_if(kept_.files, [&](const auto& file) { return lucky.contains(parent_of(file.first)); });
    for (const auto& [name, inode] : now_.files) {
      if (lucky.contains(parent_of(name))) kept_.files[name] = inode;
    }
  }
  std::erase_if(kept_.files, [&](const auto& file) { return !kept_.directories.contains(parent_of(file.first)); });
  for (auto& [name, inode] : kept_.files) {
    const std::size_t unsynced = inode->data.size() - inode->synced;
    const std::size_t stays = inode->synced + (seed && unsynced > 0 ? chance() % (unsynced + 1) : 0);
    // A new inode: handles from before the crash lead nowhere.
    inode = std::make_shared<Inode>(Inode{inode->data.substr(0, stays), stays, false});
  }
  now_ = kept_;
  locks_.clear();
  countdown_ = 0;
  is_off_ = false;
}

IOStatus ForgetfulFileSystem::count(At at) {
  if (is_off_) return IOStatus::IOError("the power is off");
  ++operations_;
  if (countdown_ == 0 || (at_ != At::any && at_ != at) || --countdown_ > 0) return IOStatus::OK();
  has_struck_ = true;
  if (fault_ == Fault::disk_full) return IOStatus::NoSpace("no space left on the forgetful disk");
  is_off_ = fault_ == Fault::power;
  return IOStatus::IOError(is_off_ ? "the power went" : "input/output error, as told");
}

IOStatus ForgetfulFileSystem::append(Inode& inode, const Slice& data) {
  const std::lock_guard lock(mutex_);
  const bool was_off = is_off_;
  auto status = count(At::append);
  if (!was_off) inode.data.append(data.data(), status.ok() ? data.size() : data.size() / 2);
  return status;
}

IOStatus ForgetfulFileSystem::sync(Inode& inode) {
  const std::lock_guard lock(mutex_);
  auto status = count(At::sync);
  if (!status.ok()) {
    inode.lost_pages = true;
  } else if (!inode.lost_pages) {
    inode.synced = inode.data.size();
  }
  return status;
}

IOStatus ForgetfulFileSystem::truncate(Inode& inode, std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  auto status = count(At::any);
  if (!status.ok()) return status;
  inode.data.resize(size);
  inode.synced = std::min(inode.synced, inode.data.size());
  return status;
}

IOStatus ForgetfulFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  auto status = count(At::sync);
  if (!status.ok()) return status;
  const auto inside = [&](const std::string& name) { return name != "/" && parent_of(name) == path; };
  std::erase_if(kept_.files, [&](const auto& file) { return inside(file.first); });
  std::erase_if(kept_.directories, inside);
  for (const auto& [name, inode] : now_.files) {
    if (inside(name)) kept_.files[name] = inode;
  }
  for (const auto& name : now_.directories) {
    if (inside(name)) kept_.directories.insert(name);
  }
  return status;
}

std::uint64_t ForgetfulFileSystem::size_of(const Inode& inode) const {
  const std::lock_guard lock(mutex_);
  return inode.data.size();
}

IOStatus ForgetfulFileSystem::read(const Inode& inode, std::uint64_t offset, std::size_t count, Slice* result,
                                   char* scratch) const {
  const std::lock_guard lock(mutex_);
  const std::size_t start = std::min<std::size_t>(offset, inode.data.size());
  const std::size_t size = std::min(count, inode.data.size() - start);
  std::memcpy(scratch, inode.data.data() + start, size);
  *result = Slice(scratch, size);
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::open(const std::string& name, File* file) const {
  const std::lock_guard lock(mutex_);
  if (is_off_) return IOStatus::IOError("the power is off");
  const auto found = now_.files.find(clean(name));
  if (found == now_.files.end()) return IOStatus::PathNotFound(name);
  *file = found->second;
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::NewSequentialFile(const std::string& name, const Files&,
                                                std::unique_ptr<rocksdb::FSSequentialFile>* file, Debug*) {
  File inode;
  auto status = open(name, &inode);
  if (status.ok()) *file = std::make_unique<Sequential>(*this, std::move(inode));
  return status;
}

IOStatus ForgetfulFileSystem::NewRandomAccessFile(const std::string& name, const Files&,
                                                  std::unique_ptr<rocksdb::FSRandomAccessFile>* file, Debug*) {
  File inode;
  auto status = open(name, &inode);
  if (status.ok()) *file = std::make_unique<RandomAccess>(*this, std::move(inode));
  return status;
}

IOStatus ForgetfulFileSystem::NewWritableFile(const std::string& name, const Files&,
                                              std::unique_ptr<rocksdb::FSWritableFile>* file, Debug*) {
  const std::lock_guard lock(mutex_);
  auto status = count(At::any);
  if (!status.ok()) return status;
  const std::string path = clean(name);
  if (!now_.directories.contains(parent_of(path))) return IOStatus::PathNotFound(name);
  auto inode = std::make_shared<Inode>();
  now_.files[path] = inode;
  *file = std::make_unique<Writable>(*this, std::move(inode));
  return status;
}

IOStatus ForgetfulFileSystem::ReopenWritableFile(const std::string& name, const Files& options,
                                                 std::unique_ptr<rocksdb::FSWritableFile>* file, Debug* debug) {
  File inode;
  const auto status = open(name, &inode);
  if (status.IsPathNotFound()) return NewWritableFile(name, options, file, debug);
  if (status.ok()) *file = std::make_unique<Writable>(*this, std::move(inode));
  return status;
}

IOStatus ForgetfulFileSystem::ReuseWritableFile(const std::string& name, const std::string& old, const Files& options,
                                                std::unique_ptr<rocksdb::FSWritableFile>* file, Debug* debug) {
  auto status = RenameFile(old, name, Options(), debug);
  return status.ok() ? ReopenWritableFile(name, options, file, debug) : status;
}

IOStatus ForgetfulFileSystem::NewDirectory(const std::string& name, const Options&,
                                           std::unique_ptr<rocksdb::FSDirectory>* directory, Debug*) {
  const std::lock_guard lock(mutex_);
  if (is_off_) return IOStatus::IOError("the power is off");
  if (!now_.directories.contains(clean(name))) return IOStatus::PathNotFound(name);
  *directory = std::make_unique<Directory>(*this, clean(name));
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::FileExists(const std::string& name, const Options&, Debug*) {
  const std::lock_guard lock(mutex_);
  const std::string path = clean(name);
  return now_.files.contains(path) || now_.directories.contains(path) ? IOStatus::OK() : IOStatus::NotFound(name);
}

IOStatus ForgetfulFileSystem::GetChildren(const std::string& name, const Options&, std::vector<std::string>* children,
                                          Debug*) {
  const std::lock_guard lock(mutex_);
  const std::string path = clean(name);
  if (!now_.directories.contains(path)) return IOStatus::PathNotFound(name);
  children->clear();
  const auto add = [&](const std::string& child) {
    if (child != "/" && parent_of(child) == path) children->push_back(child.substr(child.rfind('/') + 1));
  };
  for (const auto& [child, inode] : now_.files) add(child);
  for (const auto& child : now_.directories) add(child);
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::DeleteFile(const std::string& name, const Options&, Debug*) {
  const std::lock_guard lock(mutex_);
  auto status = count(At::any);
  if (!status.ok()) return status;
  return now_.files.erase(clean(name)) == 1 ? status : IOStatus::PathNotFound(name);
}

IOStatus ForgetfulFileSystem::make_directory(const std::string& name) {
  auto status = count(At::any);
  if (!status.ok()) return status;
  if (!now_.directories.contains(parent_of(name))) return IOStatus::PathNotFound(name);
  now_.directories.insert(name);
  return status;
}

IOStatus ForgetfulFileSystem::CreateDir(const std::string& name, const Options&, Debug*) {
  const std::lock_guard lock(mutex_);
  if (now_.directories.contains(clean(name))) return IOStatus::IOError(name + " exists");
  return make_directory(clean(name));
}

IOStatus ForgetfulFileSystem::CreateDirIfMissing(const std::string& name, const Options&, Debug*) {
  const std::lock_guard lock(mutex_);
  return now_.directories.contains(clean(name)) ? IOStatus::OK() : make_directory(clean(name));
}

IOStatus ForgetfulFileSystem::DeleteDir(const std::string& name, const Options&, Debug*) {
  const std::lock_guard lock(mutex_);
  auto status = count(At::any);
  if (!status.ok()) return status;
  return now_.directories.erase(clean(name)) == 1 ? status : IOStatus::PathNotFound(name);
}

IOStatus ForgetfulFileSystem::GetFileSize(const std::string& name, const Options&, std::uint64_t* size, Debug*) {
  File inode;
  auto status = open(name, &inode);
  *size = status.ok() ? size_of(*inode) : 0;
  return status;
}

IOStatus ForgetfulFileSystem::GetFileModificationTime(const std::string& name, const Options&, std::uint64_t* time,
                                                      Debug*) {
  *time = 0;
  File inode;
  return open(name, &inode);
}

IOStatus ForgetfulFileSystem::RenameFile(const std::string& from, const std::string& to, const Options&, Debug*) {
  const std::lock_guard lock(mutex_);
  auto status = count(At::any);
  if (!status.ok()) return status;
  const auto found = now_.files.find(clean(from));
  if (found == now_.files.end()) return IOStatus::PathNotFound(from);
  now_.files[clean(to)] = found->second;
  now_.files.erase(found);
  return status;
}

IOStatus ForgetfulFileSystem::LockFile(const std::string& name, const Options&, rocksdb::FileLock** lock, Debug*) {
  const std::lock_guard held(mutex_);
  if (is_off_) return IOStatus::IOError("the power is off");
  if (!locks_.insert(clean(name)).second) return IOStatus::IOError("lock " + name + ": already held");
  *lock = new Lock(clean(name));
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::UnlockFile(rocksdb::FileLock* lock, const Options&, Debug*) {
  const std::lock_guard held(mutex_);
  const std::unique_ptr<Lock> mine(static_cast<Lock*>(lock));
  locks_.erase(mine->name);
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::GetTestDirectory(const Options&, std::string* path, Debug*) {
  *path = "/";
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::NewLogger(const std::string&, const Options&, std::shared_ptr<rocksdb::Logger>* logger,
                                        Debug*) {
  *logger = std::make_shared<Silent>();
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::GetAbsolutePath(const std::string& name, const Options&, std::string* path, Debug*) {
  *path = clean(name);
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::IsDirectory(const std::string& name, const Options&, bool* is_directory, Debug*) {
  const std::lock_guard lock(mutex_);
  *is_directory = now_.directories.contains(clean(name));
  return IOStatus::OK();
}

namespace {

struct Sleepless final : rocksdb::SystemClockWrapper {
  Sleepless() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "Sleepless"; }
  void SleepForMicroseconds(int) override {}
};

class ForgetfulEnv final : public rocksdb::EnvWrapper {
 public:
  explicit ForgetfulEnv(std::unique_ptr<rocksdb::Env> base) : EnvWrapper(base.get()), base_(std::move(base)) {
    system_clock_ = std::make_shared<Sleepless>();  // the file system is the base's
  }
  const char* Name() const override { return "ForgetfulEnv"; }
  void SleepForMicroseconds(int) override {}

 private:
  std::unique_ptr<rocksdb::Env> base_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> forgetful_env(const std::shared_ptr<ForgetfulFileSystem>& disk) {
  return std::make_unique<ForgetfulEnv>(rocksdb::NewCompositeEnv(disk));
}

}  // namespace chronicle::test
