// The memory of one actor: header, what makes the actor, the actor, its name, in one block. And how a type of actor is
// built and run: one constant for each type and way of making it.
// Stability: internal.
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

#include "backstage/actor/detail/route_entry.hpp"
#include "backstage/actor/detail/task_root.hpp"
#include "backstage/actor/ref.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// Frees a policy of a child's own.
void delete_policy(const ChildPolicy* policy) noexcept;

// ---- what makes an actor, again for each incarnation: `A make<A>()`, built in place

template <class... Args>
struct FromValues {
  std::tuple<Args...> values;
  template <class A>
  void construct(void* storage) {
    std::apply([&](const Args&... each) { ::new (storage) A(each...); }, std::as_const(values));
  }
};

/// Values that can be moved only: for one life.
template <class... Args>
struct FromMoved {
  std::tuple<Args...> values;
  template <class A>
  void construct(void* storage) {
    std::apply([&](Args&... each) { ::new (storage) A(std::move(each)...); }, values);
  }
};

template <class F>
struct FromFunction {
  F make;
  template <class A>
  void construct(void* storage) {
    ::new (storage) A(make());
  }
};

template <class A, class Maker>
struct TypedBody {
  Body head;
  [[no_unique_address]] Maker maker;
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

/// What does not depend on how the actor is made.
template <class A>
struct LifeOf {
  /// From a state that its supervisor hands back.
  static void revive(Cell& cell, [[maybe_unused]] void* state) {
    if constexpr (std::is_move_constructible_v<A>) {
      ::new (cell.body->actor()) A(std::move(*static_cast<A*>(state)));
    }
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
  static std::string describe(const Cell& cell) { return std::as_const(cell.actor<A>()).describe(); }
  static constexpr auto describe_or_null() -> std::string (*)(const Cell&) {
    if constexpr (Describes<A>) {
      return &describe;
    } else {
      return nullptr;
    }
  }
};

template <class A, class Maker>
struct OpsOf {
  using Typed = TypedBody<A, Maker>;
  using Life = LifeOf<A>;

  static void construct(Cell& cell) {
    auto& body = reinterpret_cast<Typed&>(*cell.body);
    body.maker.template construct<A>(body.storage);
  }
  static void release(Body& head, SlabPool& pool) noexcept {
    auto& body = reinterpret_cast<Typed&>(head);
    const std::uint32_t bytes = head.block_bytes;
    if (head.has_policy != 0) delete_policy(&head.policy());
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
                                .movable = std::is_move_constructible_v<A>,
                                .construct = &construct,
                                .revive = &Life::revive,
                                .destroy = &Life::destroy,
                                .init = &Life::init,
                                .loop = &Life::loop,
                                .terminating = &Life::terminating,
                                .release = &release,
                                .describe = Life::describe_or_null(),
                                .body_bytes = sizeof(Typed),
                                .routes = DeclaredRoutes<A>::entries.data(),
                                .route_count = DeclaredRoutes<A>::entries.size()};
};

/// One block: header, maker, the actor, its name.
template <class A, class Maker>
Body* make_body(SlabPool& pool, std::string_view name, Maker&& maker, const ChildPolicy* policy) {
  using Typed = TypedBody<A, std::remove_cvref_t<Maker>>;
  static_assert(sizeof(Typed) < (std::size_t{1} << 30U) - 4096, "an actor of a GiB: let it hold a pointer");
  const std::size_t bytes = sizeof(Typed) + Body::tail_bytes(name, *policy);
  void* memory = nullptr;
  if constexpr (alignof(Typed) <= 16) {
    memory = allocate_from(&pool, bytes);
  } else {
    memory = pool.shared().allocate(bytes, alignof(Typed));
  }
  auto* const body = ::new (memory) Typed{Body{}, std::forward<Maker>(maker), {}};
  body->head.ops = &OpsOf<A, std::remove_cvref_t<Maker>>::ops;
  body->head.actor_at = static_cast<std::uint32_t>(body->storage - reinterpret_cast<std::byte*>(body));
  body->head.block_bytes = static_cast<std::uint32_t>(bytes) & 0x3fff'ffffU;  // all of it: see above
  body->head.set_tail(name, *policy);
  return &body->head;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
