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
#include <memory>
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
inline constexpr bool is_safe_in_await =
    std::is_reference_v<X> || !std::is_class_v<X> || !std::is_aggregate_v<X> || std::is_trivially_destructible_v<X>;
/// A closure is no aggregate to the type traits, but is built like one.
template <class F>
inline constexpr bool is_closure_safe_in_await = !std::is_class_v<F> || std::is_trivially_destructible_v<F>;
#else
template <class X>
inline constexpr bool is_safe_in_await = true;
template <class F>
inline constexpr bool is_closure_safe_in_await = true;
#endif

template <class X>
decltype(auto) unmoved(X&& x) {
  if constexpr (is_moved<std::remove_cvref_t<X>>) {
    return std::forward<X>(x).take();
  } else {
    return std::forward<X>(x);
  }
}

/// What is needed to say why no answer came, and whom the asker waits for meanwhile.
struct AskRecord {
  Cell* target = nullptr;
  const MessageDescriptor* ask = nullptr;  // null: a request to nobody
  Instant sent{};
  std::uint32_t generation = 0;
  std::uint32_t position = 0;
  std::uint32_t taken_when_sent = 0;

  [[nodiscard]] std::string_view actor() const noexcept { return ask != nullptr ? ask->actor : "nobody"; }
  [[nodiscard]] std::string_view message() const noexcept { return ask != nullptr ? ask->message : "a request"; }
};
/// As post_from_turn(), of a request, which is never held; its asker waits from now on. Notes in `record` where in line it stands.
void post_request(WorkerContext& context, Cell& cell, Envelope& envelope, AskRecord& record);
[[nodiscard]] Error timeout_error(const AskRecord& record, Instant now);
/// How many messages the target has taken from its mailbox, to tell later how many stood before a request.
[[nodiscard]] std::uint32_t taken_from(Cell& target) noexcept;
/// Looks for a circle of waiting actors through `cell`; if there is one, all asks in it fail with Errc::cycle.
void probe_for_cycle(Cell& cell, std::uint32_t number);
/// "ask Get to /store", for whoever inspects the actor that asked.
[[nodiscard]] std::string describe_ask(const Awaiter& awaiter, const AskRecord& record);
/// The path of a place, from any turn or thread: "/store". Over already: "an actor that has ended (Store)".
[[nodiscard]] std::string place_name(const Cell* cell, std::uint32_t generation, std::string_view type);
/// `awaiter` waits for the answer to what `record` says, from now on and so long at most. True: it is noted that its actor waits for it.
/// False: that does not keep its turn; or another ask of this turn is noted already (when_all), and stays so; or there is no memory for it.
[[nodiscard]] bool begin_to_wait(Awaiter& awaiter, AskRecord& record, Cell& cell, std::coroutine_handle<> handle,
                                 Duration within);
inline void note_waiting_over(Cell& cell, std::uint32_t number) noexcept {
  WaitNote* const note = cell.side.load(std::memory_order_acquire);
  if (note == nullptr || note->number.load(std::memory_order_relaxed) != number) return;
  note->number.store(0, std::memory_order_relaxed);
  note->target.store(nullptr, std::memory_order_relaxed);
}
inline constexpr Duration cycle_probe_after = std::chrono::milliseconds(50);

/// A request that was built and not yet sent: owns its envelope. It knows the message and the answer, not the actor.
template <class M, class T>
class RequestFor {
 public:
  using Block = AskEnvelope<M, T>;

 private:
  struct Address {
    const MessageDescriptor* ask;
    Cell* target;  // null: nobody, and there is no message
    std::uint32_t generation;
  };
  static constexpr std::size_t message_at = (sizeof(Address) + alignof(M) - 1) / alignof(M) * alignof(M);

