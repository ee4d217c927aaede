// Asking: a request, its deadline, and the answer as a Result.
//
//     auto stored = co_await store.ask<Put>(key, value).within(500ms);           // inside an actor
//     auto stored = runtime.ask<Put>(store, key, value).within(500ms);           // from a thread of your own
//
// An ask is sent when it is awaited. Without `within` it does not compile. The deadline is an instant; while a request
// is being handled, the asks it makes get the shorter of their own deadline and the request's.
// Errors: timeout (saying how long it queued, how long it ran, how many stood before it), gone, stopping, full,
// failed, dropped, cycle.
// Stability: settling (v0).
#pragma once

#include <algorithm>
#include <concepts>
#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

#include "backstage/actor/detail/descriptors.hpp"

namespace backstage {
inline namespace v0 {

/// Carries a named object by reference into an awaited call and moves it there: `ask<Put>(moved(reading))`.
/// Needed where g++ 12 would destroy a braced or moved aggregate twice.
template <class T>
class Moved {
 public:
  explicit Moved(T& object) noexcept : object_(&object) {}
  operator T() && { return std::move(*object_); }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] T take() && { return std::move(*object_); }

 private:
  T* object_;
};
template <class T>
[[nodiscard]] Moved<T> moved(T& object) noexcept {
  return Moved<T>(object);
}

namespace detail {

template <class T>
inline constexpr bool is_moved = false;
template <class T>
inline constexpr bool is_moved<Moved<T>> = true;

/// g++ 12 destroys a braced aggregate temporary twice when the expression has a co_await (GCC bug 101367 and kin).
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
template <class X>
inline constexpr bool is_safe_in_await = std::is_reference_v<X> || !std::is_class_v<X> || !std::is_aggregate_v<X> ||
                                         std::is_trivially_destructible_v<X>;
#else
template <class X>
inline constexpr bool is_safe_in_await = true;
#endif

template <class X>
decltype(auto) unmoved(X&& x) {
  if constexpr (is_moved<std::remove_cvref_t<X>>) {
    return std::forward<X>(x).take();
  } else {
    return std::forward<X>(x);
  }
}

/// What is needed to say why no answer came.
struct AskRecord {
  Cell* target = nullptr;
  std::uint32_t generation = 0;
  std::uint32_t position = 0;
  std::uint32_t taken_when_sent = 0;
  Instant sent{};
  std::string_view actor;
  std::string_view message;
};
[[nodiscard]] Error timeout_error(const AskRecord& record, Instant now);
/// Looks for a circle of waiting actors through `cell`; if there is one, all asks in it fail with Errc::cycle.
void probe_for_cycle(Cell& cell, std::uint32_t number);
void note_waiting(Cell& cell, const AskRecord& record, std::uint32_t number) noexcept;
void note_waiting_over(Cell& cell, std::uint32_t number) noexcept;
inline constexpr Duration cycle_probe_after = std::chrono::milliseconds(50);

/// A request that was built and not yet sent: owns its envelope.
template <class A, class M>
class Request {
 public:
  using T = reply_t<A, M>;
  using Block = AskEnvelope<M, T>;

  Request() = default;
  template <class... X>
  Request(Cell* target, std::uint32_t generation, X&&... parts) : target_(target) {
    if (target == nullptr) return;
    const Visit visit(target);
    if (visit.core() == nullptr) return;
    block_ = ::new (allocate_frame(sizeof(Block)))
        Block{Envelope(ask_descriptor<A, M>, generation), ReplyPort(), M{unmoved(std::forward<X>(parts))...}};
  }
  Request(Request&& other) noexcept : target_(other.target_), block_(std::exchange(other.block_, nullptr)) {}
  Request& operator=(Request&&) = delete;
  ~Request() {
    if (block_ != nullptr) {
      block_->~Block();
      deallocate_frame(block_);
    }
  }

