// Monitors, links and status subscriptions (promises L9, L1).
//
// The record that all of them are, and who may touch it: watch_record.hpp. Links: links.cpp.
#include "backstage/actor/monitor.hpp"

#include <string>
#include <utility>

#include "../base/planted.hpp"
#include "core.hpp"
#include "lifecycle.hpp"
#include "watch_record.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

namespace {

using Kind = WatchRecord::Kind;
using Hook = WatchRecord::Hook;

[[nodiscard]] Error error_of(EndReason reason, std::string_view path, std::string_view type, const Result<>& result,
                             std::string_view before, Errc code) {
  std::string text(before);
  text += path.empty() ? std::string("an actor") : std::string(path);
  text += " (" + std::string(type) + ") ";
  switch (reason) {
    case EndReason::stopped: text += "was stopped in order"; break;
    case EndReason::finished: text += "ended by its own wish"; break;
    case EndReason::failed: text += "failed for good"; break;
    case EndReason::gave_up: text += "was given up by its supervisor"; break;
    case EndReason::killed: text += "was killed"; break;
    case EndReason::unclean: text += "was cut off at its stop deadline"; break;
    case EndReason::gone: text += "was gone already"; break;
  }
  return result ? Error(code, text) : Error(code, text, result.error());
}

// ------------------------------------------------------------------------------------- from target to owner

/// Takes the target side's reference.
void tell_down(WatchRecord& watch, EndReason reason, const Result<>& result, std::uint32_t incarnation) noexcept {
  const auto fill = [&](Down& down) {
    down.path = std::move(watch.path);
    down.actor = watch.target.type;
    down.monitor = watch.id;
    down.reason = reason;
    down.result = result;
    down.incarnation = incarnation;
  };
  if (watch.outside != nullptr) {
    Down down;
    fill(down);
    watch.outside->put(std::move(down));
    return release_watch(&watch);
  }
  const Visit visit(watch.owner);
  // Taken under the visit: it is of the owner's Runtime.
  Envelope* const envelope =
      visit.core() != nullptr ? watch.down.exchange(nullptr, std::memory_order_acq_rel) : nullptr;
  if (envelope == nullptr) return release_watch(&watch);  // cancelled
  auto& whole = reinterpret_cast<WatchEnvelope<Down>&>(*envelope);
  fill(whole.message);
  whole.watch = &watch;
  count_sent(*visit.core(), visit.context());
  post(*visit.core(), visit.context(), *watch.owner, *envelope);
}

void run_notice(LaneNode& node, Cell* owner) {
  WatchRecord& watch = *static_cast<WatchRecord::Node&>(node).record;
  if (owner == nullptr) return release_watch(&watch);
  leave_owner(*owner, watch);
  const bool fails = watch.kind == Kind::link && watch.live && watch.from_target.abnormal &&
                     watch.owner_incarnation == owner->incarnation();
  // News of a status may still stand in the mailbox, and are handled.
  if (watch.kind == Kind::link) watch.live = false;
  const Error why = watch.from_target.error;
  release_watch(&watch);
  if (fails) Lifecycle::fail_from_outside(*owner, Failure::Stage::link, why);
}

}  // namespace

/// Takes the target side's reference.
void send_notice(WatchRecord& watch) noexcept {
  const Visit visit(watch.owner);
  if (visit.core() == nullptr) return release_watch(&watch);
  watch.notice.run = &run_notice;
  watch.notice.generation = watch.owner_generation;
  watch.owner->post_lane(watch.notice);
}

