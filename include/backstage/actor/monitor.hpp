// Monitors, links and status subscriptions: hearing of the end, or of the state, of any actor (promises L9, L1).
//
//     monitor_ = cx.monitor(store, cx.self(this));      // then, exactly once:  void handle(backstage::Down)
//     cx.link(store);                                   // fails with it, and it with us
//     watch_ = cx.watch_status(store, cx.self(this));   // void handle(backstage::StatusChanged): now, then each change
//
// All of them watch the *place*: a restart is no end, the Ref goes on to work. (Who wants to hear of restarts, too,
// watches the status: each change names its incarnation.)
//
// Promises
//   (1) A monitor yields exactly one Down, also for a target that is gone already, a null Ref, a Runtime that is over.
//   (2) After cancel() nothing of it is handled, not even what waits in the mailbox.
//   (3) What the target sent comes before its Down, and (unless it was gone already) its name is free when Down comes.
//   (4) Down is never refused by a mailbox's bound, and needs no memory when it happens: its envelope is set aside when
//       the monitor is set. (Memory out, the error's text may be missing.)
//   (5) All of it belongs to the incarnation that set it: the next one handles nothing of it.
// Threads: the turn of the actor that watches; the target may live anywhere, in another Runtime, too.
// Cost: setting and cancelling are O(1) each, whatever the number of watchers. Unlinking looks through the links.
// Stability: settling (v0).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "backstage/actor/ref.hpp"
#include "backstage/actor/status.hpp"

