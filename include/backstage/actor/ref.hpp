// Ref<A>: the address of an actor's place; To<...>: the address of anybody who takes certain messages.
//
// A Ref copies like a pair of words, sends without touching a count, may be null, compares, hashes, and may outlive
// its actor and its Runtime: what is sent then becomes a dead letter, what is asked fails at once with Errc::gone.
// The place keeps its Refs through every restart. A may be incomplete where a Ref is held; send and ask need it whole.
// Threads: any. Stability: settling (v0).
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "backstage/actor/ask.hpp"
#include "backstage/actor/send_wait.hpp"

namespace backstage {
inline namespace v0 {

namespace detail {
struct RefAccess;

/// Whoever sends, from wherever.
template <class A, class M>
[[gnu::noinline]] void send_anyhow(Cell* cell, std::uint32_t generation, M&& message) {
  using Plain = std::remove_cvref_t<M>;
  if (cell == nullptr) return sent_to_nobody(plain_descriptor<A, Plain>);
  const Visit visit(cell);
  if (visit.core() == nullptr) return sent_to_nobody(plain_descriptor<A, Plain>);
  const HandingOver to(cell, is_plain_data<Plain>);
  auto* const block = build<PlainEnvelope<Plain>>(*visit.core(), visit.context(), plain_descriptor<A, Plain>,
                                                  generation, std::forward<M>(message));
  post_sent(*visit.core(), visit.context(), *cell, block->head);
}

template <class A, class M>
void send_message(Cell* cell, std::uint32_t generation, M&& message) {
  using Plain = std::remove_cvref_t<M>;
  if constexpr (is_plain_data<Plain> && std::is_nothrow_constructible_v<Plain, M>) {
    // What nearly every message is: plain data, sent in a turn of its actor's Runtime, with memory at hand. All else is left to a
    // call in last place, so that nothing has to be kept over it.
    WorkerContext* const context = cell != nullptr ? context_beside(cell) : nullptr;
    // acquire: as in Envelope's own.
    const std::uint32_t number = plain_descriptor<A, Plain>.number.load(std::memory_order_acquire);
    if (context != nullptr && number != 0) [[likely]] {
      using Block = PlainEnvelope<Plain>;
      static_assert(alignof(Block) <= 16);
      if (void* const memory = context->cache->allocate_at_hand(sizeof(Block))) [[likely]] {
        auto* const block = ::new (memory) Block{Envelope(number, generation), std::forward<M>(message)};
        return post_from_turn(*context, *cell, block->head);
      }
    }
  }
  return send_anyhow<A>(cell, generation, std::forward<M>(message));
}

template <class A, class M, class... X>
void send_new(Cell* cell, std::uint32_t generation, X&&... parts) {
  if (cell == nullptr) return sent_to_nobody(plain_descriptor<A, M>);
  const Visit visit(cell);
  if (visit.core() == nullptr) return sent_to_nobody(plain_descriptor<A, M>);
  const HandingOver to(cell, is_plain_data<M>);
  auto* const block = build<PlainEnvelope<M>>(*visit.core(), visit.context(), plain_descriptor<A, M>, generation,
                                              M{unmoved(std::forward<X>(parts))...});
  post_sent(*visit.core(), visit.context(), *cell, block->head);
}

[[nodiscard]] Error admission_error(Admission admission, std::string_view actor) noexcept;

template <class A, class M>
Result<> try_send_message(Cell* cell, std::uint32_t generation, M&& message) {
  using Plain = std::remove_cvref_t<M>;
  if (cell == nullptr) return admission_error(Admission::gone, type_name<A>());
  const Visit visit(cell);
  if (visit.core() == nullptr) return admission_error(Admission::gone, type_name<A>());
  const Admission verdict = admission(*cell, generation, weight_of<Plain>(message));
  if (verdict != Admission::admitted) return admission_error(verdict, type_name<A>());
  auto* const block = build<PlainEnvelope<Plain>>(*visit.core(), visit.context(), plain_descriptor<A, Plain>,
                                                  generation, std::forward<M>(message));
  const Admission entered = try_post(*visit.core(), visit.context(), *cell, block->head);
  if (entered == Admission::admitted) return {};
  // Somebody else took the room meanwhile, on another thread. The message goes back where it was moved from.
  if constexpr (!std::is_lvalue_reference_v<M> && !std::is_const_v<M> && std::is_nothrow_move_constructible_v<M>) {
    std::destroy_at(&message);
    std::construct_at(&message, std::move(block->message));
  }
  block->message.~Plain();
  free_envelope(*visit.core(), visit.context(), block->head);
  return admission_error(entered, type_name<A>());
}

/// As std::is_nothrow_destructible, over which a compiler takes some milliseconds for each message. (Of an array it says no.)
template <class M>
concept NothrowDestructible = requires(M& message) {
  { message.~M() } noexcept;
};
template <class M>
consteval void check_message() {
  static_assert(!std::is_pointer_v<M>, "a pointer is no message: send the value, or a smart pointer that owns it");
  static_assert(std::is_array_v<M> || NothrowDestructible<M>, "a message's destructor must not throw");
  static_assert(std::is_move_constructible_v<M>, "a message must be movable");
}

}  // namespace detail

template <class A>
class Ref {
 public:
  using actor_type = A;
  Ref() = default;

  /// Sends; does not wait. At a full mailbox its policy decides (by default: a dead letter). What a handler sends to the same
  /// actor right behind leaves together, when the handler sends to another, waits or ends; 20 ms later at most (ADR 0024).
  template <class M>
  void send(M&& message) const {
    using Plain = std::remove_cvref_t<M>;
    static_assert(sizeof(A) > 0, "send() needs the actor's definition");
    static_assert(Handles<A, Plain>, "this actor has no handle() for exactly that message type");
    detail::check_message<Plain>();
    if constexpr (Handles<A, Plain>) detail::send_message<A>(cell_, generation_, std::forward<M>(message));
  }
  /// Builds the message in place: `ref.send<Reading>("a", "b")`.
  template <class M, class... X>
    requires(sizeof...(X) != 1 || !(std::same_as<M, X> || ... || false))
  void send(X&&... parts) const {
    static_assert(sizeof(A) > 0, "send() needs the actor's definition");
    static_assert(Handles<A, M>, "this actor has no handle() for exactly that message type");
    detail::check_message<M>();
    if constexpr (Handles<A, M>) detail::send_new<A, M>(cell_, generation_, std::forward<X>(parts)...);
  }
  /// Sends if there is room; else says why (full, gone, stopping) and leaves the message as it was.
  template <class M>
  Result<> try_send(M&& message) const {
    using Plain = std::remove_cvref_t<M>;
    static_assert(sizeof(A) > 0, "try_send() needs the actor's definition");
    static_assert(Handles<A, Plain>, "this actor has no handle() for exactly that message type");
    detail::check_message<Plain>();
    return detail::try_send_message<A>(cell_, generation_, std::forward<M>(message));
  }
  /// Sends when there is room, first come first served: `co_await ref.send_wait(moved(m)).within(1s)`. In a mailbox of 128 and more room
  /// is given to those who wait when half of it is empty, or when the turn of its actor ends or waits.
  template <class M>
  [[nodiscard]] auto send_wait(M&& message) const {
    static_assert(
        detail::is_safe_in_await<M>,
        "g++ 12 would destroy this argument twice inside co_await: name it and pass backstage::moved(name)");
    using Plain = std::remove_cvref_t<decltype(detail::unmoved(std::forward<M>(message)))>;
    static_assert(Handles<A, Plain>, "this actor has no handle() for exactly that message type");
    detail::check_message<Plain>();
    return SendWait<A, Plain>(cell_, generation_, Plain(detail::unmoved(std::forward<M>(message))));
  }
  /// Asks with a message built in place: `co_await ref.ask<Get>("key").within(1s)`.
  template <class M, class... X>
  [[nodiscard]] auto ask(X&&... parts) const {
    static_assert(
        (detail::is_safe_in_await<X> && ...),
        "g++ 12 would destroy this argument twice inside co_await: name it and pass backstage::moved(name)");
    static_assert(sizeof(A) > 0, "ask() needs the actor's definition");
    static_assert(Handles<A, M>, "this actor has no handle() for exactly that message type");
    detail::check_message<M>();
    return Ask<M, reply_t<A, M>>(detail::Request<A, M>(cell_, generation_, std::forward<X>(parts)...));
  }
  /// Hands a request on: whoever asked gets the answer from A, under the same deadline.
  template <class M, class T>
  void forward(M&& message, Reply<T>&& reply) const {
    using Plain = std::remove_cvref_t<M>;
    static_assert(sizeof(A) > 0, "forward() needs the actor's definition");
    static_assert(Handles<A, Plain>, "this actor has no handle() for exactly that message type");
    static_assert(std::same_as<reply_t<A, Plain>, T>, "the actor's answer to that message has another type");
    detail::forward_message<A, Plain>(cell_, generation_, std::forward<M>(message), std::move(reply));
  }

  explicit operator bool() const noexcept { return cell_ != nullptr; }
  friend bool operator==(const Ref&, const Ref&) = default;
  friend auto operator<=>(const Ref& a, const Ref& b) noexcept {
    if (auto order = std::compare_three_way{}(a.cell_, b.cell_); order != 0) return order;
    return a.generation_ <=> b.generation_;
  }

 private:
  friend struct detail::RefAccess;
  Ref(detail::Cell* cell, std::uint32_t generation) noexcept : cell_(cell), generation_(generation) {}
  detail::Cell* cell_ = nullptr;
  std::uint32_t generation_ = 0;
};

namespace detail {
struct RefAccess {
  template <class A>
  static Ref<A> make(Cell* cell, std::uint32_t generation) noexcept {
    return Ref<A>(cell, generation);
  }
  template <class A>
  static Cell* cell(const Ref<A>& ref) noexcept {
    return ref.cell_;
  }
  template <class A>
  static std::uint32_t generation(const Ref<A>& ref) noexcept {
    return ref.generation_;
  }
};

template <class F>
struct Signature;
template <class R, class M>
struct Signature<R(M)> {
  using message = M;
  using reply = R;
};

/// What a protocol needs to know of one message: how to send it, how to ask with it.
template <class M>
struct ProtocolEntry {
  void (*send)(Cell*, std::uint32_t, M&&);
  const MessageDescriptor* ask;  // null for void(M), which may only be sent
};
template <class A, class F>
constexpr auto entry_for() {
  using M = typename Signature<F>::message;
  using R = typename Signature<F>::reply;
  static_assert(Handles<A, M>, "this actor has no handle() for exactly a message type of the protocol");
  if constexpr (!Handles<A, M>) {
    return ProtocolEntry<M>{nullptr, nullptr};
  } else if constexpr (std::is_void_v<R>) {
    return ProtocolEntry<M>{&send_message<A, M>, nullptr};
  } else {
    static_assert(std::same_as<reply_t<A, M>, R>, "the actor's answer to a message of the protocol has another type");
    return ProtocolEntry<M>{&send_message<A, M>, &ask_descriptor<A, M>};
  }
}

/// The R of the first R(M) in F with that M; void when there is none.
template <class M, class... F>
struct AnswerTo : std::type_identity<void> {};
template <class M, class First, class... F>
struct AnswerTo<M, First, F...>
    : std::conditional_t<std::same_as<M, typename Signature<First>::message>,
                         std::type_identity<typename Signature<First>::reply>, AnswerTo<M, F...>> {};
}  // namespace detail

/// Know the messages, not the receiver: `To<void(Reading), std::int64_t(Balance)> out;`, made from any Ref that fits.
/// `void(M)` may be sent; `R(M)` may also be asked: `co_await out.ask<Balance>().within(1s)` yields a Result<R>.
template <class... F>
class To {
 public:
  To() = default;
  /// Checked in the body, as everywhere: what holds a To may be declared before the actor is defined.
  template <class A>
  To(const Ref<A>& ref)  // NOLINT(google-explicit-constructor)
      : cell_(detail::RefAccess::cell(ref)), generation_(detail::RefAccess::generation(ref)), table_(&table_for<A>) {}

  template <class M>
  void send(M&& message) const {
    using Plain = std::remove_cvref_t<M>;
    static_assert(lists<Plain>, "the protocol does not list exactly that message type");
    if constexpr (lists<Plain>) {
      // A To that nobody filled has no table: nothing is known of a receiver.
      if (table_ == nullptr) return;
      std::get<detail::ProtocolEntry<Plain>>(*table_).send(cell_, generation_, Plain(std::forward<M>(message)));
    }
  }
  template <class M, class... X>
  [[nodiscard]] auto ask(X&&... parts) const {
    static_assert(
        (detail::is_safe_in_await<X> && ...),
        "g++ 12 would destroy this argument twice inside co_await: name it and pass backstage::moved(name)");
    using R = typename detail::AnswerTo<M, F...>::type;
    static_assert(!std::is_void_v<R>, "the protocol lists no answer to exactly that message type: R(M) may be asked");
    const detail::MessageDescriptor* descriptor = nullptr;
    if constexpr (lists<M>) {
      if (table_ != nullptr) descriptor = std::get<detail::ProtocolEntry<M>>(*table_).ask;
    }
    return Ask<M, R>(detail::RequestFor<M, R>(descriptor, cell_, generation_, std::forward<X>(parts)...));
  }
  explicit operator bool() const noexcept { return cell_ != nullptr; }
  friend bool operator==(const To& a, const To& b) noexcept {
    return a.cell_ == b.cell_ && a.generation_ == b.generation_;
  }

 private:
  template <class M>
  static constexpr bool lists = (std::same_as<M, typename detail::Signature<F>::message> || ... || false);
  using Table = std::tuple<detail::ProtocolEntry<typename detail::Signature<F>::message>...>;
  template <class A>
  static constexpr Table table_for{detail::entry_for<A, F>()...};

  detail::Cell* cell_ = nullptr;
  std::uint32_t generation_ = 0;
  const Table* table_ = nullptr;
};

template <class A>
Ref<std::remove_const_t<A>> Context::self(A*) {
  detail::Cell& me = cell();
  return detail::RefAccess::make<std::remove_const_t<A>>(&me, me.generation());
}

}  // namespace v0
}  // namespace backstage

template <class A>
struct std::hash<backstage::Ref<A>> {
  std::size_t operator()(const backstage::Ref<A>& ref) const noexcept {
    const auto cell = reinterpret_cast<std::uintptr_t>(backstage::detail::RefAccess::cell(ref));
    return std::hash<std::uintptr_t>{}(cell) ^
           (static_cast<std::size_t>(backstage::detail::RefAccess::generation(ref)) << 32U);
  }
};
