// What monitors, links and status subscriptions share.
//
// One record for each watch, counted, on the heap: it outlives both sides, and both Runtimes. It hangs in two lists: its
// owner's (the watcher), touched in the owner's turn only, and its target's, touched in the target's turn only, or in
// its parent's when the target's place is over. The two sides speak through each other's lanes, by nodes that are part
// of the record, so nothing is allocated to say anything:
//
//   attach  owner -> target   once. Finds the place over: the owner is told `gone`.
//   detach  owner -> target   once: cancelled; the owner's incarnation ended; or (of a link) the owner's place did.
//   notice  target -> owner   once: a link or a subscription is over on the target's side.
//
// What user code sees comes in the mailbox: StatusChanged, and Down in an envelope that waits in the record. Whoever takes
// it out of there owns it, the target's side to fill and post it, or the owner's to free it: so it comes once or never.
//
// References: one for the owner's list, one for the target's side (attach, then the list, then the Down or the notice),
// one for each detach or status on its way, one for each handle of the user's.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "backstage/actor/monitor.hpp"
#include "core.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

struct WatchRecord {
  enum class Kind : std::uint8_t { monitor, status, link };
  struct Node : LaneNode {
    WatchRecord* record = nullptr;
  };
  /// One of the two lists that it hangs in.
  struct Hook {
    WatchRecord* previous = nullptr;
    WatchRecord* next = nullptr;
    bool listed = false;
  };
  /// What a link tells.
  struct Broken {
    bool abnormal = false;
    Error error{Errc::failed};
  };

  explicit WatchRecord(Kind k, const WatchTarget& whom) : kind(k), target(whom) {
    attach.record = this;
    detach.record = this;
    notice.record = this;
  }

  // constant once it is set
  const Kind kind;
  const WatchTarget target;
  Cell* owner = nullptr;  // null: a thread outside
  std::uint32_t owner_generation = 0;
  std::uint32_t owner_incarnation = 0;
  std::uint64_t id = 0;
  MakeStatus make_status = nullptr;
  std::string_view owner_type;
  std::string owner_path;  // of a link
  std::shared_ptr<OutsideAskOf<Down>> outside;

  Node attach;
  Node detach;
  Node notice;
  std::atomic<std::uint32_t> references{2};
  std::atomic<Envelope*> down{nullptr};  // set aside for the end; whoever takes it owns it

  // the owner's turn
  Hook in_owner;
  bool live = true;

  // the target's turn, then its parent's
  Hook in_target;
  std::string path;
  bool owner_over = false;  // of a link whose target was not begun when its owner ended

  Broken from_owner;   // written before the detach that carries it
  Broken from_target;  // written before the notice that carries it
};

inline void retain(WatchRecord& watch) noexcept { watch.references.fetch_add(1, std::memory_order_relaxed); }

template <WatchRecord::Hook WatchRecord::* hook>
void enlist(WatchRecord*& head, WatchRecord& watch) noexcept {
  WatchRecord::Hook& mine = watch.*hook;
  mine.listed = true;
  mine.previous = nullptr;
  mine.next = head;
  if (head != nullptr) (head->*hook).previous = &watch;
  head = &watch;
}

template <WatchRecord::Hook WatchRecord::* hook>
bool delist(WatchRecord*& head, WatchRecord& watch) noexcept {
  WatchRecord::Hook& mine = watch.*hook;
  if (!std::exchange(mine.listed, false)) return false;
  if (mine.previous != nullptr) {
    (mine.previous->*hook).next = mine.next;
  } else {
    head = mine.next;
  }
  if (mine.next != nullptr) (mine.next->*hook).previous = mine.previous;
  return true;
}

[[nodiscard]] inline Watching& need_watching(Cell& cell) {
  Extras& extras = cell.need_extras();
  if (extras.watching == nullptr) extras.watching = std::make_unique<Watching>();
  return *extras.watching;
}

/// In the owner's turn. Was it there, its reference goes with it.
inline void leave_owner(Cell& owner, WatchRecord& watch) noexcept {
  Watching& mine = *owner.extras->watching;
  if (delist<&WatchRecord::in_owner>(watch.kind == WatchRecord::Kind::link ? mine.links : mine.set, watch))
    release_watch(&watch);
}

/// In the target's turn. Was it there, its reference is the caller's.
[[nodiscard]] inline bool leave_target(Cell& target, WatchRecord& watch) noexcept {
  if (!watch.in_target.listed) return false;
  Watching& mine = *target.extras->watching;
  return delist<&WatchRecord::in_target>(watch.kind == WatchRecord::Kind::status ? mine.subscribers : mine.watchers,
                                         watch);
}

/// A link's news: what the other's failure will say. (links.cpp)
[[nodiscard]] WatchRecord::Broken broken(EndReason reason, std::string_view path, std::string_view type,
                                         const Result<>& result) noexcept;
/// Owner's turn.
void drop_link(Cell& owner, WatchRecord& watch) noexcept;
/// A record of the running incarnation, not yet in any list. (monitoring.cpp, as those that follow)
[[nodiscard]] std::unique_ptr<WatchRecord> new_record(Cell& owner, WatchRecord::Kind kind, const WatchTarget& target);
[[nodiscard]] bool is_gone(const WatchTarget& target) noexcept;
void send_attach(WatchRecord& watch) noexcept;
/// From the owner's turn, from its parent's, or from outside. The record must be held by the caller.
void send_detach(WatchRecord& watch) noexcept;
/// Takes the target side's reference.
void send_notice(WatchRecord& watch) noexcept;

}  // namespace detail
}  // namespace v0
}  // namespace backstage