namespace {

/// One status, if there is memory for it. In the target's turn, or where its place is over.
void send_status(WatchRecord& watch, const StatusChanged& change) noexcept {
  const Visit visit(watch.owner);
  if (visit.core() == nullptr) return;
  try {
    Envelope* const envelope =
        watch.make_status(*visit.core(), visit.context(), watch.owner_generation, change, &watch);
    retain(watch);
    count_sent(*visit.core(), visit.context());
    post(*visit.core(), visit.context(), *watch.owner, *envelope);
  } catch (...) {
    // Out of memory: a change is not told.
  }
}

/// The place was over before it was reached. Takes the target side's reference.
void tell_gone(WatchRecord& watch) noexcept {
  switch (watch.kind) {
    case Kind::monitor: return tell_down(watch, EndReason::gone, Result<>(Error(Errc::gone)), 0);
    case Kind::status:
      send_status(watch, StatusChanged{{}, watch.target.type, Status::stopped, Status::stopped, 0, {}});
      return send_notice(watch);
    case Kind::link:
      watch.from_target = broken(EndReason::gone, {}, watch.target.type, {});
      return send_notice(watch);
  }
}

// ------------------------------------------------------------------------------------- from owner to target

void run_attach(LaneNode& node, Cell* cell) {
  WatchRecord& watch = *static_cast<WatchRecord::Node&>(node).record;
  if (cell == nullptr) return tell_gone(watch);
  if (planted(Mistake::monitor_never_told) && cell->phase == Phase::ended) return release_watch(&watch);
  Watching* mine = nullptr;
  try {
    mine = &need_watching(*cell);
    watch.path = cell->full_path();
  } catch (...) {
    // Out of memory. Without its path it may be watched; without a list it cannot, and that is said.
    if (mine == nullptr) return tell_gone(watch);
  }
  enlist<&WatchRecord::in_target>(watch.kind == Kind::status ? mine->subscribers : mine->watchers, watch);
  if (watch.kind != Kind::status) return;
  const Status now = cell->status.load(std::memory_order_relaxed);
  send_status(watch, StatusChanged{watch.path, cell->ops().type, now, now, cell->incarnation(), {}});
}

void run_detach(LaneNode& node, Cell* cell) {
  WatchRecord& watch = *static_cast<WatchRecord::Node&>(node).record;
  // No cell: the place is over, and what hangs in its lists is its parent's to tell. There is nobody to be failed.
  if (cell != nullptr && watch.in_target.listed) {
    if (watch.from_owner.abnormal && cell->phase == Phase::starting) {
      watch.owner_over = true;  // begin() finds it
    } else {
      const Error why = watch.from_owner.error;
      const bool fails = watch.from_owner.abnormal;
      if (leave_target(*cell, watch)) release_watch(&watch);
      release_watch(&watch);
      if (fails) Lifecycle::fail_from_outside(*cell, Failure::Stage::link, why);
      return;
    }
  }
  release_watch(&watch);
}

}  // namespace

/// From the owner's turn, from its parent's, or from outside. The record must be held by the caller.
void send_detach(WatchRecord& watch) noexcept {
  const Visit visit(watch.target.cell);
  if (visit.core() == nullptr) return;
  retain(watch);
  watch.detach.run = &run_detach;
  watch.detach.generation = watch.target.generation;
  watch.target.cell->post_lane(watch.detach);
}

namespace {}  // namespace

void send_attach(WatchRecord& watch) noexcept {
  const WatchTarget& target = watch.target;
  if (target.cell == nullptr) return tell_gone(watch);
  const Visit visit(target.cell);
  if (visit.core() == nullptr ||
      target.cell->gate.load(std::memory_order_acquire) >> gate_bit::bits != target.generation) {
    return tell_gone(watch);
  }
  watch.attach.run = &run_attach;
  watch.attach.generation = target.generation;
  target.cell->post_lane(watch.attach);
}

namespace {

/// Owner's turn: nothing of it will be handled. True when something might have been.
bool stop_watching(Cell& owner, WatchRecord& watch) noexcept {
  if (!std::exchange(watch.live, false)) return false;
  if (Envelope* const envelope = watch.down.exchange(nullptr, std::memory_order_acq_rel)) {
    reinterpret_cast<WatchEnvelope<Down>&>(*envelope).message.~Down();
    Core& core = owner.core();
    free_envelope(core, context_for(&core), *envelope);
    send_detach(watch);
  } else if (watch.kind == Kind::status && watch.in_owner.listed) {
    send_detach(watch);  // not listed: it is over on the target's side
  }
  leave_owner(owner, watch);
  return true;
}

}  // namespace

bool is_gone(const WatchTarget& target) noexcept {
  if (target.cell == nullptr) return true;
  const Visit visit(target.cell);
  return visit.core() == nullptr ||
         target.cell->gate.load(std::memory_order_acquire) >> gate_bit::bits != target.generation;
}

std::unique_ptr<WatchRecord> new_record(Cell& owner, Kind kind, const WatchTarget& target) {
  Watching& mine = need_watching(owner);
  auto watch = std::make_unique<WatchRecord>(kind, target);
  watch->owner = &owner;
  watch->owner_generation = owner.generation();
  watch->owner_incarnation = owner.incarnation();
  watch->id = ++mine.last_id;
  return watch;
}

