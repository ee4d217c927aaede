// Links: two actors of which neither outlives the other's abnormal end (promise L9). The record and its ways:
// watch_record.hpp.
#include <memory>
#include <string>
#include <utility>

#include "../base/planted.hpp"
#include "core.hpp"
#include "lifecycle.hpp"
#include "watch_record.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

using Kind = WatchRecord::Kind;

WatchRecord::Broken broken(EndReason reason, std::string_view path, std::string_view type,
                           const Result<>& result) noexcept {
  WatchRecord::Broken news;
  news.abnormal = !is_orderly(reason) && !(planted(Mistake::link_missed) && reason == EndReason::killed);
  if (!news.abnormal) return news;
  try {
    std::string text = "linked " + (path.empty() ? std::string("actor") : std::string(path)) + " (" +
                       std::string(type) + ") ended: " + std::string(to_string(reason));
    if (!result) text += ", " + std::string(result.error().text());
    news.error = Error(Errc::failed, text);
  } catch (...) {
    // Out of memory: it fails without the text.
  }
  return news;
}

void drop_link(Cell& owner, WatchRecord& watch) noexcept {
  watch.live = false;
  send_detach(watch);
  leave_owner(owner, watch);
}

void set_link(Cell& owner, const WatchTarget& target) {
  if (target.cell == &owner && target.generation == owner.generation()) return;  // it ends with itself anyway
  if (is_gone(target)) {
    throw Need::fail(Error(Errc::gone, "cannot link with what is gone: the actor (" + std::string(target.type) +
                                           ") has ended for good, or the Ref is null"));
  }
  auto record = new_record(owner, Kind::link, target);
  record->owner_path = owner.full_path();
  record->owner_type = owner.ops().type;
  WatchRecord& watch = *record.release();
  enlist<&WatchRecord::in_owner>(owner.extras->watching->links, watch);
  send_attach(watch);
}

void remove_links(Cell& owner, const Cell* target, std::uint32_t generation) noexcept {
  if (owner.extras == nullptr || owner.extras->watching == nullptr) return;
  Watching& mine = *owner.extras->watching;
  for (WatchRecord* watch = mine.links; watch != nullptr;) {
    WatchRecord* const next = watch->in_owner.next;
    if (watch->target.cell == target && watch->target.generation == generation) drop_link(owner, *watch);
    watch = next;
  }
  // Those that the other one made: it is told, and its own end finds no list to tell us by.
  for (WatchRecord* watch = mine.watchers; watch != nullptr;) {
    WatchRecord* const next = watch->in_target.next;
    if (watch->kind == Kind::link && watch->owner == target && watch->owner_generation == generation) {
      (void)leave_target(owner, *watch);
      send_notice(*watch);
    }
    watch = next;
  }
}

bool Watches::begin(Cell& cell) {
  if (cell.extras->watching == nullptr) return true;
  Watching& mine = *cell.extras->watching;
  while (mine.links != nullptr) drop_link(cell, *mine.links);
  bool fails = false;
  Error why(Errc::failed);
  for (WatchRecord* watch = mine.watchers; watch != nullptr;) {
    WatchRecord* const next = watch->in_target.next;
    if (watch->owner_over) {
      fails = true;
      why = watch->from_owner.error;
      if (leave_target(cell, *watch)) release_watch(watch);
    }
    watch = next;
  }
  if (!fails) return true;
  Lifecycle::fail_from_outside(cell, Failure::Stage::link, why);
  return false;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
