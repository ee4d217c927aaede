// What Apps does with an application's actor, whose type it does not know.
// Stability: internal.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backstage/actor/detail/apps.hpp"
#include "backstage/application/apps.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// Sends in the way of Eol: in order, and never refused by the mailbox's bound.
template <class A, class M>
void tell_place(Place place, M message) {
  if (place.cell == nullptr) return;
  const Visit visit(place.cell);
  if (visit.core() == nullptr) return;
  auto* const block = build<PlainEnvelope<M>>(*visit.core(), visit.context(), system_descriptor<A, M>,
                                              place.generation, std::move(message));
  count_sent(*visit.core(), visit.context());
  post(*visit.core(), visit.context(), *place.cell, block->head);
}

template <class A>
Place place_of(const Ref<A>& ref) noexcept {
  return {RefAccess::cell(ref), RefAccess::generation(ref)};
}

template <class A>
Envelope* make_app_ended(Cell& child, CoreFace& core, WorkerContext* context, std::uint32_t generation,
                         Result<> result) {
  try {
    using Block = PlainEnvelope<AppEnded>;
    void* const memory = take_end_block(child, core, context, sizeof(Block));
    auto* const block = ::new (memory) Block{Envelope(system_descriptor<Apps, AppEnded>, generation),
                                             AppEnded{{&child, child.place_generation}, std::move(result)}};
    return &block->head;
  } catch (...) {
    return nullptr;
  }
}

struct AppActor {
  virtual ~AppActor() = default;
  /// Starts it in a new place and waits for its init. Never throws when awaited.
  virtual Task<AppStarted> start(Context& cx, Ref<Apps> apps, std::size_t app) const = 0;
  /// Starts it in the place that it was kept in; its policy sees to what becomes of it.
  virtual Place resume(Context& cx, Ref<Apps> apps) const = 0;
  [[nodiscard]] virtual Place find(const Context& cx, std::string_view name) const = 0;
  /// From now on cx.app<A>(name) finds it.
  virtual void make_known(Cell& me, std::string_view name, Place place) const = 0;
  [[nodiscard]] virtual std::string_view type() const noexcept = 0;

  /// False: its actor has no handle() for that.
  virtual bool tell(Place place, const AppStatusChanged& change) const = 0;
  [[nodiscard]] virtual bool can_pause() const noexcept = 0;
  virtual void tell(Place place, const DependencyDown& down) const = 0;
  virtual void tell(Place place, const DependencyUp& up) const = 0;

  std::vector<TakenMessage> taken;
};

template <class A>
struct AppActorOf final : AppActor {
  explicit AppActorOf(std::function<Child<A>()> how) : make(std::move(how)) {}

  Child<A> spec(Ref<Apps> apps) const {
    Child<A> made = make();
    if (made.policy().restart == Restart::ask) {
      throw Need::fail(Error(Errc::invalid, "app '" + made.name() +
                                                "': Restart::ask asks its supervisor for a Verdict, and the launcher "
                                                "gives none: choose always, on_failure or never"));
    }
    return std::move(made).report_to(apps).end_notice(EndTarget{RefAccess::cell(apps), RefAccess::generation(apps),
                                                                &make_app_ended<A>, nullptr,
                                                                sizeof(PlainEnvelope<AppEnded>)});
  }
  Task<AppStarted> start(Context& cx, Ref<Apps> apps, std::size_t app) const override {
    Child<A> child = spec(apps);
    const Duration within = child.policy().start_within;
    auto started = co_await cx.start(child).within(within);
    if (!started) co_return AppStarted{app, started.error()};
    co_return AppStarted{app, {}};
  }
  Place resume(Context& cx, Ref<Apps> apps) const override { return place_of(cx.spawn(spec(apps))); }
  Place find(const Context& cx, std::string_view name) const override {
    const Result<Ref<A>> found = cx.child<A>(name);
    return found ? place_of(*found) : Place();
  }
  void make_known(Cell& me, std::string_view name, Place place) const override {
    register_app(me, name, place.cell, place.generation, &type_tag<A>, type_name<A>());
  }
  std::string_view type() const noexcept override { return type_name<A>(); }

  bool tell(Place place, const AppStatusChanged& change) const override {
    if constexpr (Handles<A, AppStatusChanged>) tell_place<A>(place, change);
    return Handles<A, AppStatusChanged>;
  }
  bool can_pause() const noexcept override { return Handles<A, DependencyDown> && Handles<A, DependencyUp>; }
  void tell(Place place, const DependencyDown& down) const override {
    if constexpr (Handles<A, DependencyDown>) tell_place<A>(place, down);
  }
  void tell(Place place, const DependencyUp& up) const override {
    if constexpr (Handles<A, DependencyUp>) tell_place<A>(place, up);
  }

  std::function<Child<A>()> make;
};

template <class A>
void change_spec(AppActor& actor, std::function<Child<A>(Child<A>)> change) {
  auto& typed = static_cast<AppActorOf<A>&>(actor);
  typed.make = [make = std::move(typed.make), how = std::move(change)] { return how(make()); };
}

template <class A, class M>
void add_taken(AppActor& actor, std::string name, std::vector<MessageField<M>> fields) {
  static_assert(Handles<A, M>, "takes<M>: this app's actor has no handle() for exactly that message type");
  static_assert(std::is_default_constructible_v<M>, "takes<M>: a message by name is default constructible");
  TakenMessage taken;
  taken.name = std::move(name);
  taken.type = &message_tag<M>;
  for (const MessageField<M>& one : fields) taken.fields.push_back(one.name);
  if (fields.empty()) {
    taken.read = [](const JsonIn& object) -> Result<std::shared_ptr<void>> {
      auto message = std::make_shared<M>();
      if constexpr (Fielded<M>) {
        if (Result<> read = read_json(object, *message); !read) return read.error();
      }
      return std::shared_ptr<void>(std::move(message));
    };
  } else {
    taken.read = [all = std::move(fields),
                  names = taken.fields](const JsonIn& object) -> Result<std::shared_ptr<void>> {
      if (Result<> known = object.check_members({names.begin(), names.end()}); !known) return known.error();
      auto message = std::make_shared<M>();
      for (const MessageField<M>& one : all) {
        if (Result<> read = one.read(*message, object); !read) return read.error();
      }
      return std::shared_ptr<void>(std::move(message));
    };
  }
  taken.deliver = [](Place place, void* message) {
    RefAccess::make<A>(place.cell, place.generation).send(std::move(*static_cast<M*>(message)));
  };
  actor.taken.push_back(std::move(taken));
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
