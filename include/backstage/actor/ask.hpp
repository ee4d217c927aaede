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
/// The same in a turn of `context`, of the actor that is running, whose coroutine handle_ waits; and sends what it waits for. `request` lies
/// in the pool of its target's Runtime, the turn's own, and has no port yet. `room`: a frame for the answer; it goes with it. To be called with
/// nothing held. Throws only before anything is sent; then what is listed is the awaiter's, and all else the caller's.
[[nodiscard]] bool send_and_wait(WorkerContext& context, Awaiter& awaiter, AskRecord& record, Envelope& request,
                                 Duration within, void* room);
inline void note_waiting_over(Cell& cell, std::uint32_t number) noexcept {
  WaitNote* const note = cell.side.load(std::memory_order_acquire);
  if (note == nullptr || note->number.load(std::memory_order_relaxed) != number) return;
  note->number.store(0, std::memory_order_relaxed);
  note->target.store(nullptr, std::memory_order_relaxed);
}
inline constexpr Duration cycle_probe_after = std::chrono::milliseconds(50);

/// Of a request that was not sent yet; it stands where its port will.
struct AskAddress {
  const MessageDescriptor* ask;  // null: a request to nobody
  std::uint32_t generation;
  bool carries_reply = false;
};
static_assert(sizeof(AskAddress) <= sizeof(ReplyPort) && std::is_trivially_copyable_v<AskAddress>);

/// A request that was built and not yet sent: owns its envelope. It knows the message and the answer, not the actor.
///
/// In a turn of the target's own Runtime it is built in that one's pool, where it is handled. It may outlive that Runtime, if it is carried
/// away: then its memory has gone with the message in it, which is not destroyed. So that is looked at only in a turn or during a Visit.
template <class M, class T>
class RequestFor {
 public:
  using Block = AskEnvelope<M, T>;

  /// `ask` is null when the target is.
  template <class... X>
  RequestFor(const MessageDescriptor* ask, Cell* target, std::uint32_t generation, X&&... parts)
      : to_(reinterpret_cast<std::uintptr_t>(target)) {
    WorkerContext* const context = target != nullptr ? context_beside(target) : nullptr;
    if (context != nullptr) [[likely]] {
      block_ = static_cast<Block*>(context->cache->allocate(sizeof(Block)));
    } else {
      target = take_frame(target);
    }
    ::new (place_of_port()) AskAddress{ask, generation};
    if (target == nullptr) [[unlikely]]
      return;
    const LookForReply look(is_plain_data<M>);
    try {
      ::new (static_cast<void*>(&block_->message)) M{unmoved(std::forward<X>(parts))...};
    } catch (...) {
      context != nullptr ? context->cache->deallocate(block_, sizeof(Block)) : deallocate_frame(block_);
      throw;
    }
    if constexpr (!is_plain_data<M>) address().carries_reply = look.has_found();
  }
  RequestFor(RequestFor&& other) noexcept : block_(std::exchange(other.block_, nullptr)), to_(other.to_) {}
  RequestFor& operator=(RequestFor&&) = delete;
  ~RequestFor() {
    if (block_ != nullptr) [[unlikely]]
      discard();
  }

  /// As far as it is known before the request is sent. Sent already, or moved from: a request to nobody.
  [[nodiscard, gnu::noinline]] AskRecord record() const noexcept {
    if (block_ == nullptr) return {};
    if (is_apart()) return {.target = target(), .ask = address().ask, .generation = address().generation};
    const Visit visit(target());
    if (visit.core() == nullptr) return {.target = target()};
    return {.target = target(), .ask = address().ask, .generation = address().generation};
  }
  /// Sends it in a turn of `asker`, whose coroutine `handle` waits for the answer. Says in `record` what was sent, and in `noted` who asked,
  /// if that was noted.
  void send_from(Cell& asker, Awaiter& awaiter, AskRecord& record, std::coroutine_handle<> handle, Duration within,
                 Cell*& noted) {
    WorkerContext* const context = block_ != nullptr && !is_apart() ? context_beside(target()) : nullptr;
    if (context == nullptr) [[unlikely]]
      return send_from_elsewhere(asker, awaiter, record, handle, within, noted);
    settle(*context->core, context);
    if constexpr (!is_plain_data<M>) {
      if (address().carries_reply) [[unlikely]]
        hand_reply_on(*context->core, context);
    }
    awaiter.handle_ = handle;
    const AskAddress to = address();
    record.target = target();
    record.ask = to.ask;
    record.generation = to.generation;
    Room room{allocate_frame_of_size<sizeof(ReplyNode<T>)>()};
    auto* const request = ::new (static_cast<void*>(&block_->head)) Envelope(*to.ask, to.generation);
    if (send_and_wait(*context, awaiter, record, *request, within, room.frame)) noted = &asker;
    room.frame = nullptr;
    block_ = nullptr;
  }
  /// Sends it; the answer comes to `port`. `record` is what record() has said; where in line the request stands is added.
  void send(ReplyPort&& port, AskRecord& record) {
    settle_turn();
    if (block_ == nullptr || target() == nullptr) {
      answer<T>(std::move(port), Error(Errc::gone, reason_of_refusal(Errc::gone, record.actor())));
      return;
    }
    const Visit visit(target());
    if (visit.core() == nullptr) {
      answer<T>(std::move(port), Error(Errc::gone, "the runtime of " + std::string(record.actor()) + " is over"));
      return;
    }
    Block* const out = is_apart() ? move_into(*visit.core(), visit.context(), std::move(port))
                                  : equip(*visit.core(), visit.context(), std::move(port));
    record.taken_when_sent = taken_from(*target());
    count_sent(*visit.core(), visit.context());
    post(*visit.core(), visit.context(), *target(), out->head, &record.position);
  }

