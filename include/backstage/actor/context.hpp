// Context: what an actor may do while it runs. Handlers and hooks get it as `backstage::Context&`; it outlives them.
//
// Threads: only from within the actor's own turn (its handlers, hooks, and what they await). Nothing here blocks.
// Context is no template, so whatever makes the runtime send you something takes a typed Ref, usually
// `cx.self(this)`.
// Stability: settling (v0).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>

#include "backstage/actor/status.hpp"
#include "backstage/base/log.hpp"
#include "backstage/base/result.hpp"
#include "backstage/base/time.hpp"
#include "backstage/exec/environment.hpp"
#include "backstage/exec/task.hpp"
#include "backstage/supervise/policy.hpp"

namespace backstage {
inline namespace v0 {

template <class A>
class Ref;
template <class A>
class Child;
template <class T>
class Pending;
class Counter;
struct Every;
class Gauge;
class Histogram;
class Path;
class Scope;
template <class T>
class Shared;
class Subscription;
class Timer;
class Monitor;
class StatusWatch;
class SleepAwait;
class YieldAwait;
class ServiceTree;
struct Inspection;
struct AppName;
template <class R>
class BlockingAwait;

namespace detail {
class Cell;
}

class Context {
 public:
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // ---- who am I
  /// A Ref to this actor: `cx.self(this)`.
  template <class A>
  [[nodiscard]] Ref<std::remove_const_t<A>> self(A* me);
  /// The last step of the path: "collector-3", or "#7" of an unnamed actor.
  [[nodiscard]] std::string_view name() const;
  /// "/chronicle/broker/collector-3".
  [[nodiscard]] std::string path() const;
  /// 1 for the first life of this place, 2 after the first restart ...
  [[nodiscard]] std::uint32_t incarnation() const;
  /// A logger whose lines carry the path and the environment's time.
  [[nodiscard]] Logger log() const;
  [[nodiscard]] const Environment& environment() const;
  [[nodiscard]] Instant now() const;

  // ---- children
  /// Starts a child under the default policy. The arguments are kept by value for restarts. Throws Need
  /// (Errc::exists, Errc::invalid) when a living sibling has the name or the name is bad.
  template <class A, class... X>
  Ref<A> spawn(std::string_view name, X&&... arguments);
  /// Starts a child as its spec says.
  template <class A>
  Ref<A> spawn(Child<A> spec);
  /// Starts a child and waits for its first init: `co_await cx.start(spec).within(5s)`. A failing init gives its own
  /// error, and the child is not restarted.
  template <class A>
  [[nodiscard]] Pending<Ref<A>> start(Child<A>& spec);
  template <class A>
  [[nodiscard]] Pending<Ref<A>> start(Child<A>&& spec);
  /// A child, or a sibling, by its name. Errc::not_found names what there is instead.
  template <class A>
  [[nodiscard]] Result<Ref<A>> child(std::string_view name) const;
  template <class A>
  [[nodiscard]] Result<Ref<A>> sibling(std::string_view name) const;
  [[nodiscard]] std::size_t children() const;

  // ---- places (path.hpp): a Path says where; who is there is looked up when the Path is used
  [[nodiscard]] Path child(std::string_view name) const;
  [[nodiscard]] Path sibling(std::string_view name) const;
  [[nodiscard]] Path parent() const;
  [[nodiscard]] Path grandparent() const;
  /// A sibling of the parent.
  [[nodiscard]] Path uncle(std::string_view name) const;
  /// The actor at a place: "/a/b", "../b", cx.uncle("b"). Errc::not_found names the step that is missing and what there
  /// is instead; Errc::invalid the type that it has.
  template <class A>
  [[nodiscard]] Result<Ref<A>> find(const Path& where) const;
  /// What is published and offered at a place, from any thread (scope.hpp).
  [[nodiscard]] Result<Scope> scope(const Path& where) const;
  /// The main actor of another application of the launcher, once it runs.
  template <class A>
  [[nodiscard]] Result<Ref<A>> app(std::string_view name) const;

  // ---- supervising
  /// Whom this actor restarts when a child is to be restarted. Said in init, or later; it holds for this incarnation.
  void strategy(Strategy strategy);
  /// One limit for the restarts of all children together, beside each child's own: over it this actor fails. Throws Need
  /// (Errc::invalid) for a window that is not positive; the former limit then stays.
  void at_most(std::uint32_t restarts, Per window);

  // ---- life
  /// Says how this actor fares: running, degraded, maintenance, idle, outage. Its supervisor, the subscribers of
  /// runtime.events() and the service tree hear of it. It overrules what the children make of the roll-up. While it
  /// is being stopped it has no effect. Other words are the runtime's: throws Need (Errc::invalid).
  void status(Status status);
  /// The same with a word of its own for it: `cx.status(Status::degraded, "disconnected")`, shown in the tree and in
  /// StatusChanged::word. At most max_status_word bytes of it are kept, control characters become spaces. A change of
  /// the word alone is told, too.
  void status(Status status, std::string_view word);
  /// Ends this actor in order, after what is being handled: its queue is drained (or dropped, as its policy says).
  void stop();
  /// Ends any actor in order. Gone already: nothing happens.
  template <class A>
  void stop(const Ref<A>& actor);
  /// Ends any actor's incarnation in order and begins the next at once, in the same place: its queue waits, nothing is
  /// counted against a limit. One that is starting, ending or made by once() is left alone.
  template <class A>
  void restart(const Ref<A>& actor);
  /// Ends any actor at once and for good: nothing is drained, coroutines end where they wait, and so for its children.
  template <class A>
  void kill(const Ref<A>& actor);
  /// Looks into any actor, past its mailbox: `co_await cx.inspect(store).within(1s)` (inspect.hpp). Errc::gone when it
  /// has ended or the Ref is null.
  template <class A>
  [[nodiscard]] Pending<Inspection> inspect(const Ref<A>& actor);
  /// From now on it handles no message and no tick until it is resumed (or stopped, which resumes it, so that it
  /// drains). Its mailbox fills up to its bound; commands, inspections and the ends of its children work as ever. What
  /// is under way, a coroutine included, goes on to its end; nothing new begins. It belongs to the place: a restarted
  /// actor runs its init and stays suspended. Neither counts: suspended twice, it is resumed by one resume().
  template <class A>
  void suspend(const Ref<A>& actor);
  template <class A>
  void resume(const Ref<A>& actor);
  /// Makes any actor fail, between two messages or at what it awaits, as if it had thrown: its supervisor's policy acts.
  template <class A>
  void fail(const Ref<A>& actor, Error why);
  /// Is set when this actor is told to stop: for long work, also on the blocking pool.
  [[nodiscard]] std::stop_token stop_token();

  // ---- the ends of others (monitor.hpp)
  /// Exactly one Down is sent to `me`, which is cx.self(this), when `target` is over for good: at once if it is already,
  /// or the Ref is null. A restart is no end. It belongs to this incarnation.
  template <class T, class A>
  Monitor monitor(const Ref<T>& target, const Ref<A>& me);
  /// Ties this incarnation to the place `target`, both ways: if either is over for good and not in order, the other fails
  /// (Errc::failed, "linked /a/b (B) ended: ..."), and its policy decides. An end in order, or a restart, fails nobody; a
  /// restart of this actor drops the link. Throws Need (Errc::gone) if the target is known to be gone already.
  template <class T>
  void link(const Ref<T>& target);
  /// Drops what links there are between the two, whoever made them. Afterwards nothing of them fails this actor.
  template <class T>
  void unlink(const Ref<T>& target) noexcept;
  /// StatusChanged is sent to `me`, which is cx.self(this): first the present status (from == to), then each change, in
  /// order, over all restarts; the last is stopped. It belongs to this incarnation.
  template <class T, class A>
  StatusWatch watch_status(const Ref<T>& target, const Ref<A>& me);

  // ---- resources (resource.hpp): one value per type and actor, published by the actor; until its incarnation ends
  /// From now on `value` is what others find here. One that was here is replaced.
  template <class T>
  void publish(T value);
  /// The same, and it is found by lowest<T>() and highest<T>(), too.
  template <class T>
  void expose(T value);
  /// It is not here any more; who waits goes on to wait, subscribers and links hear of it. Returns it (std::optional).
  template <class T>
  auto withdraw();
  /// The value as it is now: of this actor or the nearest above it that has one, or of a place. Errc::not_found.
  template <class T>
  [[nodiscard]] Result<T> lookup() const;
  template <class T>
  [[nodiscard]] Result<T> lookup(const Path& where) const;
  /// The same without a copy: what it returns stays as it is for as long as it is held.
  template <class T>
  [[nodiscard]] Result<std::shared_ptr<const T>> borrow(const Path& where) const;
  /// `co_await cx.depends_on<Config>(cx.parent()).within(5s)`: the value once there is one, also when the place is yet to
  /// be spawned. Several types: a tuple of all; std::optional<T> is not waited for. A place for each, one for all, or
  /// none: the nearest above this actor that has it. Errors: timeout (naming what is missing), gone, cycle, invalid.
  template <class... T, class... Where>
  [[nodiscard]] auto depends_on(const Where&... where);
  /// `co_await cx.link<Config>(cx.parent()).within(5s)`: the same for one value, and when that is dropped (soft()), or
  /// also replaced (hard()), this actor is restarted, stopped or told, as it says.
  /// Linking to the same value again takes the place of the former link. A broken one is over: it tells once.
  template <class T>
  [[nodiscard]] auto link(const Path& where);
  /// The link to that value is no more; true when there was one. (A link to an actor: unlink(ref).)
  template <class T>
  bool unlink(const Path& where);
  /// Published<T> is sent to `me`, which is cx.self(this): the present value, then the latest after each change; Dropped<T>
  /// when it is no more. It belongs to this incarnation. Throws Need (Errc::not_found, Errc::gone) when there is no such
  /// place: to wait for one is depends_on's business.
  template <class T, class A>
  Subscription subscribe(const Path& where, const Ref<A>& me);
  /// `cx.subscribe<T>(where, cx.self(this), every_value(100))`: no value is replaced by the next, as long as at most 100 wait.
  template <class T, class A>
  Subscription subscribe(const Path& where, const Ref<A>& me, Every every);
  /// The exposed place nearest to the root, and the deepest one.
  template <class T>
  [[nodiscard]] Result<Path> highest() const;
  template <class T>
  [[nodiscard]] Result<Path> lowest() const;
  /// A state that others read without a message (shared.hpp): publishes a View<T> and returns what writes it.
  template <class T>
  [[nodiscard]] Shared<T> share(T initial);

  // ---- routes (route.hpp): messages by type, to whoever is at a place
  /// Errc::not_found: it offers no such message; `message` is as it was.
  template <class M>
  Result<> send(const Path& where, M&& message) const;
  /// `co_await cx.ask<Get, std::string>(cx.sibling("store"), "key").within(1s)`.
  template <class M, class R, class... X>
  [[nodiscard]] auto ask(const Path& where, X&&... parts) const;
  /// From now on this actor's scope takes M for `target`, which may be anybody; remove_route() ends it.
  template <class M, class A>
  void add_route(const Ref<A>& target);
  template <class M>
  bool remove_route();

  // ---- its own figures (metrics.hpp), by name; they go with the place
  /// Throws Need (Errc::invalid, Errc::exists, Errc::full) for a bad name, one of another kind, or too many. Keep what they
  /// return: looking a figure up takes a lock, using it does not.
  [[nodiscard]] Counter counter(std::string_view name);
  [[nodiscard]] Gauge gauge(std::string_view name);
  /// `bounds`: the upper ends of its buckets, rising; without: 1, 2, 5, 10 ... up to 1e9.
  [[nodiscard]] Histogram histogram(std::string_view name, std::span<const double> bounds = {});

  // ---- time
  /// `co_await cx.sleep(1s)`: never early; keeps the turn.
  [[nodiscard]] SleepAwait sleep(Duration d);
  /// `co_await cx.yield()`: lets the other actors of this worker go first; keeps the turn.
  [[nodiscard]] YieldAwait yield();
  /// Sends `message` to `target` after `d`, unless cancelled or this incarnation ends before. To itself the message is
  /// handled between two others, past the mailbox, so it is neither refused nor handled after a cancel.
  template <class A, class M>
  Timer send_after(Duration d, Ref<A> target, M message);
  /// The same again and again. Missed ticks are skipped: never two of one timer wait. `period` is at least 1 us.
  template <class A, class M>
  Timer send_every(Duration period, Ref<A> target, M message);

  // ---- work beside the turn
  /// Runs `work` on a thread of the bounded blocking pool: `co_await cx.blocking(moved(work))`. Errc::full when too
  /// much waits there already. What `work` throws comes back as Errc::failed.
  template <class F>
  [[nodiscard]] auto blocking(F work);
  /// Runs `task` beside the turn; what it yields is sent to `target` as a message (exactly that type).
  template <class T, class A>
  void pipe(Task<T> task, Ref<A> target);

  /// The service tree as it stands: `co_await cx.service_tree().within(1s)`.
  [[nodiscard]] Pending<ServiceTree> service_tree();

 protected:
  Context() = default;
  ~Context() = default;
  [[nodiscard]] detail::Cell& cell();
  [[nodiscard]] const detail::Cell& cell() const;
  [[nodiscard]] std::string_view log_path() const;
};

}  // namespace v0
}  // namespace backstage
