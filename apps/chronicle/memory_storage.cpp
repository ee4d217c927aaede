#include "chronicle/memory_storage.hpp"

#include <algorithm>
#include <utility>

namespace chronicle {
namespace {

bool comes_due(std::uint64_t& countdown) noexcept { return countdown > 0 && --countdown == 0; }

std::size_t size_of(const MemoryDisk::Entry& entry) noexcept {
  return sizeof entry + entry.message.stream.size() + entry.message.payload.size() +
         entry.message.content_type.size();
}

}  // namespace

Result<> MemoryDisk::write(const Log& group) {
  if (comes_due(writes_until_failure_)) return Error(Errc::unavailable, "the memory disk failed to write, as told");
  std::size_t more = 0;
  for (const auto& entry : group) more += size_of(*entry);
  if (more > capacity_ - used_) {
    return Error(Errc::unavailable, "the memory disk is full: " + std::to_string(used_) + " of " +
                                        std::to_string(capacity_) + " bytes are used, " + std::to_string(more) +
                                        " more do not fit");
  }
  used_ += more;
  log_.insert(log_.end(), group.begin(), group.end());
  return {};
}

Result<> MemoryDisk::sync() {
  ++syncs_;
  if (comes_due(syncs_until_failure_)) {
    lost_pages_ = true;
    return Error(Errc::unavailable, "the memory disk failed to sync, as told");
  }
  if (!lost_pages_) synced_ = log_.size();
  return {};
}

Result<> MemoryDisk::rewrite() {
  if (auto synced = sync(); !synced) return synced;
  lost_pages_ = false;
  synced_ = log_.size();
  return {};
}

void MemoryDisk::crash() {
  log_.resize(synced_);
  used_ = 0;
  for (const auto& entry : log_) used_ += size_of(*entry);
  lost_pages_ = false;
}

MemoryStorage::MemoryStorage(std::shared_ptr<MemoryDisk> disk, MemoryOptions options)
    : Storage(options.limits), disk_(std::move(disk)), sync_(options.sync) {}

Result<> MemoryStorage::do_open() {
  if (auto rewritten = disk_->rewrite(); !rewritten) return rewritten;
  const std::lock_guard lock(mutex_);
  for (const auto& entry : disk_->log()) take(entry);
  return {};
}

void MemoryStorage::do_close() noexcept {
  const std::lock_guard lock(mutex_);
  streams_.clear();
  by_id_.clear();
}

// Precondition: mutex_ is held.
void MemoryStorage::take(const std::shared_ptr<const MemoryDisk::Entry>& entry) {
  const Message& message = entry->message;
  Stream& stream = streams_[message.stream];
  if (stream.messages.empty()) {
    stream.info.name = message.stream;
    stream.info.identity = entry->identity;
    stream.info.first_arrival = message.arrival;
  }
  stream.messages.push_back(entry);
  stream.info.count = stream.messages.size();
  stream.info.bytes += message.payload.size();
  stream.info.last_arrival = message.arrival;
  if (message.source_time) stream.by_source.insert(Place{*message.source_time, message.sequence});
  by_id_.emplace(message.id, entry);
}

Result<std::vector<Outcome>> MemoryStorage::do_append(std::span<const Draft> drafts) {
  struct Tail {  // of a stream that this group adds to
    Identity identity;
    std::uint64_t count;
    WallTime last_arrival;
  };
  std::map<std::string, Tail, std::less<>> tails;
  std::unordered_map<MessageId, const Message*, MessageIdHash> fresh;
  std::size_t stream_count = streams_.size();
  MemoryDisk::Log group;
  std::vector<Outcome> outcomes;
  outcomes.reserve(drafts.size());

  const auto judge = [&](const Draft& draft) -> Outcome {
    if (auto refused = fault_of(draft, limits())) return Outcome::refuse(draft.stream, *std::move(refused));
    std::optional<Tail> tail;
    if (const auto changed = tails.find(draft.stream); changed != tails.end()) {
      tail = changed->second;
    } else if (const auto old = streams_.find(draft.stream); old != streams_.end()) {
      tail = Tail{old->second.info.identity, old->second.info.count, old->second.info.last_arrival};
    }
    const auto identity = settle(tail ? std::optional(tail->identity) : std::nullopt, draft.identity);
    if (!identity) return Outcome::refuse(draft.stream, identity_refused(draft.stream, tail->identity));
    const auto id = id_of(draft, *identity);
    if (!id) return Outcome::refuse(draft.stream, Refused{Refusal::invalid, id.error()});
    if (const auto same = fresh.find(*id); same != fresh.end()) {
      return Outcome::duplicate(*id, same->second->stream, same->second->sequence);
    }
    if (const auto same = by_id_.find(*id); same != by_id_.end()) {
      return Outcome::duplicate(*id, same->second->message.stream, same->second->message.sequence);
    }
    if (!tail) {
      if (stream_count >= limits().streams) {
        return Outcome::refuse(draft.stream, too_many_streams(draft.stream, limits()));
      }
      ++stream_count;
      tail = Tail{*identity, 0, draft.arrival};
    }
    tail->count += 1;
    tail->last_arrival = std::max(tail->last_arrival, draft.arrival);
    tails.insert_or_assign(draft.stream, *tail);
    auto entry = std::make_shared<const MemoryDisk::Entry>(
        MemoryDisk::Entry{*identity, Message{*id, draft.stream, tail->count, tail->last_arrival, draft.source_time,
                                             draft.content_type, draft.payload}});
    fresh.emplace(*id, &entry->message);
    group.push_back(std::move(entry));
    return Outcome::stored(*id, draft.stream, tail->count);
  };
  for (const Draft& draft : drafts) outcomes.push_back(judge(draft));
  if (group.empty()) return outcomes;

  if (auto written = disk_->write(group); !written) return written.error();
  if (sync_) {
    if (auto synced = disk_->sync(); !synced) return synced.error();
  }
  const std::lock_guard lock(mutex_);
  for (const auto& entry : group) take(entry);
  return outcomes;
}

Result<Message> MemoryStorage::do_get(const MessageId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return no_such_message(id);
  return found->second->message;
}

std::vector<StreamInfo> MemoryStorage::do_streams() const {
  const std::lock_guard lock(mutex_);
  std::vector<StreamInfo> infos;
  infos.reserve(streams_.size());
  for (const auto& [name, stream] : streams_) infos.push_back(stream.info);
  return infos;
}

Result<StreamInfo> MemoryStorage::do_stream(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(name);
  if (found == streams_.end()) return no_such_stream(name);
  return found->second.info;
}

Result<Page> MemoryStorage::do_query(const Query& query, std::optional<Place> after) const {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(query.stream);
  if (found == streams_.end()) return no_such_stream(query.stream);
  const Stream& stream = found->second;

  Page page;
  page.cursor = query.cursor;
  std::size_t bytes = 0;
  // False ends the walk.
  const auto visit = [&](Place place) {
    if (query.from && place.time < *query.from) return true;
    if (after && place <= *after) return true;
    if (query.to && place.time >= *query.to) return false;
    if (page.messages.size() >= query.limit || bytes > limits().page_bytes) {
      page.more = true;
      return false;
    }
    page.messages.push_back(stream.messages[place.sequence - 1]->message);
    bytes += page.messages.back().payload.size();
    page.cursor = make_cursor(query, place);
    return true;
  };
  // A plain walk from the beginning: this is the model, and its worth is that it is obvious.
  if (query.by == By::source) {
    for (const Place place : stream.by_source) {
      if (!visit(place)) break;
    }
  } else {
    for (const auto& entry : stream.messages) {
      if (!visit(Place{entry->message.arrival, entry->message.sequence})) break;
    }
  }
  return page;
}

}  // namespace chronicle