 public:
  /// `ask` is null when the target is.
  template <class... X>
  RequestFor(const MessageDescriptor* ask, Cell* target, std::uint32_t generation, X&&... parts)
      : to_(::new(allocate_frame_of_size<std::max(message_at + sizeof(M), sizeof(ReplyNode<T>))>())
                Address{ask, target, generation}) {
    if (target == nullptr) return;
    if (context_beside(target) == nullptr) [[unlikely]] {
      const Visit visit(target);
      if (visit.core() == nullptr) {
        to_->target = nullptr;
        return;
      }
    }
    try {
      ::new (at()) M{unmoved(std::forward<X>(parts))...};
    } catch (...) {
      deallocate_frame(to_);
      throw;
    }
  }
  RequestFor(RequestFor&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
  RequestFor& operator=(RequestFor&&) = delete;
  ~RequestFor() {
    if (to_ != nullptr) discard();
  }

  /// As far as it is known before the request is sent.
  [[nodiscard]] AskRecord record() const noexcept {
    if (to_ == nullptr) return {};  // sent already, or moved from: a request to nobody
    return {.target = to_->target, .ask = to_->ask, .generation = to_->generation};
  }
  /// Sends it in a turn of `asker`; the answer comes to its await of that number. The rest as below.
  void send_from(Cell& asker, std::uint32_t number, Instant deadline, bool is_noted, AskRecord& record) {
    Cell* const target = to_ != nullptr ? to_->target : nullptr;
    WorkerContext* const context = target != nullptr ? context_beside(target) : nullptr;
    if (context == nullptr) [[unlikely]]
      return send(PortOf{&asker, number, deadline, is_noted}, record);
    settle(*context->core, context);
    const HandingOver to(target, is_plain_data<M>);
    auto* const out = build<Block>(*context->core, context, *to_->ask, to_->generation,
                                   PortOf{&asker, number, deadline, is_noted}, std::move(message()));
    out->port.slot = vacate();
    post_request(*context, *target, out->head, record);
  }
  /// Sends it; the answer comes to `port`. `record` is what record() has said.
  void send(ReplyPort&& port, AskRecord& record) {
    settle_turn();
    Cell* const target = to_ != nullptr ? to_->target : nullptr;
    if (target == nullptr) {
      answer<T>(std::move(port), Error(Errc::gone, reason_of_refusal(Errc::gone, record.actor())));
      return;
    }
    const Visit visit(target);
    if (visit.core() == nullptr) {
      answer<T>(std::move(port), Error(Errc::gone, "the runtime of " + std::string(record.actor()) + " is over"));
      return;
    }
    // The runtime frees envelopes by their size, so this one has to come from its pool.
    const HandingOver to(target, is_plain_data<M>);
    auto* const out = build<Block>(*visit.core(), visit.context(), *to_->ask, to_->generation, std::move(port),
                                   std::move(message()));
    if (void* const memory = vacate(); out->port.cell != nullptr) {
      out->port.slot = memory;
    } else {
      deallocate_frame(memory);
    }
    record.taken_when_sent = taken_from(*target);
    count_sent(*visit.core(), visit.context());
    post(*visit.core(), visit.context(), *target, out->head, &record.position);
  }

 private:
  [[nodiscard]] void* at() const noexcept { return reinterpret_cast<std::byte*>(to_) + message_at; }
  [[nodiscard]] M& message() const noexcept { return *std::launder(static_cast<M*>(at())); }
  /// The message has moved out: where it stood until now is where its answer will stand.
  [[nodiscard]] void* vacate() noexcept {
    std::destroy_at(&message());
    return std::exchange(to_, nullptr);
  }
  [[gnu::noinline]] void discard() noexcept {
    if (to_->target != nullptr) std::destroy_at(&message());
    deallocate_frame(to_);
  }

  Address* to_;  // and the message behind it, until it is sent: in a frame, in which its answer has room
};

/// A request to an actor of a known type.
template <class A, class M>
class Request : public RequestFor<M, reply_t<A, M>> {
 public:
  template <class... X>
  Request(Cell* target, std::uint32_t generation, X&&... parts)
      : RequestFor<M, reply_t<A, M>>(&ask_descriptor<A, M>, target, generation, std::forward<X>(parts)...) {}
};

/// An ask under way, or another wait for actors by name, as the search for circles sees it.
struct AskEdge {
  AskRecord record_;
  /// Further actors that the same wait needs: the i-th, or null.
  [[nodiscard]] virtual const AskRecord* further_edge(std::size_t) const noexcept { return nullptr; }

