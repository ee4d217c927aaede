// Spawning: what Context does with a child's spec; start() waits for the first init.
// Stability: settling (v0).
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "backstage/actor/child.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// Starts the child in the running cell's name (or, from outside, the root's). The Ref to it is made with its
/// place_generation: the child may run, and end, on another worker before this returns.
[[nodiscard]] Cell& start_child(Cell& parent, Body& body, ReplyPort started);
[[nodiscard]] Cell& start_child(Cell& parent, Body& body);
[[nodiscard]] SlabPool& pool_of(Cell& parent) noexcept;

}  // namespace detail

template <class A, class... X>
Ref<A> Context::spawn(std::string_view name, X&&... arguments) {
  static_assert(detail::check_actor<A>());
  static_assert((std::is_copy_constructible_v<std::decay_t<X>> && ...),
                "arguments are kept for restarts: copyable values");
  static_assert(
      std::is_constructible_v<A, const std::decay_t<X>&...>,
      "the actor cannot be constructed from these arguments (they are kept by value and passed as const T&)");
  detail::Cell& me = cell();
  if (!name.empty()) detail::check_name(name);
  detail::Body* const body = detail::make_body<A>(
      detail::pool_of(me), name, detail::FromValues<std::decay_t<X>...>{{std::forward<X>(arguments)...}},
      &detail::default_policy);
  detail::Cell& started = detail::start_child(me, *body);
  return detail::RefAccess::make<A>(&started, started.place_generation);
}

template <class A>
Ref<A> Context::spawn(Child<A> spec) {
  detail::Cell& me = cell();
  detail::Cell& started = detail::start_child(me, std::move(spec).build(detail::pool_of(me)));
  return detail::RefAccess::make<A>(&started, started.place_generation);
}

namespace detail {
/// A child of `parent`, which is the running cell or its parent; the error says what there is instead.
[[nodiscard]] Result<std::pair<Cell*, std::uint32_t>> find_child(const Cell& parent, std::string_view name,
                                                                 const void* type_id, std::string_view type);
[[nodiscard]] const Cell& parent_of(const Cell& me) noexcept;
[[nodiscard]] Result<std::pair<Cell*, std::uint32_t>> find_app(const Cell& me, std::string_view name,
                                                               const void* type_id, std::string_view type);
/// Leaves an order (bits of `order`) with an actor: in a word of its own, so that it needs no memory. False: gone already.
bool order_cell(Cell* cell, std::uint32_t generation, std::uint32_t orders) noexcept;
/// Leaves a failure with an actor. Gone already: nothing happens.
void fail_cell(Cell* cell, std::uint32_t generation, Error why);

template <class A>
class StartAwait final : public ResultAwaiter<void>, public AskEdge {
 public:
  StartAwait(Child<A> spec, Duration within) : spec_(std::move(spec)), within_(within) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    Cell& me = *current_cell();
    const Instant deadline = this_turn->worker->fresh_now() + within_;
    name_ = spec_.name();
    // A child whose init waits for its parent, which waits here, closes a circle.
    Root* const root = static_cast<Root*>(this_turn->root);
    if (root != nullptr && root->kind == RootKind::turn) {
      this->probe_at_ = this_turn->worker->fresh_now() + cycle_probe_after;
    }
    enlist(me, handle, deadline);
    ReplyPort port(&me, me.generation(), number_, deadline);
    port.slot = allocate_frame(sizeof(ReplyNode<void>));
    Body& body = std::move(spec_).build(pool_of(me));
    Cell& started = start_child(me, body, std::move(port));
    started_ = RefAccess::make<A>(&started, started.place_generation);
    record_.target = &started;
    record_.generation = started.place_generation;
  }
  void probe(Cell& cell) override { probe_for_cycle(cell, this->number_); }
  void fail(Error error) override {
    (void)order_cell(RefAccess::cell(started_), RefAccess::generation(started_), order::stop);
    result_.emplace(std::move(error));
  }
  Result<Ref<A>> await_resume() {
    if (!result_->has_value()) return result_->error();
    return started_;
  }
  void expire(Cell&) override {
    (void)order_cell(RefAccess::cell(started_), RefAccess::generation(started_), order::stop);
    result_.emplace(Error(Errc::timeout, "'" + name_ + "' (" + std::string(type_name<A>()) +
                                             ") did not start within " + to_string(within_)));
  }
  [[nodiscard]] std::string describe_wait() const override { return "the start of '" + name_ + "'"; }

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
  (void)detail::order_cell(detail::RefAccess::cell(actor), detail::RefAccess::generation(actor), detail::order::stop);
}
template <class A>
void Context::restart(const Ref<A>& actor) {
  (void)detail::order_cell(detail::RefAccess::cell(actor), detail::RefAccess::generation(actor),
                           detail::order::restart);
}
template <class A>
void Context::fail(const Ref<A>& actor, Error why) {
  detail::fail_cell(detail::RefAccess::cell(actor), detail::RefAccess::generation(actor), std::move(why));
}
template <class A>
void Context::kill(const Ref<A>& actor) {
  (void)detail::order_cell(detail::RefAccess::cell(actor), detail::RefAccess::generation(actor), detail::order::kill);
}

}  // namespace v0
}  // namespace backstage
