// How an actor's handlers and hooks are found: by the exact type of the parameter, looked up by the address of the
// overload set, never by calling it (a call would accept an int for a long, or slice).
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "backstage/base/result.hpp"
#include "backstage/exec/task.hpp"

namespace backstage {
inline namespace v0 {

template <class T = void>
class Reply;
template <class T = void>
class Interleaved;
class Context;

namespace detail {

template <class M>
consteval auto declared_reply() {
  if constexpr (requires { typename M::reply; }) {
    return std::type_identity<typename M::reply>{};
  } else {
    return std::type_identity<void>{};
  }
}

}  // namespace detail

/// A message that somebody waits for an answer to, in an own event loop. T is `M::reply` when M names one.
template <class M, class T = typename decltype(detail::declared_reply<M>())::type>
class Asked;

namespace detail {

template <class X>
struct AskedTraits {
  using message = void;
};
template <class M, class T>
struct AskedTraits<Asked<M, T>> {
  using message = M;
  using reply = T;
};

// The return type R of the overload of handle() with parameter P, in each accepted form.
template <class P, class A, class R>
R plain(R (A::*)(P));
template <class P, class A, class R>
R plain(R (A::*)(P) const);
template <class P, class A, class R>
R with_context(R (A::*)(P, Context&));
template <class P, class A, class R>
R with_context(R (A::*)(P, Context&) const);
/// What a handler with a Reply<T> returns, and the T. No std::pair: both may be void.
template <class R, class T>
struct Replying {
  using result = R;
  using reply = T;
};
template <class P, class A, class R, class T>
Replying<R, T> with_reply(R (A::*)(P, Reply<T>));
template <class P, class A, class R, class T>
Replying<R, T> with_reply_context(R (A::*)(P, Reply<T>, Context&));

template <class A, class P>
concept TakesPlain = requires { detail::plain<P>(&A::handle); };
template <class A, class P>
concept TakesContext = requires { detail::with_context<P>(&A::handle); };
template <class A, class P>
concept TakesReply = requires { detail::with_reply<P>(&A::handle); };
template <class A, class P>
concept TakesReplyContext = requires { detail::with_reply_context<P>(&A::handle); };
template <class A, class P>
concept Takes = TakesPlain<A, P> || TakesContext<A, P> || TakesReply<A, P> || TakesReplyContext<A, P>;

/// By value, by const reference, or by rvalue reference: the message type is what remains without them.
template <class A, class M>
concept HasHandler = Takes<A, M> || Takes<A, const M&> || Takes<A, M&&>;

template <class A, class M>
using parameter_t = std::conditional_t<Takes<A, M>, M, std::conditional_t<Takes<A, const M&>, const M&, M&&>>;

template <class T>
struct Unwrapped {
  using type = T;
  static constexpr bool is_task = false;
  static constexpr bool is_interleaved = false;
};
template <class T>
struct Unwrapped<Result<T>> : Unwrapped<T> {};
template <class T>
struct Unwrapped<Task<T>> : Unwrapped<T> {
  static constexpr bool is_task = true;
};
template <class T>
struct Unwrapped<Interleaved<T>> : Unwrapped<T> {
  static constexpr bool is_task = true;
  static constexpr bool is_interleaved = true;
};

template <class A, class M>
consteval auto handler_result() {
  using P = parameter_t<A, M>;
  if constexpr (TakesContext<A, P>) {
    return std::type_identity<decltype(detail::with_context<P>(&A::handle))>{};
  } else if constexpr (TakesPlain<A, P>) {
    return std::type_identity<decltype(detail::plain<P>(&A::handle))>{};
  } else if constexpr (TakesReplyContext<A, P>) {
    return std::type_identity<typename decltype(detail::with_reply_context<P>(&A::handle))::result>{};
  } else {
    return std::type_identity<typename decltype(detail::with_reply<P>(&A::handle))::result>{};
  }
}
template <class A, class M>
using handler_result_t = typename decltype(handler_result<A, M>())::type;

// Own event loops: what the Inbox lists.
template <class Loop>
struct LoopTraits : std::false_type {
  template <class M>
  static constexpr bool takes = false;
  template <class M>
  static constexpr bool asks = false;
};
template <class R, class A, class... M>
struct LoopTraits<R (A::*)(Context&, Inbox<M...>&)> : std::true_type {
  using inbox = Inbox<M...>;
  using result = R;
  template <class X>
  static constexpr bool takes = (std::same_as<X, M> || ...);
  template <class X>
  static constexpr bool asks = (std::same_as<X, typename AskedTraits<M>::message> || ...);
  /// The Asked<X, T> that the Inbox lists for X.
  template <class X, class... Rest>
  struct Find;
  template <class X, class First, class... Rest>
  struct Find<X, First, Rest...> : std::conditional_t<std::same_as<X, typename AskedTraits<First>::message>,
                                                      std::type_identity<First>, Find<X, Rest...>> {};
  template <class X>
  struct Find<X> : std::type_identity<void> {};
  template <class X>
  using asked = typename Find<X, M...>::type;
};
template <class A>
concept HasLoop = requires { &A::event_loop; };
template <class A>
consteval auto loop_traits() {
  if constexpr (HasLoop<A>) {
    return LoopTraits<decltype(&A::event_loop)>{};
  } else {
    return LoopTraits<void>{};
  }
}
template <class A>
using loop_t = decltype(loop_traits<A>());

template <class A, class M>
concept InLoop = loop_t<A>::template takes<M> || loop_t<A>::template asks<M>;

// ---- the reply type

template <class A, class M>
consteval auto reply_of() {
  if constexpr (HasHandler<A, M>) {
    using P = parameter_t<A, M>;
    if constexpr (TakesReplyContext<A, P>) {
      return std::type_identity<typename decltype(detail::with_reply_context<P>(&A::handle))::reply>{};
    } else if constexpr (TakesReply<A, P>) {
      return std::type_identity<typename decltype(detail::with_reply<P>(&A::handle))::reply>{};
    } else {
      return std::type_identity<typename Unwrapped<handler_result_t<A, M>>::type>{};
    }
  } else if constexpr (loop_t<A>::template asks<M>) {
    return std::type_identity<typename AskedTraits<typename loop_t<A>::template asked<M>>::reply>{};
  } else {
    static_assert(HasHandler<A, M>, "this actor has no handle() for exactly that message type");
    return std::type_identity<void>{};
  }
}

// ---- misspelt hooks: is there any member of that name at all?
// A class that inherits from A and from a struct with the same member name makes the name ambiguous.

struct NamesHandle {
  int handle;
};
struct NamesInit {
  int init;
};
struct NamesLoop {
  int event_loop;
};
struct NamesTerminating {
  int terminating;
};
struct NamesDescribe {
  int describe;
};
template <class A, class Names>
struct Both : A, Names {};

template <class A>
concept NoHandleMember = requires { &Both<A, NamesHandle>::handle; };
template <class A>
concept NoInitMember = requires { &Both<A, NamesInit>::init; };
template <class A>
concept NoLoopMember = requires { &Both<A, NamesLoop>::event_loop; };
template <class A>
concept NoTerminatingMember = requires { &Both<A, NamesTerminating>::terminating; };
template <class A>
concept NoDescribeMember = requires { &Both<A, NamesDescribe>::describe; };

// ---- hooks

template <class R>
concept HookVerdict =
    std::same_as<R, void> || std::same_as<R, Result<>> || std::same_as<R, Task<>> || std::same_as<R, Task<Result<>>>;

template <class R, class A>
R init_plain(R (A::*)());
template <class R, class A>
R init_context(R (A::*)(Context&));
template <class A>
concept InitPlain = requires { requires HookVerdict<decltype(detail::init_plain(&A::init))>; };
template <class A>
concept InitContext = requires { requires HookVerdict<decltype(detail::init_context(&A::init))>; };

template <class R>
concept EndVerdict = std::same_as<R, void> || std::same_as<R, Task<>>;
template <class R, class A>
R end_plain(R (A::*)());
template <class R, class A>
R end_context(R (A::*)(Context&));
template <class R, class A>
R end_why(R (A::*)(Context&, const Result<>&));
template <class A>
concept EndPlain = requires { requires EndVerdict<decltype(detail::end_plain(&A::terminating))>; };
template <class A>
concept EndContext = requires { requires EndVerdict<decltype(detail::end_context(&A::terminating))>; };
template <class A>
concept EndWhy = requires { requires EndVerdict<decltype(detail::end_why(&A::terminating))>; };

template <class A>
std::string describe_plain(std::string (A::*)() const);
template <class A>
concept Describes = requires { detail::describe_plain(&A::describe); };

// ---- a handle() that fits no form. Of an overload set only those who name the parameter can find a member, so this
// sees a handle() that stands alone: the first that a newcomer writes.

template <class P>
concept MessageParameter = !std::is_lvalue_reference_v<P> || std::is_const_v<std::remove_reference_t<P>>;

template <MessageParameter P, class A, class R>
void any_form(R (A::*)(P));
template <MessageParameter P, class A, class R>
void any_form(R (A::*)(P) const);
template <MessageParameter P, class A, class R>
void any_form(R (A::*)(P, Context&));
template <MessageParameter P, class A, class R>
void any_form(R (A::*)(P, Context&) const);
template <MessageParameter P, class A, class R, class T>
void any_form(R (A::*)(P, Reply<T>));
template <MessageParameter P, class A, class R, class T>
void any_form(R (A::*)(P, Reply<T>, Context&));
template <class A>
concept HasLoneHandle = requires { sizeof(decltype(&A::handle)); };
template <class A>
concept LoneHandleFits = requires { detail::any_form(&A::handle); };

template <class A>
consteval bool check_actor() {
  static_assert(std::is_class_v<A> && !std::is_const_v<A>, "an actor is a plain struct or class");
  static_assert(std::is_nothrow_destructible_v<A>, "an actor's destructor must not throw");
  if constexpr (std::is_class_v<A> && !std::is_final_v<A>) {
    static_assert(NoInitMember<A> || InitPlain<A> || InitContext<A>,
                  "init has no accepted signature: write  R init(Context&)  or  R init()  with R one of void, "
                  "Result<>, Task<>, Task<Result<>>");
    static_assert(!HasLoneHandle<A> || LoneHandleFits<A>,
                  "handle has no accepted signature: write  R handle(M),  R handle(M, Context&),  "
                  "R handle(M, Reply<T>)  or  R handle(M, Reply<T>, Context&)  with the message M taken as M, "
                  "const M& or M&&");
    static_assert(NoTerminatingMember<A> || EndPlain<A> || EndContext<A> || EndWhy<A>,
                  "terminating has no accepted signature: write  R terminating(Context&, const Result<>& why),  "
                  "R terminating(Context&)  or  R terminating()  with R one of void, Task<>");
    static_assert(NoDescribeMember<A> || Describes<A>,
                  "describe has no accepted signature: write  std::string describe() const");
    static_assert(NoLoopMember<A> || loop_t<A>::value,
                  "event_loop has no accepted signature: write  "
                  "Task<Result<>> event_loop(Context&, Inbox<Messages...>&)");
    static_assert(NoLoopMember<A> || NoHandleMember<A>,
                  "an actor has either handle() members or an event_loop(), not both");
  }
  return true;
}

}  // namespace detail

/// A handles M: exactly, without conversion.
template <class A, class M>
concept Handles = detail::HasHandler<A, M> || detail::InLoop<A, M>;

/// What asking A with M yields.
template <class A, class M>
using reply_t = typename decltype(detail::reply_of<A, M>())::type;

}  // namespace v0
}  // namespace backstage
