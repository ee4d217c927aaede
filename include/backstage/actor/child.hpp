// Child specs: what to start, under which name, and how it is supervised.
//
//     cx.spawn(child<Parser>("parser-1", dialect)
//                  .restart(Restart::on_failure).backoff(100ms, 30s).at_most(5, per(1min))
//                  .mailbox(bounded(1'000)).stop_within(2s).on_end(cx.self(this)));
//
// The arguments are kept by value, and passed as `const T&` to the constructor of each incarnation. Supervision
// belongs to the place that spawns: the same struct may live under many policies. A spec that cannot be meant is refused
// when it is spawned: Need, Errc::invalid, with the field's name.
// Stability: settling (v0).
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "backstage/actor/eol.hpp"
#include "backstage/actor/verdict.hpp"

namespace backstage {
inline namespace v0 {

/// A name for a child that nobody looks up: "#1", "#2" ... Any number of siblings may be unnamed.
inline constexpr std::string_view unnamed{};

namespace detail {

/// Who is told of a child's end.
struct EndTarget {
  Cell* cell = nullptr;
  std::uint32_t generation = 0;
  using Make = Envelope* (*)(Cell& child, CoreFace&, WorkerContext*, std::uint32_t generation, Result<> result);
  /// Builds the Eol for a child that is about to be destroyed. Null when memory ran out.
  Make make = nullptr;
  /// The same for a child that a Verdict decides about; null when the target gives none.
  Make ask = nullptr;
  /// Of their envelopes: reserved with the place, so that its end is told also when memory is out.
  std::uint32_t make_bytes = 0;
  std::uint32_t ask_bytes = 0;
};
/// The memory that was reserved for such an envelope, or other memory.
[[nodiscard]] void* take_end_block(Cell& child, CoreFace& core, WorkerContext* context, std::uint32_t bytes);
/// The name by which its parent knows a child; empty when there is no memory for it.
[[nodiscard]] std::string name_if_memory(const Cell& child) noexcept;

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

/// The actor's object, moved out of its place; null when it cannot be moved or there is none.
template <class A>
std::unique_ptr<A> take_state(Cell& child) noexcept {
  if constexpr (std::is_move_constructible_v<A>) {
    try {
      if (child.rest().constructed) return std::make_unique<A>(std::move(child.actor<A>()));
    } catch (...) {
      // Its move constructor failed: the end comes without the state, but it comes.
    }
  }
  return nullptr;
}

template <class A, class P>
Envelope* make_eol(Cell& child, CoreFace& core, WorkerContext* context, std::uint32_t generation, Result<> result) {
  using Block = PlainEnvelope<Eol<A>>;
  static_assert(alignof(Block) <= 16);
  try {
    void* const memory = take_end_block(child, core, context, sizeof(Block));
    auto* const block = ::new (memory)
        Block{Envelope(system_descriptor<P, Eol<A>>, generation),
              Eol<A>{name_if_memory(child), std::move(result), take_state<A>(child), child.incarnation(), false}};
    return &block->head;
  } catch (...) {
    return nullptr;
  }
}

template <class A>
struct AskedEol {
  Envelope head;
  VerdictPort port;
  Eol<A> eol;
};

template <class A, class P>
Handled handle_asked(Cell& cell, Envelope& envelope) {
  auto& whole = reinterpret_cast<AskedEol<A>&>(envelope);
  const DestroyAfter<Eol<A>> guard{whole.eol};
  return dispatch<P, Eol<A>>(cell, whole.eol, VerdictSink(cell, whole.port));
}
template <class A>
void abandon_asked(Envelope& envelope, Errc) noexcept {
  // Its supervisor ends, and deals with the child as with all others.
  reinterpret_cast<AskedEol<A>&>(envelope).eol.~Eol<A>();
}
template <class A>
std::size_t weigh_asked(const Envelope&) noexcept {
  return sizeof(Eol<A>);
}
template <class A, class P>
inline constexpr MessageDescriptor asked_descriptor{.message = type_name<Eol<A>>(),
                                                    .handle = &handle_asked<A, P>,
                                                    .abandon = &abandon_asked<A>,
                                                    .actor = type_name<P>(),
                                                    .size = sizeof(AskedEol<A>),
                                                    .kind = SendKind::system,
                                                    .weight = &weigh_asked<A>};

/// Asks P what is to become of a child that has ended. In the supervisor's turn.
template <class A, class P>
Envelope* make_asked(Cell& child, CoreFace& core, WorkerContext* context, std::uint32_t generation, Result<> result) {
  try {
    void* const memory = take_end_block(child, core, context, sizeof(AskedEol<A>));
    auto* const block = ::new (memory) AskedEol<A>{
        Envelope(asked_descriptor<A, P>, generation), VerdictPort{&child, child.generation(), child.incarnation()},
        Eol<A>{name_if_memory(child), std::move(result), take_state<A>(child), child.incarnation(), true}};
    return &block->head;
  } catch (...) {
    return nullptr;
  }
}

/// P decides about A: `Verdict handle(Eol<A>, ...)`, plain or a coroutine.
template <class P, class A>
consteval bool gives_verdicts() {
  if constexpr (HasHandler<P, Eol<A>>) {
    return std::same_as<reply_t<P, Eol<A>>, Verdict>;
  } else {
    return false;
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

void check_name(std::string_view name);
/// Throws Need (Errc::invalid) that names the field.
void check_policy(std::string_view name, const OwnPolicy& policy);

template <class A, class F>
[[nodiscard]] MoveFunction<Body*(SlabPool&, std::string_view, const ChildPolicy*)> build_from(F make) {
  static_assert(check_actor<A>());
  static_assert(std::is_same_v<std::invoke_result_t<F&>, A>, "made_by(f): f() must return the actor by value");
  auto kept = std::make_unique<FromFunction<F>>(FromFunction<F>{std::move(make)});
  return [k = std::move(kept)](SlabPool& pool, std::string_view n, const ChildPolicy* policy) {
    return make_body<A>(pool, n, std::move(*k), policy);
  };
}
template <class A, class F>
[[nodiscard]] Child<A> child_made_by(std::string name, F make);

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

  /// Restart::ask needs on_end(cx.self(this)) with a handler that returns a Verdict.
  Child restart(Restart when) && {
    return own([&](auto& p) { p.restart = when; });
  }
  /// A restart goes on with the object as the failure left it: init runs again, the constructor does not.
  Child restart_with_state() && {
    return own([&](auto& p) { p.with_state = true; });
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
  /// What becomes of the queue at a restart after a failure.
  Child on_restart(OnRestart what) && {
    return own([&](auto& p) { p.on_restart = what; });
  }
  /// A message that makes the actor fail is handled again by the next incarnation, up to `times`. For what can be copied
  /// (copied_for_retry), or is taken as const M&. Whoever asked hears the outcome of the last time. A request whose
  /// handler takes a Reply is not handled again: the right to answer was given away.
  Child retry_failed(std::uint32_t times) && {
    return own([&](auto& p) { p.retry_failed = times; });
  }
  /// A message that failed for the last time is set aside: logged and told as the event Quarantined, and that failure is
  /// not charged to the restart limits.
  Child quarantine() && {
    return own([&](auto& p) { p.quarantine = true; });
  }
  /// The first start comes so much later. The place is there at once, and its mailbox takes messages.
  Child start_after(Duration d) && {
    return own([&](auto& p) { p.start_after = d; });
  }
  /// Ends an incarnation, for good and in order, that long after its init; its Eol says Errc::timeout.
  Child live_for(Duration d) && {
    return own([&](auto& p) { p.live_for = d; });
  }
  /// Its own end, for good, ends its supervisor in order. An end by order (stop) does not.
  Child significant(Significant kind = Significant::any) && {
    return own([&](auto& p) { p.significant = kind; });
  }
  Child start_within(Duration d) && {
    return own([&](auto& p) { p.start_within = d; });
  }
  /// Under Restart::ask: how long the supervisor may take over its Verdict, waiting in its mailbox included. After that
  /// the supervisor fails, as if it had escalated.
  Child verdict_within(Duration d) && {
    return own([&](auto& p) { p.verdict_within = d; });
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
  /// Eol<A> is sent to `target` when the child is gone for good. Under Restart::ask the target is its supervisor itself,
  /// and its handler's Verdict says what comes next.
  template <class P>
  Child on_end(Ref<P> target) && {
    static_assert(Handles<P, Eol<A>>,
                  "on_end(self): the target has no handle() for the end of this child: add  "
                  "void handle(backstage::Eol<Child>, backstage::Context&)");
    if constexpr (Handles<P, Eol<A>>) {
      return own([&](auto& p) {
        p.end = detail::EndTarget{detail::RefAccess::cell(target), detail::RefAccess::generation(target),
                                  &detail::make_eol<A, P>, nullptr, sizeof(detail::PlainEnvelope<Eol<A>>)};
        if constexpr (detail::gives_verdicts<P, A>()) {
          p.end.ask = &detail::make_asked<A, P>;
          p.end.ask_bytes = sizeof(detail::AskedEol<A>);
        }
      });
    } else {
      return std::move(*this);
    }
  }

  /// Built in place by `make()`, called for each incarnation, instead of from arguments.
  template <class F>
  Child made_by(F make) && {
    build_ = detail::build_from<A>(std::move(make));
    return std::move(*this);
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
    if (policy_) detail::check_policy(name_, *policy_);
    const ChildPolicy* policy = policy_ ? policy_.get() : &detail::default_policy;
    detail::Body* const body = build_(pool, name_, policy);
    (void)policy_.release();
    return *body;
  }

 private:
  template <class B, class... X>
  friend Child<B> once(std::string_view name, X&&... arguments);
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

namespace detail {
template <class A, class F>
Child<A> child_made_by(std::string name, F make) {
  return Child<A>(std::move(name), build_from<A>(std::move(make)));
}
}  // namespace detail

/// What child<A>(name) gives when A has no constructor without arguments: only made_by can follow.
template <class A>
class [[nodiscard]] Unmade {
 public:
  explicit Unmade(std::string_view name) : name_(name) {}
  /// `child<Parser>("p").made_by([grammar] { return Parser(grammar.open()); })`: called for each incarnation, the actor
  /// is built in place. What it throws is a failure of the constructor.
  template <class F>
  [[nodiscard]] Child<A> made_by(F make) && {
    return detail::child_made_by<A>(std::move(name_), std::move(make));
  }

 private:
  std::string name_;
};

template <class A, class... X>
[[nodiscard]] auto child(std::string_view name, X&&... arguments) {
  static_assert(detail::check_actor<A>());
  static_assert((std::is_copy_constructible_v<std::decay_t<X>> && ...),
                "arguments are kept for restarts: copyable values (for one life only: backstage::once)");
  if constexpr (sizeof...(X) == 0 && !std::is_default_constructible_v<A>) {
    return Unmade<A>(name);
  } else {
    static_assert(
        std::is_constructible_v<A, const std::decay_t<X>&...>,
        "the actor cannot be constructed from these arguments (they are kept by value and passed as const T&)");
    using Maker = detail::FromValues<std::decay_t<X>...>;
    auto kept = std::make_unique<Maker>(Maker{std::tuple<std::decay_t<X>...>(std::forward<X>(arguments)...)});
    return Child<A>(std::string(name),
                    [k = std::move(kept)](SlabPool& pool, std::string_view n, const ChildPolicy* policy) {
                      return detail::make_body<A>(pool, n, std::move(*k), policy);
                    });
  }
}

/// A child with one life: its arguments may be of types that can be moved only, and it is never restarted.
template <class A, class... X>
[[nodiscard]] Child<A> once(std::string_view name, X&&... arguments) {
  static_assert(detail::check_actor<A>());
  static_assert(std::is_constructible_v<A, std::decay_t<X>...>,
                "the actor cannot be constructed from these arguments (they are kept by value and moved)");
  using Maker = detail::FromMoved<std::decay_t<X>...>;
  auto kept = std::make_unique<Maker>(Maker{std::tuple<std::decay_t<X>...>(std::forward<X>(arguments)...)});
  Child<A> spec(std::string(name),
                [k = std::move(kept)](SlabPool& pool, std::string_view n, const ChildPolicy* policy) {
                  return detail::make_body<A>(pool, n, std::move(*k), policy);
                });
  return spec.own([](auto& p) {
    p.once = true;
    p.restart = Restart::never;
  });
}

}  // namespace v0
}  // namespace backstage
