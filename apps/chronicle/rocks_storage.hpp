// The storage on RocksDB: the promises of storage.hpp on a real disk.
//
// Each group is one WriteBatch, written to the write-ahead log and synced before append() returns. RocksDB applies a
// batch to what readers see only after its log is synced, and opening rewrites what it finds in the log into files of
// its own and syncs them: what is visible is durable, also after a failed sync and a restart.
// Memory: one write buffer of 8 MiB (three at most), 24 MiB of cache in which indexes and filters are counted, at
// most 256 open files; two background threads; at most 64 MiB of log on disk. One process at a time has the folder.
// Threads: as Storage; RocksDB's own threads are not the runtime's, so simulations use MemoryStorage.
#pragma once

#include <filesystem>
#include <memory>

#include "chronicle/storage.hpp"

namespace rocksdb {
class Env;
}

namespace chronicle {

struct RocksOptions {
  std::filesystem::path folder;  ///< made, with its parents, if it is not there
  Limits limits;
  std::size_t write_buffer = std::size_t{8} * 1024 * 1024;
  std::size_t cache = std::size_t{24} * 1024 * 1024;
  /// Where files are: null is the system's. It must outlive the storage.
  rocksdb::Env* env = nullptr;
  /// False only in the tests that must notice it: a storage that tells before it has synced.
  bool sync = true;
};

class RocksStorage final : public Storage {
 public:
  explicit RocksStorage(RocksOptions options);
  ~RocksStorage() override;

 private:
  Result<> do_open() override;
  void do_close() noexcept override;
  Result<std::vector<Outcome>> do_append(std::span<const Draft> drafts) override;
  Result<Message> do_get(const MessageId& id) const override;
  std::vector<StreamInfo> do_streams() const override;
  Result<StreamInfo> do_stream(std::string_view name) const override;
  Result<Page> do_query(const Query& query, std::optional<Place> after) const override;

  class Group;
  struct Open;
  const RocksOptions options_;
  std::unique_ptr<Open> open_;  // null while closed
};

}  // namespace chronicle
