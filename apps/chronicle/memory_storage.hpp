// The model of the storage: the same promises on a disk made of memory, which can fail and forget on demand.
//
// MemoryDisk is what outlives the storage: a log of messages, of which a part is synced. MemoryStorage keeps indexes
// of it and builds them anew in open(), as a real one reads its files. For tests, for simulation and wherever RocksDB
// cannot be used (under the thread sanitizer); nothing of it survives the program.
// Threads: as Storage. A disk serves one open storage; its faults may be set while no append runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include "chronicle/storage.hpp"

namespace chronicle {

class MemoryDisk {
 public:
  /// `capacity`: bytes of messages that it holds; a write beyond fails, as on a full disk.
  explicit MemoryDisk(std::size_t capacity = std::size_t{256} * 1024 * 1024) : capacity_(capacity) {}

  struct Entry {
    Identity identity;  // of the message's stream
    Message message;
  };
  using Log = std::vector<std::shared_ptr<const Entry>>;

  [[nodiscard]] const Log& log() const noexcept { return log_; }
  /// All or nothing.
  [[nodiscard]] Result<> write(const Log& group);
  /// Makes everything written so far survive a crash. After one that failed, what was unsynced then is never synced:
  /// real systems mark such pages clean.
  [[nodiscard]] Result<> sync();
  /// Writes everything it holds into fresh files and syncs those: what opening does, so that what is found is
  /// durable.
  [[nodiscard]] Result<> rewrite();

  /// The power goes: what was not synced is gone. Open the storage anew afterwards.
  void crash();
  /// The nth write (sync) from now on fails, once; 1 is the next.
  void fail_write(std::uint64_t nth) noexcept { writes_until_failure_ = nth; }
  void fail_sync(std::uint64_t nth) noexcept { syncs_until_failure_ = nth; }
  [[nodiscard]] std::uint64_t syncs() const noexcept { return syncs_; }

 private:
  std::size_t capacity_;
  std::size_t used_ = 0;
  Log log_;
  std::size_t synced_ = 0;   // how many of the log survive a crash
  bool lost_pages_ = false;  // a sync failed: `synced_` advances no more until the crash
  std::uint64_t writes_until_failure_ = 0;
  std::uint64_t syncs_until_failure_ = 0;
  std::uint64_t syncs_ = 0;
};

struct MemoryOptions {
  Limits limits;
  /// False only in the tests that must notice it: a storage that tells before it has synced.
  bool sync = true;
};

class MemoryStorage final : public Storage {
 public:
  explicit MemoryStorage(std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>(),
                         MemoryOptions options = {});
  ~MemoryStorage() override { close(); }

  [[nodiscard]] MemoryDisk& disk() noexcept { return *disk_; }

 private:
  struct Stream {
    StreamInfo info;
    MemoryDisk::Log messages;   // [sequence - 1]
    std::set<Place> by_source;  // of those that have a source time
  };
  using Streams = std::map<std::string, Stream, std::less<>>;

  Result<> do_open() override;
  void do_close() noexcept override;
  Result<std::vector<Outcome>> do_append(std::span<const Draft> drafts) override;
  Result<Message> do_get(const MessageId& id) const override;
  std::vector<StreamInfo> do_streams() const override;
  Result<StreamInfo> do_stream(std::string_view name) const override;
  Result<Page> do_query(const Query& query, std::optional<Place> after) const override;

  void take(const std::shared_ptr<const MemoryDisk::Entry>& entry);

  const std::shared_ptr<MemoryDisk> disk_;
  const bool sync_;
  mutable std::mutex mutex_;  // guards the two below against readers; append, their only writer, reads them without
  Streams streams_;
  std::unordered_map<MessageId, std::shared_ptr<const MemoryDisk::Entry>, MessageIdHash> by_id_;
};

}  // namespace chronicle