namespace backstage {
inline namespace v0 {

/// Why a place is over. The first two are in order.
enum class EndReason : std::uint8_t {
  stopped,   ///< somebody told it to stop, or its supervisor ended
  finished,  ///< by its own wish (cx.stop(), Need::stop, its event loop's end), or its time to live was over
  failed,    ///< it failed, and its policy (or a supervisor on its own way out) did not restart it
  gave_up,   ///< its supervisor gave it up: it failed more often than its limit allows, or a Verdict escalated
  killed,    ///< ended at once: a deadline above it had passed
  unclean,   ///< told to stop, but cut off at its own deadline: what waited was destroyed, what was queued dropped
  gone,      ///< it was over before it was watched, or the Ref is null
};
[[nodiscard]] std::string_view to_string(EndReason reason) noexcept;
[[nodiscard]] constexpr bool is_orderly(EndReason reason) noexcept {
  return reason == EndReason::stopped || reason == EndReason::finished;
}

/// The end of an actor that was watched by cx.monitor() or runtime.monitor().
struct Down {
  std::string path;                    ///< empty when it was gone already
  std::string_view actor;              ///< its type
  std::uint64_t monitor = 0;           ///< Monitor::id(); 0 from runtime.monitor()
  EndReason reason = EndReason::gone;  ///< why the place is over
  Result<> result{};                   ///< how its last incarnation ended
  std::uint32_t incarnation = 0;       ///< how many lives it had

  /// The last step of the path.
  [[nodiscard]] std::string_view name() const noexcept;
  /// To pass on: "gone: /a/store (Store) failed for good", with the result's error as its cause.
  [[nodiscard]] Error error() const;
};

namespace detail {

struct WatchRecord;

/// News on its way into the watcher's mailbox. Holds the record from when it is posted.
template <class M>
struct WatchEnvelope {
  Envelope head;
  M message;
  WatchRecord* watch;
};

/// Whether news is to be handled: nobody cancelled, and it is the same incarnation. A Down is the last of its kind.
[[nodiscard]] bool is_awaited(Cell& cell, WatchRecord& watch, bool last) noexcept;
void release_watch(WatchRecord* watch) noexcept;

template <class A, class M>
Handled handle_watched(Cell& cell, Envelope& envelope) {
  auto& whole = reinterpret_cast<WatchEnvelope<M>&>(envelope);
  const DestroyAfter<M> guard{whole.message};
  const bool awaited = is_awaited(cell, *whole.watch, std::is_same_v<M, Down>);
  release_watch(whole.watch);
  if (!awaited) {
    skip_message(cell, envelope.descriptor(), Undelivered::cancelled);
    return Handled::done;
  }
  return dispatch<A, M>(cell, whole.message, NoAnswer{});
}
template <class M>
void abandon_watched(Envelope& envelope, Errc) noexcept {
  auto& whole = reinterpret_cast<WatchEnvelope<M>&>(envelope);
  whole.message.~M();
  release_watch(whole.watch);
}
template <class M>
std::size_t weigh_watched(const Envelope&) noexcept {
  return sizeof(M);
}
template <class A, class M>
inline constexpr MessageDescriptor watch_descriptor{.message = type_name<M>(),
                                                    .handle = &handle_watched<A, M>,
                                                    .abandon = &abandon_watched<M>,
                                                    .actor = type_name<A>(),
                                                    .size = sizeof(WatchEnvelope<M>),
                                                    .kind = SendKind::system,
                                                    .weight = &weigh_watched<M>};

/// Who is watched: a place, which may be nobody's.
struct WatchTarget {
  Cell* cell = nullptr;
  std::uint32_t generation = 0;
  std::string_view type;
};
template <class T>
[[nodiscard]] WatchTarget watch_target(const Ref<T>& target) noexcept {
  return {RefAccess::cell(target), RefAccess::generation(target), type_name<T>()};
}

/// A watch that was set, as its owner holds it. Counted: it may outlive everything.
class WatchHandle {
 public:
  WatchHandle() = default;
  explicit WatchHandle(WatchRecord* record) noexcept : record_(record) {}
  WatchHandle(const WatchHandle& other) noexcept;
  WatchHandle(WatchHandle&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
  WatchHandle& operator=(WatchHandle other) noexcept {
    std::swap(record_, other.record_);
    return *this;
  }
  ~WatchHandle() { release_watch(record_); }

  /// Nothing of it is handled from now on. True when there would have been something. From within the turn of the
  /// incarnation that set it only (elsewhere it does nothing and returns false).
  bool cancel() noexcept;
  /// Told apart within one place: never 0, never used again there. 0 of a handle that was never set.
  [[nodiscard]] std::uint64_t id() const noexcept;

 private:
  WatchRecord* record_ = nullptr;
};

using MakeStatus = Envelope* (*)(CoreFace&, WorkerContext*, std::uint32_t generation, const StatusChanged&,
                                 WatchRecord*);
/// Throws Need (Errc::invalid) unless `me` is the running actor.
void check_watcher(const Cell& owner, const Cell* me, std::uint32_t generation);
[[nodiscard]] WatchRecord* set_status_watch(Cell& owner, const WatchTarget& target, MakeStatus make);
void set_link(Cell& owner, const WatchTarget& target);
void remove_links(Cell& owner, const Cell* target, std::uint32_t generation) noexcept;
[[nodiscard]] WatchRecord* set_monitor(Cell& owner, const WatchTarget& target,
                                       Envelope* (*reserve)(CoreFace&, WorkerContext*, std::uint32_t generation));

template <class A>
Envelope* reserve_down(CoreFace& core, WorkerContext* context, std::uint32_t generation) {
  return &build<WatchEnvelope<Down>>(core, context, watch_descriptor<A, Down>, generation, Down{}, nullptr)->head;
}
template <class A>
Envelope* make_status(CoreFace& core, WorkerContext* context, std::uint32_t generation, const StatusChanged& change,
                      WatchRecord* watch) {
  return &build<WatchEnvelope<StatusChanged>>(core, context, watch_descriptor<A, StatusChanged>, generation, change,
                                              watch)
              ->head;
}

/// From outside: its Down waits in `state`.
[[nodiscard]] WatchRecord* set_outside_monitor(const WatchTarget& target, std::shared_ptr<OutsideAskOf<Down>> state);
void cancel_outside(WatchRecord* record) noexcept;

}  // namespace detail

/// A monitor that was set. Copies speak of the same one. Forgetting it does not cancel it.
class Monitor final : public detail::WatchHandle {
 public:
  using WatchHandle::WatchHandle;
};

/// A status subscription that was set. Copies speak of the same one. Forgetting it does not cancel it.
class StatusWatch final : public detail::WatchHandle {
 public:
  using WatchHandle::WatchHandle;
};

template <class T, class A>
Monitor Context::monitor(const Ref<T>& target, const Ref<A>& me) {
  static_assert(Handles<A, Down>,
                "monitor(target, self): this actor has no handle() for it: add  void handle(backstage::Down)");
  detail::check_watcher(cell(), detail::RefAccess::cell(me), detail::RefAccess::generation(me));
  return Monitor(detail::set_monitor(cell(), detail::watch_target(target), &detail::reserve_down<A>));
}
template <class T, class A>
StatusWatch Context::watch_status(const Ref<T>& target, const Ref<A>& me) {
  static_assert(Handles<A, StatusChanged>,
                "watch_status(target, self): this actor has no handle() for it: add  "
                "void handle(backstage::StatusChanged)");
  detail::check_watcher(cell(), detail::RefAccess::cell(me), detail::RefAccess::generation(me));
  return StatusWatch(detail::set_status_watch(cell(), detail::watch_target(target), &detail::make_status<A>));
}
template <class T>
void Context::link(const Ref<T>& target) {
  detail::set_link(cell(), detail::watch_target(target));
}
template <class T>
void Context::unlink(const Ref<T>& target) noexcept {
  detail::remove_links(cell(), detail::RefAccess::cell(target), detail::RefAccess::generation(target));
}

}  // namespace v0
}  // namespace backstage