 protected:
  // Polymorphic, so that it is found among an actor's awaiters.
  AskEdge() = default;
  explicit AskEdge(const AskRecord& record) noexcept : record_(record) {}
  ~AskEdge() = default;
};

/// A request that was sent and whose answer is waited for.
template <class T>
class AskUnderWay final : public ResultAwaiter<T>, public AskEdge {
 public:
  explicit AskUnderWay(const AskRecord& record) : AskEdge(record) {}
  ~AskUnderWay() { over(); }

  void begin(Cell& cell, std::coroutine_handle<> handle, Duration within) {
    // Noted before it is sent: whoever gets the request may forward it at once, and corrects the note.
    if (begin_to_wait(*this, record_, cell, handle, within)) noted_ = &cell;
  }
  [[nodiscard]] bool is_noted() const noexcept { return noted_ != nullptr; }
  /// Nothing is left of it that its destructor would have to see to.
  [[nodiscard]] Result<T> take() {
    over();
    Result<T> out(std::move(*this->result_));
    this->result_.reset();
    return out;
  }
  void expire(Cell&) override { this->result_.emplace(timeout_error(record_, this_turn->worker->fresh_now())); }
  void probe(Cell& cell) override { probe_for_cycle(cell, this->number_); }
  void fail(Error error) override { this->result_.emplace(std::move(error)); }
  [[nodiscard]] std::string describe_wait() const override { return describe_ask(*this, record_); }

 private:
  void over() noexcept {
    if (noted_ != nullptr) note_waiting_over(*std::exchange(noted_, nullptr), this->number_);
  }
  Cell* noted_ = nullptr;
};

/// A request that is awaited, in the frame of whoever waits. What that takes is built when it is sent.
template <class M, class T>
class AskAwait {
 public:
  AskAwait(RequestFor<M, T>&& request, Duration within) : request_(std::move(request)), within_(within) {}
  AskAwait(const AskAwait&) = delete;
  AskAwait& operator=(const AskAwait&) = delete;
  ~AskAwait() {
    // Its coroutine goes while it waits, or it could not be sent.
    if (is_under_way_) [[unlikely]]
      std::destroy_at(&under_way_);
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> handle) {
    Cell* const cell = current_cell();
    if (cell == nullptr) return false;
    AskUnderWay<T>& ask = *std::construct_at(&under_way_, request_.record());
    is_under_way_ = true;
    ask.begin(*cell, handle, within_);
    request_.send_from(*cell, ask.number_, ask.deadline_, ask.is_noted(), ask.record_);
    return true;
  }
  Result<T> await_resume() {
    if (!is_under_way_) [[unlikely]]
      return Error(Errc::invalid, "co_await of an ask outside an actor: use runtime.ask(...).within(...)");
    Result<T> out = under_way_.take();
    is_under_way_ = false;
    return out;
  }

 private:
  RequestFor<M, T> request_;
  Duration within_;
  bool is_under_way_ = false;
  union {
    AskUnderWay<T> under_way_;
  };
};

/// Movable until it is awaited, so that when_all and when_any can take it.
template <class M, class T>
class [[nodiscard]] AskWithin {
 public:
  AskWithin(RequestFor<M, T>&& request, Duration within) : request_(std::move(request)), within_(within) {}
  AskWithin(AskWithin&&) noexcept = default;
  AskAwait<M, T> operator co_await() && { return AskAwait<M, T>(std::move(request_), within_); }
  using value_type = Result<T>;

 private:
  RequestFor<M, T> request_;
  Duration within_;
};

}  // namespace detail

/// A request without its deadline: only `within` can be done with it. T is the answer to M.
template <class M, class T>
class [[nodiscard]] Ask {
 public:
  explicit Ask(detail::RequestFor<M, T>&& request) : request_(std::move(request)) {}
  Ask(Ask&&) noexcept = default;
  [[nodiscard]] detail::AskWithin<M, T> within(Duration d) && {
    return detail::AskWithin<M, T>(std::move(request_), d);
  }
  template <class Never = void>
  auto operator co_await() && {
    static_assert(!std::is_void_v<Never>, "an ask always has a deadline: co_await ref.ask<M>(...).within(500ms)");
    return std::suspend_never{};
  }

 private:
  detail::RequestFor<M, T> request_;
};

}  // namespace v0
}  // namespace backstage
