// Timers of an actor: send_after and send_every, and the handle that cancels them (promise L10).
//
// Monotonic and never early. Cancel is exact: after cancel() returned, no message of that timer is handled by its
// own actor, not even one that was due already; to another actor, none is sent any more. Timers belong to the
// incarnation that set them.
// Threads: the turn of the actor that set it. Stability: settling (v0).
#pragma once

#include <cstdint>
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

/// One set timer. Allocated by its actor, freed by its actor; the wheel and the lane only pass it on.
struct TimerRecord : TimerEntry, LaneNode {
  virtual ~TimerRecord() = default;
  /// The message for the actor itself, built now. It is handled at once and then freed.
  virtual Envelope* make(CoreFace&, WorkerContext*, std::uint32_t generation) = 0;
  /// Sends it to somebody else.
  virtual void send() = 0;
  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* block) noexcept { deallocate_frame(block); }

  Cell* owner = nullptr;
  std::uint64_t id = 0;
  TimerRecord* before = nullptr;  // while it is queued
  TimerRecord* behind = nullptr;
  Duration period{0};  // 0: once
  bool to_self = false;
  bool cancelled = false;  // fired already, but not to be handled
  bool queued = false;     // waits among the due ticks
  bool settled = false;    // fired for the last time, and its node is out of the lane
};

template <class A, class M>
struct TypedTimer final : TimerRecord {
  TypedTimer(Ref<A> t, M m) : target(t), message(std::move(m)) {}
  Envelope* make(CoreFace& core, WorkerContext* context, std::uint32_t target_generation) override {
    if constexpr (std::is_copy_constructible_v<M>) {
      if (period > Duration::zero()) {
        return &build<PlainEnvelope<M>>(core, context, plain_descriptor<A, M>, target_generation, message)->head;
      }
    }
    return &build<PlainEnvelope<M>>(core, context, plain_descriptor<A, M>, target_generation, std::move(message))
                ->head;
  }
  void send() override {
    if constexpr (std::is_copy_constructible_v<M>) {
      if (period > Duration::zero()) {
        target.send(M(message));
        return;
      }
    }
    target.send(std::move(message));
  }
  Ref<A> target;
  M message;
};

Timer set_timer(Cell& owner, TimerRecord* timer, Duration first, Duration period);

}  // namespace detail

template <class A, class M>
Timer Context::send_after(Duration d, Ref<A> target, M message) {
  static_assert(Handles<A, M>, "the target has no handle() for exactly that message type");
  detail::Cell& me = cell();
  auto* const timer = new detail::TypedTimer<A, M>(target, std::move(message));
  timer->to_self = target == self(static_cast<A*>(nullptr));
  return detail::set_timer(me, timer, d, Duration::zero());
}
template <class A, class M>
Timer Context::send_every(Duration period, Ref<A> target, M message) {
  static_assert(Handles<A, M>, "the target has no handle() for exactly that message type");
  static_assert(std::is_copy_constructible_v<M>, "a message that is sent again and again must be copyable");
  detail::Cell& me = cell();
  auto* const timer = new detail::TypedTimer<A, M>(target, std::move(message));
  timer->to_self = target == self(static_cast<A*>(nullptr));
  return detail::set_timer(me, timer, period, std::max(period, Duration(1'000)));
}

}  // namespace v0
}  // namespace backstage
