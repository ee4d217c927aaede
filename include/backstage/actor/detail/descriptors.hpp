// The constant descriptors of (actor, message, kind of sending), and how each calls the actor's handler.
// Stability: internal.
#pragma once

#include <exception>
#include <type_traits>
#include <utility>

#include "backstage/actor/detail/task_root.hpp"
#include "backstage/actor/inbox.hpp"
#include "backstage/actor/interleaved.hpp"
#include "backstage/actor/reply.hpp"

namespace backstage {
inline namespace v0 {

/// Whether a message of this type may be copied before it is handled, for `.retry_failed(n)`. A message that its handler
/// takes as `const M&` needs no copy. Say so for others of your own:
///     template <> inline constexpr bool backstage::copied_for_retry<Reading> = true;
/// (It cannot be found out: a vector of what can be moved only claims to be copyable.)
template <class M>
inline constexpr bool copied_for_retry = std::is_trivially_copyable_v<M> && std::is_copy_constructible_v<M>;

namespace detail {

template <class M, class T>
struct AskEnvelope {
  Envelope head;
  ReplyPort port;
  M message;
};

/// The message's copy, or the message itself, to be handled again by the next incarnation. Without memory for it: not.
void keep_for_retry(Cell& cell, Envelope* (*move)(CoreFace&, WorkerContext*, Envelope&), Envelope& failed) noexcept;
/// The copy that was made of the message which is being handled, or null.
[[nodiscard]] Envelope* copy_in_hand(const Cell& cell) noexcept;

/// The text of an ask that its actor did not take: "the actor (chronicle::Store) is being stopped".
[[nodiscard]] std::string reason_of_refusal(Errc why, std::string_view actor);
/// The same as an Error, of the code alone when there is no memory for the text.
[[nodiscard]] Error refusal(Errc why, std::string_view actor) noexcept;

template <class P, class M>
decltype(auto) pass(M& message) {
  if constexpr (std::same_as<P, const M&>) {
    return static_cast<const M&>(message);
  } else {
    return std::move(message);
  }
}

/// Calls A::handle with the message and gives its outcome to `sink`, which a coroutine takes with it.
template <class A, class M, class Sink>
Handled invoke(Cell& cell, M& message, Sink& sink) {
  using P = parameter_t<A, M>;
  using R = handler_result_t<A, M>;
  using T = reply_t<A, M>;
  A& actor = cell.actor<A>();
  constexpr bool replies = TakesReply<A, P> || TakesReplyContext<A, P>;

  const Instant deadline = sink.deadline();
  const auto reply = [&]() -> Reply<T> {
    if constexpr (std::same_as<Sink, NoAnswer>) {
      return Reply<T>();
    } else {
      return ReplyAccess::make<T>(sink.release());
    }
  };
  const auto call = [&]() -> R {
    if constexpr (TakesReplyContext<A, P>) {
      return actor.handle(pass<P>(message), reply(), static_cast<Context&>(cell));
    } else if constexpr (TakesReply<A, P>) {
      return actor.handle(pass<P>(message), reply());
    } else if constexpr (TakesContext<A, P>) {
      return actor.handle(pass<P>(message), static_cast<Context&>(cell));
    } else {
      return actor.handle(pass<P>(message));
    }
  };

  if constexpr (Unwrapped<R>::is_task) {
    auto task = [&] {
      if constexpr (Unwrapped<R>::is_interleaved) {
        return call().release();
      } else {
        return call();
      }
    }();
    using Value = typename decltype(task)::value_type;
    auto finish = [s = std::move(sink)](Cell&, Task<Value>& done) mutable {
      if constexpr (std::is_void_v<Value>) {
        done.take();
        if constexpr (!replies) s(Result<T>());
      } else {
        Result<T> outcome(done.take());
        if constexpr (!replies) s(std::move(outcome));
      }
    };
    constexpr RootKind kind = Unwrapped<R>::is_interleaved ? RootKind::interleaved : RootKind::turn;
    return run_root(cell, kind, std::move(task), deadline, type_name<M>(), std::move(finish));
  } else if constexpr (std::is_void_v<R>) {
    call();
    if constexpr (!replies) sink(Result<T>());
    return Handled::done;
  } else {
    Result<T> outcome(call());
    sink(std::move(outcome));
    return Handled::done;
  }
}

/// Puts the message into the waiting event loop's slot and resumes it.
template <class A, class M, class Sink>
Handled deliver(Cell& cell, M& message, Sink& sink) {
  using Loop = loop_t<A>;
  using Event = typename Loop::inbox::Event;
  InboxBase& inbox = *waiting_inbox(cell);
  auto& slot = *static_cast<std::optional<Event>*>(inbox.slot);
  // A message that the Inbox lists both ways comes as what was done: sent or asked.
  constexpr bool is_asked = !std::same_as<Sink, NoAnswer>;
  if constexpr (Loop::template takes<M> && !(is_asked && Loop::template asks<M>)) {
    slot.emplace(std::in_place_type<M>, std::move(message));
  } else {
    using Question = typename Loop::template asked<M>;
    using T = typename Question::reply_type;
    if constexpr (std::same_as<Sink, NoAnswer>) {
      slot.emplace(std::in_place_type<Question>, std::move(message), Reply<T>());
    } else {
      slot.emplace(std::in_place_type<Question>, std::move(message), ReplyAccess::make<T>(sink.release()));
    }
  }
  return inbox_resume(inbox);
}

template <class A, class M, class Sink>
Handled dispatch_to(Sink& sink, Cell& cell, M& message) {
  if constexpr (HasHandler<A, M>) {
    return invoke<A, M>(cell, message, sink);
  } else {
    return deliver<A, M>(cell, message, sink);
  }
}
template <class A, class M, class Sink>
Handled dispatch(Cell& cell, M& message, Sink sink) {
  return dispatch_to<A>(sink, cell, message);
}

/// Destroys a message when the handler is done with it, also when it throws (M8: a coroutine has its own copy).
template <class M>
struct DestroyAfter {
  M& message;
  ~DestroyAfter() { message.~M(); }
};

/// Whether the message is intact when its handler has failed: a plain one that takes it as const M&.
template <class A, class M>
consteval bool leaves_message_intact() {
  if constexpr (HasHandler<A, M>) {
    return std::same_as<parameter_t<A, M>, const M&> && !Unwrapped<handler_result_t<A, M>>::is_task;
  } else {
    return false;
  }
}

/// Whether a request is handled again when it made its actor fail: not by own event loops, and not by a handler that takes
/// a Reply, which was handed the right to answer for good.
template <class A, class M>
consteval bool is_retried() {
  if constexpr (HasHandler<A, M>) {
    using P = parameter_t<A, M>;
    return !TakesReply<A, P> && !TakesReplyContext<A, P>;
  } else {
    return false;
  }
}

/// Whether the answer is what a handler returns that does not wait.
template <class A, class M>
consteval bool answers_at_once() {
  if constexpr (is_retried<A, M>()) {
    return !Unwrapped<handler_result_t<A, M>>::is_task;
  } else {
    return false;
  }
}

template <class A, class M>
Handled handle_plain(Cell& cell, Envelope& envelope) {
  auto& whole = reinterpret_cast<PlainEnvelope<M>&>(envelope);
  const DestroyAfter<M> guard{whole.message};
  if constexpr (leaves_message_intact<A, M>() && !copied_for_retry<M>) {
    try {
      return dispatch<A, M>(cell, whole.message, NoAnswer{});
    } catch (...) {
      if (cell.retries) {
        keep_for_retry(
            cell,
            [](CoreFace& core, WorkerContext* context, Envelope& failed) {
              auto& it = reinterpret_cast<PlainEnvelope<M>&>(failed);
              return &build<PlainEnvelope<M>>(core, context, failed.descriptor(), failed.generation,
                                              std::move(it.message))
                          ->head;
            },
            envelope);
      }
      throw;
    }
  } else {
    return dispatch<A, M>(cell, whole.message, NoAnswer{});
  }
}
template <class M>
void abandon_plain(Envelope& envelope, Errc) noexcept {
  reinterpret_cast<PlainEnvelope<M>&>(envelope).message.~M();
}
template <class M>
std::size_t weigh_plain(const Envelope& envelope) noexcept {
  return weight_of(reinterpret_cast<const PlainEnvelope<M>&>(envelope).message);
}

/// Moves a request, and the right to answer it, into a block of its own.
template <class M, class T>
Envelope* move_ask(CoreFace& core, WorkerContext* context, Envelope& failed) {
  auto& it = reinterpret_cast<AskEnvelope<M, T>&>(failed);
  auto* const out = build<AskEnvelope<M, T>>(core, context, failed.descriptor(), failed.generation, ReplyPort(),
                                             std::move(it.message));
  out->port = std::move(it.port);
  out->port.has_begun = true;
  return &out->head;
}

template <class A, class M>
Handled handle_ask(Cell& cell, Envelope& envelope) {
  using T = reply_t<A, M>;
  auto& whole = reinterpret_cast<AskEnvelope<M, T>&>(envelope);
  const DestroyAfter<M> guard{whole.message};
  const DestroyAfter<ReplyPort> port_guard{whole.port};
  if (whole.port && is_given_up(whole.port)) {
    skip_request(cell, envelope.descriptor());
    return Handled::done;
  }
  // To be handled again if it fails: then the right to answer is kept with what is kept of the request. (A handler that
  // takes a Reply has it: the right is the user's from there on, and the request is not handled again.)
  if constexpr (is_retried<A, M>()) {
    if (cell.retries) [[unlikely]] {
      if constexpr (copied_for_retry<M>) {
        if (Envelope* const copy = copy_in_hand(cell)) {
          auto& kept = reinterpret_cast<AskEnvelope<M, T>&>(*copy);
          kept.port = std::move(whole.port);
          kept.port.has_begun = true;
          return dispatch<A, M>(cell, whole.message, KeptAnswer<T>(kept.port));
        }
      } else if constexpr (leaves_message_intact<A, M>()) {
        try {
          return dispatch<A, M>(cell, whole.message, KeptAnswer<T>(whole.port));
        } catch (...) {
          keep_for_retry(cell, &move_ask<M, T>, envelope);
          AskAnswer<T> unless_kept(std::move(whole.port));
          throw;
        }
      }
    }
  }
  if constexpr (answers_at_once<A, M>()) {
    AnswerInPlace<T> sink(whole.port);
    return dispatch_to<A>(sink, cell, whole.message);
  } else {
    AskAnswer<T> sink(std::move(whole.port));
    return dispatch_to<A>(sink, cell, whole.message);
  }
}
template <class A, class M>
void abandon_ask(Envelope& envelope, Errc why) noexcept {
  using T = reply_t<A, M>;
  auto& whole = reinterpret_cast<AskEnvelope<M, T>&>(envelope);
  whole.message.~M();
  const bool began = whole.port.has_begun;
  if (whole.port && began && why == Errc::failed) {
    AskAnswer<T> failed(std::move(whole.port));  // says so
  } else if (whole.port) {
    answer<T>(std::move(whole.port), refusal(why, type_name<A>()).and_may_have_run(began));
  }
  whole.port.~ReplyPort();
}
template <class A, class M>
std::size_t weigh_ask(const Envelope& envelope) noexcept {
  return weight_of(reinterpret_cast<const AskEnvelope<M, reply_t<A, M>>&>(envelope).message);
}

template <class M>
Envelope* copy_plain(CoreFace& core, WorkerContext* context, const Envelope& envelope) {
  const auto& whole = reinterpret_cast<const PlainEnvelope<M>&>(envelope);
  return &build<PlainEnvelope<M>>(core, context, envelope.descriptor(), envelope.generation, whole.message)->head;
}
template <class M>
consteval auto copier_of() -> Envelope* (*)(CoreFace&, WorkerContext*, const Envelope&) {
  if constexpr (copied_for_retry<M>) {
    return &copy_plain<M>;
  } else {
    return nullptr;
  }
}

/// The request without the right to answer it: that is moved over when it is handled.
template <class M, class T>
Envelope* copy_ask(CoreFace& core, WorkerContext* context, const Envelope& envelope) {
  const auto& whole = reinterpret_cast<const AskEnvelope<M, T>&>(envelope);
  return &build<AskEnvelope<M, T>>(core, context, envelope.descriptor(), envelope.generation, ReplyPort(),
                                   whole.message)
              ->head;
}
template <class A, class M>
consteval auto asks_copier_of() -> Envelope* (*)(CoreFace&, WorkerContext*, const Envelope&) {
  if constexpr (copied_for_retry<M> && is_retried<A, M>()) {
    return &copy_ask<M, reply_t<A, M>>;
  } else {
    return nullptr;
  }
}
template <class A, class M>
inline constexpr MessageDescriptor plain_descriptor{.message = type_name<M>(),
                                                    .handle = &handle_plain<A, M>,
                                                    .abandon = &abandon_plain<M>,
                                                    .actor = type_name<A>(),
                                                    .size = sizeof(PlainEnvelope<M>),
                                                    .kind = SendKind::plain,
                                                    .weight = &weigh_plain<M>,
                                                    .copy = copier_of<M>()};
template <class A, class M>
inline constexpr MessageDescriptor system_descriptor{.message = type_name<M>(),
                                                     .handle = &handle_plain<A, M>,
                                                     .abandon = &abandon_plain<M>,
                                                     .actor = type_name<A>(),
                                                     .size = sizeof(PlainEnvelope<M>),
                                                     .kind = SendKind::system,
                                                     .weight = &weigh_plain<M>};
template <class A, class M>
inline constexpr MessageDescriptor ask_descriptor{.message = type_name<M>(),
                                                  .handle = &handle_ask<A, M>,
                                                  .abandon = &abandon_ask<A, M>,
                                                  .actor = type_name<A>(),
                                                  .size = sizeof(AskEnvelope<M, reply_t<A, M>>),
                                                  .kind = SendKind::ask,
                                                  .weight = &weigh_ask<A, M>,
                                                  .copy = asks_copier_of<A, M>()};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