  /// Sends it; the answer comes to `port`. Fills in the record, `sent` aside.
  void send(ReplyPort port, AskRecord& record) {
    record.target = target_;
    record.actor = type_name<A>();
    record.message = type_name<M>();
    if (block_ == nullptr) {
      answer<T>(std::move(port), Error(Errc::gone, reason_of_refusal(Errc::gone, type_name<A>())));
      return;
    }
    const Visit visit(target_);
    if (visit.core() == nullptr) {
      answer<T>(std::move(port), Error(Errc::gone, "the runtime of " + std::string(type_name<A>()) + " is over"));
      return;
    }
    // The runtime frees envelopes by their size, so this one has to come from its pool.
    auto* const out = build<Block>(*visit.core(), visit.context(), ask_descriptor<A, M>, block_->head.generation,
                                   std::move(port), std::move(block_->message));
    record.generation = out->head.generation;
    record.taken_when_sent = target_->mailbox.taken();
    count_sent(*visit.core(), visit.context());
    post(*visit.core(), visit.context(), *target_, out->head, &record.position);
  }

 private:
  Cell* target_ = nullptr;
  Block* block_ = nullptr;
};

template <class A, class M>
class AskAwait final : public ResultAwaiter<reply_t<A, M>> {
 public:
  using T = reply_t<A, M>;
  AskAwait(Request<A, M> request, Duration within) : request_(std::move(request)), within_(within) {}

  bool await_ready() {
    if (current_cell() != nullptr) return false;
    this->result_.emplace(Error(Errc::invalid, "co_await of an ask outside an actor: use runtime.ask(...).within(...)"));
    return true;
  }
  void await_suspend(std::coroutine_handle<> handle) {
    Cell& cell = *current_cell();
    record_.sent = this_turn->worker->fresh_now();
    Root* const root = static_cast<Root*>(this_turn->root);
    const Instant deadline = std::min(record_.sent + within_, root != nullptr ? root->deadline : Instant::never());
    const bool keeps_turn = root != nullptr && root->kind == RootKind::turn;
    if (keeps_turn) this->probe_at_ = record_.sent + cycle_probe_after;
    this->enlist(cell, handle, deadline);
    request_.send(ReplyPort(&cell, cell.generation(), this->number_, deadline), record_);
    if (keeps_turn) {
      note_waiting(cell, record_, this->number_);
      noted_ = &cell;
    }
  }
  Result<T> await_resume() {
    over();
    return std::move(*this->result_);
  }
  ~AskAwait() { over(); }

  void expire(Cell&) override {
    this->result_.emplace(timeout_error(record_, this_turn->worker->fresh_now()));
  }
  void probe(Cell& cell) override { probe_for_cycle(cell, this->number_); }
  void fail(Error error) override { this->result_.emplace(std::move(error)); }

 private:
  void over() noexcept {
    if (noted_ != nullptr) note_waiting_over(*std::exchange(noted_, nullptr), this->number_);
  }
  Request<A, M> request_;
  Duration within_;
  AskRecord record_;
  Cell* noted_ = nullptr;
};

/// Movable until it is awaited, so that when_all and pipe can take it.
template <class A, class M>
class [[nodiscard]] AskWithin {
 public:
  AskWithin(Request<A, M> request, Duration within) : request_(std::move(request)), within_(within) {}
  AskWithin(AskWithin&&) noexcept = default;
  AskAwait<A, M> operator co_await() && { return AskAwait<A, M>(std::move(request_), within_); }
  using value_type = Result<reply_t<A, M>>;

 private:
  Request<A, M> request_;
  Duration within_;
};

}  // namespace detail

/// A request without its deadline: only `within` can be done with it.
template <class A, class M>
class [[nodiscard]] Ask {
 public:
  explicit Ask(detail::Request<A, M> request) : request_(std::move(request)) {}
  Ask(Ask&&) noexcept = default;
  [[nodiscard]] detail::AskWithin<A, M> within(Duration d) && {
    return detail::AskWithin<A, M>(std::move(request_), d);
  }
  void operator co_await() && = delete;  // an ask always has a deadline: .within(500ms)

 private:
  detail::Request<A, M> request_;
};

}  // namespace v0
}  // namespace backstage