 private:
  struct Room {
    void* frame;
    ~Room() {
      if (frame != nullptr) [[unlikely]]
        deallocate_frame(frame);
    }
  };

  [[nodiscard]] void* place_of_port() const noexcept { return static_cast<void*>(&block_->port); }
  [[nodiscard]] AskAddress& address() const noexcept {
    return *std::launder(static_cast<AskAddress*>(place_of_port()));
  }
  [[nodiscard]] Cell* target() const noexcept { return reinterpret_cast<Cell*>(to_ & ~apart); }
  [[nodiscard]] bool is_apart() const noexcept { return (to_ & apart) != 0; }
  /// Not in a turn of the target's Runtime: then it is nobody's memory but the heap's. Null: that one is over already, or nobody is asked.
  [[nodiscard, gnu::noinline]] Cell* take_frame(Cell* target) {
    block_ = static_cast<Block*>(allocate_frame_of(nullptr, std::max(sizeof(Block), sizeof(ReplyNode<T>))));
    if (target != nullptr && Visit(target).core() == nullptr) target = nullptr;
    to_ = reinterpret_cast<std::uintptr_t>(target) | apart;
    return target;
  }
  [[gnu::noinline]] void send_from_elsewhere(Cell& asker, Awaiter& awaiter, AskRecord& record,
                                             std::coroutine_handle<> handle, Duration within, Cell*& noted) {
    record = this->record();
    // Noted before it is sent: whoever gets the request may forward it at once, and corrects the note.
    if (begin_to_wait(awaiter, record, asker, handle, within)) noted = &asker;
    send(ReplyPort(&asker, asker.generation(), awaiter.number_, awaiter.deadline_, noted != nullptr), record);
  }
  /// Moved once more, into another block: from now on the target owes the answers that it carries.
  [[gnu::noinline]] void hand_reply_on(CoreFace& core, WorkerContext* context) {
    auto* const out = static_cast<Block*>(new_block(core, context, sizeof(Block)));
    try {
      const HandingOver to(target(), false);
      ::new (static_cast<void*>(&out->message)) M(std::move(block_->message));
    } catch (...) {
      free_block(core, context, out, sizeof(Block));
      throw;
    }
    std::destroy_at(&block_->message);
    ::new (static_cast<void*>(&out->port)) AskAddress{address().ask, address().generation};
    free_block(core, context, std::exchange(block_, out), sizeof(Block));
  }
  /// The runtime frees envelopes by their size, so this one has to come from its pool.
  [[nodiscard]] Block* move_into(CoreFace& core, WorkerContext* context, ReplyPort&& port) {
    const HandingOver to(target(), is_plain_data<M>);
    Block* const out = build<Block>(core, context, *address().ask, address().generation, std::move(port),
                                    std::move(block_->message));
    // The message has moved out: where it stood until now is where its answer will stand.
    std::destroy_at(&block_->message);
    void* const memory = std::exchange(block_, nullptr);
    if (out->port.cell != nullptr) {
      out->port.slot = memory;
    } else {
      deallocate_frame(memory);
    }
    return out;
  }
  [[nodiscard]] Block* equip(CoreFace& core, WorkerContext* context, ReplyPort&& port) {
    if (address().carries_reply) hand_reply_on(core, context);
    if (port.cell != nullptr) port.slot = allocate_frame(sizeof(ReplyNode<T>));
    ::new (static_cast<void*>(&block_->head)) Envelope(*address().ask, address().generation);
    ::new (place_of_port()) ReplyPort(std::move(port));
    return std::exchange(block_, nullptr);
  }
  [[gnu::noinline]] void discard() noexcept {
    if (is_apart()) {
      if (target() != nullptr) std::destroy_at(&block_->message);
      return deallocate_frame(block_);
    }
    const Visit visit(target());
    if (visit.core() == nullptr) return;
    std::destroy_at(&block_->message);
    free_block(*visit.core(), visit.context(), block_, sizeof(Block));
  }

  // Of an address: in a frame of the heap, in which the answer has room, too.
  static constexpr std::uintptr_t apart = 1;

  Block* block_;       // of it the address and the message only, until it is sent
  std::uintptr_t to_;  // the target, null: nobody, and there is no message; and `apart`
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
  ~AskEdge() = default;
};

/// A request that was sent and whose answer is waited for.
template <class T>
class AskUnderWay final : public ResultAwaiter<T>, public AskEdge {
 public:
  AskUnderWay() {}  // NOLINT(modernize-use-equals-default): a defaulted one would be preceded by zeros over all of it
  ~AskUnderWay() { over(); }

  template <class M>
  void begin(RequestFor<M, T>& request, Cell& cell, std::coroutine_handle<> handle, Duration within) {
    request.send_from(cell, *this, record_, handle, within, noted_);
  }
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
    AskUnderWay<T>& ask = *std::construct_at(&under_way_);
    is_under_way_ = true;
    ask.begin(request_, *cell, handle, within_);
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
