// Child specs: what to start, under which name, and how it is supervised.
//
//     cx.spawn(child<Parser>("parser-1", dialect)
//                  .restart(Restart::on_failure).backoff(100ms, 30s).at_most(5, per(1min))
//                  .mailbox(bounded(1'000)).stop_within(2s).on_end(cx.self(this)));
//
// The arguments are kept by value, and passed as `const T&` to the constructor of each incarnation. Supervision
// belongs to the place that spawns: the same struct may live under many policies.
// Stability: settling (v0).
#pragma once

#include <concepts>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "backstage/actor/eol.hpp"
#include "backstage/actor/ref.hpp"

namespace backstage {
inline namespace v0 {

/// A name for a child that nobody looks up: "#1", "#2" ... Any number of siblings may be unnamed.
inline constexpr std::string_view unnamed{};

namespace detail {

struct EndTarget {
  Cell* cell = nullptr;
  std::uint32_t generation = 0;
  /// Builds the Eol for a child that is about to be destroyed. Null when memory ran out.
  Envelope* (*make)(Cell& child, CoreFace&, WorkerContext*, std::uint32_t generation, Result<> result) = nullptr;
};

/// Who is told of each change of a child's status.
struct ReportTarget {
  Cell* cell = nullptr;
  std::uint32_t generation = 0;
  Envelope* (*make)(CoreFace&, WorkerContext*, std::uint32_t generation, StatusChanged change) = nullptr;
};

/// A policy of a child's own, with what else its spec says.
struct OwnPolicy : ChildPolicy {
  EndTarget end;
  ReportTarget report;
};
inline constexpr ChildPolicy default_policy{};

template <class A>
inline constexpr char type_tag = 0;

template <class A, class... Args>
struct TypedBody {
  Body head;
  std::tuple<Args...> arguments;
  alignas(A) std::byte storage[sizeof(A)];
};

template <class R>
using hook_value_t = typename R::value_type;

/// Runs a hook that may return void, Result<>, Task<> or Task<Result<>>; an Error becomes a thrown Need.
template <class Call>
Handled run_hook(Cell& cell, std::string_view hook, Call call) {
  using R = decltype(call());
  if constexpr (std::is_void_v<R>) {
    call();
    return Handled::done;
  } else if constexpr (std::same_as<R, Result<>>) {
    call().or_fail();
    return Handled::done;
  } else {
    using V = typename R::value_type;
    return run_root(cell, RootKind::turn, call(), Instant::never(), hook, [](Cell&, Task<V>& task) {
      if constexpr (std::is_void_v<V>) {
        task.take();
      } else {
        task.take().or_fail();
      }
    });
  }
}

void loop_ended(Cell& cell);

template <class A>
struct LoopFrame;

template <class A, class... Args>
struct OpsOf {
  using Typed = TypedBody<A, Args...>;

  static void construct(Cell& cell) {
    auto& body = reinterpret_cast<Typed&>(*cell.body);
    std::apply([&](const Args&... arguments) { ::new (static_cast<void*>(body.storage)) A(arguments...); },
               std::as_const(body.arguments));
  }
  static void destroy(Cell& cell) noexcept { cell.actor<A>().~A(); }
  static Handled init(Cell& cell) {
    [[maybe_unused]] A& actor = cell.actor<A>();
    if constexpr (InitContext<A>) {
      return run_hook(cell, "init", [&] { return actor.init(static_cast<Context&>(cell)); });
    } else if constexpr (InitPlain<A>) {
      return run_hook(cell, "init", [&] { return actor.init(); });
    } else {
      return Handled::done;
    }
  }
  static Handled loop(Cell& cell) {
    if constexpr (loop_t<A>::value) {
      using R = typename loop_t<A>::result;
      using V = typename R::value_type;
      using Box = typename loop_t<A>::inbox;
      // The inbox lives as long as the loop: in the finisher that the root owns.
      auto box = std::make_unique<Box>(cell);
      Box& inbox = *box;
      return run_root(cell, RootKind::turn, cell.actor<A>().event_loop(static_cast<Context&>(cell), inbox),
                      Instant::never(), "event_loop", [b = std::move(box)](Cell& c, Task<V>& task) {
                        if constexpr (std::is_void_v<V>) {
                          task.take();
                        } else {
                          task.take().or_fail();
                        }
                        loop_ended(c);
                      });
    } else {
      return Handled::done;
    }
  }
  static Handled terminating(Cell& cell, const Result<>& why) {
    [[maybe_unused]] A& actor = cell.actor<A>();
    if constexpr (EndWhy<A>) {
      return run_hook(cell, "terminating", [&] { return actor.terminating(static_cast<Context&>(cell), why); });
    } else if constexpr (EndContext<A>) {
      return run_hook(cell, "terminating", [&] { return actor.terminating(static_cast<Context&>(cell)); });
    } else if constexpr (EndPlain<A>) {
      return run_hook(cell, "terminating", [&] { return actor.terminating(); });
    } else {
      return Handled::done;
    }
  }
  static void release(Body& head, SlabPool& pool) noexcept {
    auto& body = reinterpret_cast<Typed&>(head);
    const std::uint32_t bytes = head.block_bytes;
    if (head.policy != &default_policy) delete static_cast<const OwnPolicy*>(head.policy);
    body.~Typed();
    if constexpr (alignof(Typed) <= 16) {
      deallocate_to(&pool, &body, bytes);
    } else {
      pool.shared().deallocate(&body, bytes, alignof(Typed));
    }
  }

  static constexpr ActorOps ops{.type = type_name<A>(),
                                .type_id = &type_tag<A>,
                                .has_loop = loop_t<A>::value,
                                .has_init = InitContext<A> || InitPlain<A>,
                                .has_terminating = EndWhy<A> || EndContext<A> || EndPlain<A>,
                                .construct = &construct,
                                .destroy = &destroy,
                                .init = &init,
                                .loop = &loop,
                                .terminating = &terminating,
                                .release = &release};
};

/// One block: header, arguments, the actor, its name.
template <class A, class... Args>
Body* make_body(SlabPool& pool, std::string_view name, std::tuple<Args...>&& arguments, const ChildPolicy* policy) {
  using Typed = TypedBody<A, Args...>;
  const std::size_t bytes = sizeof(Typed) + name.size();
  void* memory = nullptr;
  if constexpr (alignof(Typed) <= 16) {
    memory = allocate_from(&pool, bytes);
  } else {
    memory = pool.shared().allocate(bytes, alignof(Typed));
  }
  auto* const body = ::new (memory) Typed{Body{}, std::move(arguments), {}};
  char* const text = reinterpret_cast<char*>(body) + sizeof(Typed);
  if (!name.empty()) std::memcpy(text, name.data(), name.size());
  body->head.ops = &OpsOf<A, Args...>::ops;
  body->head.policy = policy;
  body->head.actor = body->storage;
  body->head.block_bytes = static_cast<std::uint32_t>(bytes);
  body->head.name_bytes = static_cast<std::uint32_t>(name.size());
  return &body->head;
}

template <class A, class P>
Envelope* make_eol(Cell& child, CoreFace& core, WorkerContext* context, std::uint32_t generation, Result<> result) {
  try {
    std::unique_ptr<A> state;
    if constexpr (std::is_move_constructible_v<A>) {
      try {
        if (child.constructed) state = std::make_unique<A>(std::move(child.actor<A>()));
      } catch (...) {
        // Its move constructor failed: the end comes without the state, but it comes.
      }
    }
    auto* const block =
        build<PlainEnvelope<Eol<A>>>(core, context, system_descriptor<P, Eol<A>>, generation,
                                     Eol<A>{child.step(), std::move(result), std::move(state), child.incarnation});
    return &block->head;
  } catch (...) {
    return nullptr;
  }
}

template <class P>
Envelope* make_report(CoreFace& core, WorkerContext* context, std::uint32_t generation, StatusChanged change) {
  try {
    return &build<PlainEnvelope<StatusChanged>>(core, context, system_descriptor<P, StatusChanged>, generation,
                                                std::move(change))
                ->head;
  } catch (...) {
    return nullptr;
  }
}

/// Starts the child in the running cell's name (or, from outside, the root's). The Ref to it is made with its
/// place_generation: the child may run, and end, on another worker before this returns.
[[nodiscard]] Cell& start_child(Cell& parent, Body& body, ReplyPort started);
[[nodiscard]] SlabPool& pool_of(Cell& parent) noexcept;
void check_name(std::string_view name);

}  // namespace detail

/// The spec of a child. Made by child<A>(name, arguments...); each option may be given once, in any order.
template <class A>
class [[nodiscard]] Child {
 public:
  using actor_type = A;
  using Build = MoveFunction<detail::Body*(SlabPool&, std::string_view, const ChildPolicy*)>;

  Child(std::string name, Build build) : name_(std::move(name)), build_(std::move(build)) {}
  Child(Child&&) noexcept = default;
  Child& operator=(Child&&) noexcept = default;

  Child restart(Restart when) && {
    return own([&](auto& p) { p.restart = when; });
  }
  /// The wait before a restart doubles from `first` to `most`, each spread by 20 % up or down.
  Child backoff(Duration first, Duration most) && {
    return own([&](auto& p) { p.backoff = {first, most}; });
  }
  Child at_most(std::uint32_t restarts, Per window) && {
    return own([&](auto& p) { p.intensity = {restarts, window.window}; });
  }
  Child at_most(Intensity limit) && {
    return own([&](auto& p) { p.intensity = limit; });
  }
  Child mailbox(Mailbox kind) && {
    return own([&](auto& p) { p.mailbox = kind; });
  }
  Child start_within(Duration d) && {
    return own([&](auto& p) { p.start_within = d; });
  }
  Child stop_within(Duration d) && {
    return own([&](auto& p) { p.stop_within = d; });
  }
  Child on_stop(OnStop what) && {
    return own([&](auto& p) { p.on_stop = what; });
  }
  /// How many Interleaved handlers may wait at a time.
  Child interleaved(std::uint32_t most) && {
    return own([&](auto& p) { p.interleaved = most == 0 ? 1 : most; });
  }
  /// Eol<A> is sent to `target` when the child is gone for good.
  template <class P>
  Child on_end(Ref<P> target) && {
    static_assert(Handles<P, Eol<A>>,
                  "on_end(self): the target has no handle() for the end of this child: add  "
                  "void handle(backstage::Eol<Child>, backstage::Context&)");
    if constexpr (Handles<P, Eol<A>>) {
      return own([&](auto& p) {
        p.end = detail::EndTarget{detail::RefAccess::cell(target), detail::RefAccess::generation(target),
                                  &detail::make_eol<A, P>};
      });
    } else {
      return std::move(*this);
    }
  }

  /// Each change of the child's status is sent to `target`, in order: from starting to stopped, in every incarnation.
  template <class P>
  Child report_to(Ref<P> target) && {
    static_assert(Handles<P, StatusChanged>,
                  "report_to(self): the target has no handle() for it: add  "
                  "void handle(backstage::StatusChanged, backstage::Context&)");
    return own([&](auto& p) {
      p.report = detail::ReportTarget{detail::RefAccess::cell(target), detail::RefAccess::generation(target),
                                      &detail::make_report<P>};
    });
  }

  /// For the floors above: who is told of its end, in a form of their own.
  Child end_notice(detail::EndTarget target) && {
    return own([&](auto& p) { p.end = target; });
  }
  [[nodiscard]] const ChildPolicy& policy() const noexcept {
    return policy_ ? static_cast<const ChildPolicy&>(*policy_) : detail::default_policy;
  }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// For the runtime: the body of a new place.
  [[nodiscard]] detail::Body& build(SlabPool& pool) && {
    detail::check_name(name_);
    const ChildPolicy* policy = policy_ ? policy_.get() : &detail::default_policy;
    detail::Body* const body = build_(pool, name_, policy);
    (void)policy_.release();
    return *body;
  }

 private:
  template <class Change>
  Child own(Change change) {
    if (!policy_) policy_ = std::make_unique<detail::OwnPolicy>();
    change(*policy_);
    return std::move(*this);
  }
  std::string name_;
  Build build_;
  std::unique_ptr<detail::OwnPolicy> policy_;
};

template <class A, class... X>
[[nodiscard]] Child<A> child(std::string_view name, X&&... arguments) {
  static_assert(detail::check_actor<A>());
  static_assert((std::is_copy_constructible_v<std::decay_t<X>> && ...),
                "arguments are kept for restarts: copyable values");
  static_assert(
      std::is_constructible_v<A, const std::decay_t<X>&...>,
      "the actor cannot be constructed from these arguments (they are kept by value and passed as const T&)");
  auto kept = std::make_unique<std::tuple<std::decay_t<X>...>>(std::forward<X>(arguments)...);
  return Child<A>(std::string(name),
                  [k = std::move(kept)](SlabPool& pool, std::string_view n, const ChildPolicy* policy) {
                    return detail::make_body<A>(pool, n, std::move(*k), policy);
                  });
}

template <class A, class... X>
Ref<A> Context::spawn(std::string_view name, X&&... arguments) {
  static_assert(detail::check_actor<A>());
  static_assert((std::is_copy_constructible_v<std::decay_t<X>> && ...),
                "arguments are kept for restarts: copyable values");
  static_assert(
      std::is_constructible_v<A, const std::decay_t<X>&...>,
      "the actor cannot be constructed from these arguments (they are kept by value and passed as const T&)");
  detail::Cell& me = cell();
  detail::check_name(name);
  detail::Body* const body =
      detail::make_body<A>(detail::pool_of(me), name, std::tuple<std::decay_t<X>...>(std::forward<X>(arguments)...),
                           &detail::default_policy);
  detail::Cell& started = detail::start_child(me, *body, {});
  return detail::RefAccess::make<A>(&started, started.place_generation);
}

template <class A>
Ref<A> Context::spawn(Child<A> spec) {
  detail::Cell& me = cell();
  detail::Cell& started = detail::start_child(me, std::move(spec).build(detail::pool_of(me)), {});
  return detail::RefAccess::make<A>(&started, started.place_generation);
}

namespace detail {
/// A child of `parent`, which is the running cell or its parent; the error says what there is instead.
[[nodiscard]] Result<std::pair<Cell*, std::uint32_t>> find_child(const Cell& parent, std::string_view name,
                                                                 const void* type_id, std::string_view type);
[[nodiscard]] const Cell& parent_of(const Cell& me) noexcept;
[[nodiscard]] Result<std::pair<Cell*, std::uint32_t>> find_app(const Cell& me, std::string_view name,
                                                               const void* type_id, std::string_view type);
void stop_cell(Cell* cell, std::uint32_t generation) noexcept;

template <class A>
class StartAwait final : public ResultAwaiter<void> {
 public:
  StartAwait(Child<A> spec, Duration within) : spec_(std::move(spec)), within_(within) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    Cell& me = *current_cell();
    const Instant deadline = this_turn->worker->fresh_now() + within_;
    name_ = spec_.name();
    Body& body = std::move(spec_).build(pool_of(me));
    enlist(me, handle, deadline);
    Cell& started = start_child(me, body, ReplyPort(&me, me.generation(), number_, deadline));
    started_ = RefAccess::make<A>(&started, started.place_generation);
  }
  Result<Ref<A>> await_resume() {
    if (!result_->has_value()) return result_->error();
    return started_;
  }
  void expire(Cell&) override {
    stop_cell(RefAccess::cell(started_), RefAccess::generation(started_));
    result_.emplace(Error(Errc::timeout, "'" + name_ + "' (" + std::string(type_name<A>()) +
                                             ") did not start within " + to_string(within_)));
  }

 private:
  Child<A> spec_;
  Duration within_;
  std::string name_;
  Ref<A> started_;
};
}  // namespace detail

/// The start of a child, waiting for its deadline.
template <class A>
class [[nodiscard]] Pending<Ref<A>> {
 public:
  explicit Pending(Child<A> spec) : spec_(std::move(spec)) {}
  Pending(Pending&&) noexcept = default;
  class [[nodiscard]] Within {
   public:
    Within(Child<A> spec, Duration d) : spec_(std::move(spec)), within_(d) {}
    Within(Within&&) noexcept = default;
    detail::StartAwait<A> operator co_await() && { return detail::StartAwait<A>(std::move(spec_), within_); }
    using value_type = Result<Ref<A>>;