// ----------------------------------------------------------------------------------- what the API calls

void release_watch(WatchRecord* watch) noexcept {
  // acq_rel: whoever deletes sees what the others did with it.
  if (watch != nullptr && watch->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete watch;
}

bool is_awaited(Cell& cell, WatchRecord& watch, bool last) noexcept {
  if (!watch.live || watch.owner_incarnation != cell.incarnation()) return false;
  if (last) {
    watch.live = false;
    leave_owner(cell, watch);
  }
  return true;
}

WatchHandle::WatchHandle(const WatchHandle& other) noexcept : record_(other.record_) {
  if (record_ != nullptr) retain(*record_);
}

std::uint64_t WatchHandle::id() const noexcept { return record_ != nullptr ? record_->id : 0; }

bool WatchHandle::cancel() noexcept {
  if (record_ == nullptr || record_->owner == nullptr) return false;
  Cell& owner = *record_->owner;
  if (current_cell() != &owner || owner.generation() != record_->owner_generation ||
      owner.incarnation() != record_->owner_incarnation) {
    return false;
  }
  return stop_watching(owner, *record_);
}

void check_watcher(const Cell& owner, const Cell* me, std::uint32_t generation) {
  if (me == &owner && generation == owner.generation()) return;
  throw Need::fail(Error(Errc::invalid, "only the running actor itself can be told: pass cx.self(this)"));
}

WatchRecord* set_monitor(Cell& owner, const WatchTarget& target,
                         Envelope* (*reserve)(CoreFace&, WorkerContext*, std::uint32_t)) {
  auto record = new_record(owner, Kind::monitor, target);
  Core& core = owner.core();
  record->down.store(reserve(core, context_for(&core), owner.generation()), std::memory_order_relaxed);
  WatchRecord& watch = *record.release();
  retain(watch);  // the handle's
  enlist<&WatchRecord::in_owner>(owner.extras->watching->set, watch);
  send_attach(watch);
  return &watch;
}

WatchRecord* set_status_watch(Cell& owner, const WatchTarget& target, MakeStatus make) {
  WatchRecord& watch = *new_record(owner, Kind::status, target).release();
  watch.make_status = make;
  retain(watch);  // the handle's
  enlist<&WatchRecord::in_owner>(owner.extras->watching->set, watch);
  send_attach(watch);
  return &watch;
}

WatchRecord* set_outside_monitor(const WatchTarget& target, std::shared_ptr<OutsideAskOf<Down>> state) {
  auto* const watch = new WatchRecord(Kind::monitor, target);
  watch->outside = std::move(state);
  send_attach(*watch);
  return watch;
}

void cancel_outside(WatchRecord* record) noexcept {
  if (!is_gone(record->target)) send_detach(*record);
  release_watch(record);
}

// ---------------------------------------------------------------------------------- what a cell's life calls

bool Watches::has_subscribers(const Extras& extras) noexcept {
  return extras.watching != nullptr && extras.watching->subscribers != nullptr;
}

void Watches::status_changed(Cell& cell, const StatusChanged& change) noexcept {
  for (WatchRecord* watch = cell.extras->watching->subscribers; watch != nullptr; watch = watch->in_target.next) {
    send_status(*watch, change);
  }
}

void Watches::list(const Cell& cell, Inspection& seen) {
  if (cell.extras == nullptr || cell.extras->watching == nullptr) return;
  const Watching& mine = *cell.extras->watching;
  const auto how = [](const WatchRecord& watch) -> std::string {
    return watch.kind == Kind::monitor ? "monitor" : watch.kind == Kind::link ? "link" : "status";
  };
  const auto add = [&](std::vector<Watched>& list, const WatchRecord& watch, std::string who) {
    if (list.size() < Inspection::max_watches) list.push_back({how(watch), std::move(who)});
  };
  for (const WatchRecord* head : {mine.set, mine.links}) {
    for (const WatchRecord* watch = head; watch != nullptr; watch = watch->in_owner.next) {
      if (!watch->live) continue;
      add(seen.watches, *watch, place_name(watch->target.cell, watch->target.generation, watch->target.type));
    }
  }
  for (const WatchRecord* head : {mine.watchers, mine.subscribers}) {
    for (const WatchRecord* watch = head; watch != nullptr; watch = watch->in_target.next) {
      const bool outside = watch->owner == nullptr;
      add(seen.watched_by, *watch,
          outside ? "a thread outside" : place_name(watch->owner, watch->owner_generation, "a watcher"));
    }
  }
}

void Watches::incarnation_ended(Cell& cell) noexcept {
  if (cell.extras->watching == nullptr) return;
  Watching& mine = *cell.extras->watching;
  while (mine.set != nullptr) (void)stop_watching(cell, *mine.set);
  for (WatchRecord* watch = mine.links; watch != nullptr; watch = watch->in_owner.next) watch->live = false;
}

namespace {

[[nodiscard]] EndReason reason_of(const Cell& cell) noexcept {
  if (cell.ruling == Ruling::given_up) return EndReason::gave_up;
  if (cell.ruling == Ruling::over) return cell.failed ? EndReason::failed : EndReason::finished;
  if (cell.rest().killed) return EndReason::killed;
  if (cell.rest().cut_short) return EndReason::unclean;
  if (cell.failed && cell.ruling == Ruling::none) return EndReason::failed;
  // Its restart was decided, but did not come: somebody stopped it first.
  if (cell.ruling == Ruling::restart) return EndReason::stopped;
  return cell.rest().by_wish || cell.own_end ? EndReason::finished : EndReason::stopped;
}

[[nodiscard]] Result<> result_of(const Cell& cell, EndReason reason) noexcept {
  try {
    if (Result<> own = Lifecycle::outcome(cell); !own) return own;
    if (reason == EndReason::killed) return Error(Errc::cancelled, "ended at once: a deadline above it had passed");
    if (reason == EndReason::unclean) {
      return Error(Errc::timeout, "its stop deadline passed: what waited was destroyed, what was queued dropped");
    }
    return {};
  } catch (...) {
    return Error(Errc::failed);  // out of memory: the code alone needs none
  }
}

}  // namespace

EndNews Watches::take(Cell& child) noexcept {
  EndNews news;
  if (child.extras->watching == nullptr) return news;
  Watching& its = *child.extras->watching;
  news.watchers = std::exchange(its.watchers, nullptr);
  news.subscribers = std::exchange(its.subscribers, nullptr);
  news.links = std::exchange(its.links, nullptr);
  news.reason = reason_of(child);
  news.result = result_of(child, news.reason);
  news.incarnation = child.incarnation();
  return news;
}

void Watches::tell(EndNews& news) noexcept {
  // The lists are ours alone by now: the place is over, and nobody else walks or changes them.
  // In the order in which they were set: the list has the latest first.
  while (news.watchers != nullptr && news.watchers->in_target.next != nullptr) {
    news.watchers = news.watchers->in_target.next;
  }
  while (WatchRecord* const watch = news.watchers) {
    news.watchers = watch->in_target.previous;
    if (watch->kind == Kind::monitor) {
      tell_down(*watch, news.reason, news.result, news.incarnation);
    } else {
      watch->from_target = broken(news.reason, watch->path, watch->target.type, news.result);
      send_notice(*watch);
    }
  }
  while (WatchRecord* const watch = news.subscribers) {
    news.subscribers = watch->in_target.next;
    send_notice(*watch);
  }
  while (WatchRecord* const watch = news.links) {
    news.links = watch->in_owner.next;
    watch->from_owner = broken(news.reason, watch->owner_path, watch->owner_type, news.result);
    send_detach(*watch);
    release_watch(watch);  // the list's
  }
}

}  // namespace detail

// ------------------------------------------------------------------------------------------------ words

std::string_view to_string(EndReason reason) noexcept {
  switch (reason) {
    case EndReason::stopped: return "stopped";
    case EndReason::finished: return "finished";
    case EndReason::failed: return "failed";
    case EndReason::gave_up: return "gave_up";
    case EndReason::killed: return "killed";
    case EndReason::unclean: return "unclean";
    case EndReason::gone: return "gone";
  }
  return "unknown";
}

std::string_view Down::name() const noexcept {
  const std::string_view whole = path;
  return whole.substr(whole.rfind('/') + 1);
}

Error Down::error() const { return detail::error_of(reason, path, actor, result, "", Errc::gone); }

}  // namespace v0
}  // namespace backstage
