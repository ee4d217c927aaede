#include "backstage/scope/board.hpp"

#include <algorithm>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace detail {

Board::~Board() = default;

std::optional<Board::Posted> Board::find(const void* type) const {
  const Box::Snapshot now = table_.read();
  if (!now) return std::nullopt;
  for (const Posted& one : *now) {
    if (one.type == type) return one;
  }
  return std::nullopt;
}

std::vector<Board::Posted> Board::all() const {
  const Box::Snapshot now = table_.read();
  return now ? *now : Table();
}

Board::Group* Board::group_of(const void* type) noexcept {
  for (Group& group : groups_) {
    if (group.type == type) return &group;
  }
  return nullptr;
}

std::shared_ptr<const Board::Told> Board::copy_of(Group* group) {
  if (group == nullptr || group->listeners.empty()) return nullptr;
  if (group->told == nullptr) group->told = std::make_shared<const Told>(group->listeners);
  return group->told;
}

bool Board::publish(Posted what) {
  // What goes is destroyed when all is unlocked.
  Box::Snapshot before;
  std::unique_ptr<Box::Node> next;
  const std::lock_guard one_at_a_time(writing_);
  if (is_closed()) return false;
  before = table_.read();
  next = std::make_unique<Box::Node>(before ? *before : Table());
  what.version = version_ + 1;
  what.since = what.version;
  const auto same =
      std::find_if(next->value.begin(), next->value.end(), [&](const Posted& one) { return one.type == what.type; });
  if (same != next->value.end()) what.since = same->since;
  const BoardNews news{BoardNews::Kind::value, what.value, what.version, what.since};
  const void* const type = what.type;
  if (same != next->value.end()) {
    *same = std::move(what);  // the former value lives in `before`
  } else {
    next->value.push_back(std::move(what));
  }
  std::shared_ptr<const Told> told;
  {
    const std::lock_guard lock(mutex_);
    told = copy_of(group_of(type));  // the last that may throw
    ++version_;
    table_.put(next.release());
  }
  if (told == nullptr) return true;
  for (const std::shared_ptr<Listener>& listener : *told) listener->hear(news);
  return true;
}

std::shared_ptr<const void> Board::withdraw(const void* type) {
  Box::Snapshot before;
  const std::lock_guard one_at_a_time(writing_);
  before = table_.read();
  if (!before) return nullptr;
  const auto found =
      std::find_if(before->begin(), before->end(), [&](const Posted& one) { return one.type == type; });
  if (found == before->end()) return nullptr;
  auto next = std::make_unique<Box::Node>(Table());
  next->value.reserve(before->size() - 1);
  for (const Posted& one : *before) {
    if (one.type != type) next->value.push_back(one);
  }
  std::shared_ptr<const Told> told;
  {
    const std::lock_guard lock(mutex_);
    told = copy_of(group_of(type));
    table_.put(next->value.empty() ? nullptr : next.release());
  }
  if (told != nullptr) {
    for (const std::shared_ptr<Listener>& listener : *told) listener->hear({BoardNews::Kind::dropped, nullptr, 0, 0});
  }
  return found->value;
}

void Board::clear() noexcept {
  Box::Snapshot before;
  const std::lock_guard one_at_a_time(writing_);
  before = table_.read();
  if (!before || std::all_of(before->begin(), before->end(), [](const Posted& one) { return one.of_the_place; })) {
    return;
  }
  std::unique_ptr<Box::Node> rest;
  try {
    rest = std::make_unique<Box::Node>(Table());
    for (const Posted& one : *before) {
      if (one.of_the_place) rest->value.push_back(one);
    }
  } catch (...) {
    rest.reset();  // out of memory: what is of the place is missing until it changes
  }
  if (rest != nullptr && rest->value.empty()) rest.reset();
  // Told under the lock, so that no memory is needed for a copy; this is once in an incarnation's life.
  const std::lock_guard lock(mutex_);
  table_.put(rest.release());
  for (const Posted& one : *before) {
    Group* const group = one.of_the_place ? nullptr : group_of(one.type);
    if (group == nullptr) continue;
    for (const std::shared_ptr<Listener>& listener : group->listeners) {
      listener->hear({BoardNews::Kind::dropped, nullptr, 0, 0});
    }
  }
}

void Board::close() noexcept {
  Box::Snapshot before;
  std::vector<Group> all;
  std::shared_ptr<MetricSet> figures;
  const std::lock_guard one_at_a_time(writing_);
  before = table_.read();
  {
    const std::lock_guard lock(mutex_);
    // release: who finds it closed finds nothing in it, either.
    closed_.store(true, std::memory_order_release);
    table_.put(nullptr);
    all.swap(groups_);
    figures.swap(metrics_);
  }
  for (const Group& group : all) {
    for (const std::shared_ptr<Listener>& listener : group.listeners)
      listener->hear({BoardNews::Kind::over, nullptr, 0, 0});
  }
}

void Board::tell_appeared(std::string_view child) noexcept {
  const std::lock_guard lock(mutex_);
  Group* const group = group_of(&children_tag);
  if (group == nullptr) return;
  for (const std::shared_ptr<Listener>& listener : group->listeners) {
    if (listener->child_ == child) listener->hear({BoardNews::Kind::appeared, nullptr, 0, 0});
  }
}

Board::Listening Board::listen(const std::shared_ptr<Listener>& listener) {
  Box::Snapshot now;  // if we are the last to hold it, it is destroyed when we have unlocked
  const std::lock_guard lock(mutex_);
  if (is_closed()) return Listening::closed;
  Group* group = group_of(listener->type_);
  if (group == nullptr) {
    groups_.push_back({listener->type_, {}, nullptr});
    group = &groups_.back();
  }
  group->listeners.push_back(listener);
  listener->at_ = group->listeners.size() - 1;
  group->told = nullptr;
  now = table_.read();
  if (!now) return Listening::nothing_yet;
  for (const Posted& one : *now) {
    if (one.type != listener->type_) continue;
    listener->hear({BoardNews::Kind::value, one.value, one.version, one.since});
    return Listening::told;
  }
  return Listening::nothing_yet;
}

void Board::leave(Listener& listener) noexcept {
  std::shared_ptr<Listener> it;  // destroyed when we have unlocked
  std::shared_ptr<const Told> old;
  const std::lock_guard lock(mutex_);
  Group* const group = group_of(listener.type_);
  if (group == nullptr || listener.at_ >= group->listeners.size() ||
      group->listeners[listener.at_].get() != &listener) {
    return;
  }
  it = std::move(group->listeners[listener.at_]);
  if (listener.at_ + 1 != group->listeners.size()) {
    group->listeners[listener.at_] = std::move(group->listeners.back());
    group->listeners[listener.at_]->at_ = listener.at_;
  }
  group->listeners.pop_back();
  old = std::move(group->told);
  if (group->listeners.empty()) {
    std::swap(*group, groups_.back());
    groups_.pop_back();
  }
}

std::size_t Board::listeners() const noexcept {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const Group& group : groups_) count += group.listeners.size();
  return count;
}

std::shared_ptr<MetricSet> Board::metrics(std::shared_ptr<MetricSet> (*make)(const std::string& path),
                                          const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (metrics_ == nullptr) metrics_ = make(path);
  return metrics_;
}

std::shared_ptr<MetricSet> Board::metrics() const noexcept {
  const std::lock_guard lock(mutex_);
  return metrics_;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
