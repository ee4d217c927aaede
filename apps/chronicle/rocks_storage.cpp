#include "chronicle/rocks_storage.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <utility>

#include "backstage/base/utf8.hpp"
#include "chronicle/rocks_open.hpp"

namespace chronicle {
namespace {

rocksdb::Options database_options(const RocksOptions& ours, rocksdb::Env* env) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(ours.cache);
  // Inside the cache, so that they cannot outgrow it; not with a strict limit, under which reads would fail.
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));  // most ids looked up are new: do not read for them
  table.format_version = 5;

  rocksdb::Options options;
  options.env = env;
  options.create_if_missing = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kLZ4Compression;
  options.write_buffer_size = ours.write_buffer;
  options.max_write_buffer_number = 3;
  options.max_total_wal_size = std::uint64_t{64} * 1024 * 1024;
  options.max_open_files = 256;
  options.max_background_jobs = 2;
  // A torn end of the log is what a crash leaves; the groups before it are whole.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // Opening rewrites and syncs what it finds in the log: after a failed sync its pages may be in memory only.
  options.avoid_flush_during_recovery = false;
  // A failed sync is never tried again behind our back: the storage is poisoned and must be opened anew.
  options.max_bgerror_resume_count = 0;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.max_log_file_size = 1024 * 1024;
  options.keep_log_file_num = 3;
  options.max_manifest_file_size = std::uint64_t{16} * 1024 * 1024;
  options.stats_dump_period_sec = 0;  // no wake-ups while nothing happens
  options.stats_persist_period_sec = 0;
  return options;
}

/// Makes the folder and its parents, and syncs every name on the way: else a crash could take the whole store. Names
/// that are there already are synced too, until there is a store: an earlier attempt may have failed, or been
/// killed, between making and syncing.
Result<> make_folder(const std::filesystem::path& folder, rocksdb::Env& env) {
  if (env.FileExists((folder / "CURRENT").string()).ok()) return {};
  std::filesystem::path at = folder.is_absolute() ? folder.root_path() : std::filesystem::path(".");
  for (const auto& name : folder.relative_path()) {
    const auto next = at / name;
    const bool was_there = env.FileExists(next.string()).ok();
    if (const auto status = env.CreateDirIfMissing(next.string()); !status.ok()) {
      return cannot("make the folder " + next.string(), status);
    }
    std::unique_ptr<rocksdb::Directory> parent;
    auto status = env.NewDirectory(at.string(), &parent);
    if (status.ok()) status = parent->Fsync();
    // A parent that may be passed through but not read (EACCES) can be no obstacle when the name was there already.
    if (!status.ok() && (parent != nullptr || !was_there)) return cannot("sync the folder " + at.string(), status);
    at = next;
  }
  return {};
}

}  // namespace

Error cannot(std::string_view what, const rocksdb::Status& status) {
  return Error(Errc::unavailable, "cannot " + std::string(what) + ": " + status.ToString());
}

Result<std::optional<keys::Location>> RocksStorage::Open::find(const MessageId& id) const {
  std::string value;
  const auto status = db->Get({}, keys::id(id), &value);
  if (status.IsNotFound()) return std::optional<keys::Location>();
  if (!status.ok()) return cannot("look up " + id.hex(), status);
  auto at = keys::read_location(value);
  if (!at) return Error(Errc::unavailable, "the index entry of " + id.hex() + " is damaged");
  return at;
}

Result<Message> RocksStorage::Open::load(keys::Location at, const Limits& limits) const {
  const auto name = [&] {
    return "message " + std::to_string(at.sequence) + " of stream number " + std::to_string(at.number);
  };
  rocksdb::PinnableSlice record;
  const auto status = db->Get({}, db->DefaultColumnFamily(), keys::message(at), &record);
  if (status.IsNotFound()) return Error(Errc::unavailable, name() + " is in an index but not in the store");
  if (!status.ok()) return cannot("read " + name(), status);
  auto message = decode_message(std::string_view(record.data(), record.size()), limits);
  if (!message) return Error(Errc::unavailable, "cannot read " + name(), message.error());
  if (message->sequence != at.sequence) return Error(Errc::unavailable, name() + " is another message's record");
  return message;
}

Result<> RocksStorage::Open::check_format(bool sync) {
  std::string value;
  const auto status = db->Get({}, std::string(keys::format), &value);
  if (status.ok()) {
    if (value == keys::format_value) return {};
    return Error(Errc::unavailable, "the store has format '" + std::string(backstage::cut_utf8(value, 40)) +
                                        "', this program knows '" + std::string(keys::format_value) +
                                        "'; use the Chronicle that wrote it");
  }
  if (!status.IsNotFound()) return cannot("read the store's format", status);
  const std::unique_ptr<rocksdb::Iterator> any(db->NewIterator({}));
  any->SeekToFirst();
  if (!any->status().ok()) return cannot("read the store", any->status());
  if (any->Valid()) return Error(Errc::unavailable, "there is a database in the folder, but it is not Chronicle's");
  rocksdb::WriteOptions options;
  options.sync = sync;
  const auto written = db->Put(options, std::string(keys::format), std::string(keys::format_value));
  if (!written.ok()) return cannot("write the store's format", written);
  return {};
}

