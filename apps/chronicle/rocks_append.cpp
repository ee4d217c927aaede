#include <algorithm>
#include <utility>

#include "chronicle/rocks_open.hpp"

namespace chronicle {

const StreamRecord* RocksStorage::Group::known(std::string_view name) const {
  if (const auto changed = changed_.find(name); changed != changed_.end()) return &changed->second;
  if (const auto old = open_.streams.find(name); old != open_.streams.end()) return &old->second;
  return nullptr;
}

std::optional<std::string_view> RocksStorage::Group::name_of(std::uint64_t number) const {
  const std::size_t old = open_.names.size();
  if (number <= old) return open_.names[number - 1];
  if (number - old <= new_names_.size()) return new_names_[number - old - 1];
  return std::nullopt;
}

void RocksStorage::Group::put(std::string_view key, std::string_view value) {
  auto status = batch_.Put(rocksdb::Slice(key.data(), key.size()), rocksdb::Slice(value.data(), value.size()));
  if (status_.ok()) status_ = std::move(status);
}

Outcome RocksStorage::Group::add(const Draft& draft) {
  if (auto refused = fault_of(draft, limits_)) return Outcome::refuse(draft.stream, *std::move(refused));
  const StreamRecord* stream = known(draft.stream);
  const auto identity = settle(stream ? std::optional(stream->info.identity) : std::nullopt, draft.identity);
  if (!identity) return Outcome::refuse(draft.stream, identity_refused(draft.stream, stream->info.identity));
  const auto id = id_of(draft, *identity);
  if (!id) return Outcome::refuse(draft.stream, Refused{Refusal::invalid, id.error()});

  std::optional<keys::Location> same;
  if (const auto fresh = fresh_.find(*id); fresh != fresh_.end()) {
    same = fresh->second;
  } else {
    const auto found = open_.find(*id);
    // Nothing was written: the store is sound, only this draft cannot be judged.
    if (!found) return Outcome::refuse(draft.stream, Refused{Refusal::unavailable, found.error()});
    same = *found;
  }
  if (same) {
    const auto where = name_of(same->number);
    if (!where) {
      return Outcome::refuse(
          draft.stream, Refused{Refusal::unavailable,
                                Error(Errc::unavailable, "the index entry of " + id->hex() + " names no stream")});
    }
    return Outcome::duplicate(*id, *where, same->sequence);
  }

  StreamRecord next;
  if (stream) {
    next = *stream;
  } else {
    const std::size_t count = open_.names.size() + new_names_.size();
    if (count >= limits_.streams) return Outcome::refuse(draft.stream, too_many_streams(draft.stream, limits_));
    new_names_.push_back(draft.stream);
    next = StreamRecord{count + 1, StreamInfo{draft.stream, *identity, 0, 0, draft.arrival, draft.arrival}};
  }
  next.info.count += 1;
  next.info.bytes += draft.payload.size();
  next.info.last_arrival = std::max(next.info.last_arrival, draft.arrival);

  const keys::Location at{next.number, next.info.count};
  const WallTime arrival = next.info.last_arrival;
  put(keys::message(at),
      encode(Message{*id, draft.stream, at.sequence, arrival, draft.source_time, draft.content_type, draft.payload}));
  put(keys::id(*id), keys::location(at));
  put(keys::time(By::arrival, at.number, Place{arrival, at.sequence}), {});
  if (draft.source_time) put(keys::time(By::source, at.number, Place{*draft.source_time, at.sequence}), {});
  fresh_.emplace(*id, at);
  changed_.insert_or_assign(draft.stream, std::move(next));
  return Outcome::stored(*id, draft.stream, at.sequence);
}

Result<rocksdb::WriteBatch*> RocksStorage::Group::finish() {
  for (const auto& [name, record] : changed_) put(keys::stream(name), encode(record));
  if (!status_.ok()) return cannot("build a group", status_);
  return &batch_;
}

void RocksStorage::Group::publish(Open& open) && {
  const std::lock_guard lock(open.mutex);
  for (auto& name : new_names_) open.names.push_back(std::move(name));
  for (auto& [name, record] : changed_) open.streams.insert_or_assign(name, std::move(record));
}

Result<std::vector<Outcome>> RocksStorage::do_append(std::span<const Draft> drafts) {
  Group group(*open_, limits());
  std::vector<Outcome> outcomes;
  outcomes.reserve(drafts.size());
  for (const Draft& draft : drafts) outcomes.push_back(group.add(draft));
  if (group.is_empty()) return outcomes;

  auto batch = group.finish();
  if (!batch) return batch.error();
  rocksdb::WriteOptions options;
  options.sync = options_.sync;
  if (const auto status = open_->db->Write(options, *batch); !status.ok()) {
    return cannot("write a group of " + std::to_string(drafts.size()) + " messages to " + options_.folder.string(),
                  status);
  }
  std::move(group).publish(*open_);
  return outcomes;
}

}  // namespace chronicle
