// Private to RocksStorage: what it has while it is open.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "chronicle/record.hpp"
#include "chronicle/rocks_keys.hpp"
#include "chronicle/rocks_storage.hpp"

namespace chronicle {

/// "cannot <what>: <status>" as Errc::unavailable.
[[nodiscard]] Error cannot(std::string_view what, const rocksdb::Status& status);

/// The open database and the table of its streams.
struct RocksStorage::Open {
  std::unique_ptr<rocksdb::DB> db;
  // Guards the two below against readers. append(), their only writer, reads them without it.
  mutable std::mutex mutex;
  std::map<std::string, StreamRecord, std::less<>> streams;
  std::vector<std::string> names;  // [number - 1]

  /// Where the id lies; nothing when it is new.
  [[nodiscard]] Result<std::optional<keys::Location>> find(const MessageId& id) const;
  [[nodiscard]] Result<Message> load(keys::Location at, const Limits& limits) const;
  [[nodiscard]] Result<> load_streams(const Limits& limits);
  /// The database is new, or was written in the format that we know.
  [[nodiscard]] Result<> check_format(bool sync);
};

/// A group in the making: judges draft after draft and gathers what is to be written.
class RocksStorage::Group {
 public:
  Group(const Open& open, const Limits& limits) : open_(open), limits_(limits) {}

  [[nodiscard]] Outcome add(const Draft& draft);
  [[nodiscard]] bool is_empty() const noexcept { return changed_.empty(); }
  /// With the records of the streams that changed. Once, after the last add.
  [[nodiscard]] Result<rocksdb::WriteBatch*> finish();
  /// Enters the changed streams in the table, after the write.
  void publish(Open& open) &&;

 private:
  [[nodiscard]] const StreamRecord* known(std::string_view name) const;
  [[nodiscard]] std::optional<std::string_view> name_of(std::uint64_t number) const;
  void put(std::string_view key, std::string_view value);

  const Open& open_;
  const Limits& limits_;
  std::map<std::string, StreamRecord, std::less<>> changed_;
  std::vector<std::string> new_names_;  // of the streams that this group makes, in the order of their numbers
  std::unordered_map<MessageId, keys::Location, MessageIdHash> fresh_;
  rocksdb::WriteBatch batch_;
  rocksdb::Status status_;  // the first that went wrong while the batch was built
};

}  // namespace chronicle