   private:
    Child<A> spec_;
    Duration within_;
  };
  [[nodiscard]] Within within(Duration d) && { return Within(std::move(spec_), d); }
  void operator co_await() && = delete;  // a wait always has a deadline: .within(5s)

 private:
  Child<A> spec_;
};

template <class A>
Pending<Ref<A>> Context::start(Child<A>& spec) {
  return Pending<Ref<A>>(std::move(spec));
}
template <class A>
Pending<Ref<A>> Context::start(Child<A>&& spec) {
  return Pending<Ref<A>>(std::move(spec));
}

template <class A>
Result<Ref<A>> Context::child(std::string_view wanted) const {
  auto found = detail::find_child(cell(), wanted, &detail::type_tag<A>, detail::type_name<A>());
  if (!found) return found.error();
  return detail::RefAccess::make<A>(found->first, found->second);
}
template <class A>
Result<Ref<A>> Context::sibling(std::string_view wanted) const {
  auto found = detail::find_child(detail::parent_of(cell()), wanted, &detail::type_tag<A>, detail::type_name<A>());
  if (!found) return found.error();
  return detail::RefAccess::make<A>(found->first, found->second);
}
template <class A>
Result<Ref<A>> Context::app(std::string_view wanted) const {
  auto found = detail::find_app(cell(), wanted, &detail::type_tag<A>, detail::type_name<A>());
  if (!found) return found.error();
  return detail::RefAccess::make<A>(found->first, found->second);
}
template <class A>
void Context::stop(const Ref<A>& actor) {
  detail::stop_cell(detail::RefAccess::cell(actor), detail::RefAccess::generation(actor));
}

}  // namespace v0
}  // namespace backstage