Result<> RocksStorage::Open::load_streams(const Limits& limits) {
  rocksdb::ReadOptions options;
  const std::string end(keys::streams_end);
  const rocksdb::Slice bound(end);
  options.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator(options));
  for (at->Seek(std::string(keys::streams_begin)); at->Valid(); at->Next()) {
    auto record = decode_stream(at->value().ToStringView(), limits);
    if (!record) return record.error();
    if (at->key().ToStringView() != keys::stream(record->info.name)) {
      return Error(Errc::unavailable, "the record of stream '" + record->info.name + "' lies under another name");
    }
    std::string name = record->info.name;  // a copy: the record itself is moved from in the same call
    streams.emplace(std::move(name), *std::move(record));
  }
  if (!at->status().ok()) return cannot("read the streams", at->status());

  names.resize(streams.size());
  for (const auto& [name, record] : streams) {
    if (record.number > names.size() || !names[record.number - 1].empty()) {
      return Error(Errc::unavailable, "stream '" + name + "' has number " + std::to_string(record.number) +
                                          ", which does not fit the " + std::to_string(names.size()) + " streams");
    }
    names[record.number - 1] = name;
    // The last message must be there, and none after it: a cheap proof that record and messages belong together.
    const keys::Location last{record.number, record.info.count};
    if (auto message = load(last, limits); !message) return message.error();
    std::string value;
    const auto next = db->Get({}, keys::message({last.number, last.sequence + 1}), &value);
    if (next.ok()) return Error(Errc::unavailable, "stream '" + name + "' has messages beyond its last sequence");
    if (!next.IsNotFound()) return cannot("read stream '" + name + "'", next);
  }
  return {};
}

RocksStorage::RocksStorage(RocksOptions options) : Storage(options.limits), options_(std::move(options)) {}

RocksStorage::~RocksStorage() { close(); }

Result<> RocksStorage::do_open() {
  rocksdb::Env* env = options_.env != nullptr ? options_.env : rocksdb::Env::Default();
  const auto folder = (options_.folder / "").parent_path();  // without a slash at its end
  if (auto made = make_folder(folder, *env); !made) return made;
  auto open = std::make_unique<Open>();
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(database_options(options_, env), folder.string(), &db);
  if (!status.ok()) return cannot("open the store in " + folder.string(), status);
  open->db.reset(db);
  if (auto known = open->check_format(options_.sync); !known) return known;
  if (auto loaded = open->load_streams(limits()); !loaded) return loaded;
  open_ = std::move(open);
  return {};
}

void RocksStorage::do_close() noexcept { open_.reset(); }

Result<Message> RocksStorage::do_get(const MessageId& id) const {
  const auto at = open_->find(id);
  if (!at) return at.error();
  if (!at->has_value()) return no_such_message(id);
  auto message = open_->load(**at, limits());
  if (message && message->id != id) {
    return Error(Errc::unavailable, "the index entry of " + id.hex() + " leads to message " + message->id.hex());
  }
  return message;
}

std::vector<StreamInfo> RocksStorage::do_streams() const {
  const std::lock_guard lock(open_->mutex);
  std::vector<StreamInfo> infos;
  infos.reserve(open_->streams.size());
  for (const auto& [name, record] : open_->streams) infos.push_back(record.info);
  return infos;
}

Result<StreamInfo> RocksStorage::do_stream(std::string_view name) const {
  const std::lock_guard lock(open_->mutex);
  const auto found = open_->streams.find(name);
  if (found == open_->streams.end()) return no_such_stream(name);
  return found->second.info;
}

Result<Page> RocksStorage::do_query(const Query& query, std::optional<Place> after) const {
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(open_->mutex);
    const auto found = open_->streams.find(query.stream);
    if (found == open_->streams.end()) return no_such_stream(query.stream);
    number = found->second.number;
  }
  std::string begin = keys::time_begin(query.by, number);
  if (query.from) begin = keys::time(query.by, number, Place{*query.from, 0});
  if (after) begin = std::max(begin, keys::time(query.by, number, Place{after->time, after->sequence + 1}));
  const std::string end =
      query.to ? keys::time(query.by, number, Place{*query.to, 0}) : keys::time_begin(query.by, number + 1);
  rocksdb::ReadOptions options;
  const rocksdb::Slice bound(end);
  options.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> at(open_->db->NewIterator(options));

  Page page;
  page.cursor = query.cursor;
  std::optional<Place> last;
  std::size_t bytes = 0;
  // A cursor may stand at or behind the end of the range: RocksDB must not be asked to seek past its bound.
  if (begin < end) at->Seek(begin);
  for (; begin < end && at->Valid(); at->Next()) {
    if (page.messages.size() >= query.limit || bytes > limits().page_bytes) {
      page.more = true;
      break;
    }
    last = keys::read_time(at->key().ToStringView());
    if (!last) return Error(Errc::unavailable, "an index entry of stream '" + query.stream + "' is damaged");
    auto message = open_->load({number, last->sequence}, limits());
    if (!message) return message.error();
    bytes += message->payload.size();
    page.messages.push_back(*std::move(message));
  }
  if (!at->status().ok()) return cannot("read stream '" + query.stream + "'", at->status());
  if (last) page.cursor = make_cursor(query, *last);
  return page;
}

}  // namespace chronicle
