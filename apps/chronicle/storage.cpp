#include "chronicle/storage.hpp"

#include <algorithm>

namespace chronicle {

Result<> Storage::open() {
  close();
  auto opened = do_open();
  if (!opened) return opened;
  const std::lock_guard lock(mutex_);
  is_open_ = true;
  poison_.reset();
  return {};
}

void Storage::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    is_open_ = false;
  }
  do_close();
}

Result<std::vector<Outcome>> Storage::append(std::span<const Draft> drafts) {
  const auto fail = [&](Error error) -> Result<std::vector<Outcome>> {
    const std::lock_guard lock(mutex_);
    counters_.drafts += drafts.size();
    counters_.failed += drafts.size();
    return error;
  };
  if (auto why = fault()) return fail(*std::move(why));
  std::size_t bytes = 0;
  for (const Draft& draft : drafts) bytes += cost(draft);
  // One draft alone always comes through to be judged by itself, so that its sender hears what is too large about it.
  if (drafts.size() > limits_.group_count || (bytes > limits_.group_bytes && drafts.size() > 1)) {
    return fail(Error(Errc::invalid, "a group of " + std::to_string(drafts.size()) + " messages and " +
                                         std::to_string(bytes) + " bytes; at most " +
                                         std::to_string(limits_.group_count) + " and " +
                                         std::to_string(limits_.group_bytes) + ": append it in parts"));
  }
  auto outcomes = do_append(drafts);
  if (!outcomes) {
    {
      const std::lock_guard lock(mutex_);
      poison_ = outcomes.error();
    }
    return fail(Error(outcomes.error()).and_may_have_run());
  }
  const std::lock_guard lock(mutex_);
  counters_.drafts += drafts.size();
  bool wrote = false;
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    const Outcome& outcome = (*outcomes)[i];
    counters_.stored += outcome.is_stored() ? 1 : 0;
    counters_.duplicates += outcome.is_duplicate() ? 1 : 0;
    counters_.refused += outcome.is_refused() ? 1 : 0;
    counters_.bytes += outcome.is_stored() ? drafts[i].payload.size() : 0;
    wrote = wrote || outcome.is_stored();
  }
  counters_.groups += wrote ? 1 : 0;
  return outcomes;
}

std::optional<Error> Storage::fault() const {
  const std::lock_guard lock(mutex_);
  if (!is_open_) return Error(Errc::unavailable, "the storage is not open");
  if (!poison_) return std::nullopt;
  return Error(Errc::unavailable, "the storage takes nothing since a write failed; open it anew", *poison_);
}

namespace {
Error not_open() { return Error(Errc::unavailable, "the storage is not open"); }
}  // namespace

Result<Message> Storage::get(const MessageId& id) const {
  {
    const std::lock_guard lock(mutex_);
    if (!is_open_) return not_open();
  }
  return do_get(id);
}

Result<std::vector<StreamInfo>> Storage::streams() const {
  {
    const std::lock_guard lock(mutex_);
    if (!is_open_) return not_open();
  }
  return do_streams();
}

Result<StreamInfo> Storage::stream(std::string_view name) const {
  {
    const std::lock_guard lock(mutex_);
    if (!is_open_) return not_open();
  }
  return do_stream(name);
}

Result<Page> Storage::query(const Query& query) const {
  {
    const std::lock_guard lock(mutex_);
    if (!is_open_) return not_open();
  }
  if (auto wrong = fault_of(query, limits_)) return *wrong;
  std::optional<Place> after;
  if (!query.cursor.empty()) {
    auto place = read_cursor(query);
    if (!place) return place.error();
    after = *place;
  }
  Query cut = query;
  cut.limit = std::min(query.limit, limits_.page_count);
  return do_query(cut, after);
}

Counters Storage::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

Error no_such_message(const MessageId& id) { return Error(Errc::not_found, "no message has the id " + id.hex()); }

Error no_such_stream(std::string_view name) {
  return Error(Errc::not_found, "no stream is called '" + std::string(name) + "'; GET /api/streams lists them");
}

Refused too_many_streams(std::string_view name, const Limits& limits) {
  return Refused{Refusal::full, Error(Errc::full, "stream '" + std::string(name) + "' would be one more than the " +
                                                      std::to_string(limits.streams) + " that are taken")};
}

}  // namespace chronicle
