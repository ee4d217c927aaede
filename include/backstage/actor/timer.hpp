// Timers of an actor: send_after and send_every, and the handle that cancels them (promise L10).
//
// Monotonic and never early. Late by what the system takes to wake a thread (50 us, mostly), and by up to 100 us more where timers are due by
// the eight and nothing else goes on: then a worker is woken once for several. Cancel is exact: after cancel() returned, no message of that timer is handled by its
// own actor, not even one that was due already; to another actor, none is sent any more. Timers belong to the
// incarnation that set them. One that comes again stays on its own grid, and skips what was missed; to the actor itself it is
// set anew when its tick is handled, so that never two of its ticks wait, and a suspended actor's wakes nobody.
// Threads: the turn of the actor that set it. Stability: settling (v0).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "backstage/actor/ref.hpp"

namespace backstage {
inline namespace v0 {

/// A timer that was set. Copies speak of the same one. Forgetting it does not cancel it.
class Timer {
 public:
  Timer() = default;
  Timer(detail::Cell* owner, std::uint32_t generation, std::uint32_t incarnation, std::uint64_t id) noexcept
      : owner_(owner), generation_(generation), incarnation_(incarnation), id_(id) {}
  /// True when this call prevented at least one message. From within the turn of the actor that set it only
  /// (elsewhere it does nothing and returns false).
  bool cancel();

 private:
  detail::Cell* owner_ = nullptr;
  std::uint32_t generation_ = 0;
  std::uint32_t incarnation_ = 0;
  std::uint64_t id_ = 0;
};

namespace detail {

/// What its actor knows of a timer: it stands where a TimerEntry ends, and takes no room.
struct MarkedTimer : TimerEntry {
  MarkedTimer(bool own, bool again) noexcept : to_self(own), periodic(again), is_due(false), is_cancelled(false) {}

  bool to_self : 1;
  bool periodic : 1;      // it is a PeriodicTimer
  bool is_due : 1;        // in DueTimers
  bool is_cancelled : 1;  // its node is in the lane, which frees it
};

/// One set timer: once, if it is no PeriodicTimer. Allocated by its actor, freed by its actor. It is in one place at a time, so
/// one pair of links does for the wheel and for DueTimers:
///
///     wheel -- fire() --> lane -- run_timer() --> to itself: DueTimers -- handle_tick() --> over
///                                             \-> to another: sent, and over
///     one that comes again, instead of being over, is first put back into the wheel
struct TimerRecord : MarkedTimer, LaneNode {
  explicit TimerRecord(Cell& whose, bool own, bool again = false) noexcept : MarkedTimer(own, again), owner(&whose) {}
  void fire() noexcept final;
  // One of these two, as it is to itself or to another:
  /// The message, built now. It is handled at once and then freed.
  virtual Envelope* make(CoreFace&, WorkerContext*) { return nullptr; }
  virtual void send() {}
  /// Of the whole object.
  [[nodiscard]] virtual std::size_t bytes() const noexcept = 0;
  /// Ends it, and gives its memory back to its actor's Runtime.
  void destroy() noexcept;

  std::uint32_t place = 0;  // in its actor's table
  Cell* owner;
};
static_assert(sizeof(TimerRecord) == 80,
              "a block of 96 bytes has room for a message of 16, or of 8 that comes again and again");

/// Comes again and again. To itself it waits for its next instant only when its tick is handled: there is never more than one.
struct PeriodicTimer : TimerRecord {
  PeriodicTimer(Cell& whose, bool own) noexcept : TimerRecord(whose, own, true) {}
  Duration period{};
};

/// To the actor itself, which handles it from here.
template <class A, class M, class Kind>
struct TickTimer final : Kind {
  TickTimer(Cell& whose, M&& m) : Kind(whose, true), message(std::move(m)) {}
  Envelope* make(CoreFace& core, WorkerContext* context) override {
    if constexpr (std::is_same_v<Kind, PeriodicTimer>) {
      return &build<PlainEnvelope<M>>(core, context, plain_descriptor<A, M>, this->generation, message)->head;
    } else {
      return &build<PlainEnvelope<M>>(core, context, plain_descriptor<A, M>, this->generation, std::move(message))
                  ->head;
    }
  }
  [[nodiscard]] std::size_t bytes() const noexcept override { return sizeof(TickTimer); }
  M message;
};

template <class A, class M, class Kind>
struct SendTimer final : Kind {
  SendTimer(Cell& whose, Ref<A> to, M&& m) : Kind(whose, false), target(to), message(std::move(m)) {}
  void send() override {
    if constexpr (std::is_same_v<Kind, PeriodicTimer>) {
      target.send(M(message));
    } else {
      target.send(std::move(message));
    }
  }
  [[nodiscard]] std::size_t bytes() const noexcept override { return sizeof(SendTimer); }
  Ref<A> target;
  M message;
};

/// From the pool, without a header of its own: the size is known there and here.
template <class T, class... X>
[[nodiscard]] T* new_timer(Cell& owner, X&&... parts) {
  SlabPool* const pool = region_of(&owner).core.load(std::memory_order_relaxed)->pool;  // relaxed: its own turn
  void* const block = allocate_from(pool, sizeof(T));
  try {
    return ::new (block) T(owner, std::forward<X>(parts)...);
  } catch (...) {
    deallocate_to(pool, block, sizeof(T));
    throw;
  }
}
template <class Kind, class A, class M>
[[nodiscard]] Kind* new_timer_for(Cell& owner, bool own, Ref<A> target, M& message) {
  static_assert(alignof(M) <= 16, "messages with an alignment above 16 bytes are not supported: send a pointer");
  if (own) return new_timer<TickTimer<A, M, Kind>>(owner, std::move(message));
  return new_timer<SendTimer<A, M, Kind>>(owner, target, std::move(message));
}

/// The timer is its actor's from here on, also when this throws.
Timer set_timer(TimerRecord* timer, Duration first);

}  // namespace detail

template <class A, class M>
Timer Context::send_after(Duration d, Ref<A> target, M message) {
  static_assert(Handles<A, M>, "the target has no handle() for exactly that message type");
  const bool own = target == self(static_cast<A*>(nullptr));
  return detail::set_timer(detail::new_timer_for<detail::TimerRecord>(cell(), own, target, message), d);
}
template <class A, class M>
Timer Context::send_every(Duration period, Ref<A> target, M message) {
  static_assert(Handles<A, M>, "the target has no handle() for exactly that message type");
  static_assert(std::is_copy_constructible_v<M>, "a message that is sent again and again must be copyable");
  const bool own = target == self(static_cast<A*>(nullptr));
  auto* const timer = detail::new_timer_for<detail::PeriodicTimer>(cell(), own, target, message);
  timer->period = std::max(period, Duration(1'000));
  return detail::set_timer(timer, period);
}

}  // namespace v0
}  // namespace backstage
