// Runtime: owns the workers, the actors' places and everything they share. Any number may live in one process.
//
//     Runtime runtime;
//     Ref<Account> account = runtime.spawn<Account>("account", 100);
//     account.send(Deposit{50});
//     runtime.ask<Balance>(account).within(1s).value();      // blocks this thread only
//
// Threads: all members from any thread, but not from within an actor (an actor uses its Context).
// Lifetime: the destructor is shutdown(10s). Refs may outlive the Runtime.
// Stability: settling (v0).
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backstage/actor/await.hpp"
#include "backstage/actor/events.hpp"
#include "backstage/actor/inspect.hpp"
#include "backstage/actor/monitor.hpp"
#include "backstage/actor/service.hpp"
#include "backstage/mailbox/counters.hpp"

namespace backstage {
inline namespace v0 {

struct RuntimeOptions {
  /// Worker threads; 0: what affinity and cgroup quota allow.
  unsigned workers = 0;
  /// Workers more, at most, for as long as all others are stuck in one message each and something waits.
  unsigned spare_workers = 16;
  /// A handler that keeps its worker for so long is reported: an event, a line in the log, Runtime::hogs().
  Duration hog_after = std::chrono::milliseconds(50);
  /// May its stack be read, by a signal to its thread? Null: no signals. The Launcher says yes (stack_signal.hpp).
  std::shared_ptr<StackSignal> stacks{};
  /// No thread at all: whoever owns the Runtime drives it (see sim/test_runtime.hpp).
  bool manual = false;
  /// Threads of the blocking pool at most, and jobs that may wait for one.
  unsigned blocking_threads = 16;
  std::size_t blocking_queue = 1'024;
  /// Null: the real one.
  std::shared_ptr<Environment> environment{};
  /// Where log lines go; null: standard error, human-readable.
  std::shared_ptr<LogSink> log_sink{};
  Level log_level = Level::info;
  /// Name of the root in paths and the tree.
  std::string name = "";
};

/// An actor whose thread was not given back when the runtime had to stop.
struct StuckActor {
  std::string path;          ///< "/" when the thread is the blocking pool's, or cannot be told
  std::string_view message;  ///< the type of the message it is in
  Duration since{0};         ///< for how long it has been in its turn, when it was given up; 0: cannot be told
  StackAddresses stack{};    ///< describe_stack() makes lines of it; empty: RuntimeOptions::stacks does not allow it
};

/// Handlers that kept their worker for longer than RuntimeOptions::hog_after.
struct HogCounts {
  std::uint64_t found = 0;
  std::uint64_t now = 0;  ///< of those: not over yet
  Duration longest{0};    ///< of those that are over
};

/// An ask from outside that does not block: for programs with a main loop of their own.
template <class T>
class [[nodiscard]] PendingAnswer {
 public:
  explicit PendingAnswer(std::shared_ptr<detail::OutsideAskOf<T>> state, Instant deadline, const Clock& clock)
      : state_(std::move(state)), deadline_(deadline), clock_(&clock) {}
  /// The answer if it has come, or Errc::timeout if the deadline has passed; nothing while neither.
  [[nodiscard]] std::optional<Result<T>> poll() {
    const std::lock_guard lock(state_->mutex);
    if (state_->result) return std::move(*state_->result);
    if (clock_->now() >= deadline_) return Result<T>(Error(Errc::timeout, "no answer in time").and_may_have_run());
    return std::nullopt;
  }
  /// Calls `notify` once when the answer is there (at once if it is already): on a runtime thread, so it should only
  /// wake the program's own loop. It is not called for a timeout: poll() tells that.
  void on_ready(MoveFunction<void()> notify) {
    {
      const std::lock_guard lock(state_->mutex);
      if (!state_->result) {
        state_->notify = std::move(notify);
        return;
      }
    }
    notify();
  }

 private:
  std::shared_ptr<detail::OutsideAskOf<T>> state_;
  Instant deadline_;
  const Clock* clock_;
};

class Runtime;
struct ActorMetrics;

/// A request from outside, without its deadline yet.
template <class A, class M>
class [[nodiscard]] OutsideRequest {
 public:
  using T = reply_t<A, M>;
  OutsideRequest(Runtime& runtime, detail::Request<A, M> request) : runtime_(runtime), request_(std::move(request)) {}
  /// Blocks this thread until the answer or the deadline. Inside an actor: Errc::invalid (use co_await ref.ask).
  Result<T> within(Duration d) &&;
  /// Does not block: poll() the answer, or be notified.
  PendingAnswer<T> polled_within(Duration d) &&;

 private:
  Runtime& runtime_;
  detail::Request<A, M> request_;
};

/// A monitor of a thread outside: exactly one Down, which stays here once it has come. Cancelled by its destruction.
/// May outlive the Runtime, but within() needs it.
class [[nodiscard]] OutsideMonitor {
 public:
  OutsideMonitor(OutsideMonitor&& other) noexcept
      : runtime_(other.runtime_), state_(std::move(other.state_)), record_(std::exchange(other.record_, nullptr)) {}
  OutsideMonitor& operator=(OutsideMonitor&& other) noexcept {
    std::swap(runtime_, other.runtime_);
    std::swap(state_, other.state_);
    std::swap(record_, other.record_);
    return *this;
  }
  ~OutsideMonitor() { cancel(); }

  /// The Down if it has come. Does not wait.
  [[nodiscard]] std::optional<Down> poll() const;
  /// Blocks this thread until the Down has come. Errc::timeout: not yet, the monitor stays set. Errc::cancelled after
  /// cancel(). Inside an actor: Errc::invalid (use cx.monitor).
  [[nodiscard]] Result<Down> within(Duration d) const;
  /// Calls `notify` once when the Down is there (at once if it is already): on a runtime thread, so it should only wake
  /// the program's own loop.
  void on_ready(MoveFunction<void()> notify);
  /// No Down comes from now on (one that has come stays); `notify` is not called any more, unless it is running now.
  void cancel() noexcept;

 private:
  friend class Runtime;
  OutsideMonitor(Runtime& runtime, std::shared_ptr<detail::OutsideAskOf<Down>> state, detail::WatchRecord* record)
      : runtime_(&runtime), state_(std::move(state)), record_(record) {}

  Runtime* runtime_;
  std::shared_ptr<detail::OutsideAskOf<Down>> state_;
  detail::WatchRecord* record_;
};

/// An inspection from outside, without its deadline yet.
class [[nodiscard]] OutsideInspection {
 public:
  OutsideInspection(Runtime& runtime, detail::Cell* cell, std::uint32_t generation) noexcept
      : runtime_(runtime), cell_(cell), generation_(generation) {}
  /// Blocks this thread until the answer or the deadline.
  Result<Inspection> within(Duration d) &&;

 private:
  Runtime& runtime_;
  detail::Cell* cell_;
  std::uint32_t generation_;
};

class Runtime {
 public:
  explicit Runtime(RuntimeOptions options = {});
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime();

  /// Starts an actor below the root. Throws Need (Errc::exists, Errc::invalid, Errc::stopping).
  template <class A, class... X>
  Ref<A> spawn(std::string_view name, X&&... arguments) {
    return spawn(child<A>(name, std::forward<X>(arguments)...));
  }
  template <class A>
  Ref<A> spawn(Child<A> spec) {
    const auto [cell, generation] = start(std::move(spec).build(pool()));
    return detail::RefAccess::make<A>(cell, generation);
  }

  /// `runtime.ask<Balance>(account).within(1s)`.
  template <class M, class A, class... X>
  [[nodiscard]] OutsideRequest<A, M> ask(const Ref<A>& actor, X&&... parts) {
    static_assert(Handles<A, M>, "this actor has no handle() for exactly that message type");
    return OutsideRequest<A, M>(
        *this, detail::Request<A, M>(detail::RefAccess::cell(actor), detail::RefAccess::generation(actor),
                                     std::forward<X>(parts)...));
  }

  /// To hear of the end of any actor: `runtime.monitor(store).within(5s)`, or poll() it, or be notified.
  template <class A>
  [[nodiscard]] OutsideMonitor monitor(const Ref<A>& actor) {
    auto state = std::make_shared<detail::OutsideAskOf<Down>>();
    detail::WatchRecord* const record = detail::set_outside_monitor(detail::watch_target(actor), state);
    return OutsideMonitor(*this, std::move(state), record);
  }

  /// Ends one actor in order; returns at once.
  template <class A>
  void stop(const Ref<A>& actor) {
    order(actor, detail::order::stop);
  }
  /// Ends one actor's incarnation in order and begins the next at once, in the same place; returns at once.
  template <class A>
  void restart(const Ref<A>& actor) {
    order(actor, detail::order::restart);
  }
  /// Makes one actor fail, between two messages or at what it awaits, as if it had thrown: its supervisor's policy acts.
  /// For drills and tests of what is above it.
  template <class A>
  void fail(const Ref<A>& actor, Error why) {
    detail::fail_cell(detail::RefAccess::cell(actor), detail::RefAccess::generation(actor), std::move(why));
  }
  /// Ends one actor at once and for good: nothing is drained; returns at once.
  template <class A>
  void kill(const Ref<A>& actor) {
    order(actor, detail::order::kill);
  }

  /// Looks into an actor, past its mailbox: `runtime.inspect(store).within(1s)` (inspect.hpp). Errc::gone when it has
  /// ended or the Ref is null; from within an actor Errc::invalid.
  template <class A>
  [[nodiscard]] OutsideInspection inspect(const Ref<A>& actor) {
    return OutsideInspection(*this, detail::RefAccess::cell(actor), detail::RefAccess::generation(actor));
  }
  /// As Context::suspend and resume; return at once.
  template <class A>
  void suspend(const Ref<A>& actor) {
    order(actor, detail::order::suspend);
  }
  template <class A>
  void resume(const Ref<A>& actor) {
    order(actor, detail::order::resume);
  }

  /// Stops everything: children in reverse start order, each draining its queue. Ends within `within` and a grace of
  /// one second. An error (Errc::timeout) says why it was not in order: it names the actors that were ended where they
  /// waited, or those whose threads were not given back (their memory is then leaked, not freed under them). Calls beside the first wait for it; they, and later ones, return its result. From within an actor of
  /// this runtime: Errc::invalid.
  Result<> shutdown(Duration within = default_shutdown_within);
  [[nodiscard]] const std::vector<StuckActor>& stuck() const noexcept;
  /// What was still alive when the deadline of the shutdown passed, and what each of them waited for (Service::waits),
  /// before coroutines were destroyed and threads given up. Empty (its root has no type) when all ended in time.
  [[nodiscard]] const ServiceTree& still_alive() const noexcept;
  /// True after a child of the root failed for good.
  [[nodiscard]] bool gave_up() const noexcept;

  [[nodiscard]] Events& events() noexcept;
  /// The accounting of messages. Exact when the runtime rests (M6).
  [[nodiscard]] MessageCounts counts() const noexcept;
  [[nodiscard]] HogCounts hogs() const noexcept;
  /// Asks every actor; those that do not answer within `within` are marked.
  [[nodiscard]] ServiceTree service_tree(Duration within = std::chrono::seconds(1));
  [[nodiscard]] const Environment& environment() const noexcept;
  /// A logger that speaks for the root: "/".
  [[nodiscard]] Logger log() const;
  [[nodiscard]] unsigned workers() const noexcept;
  /// Blocks that the runtime's pool has handed out, but for those that actors keep for themselves with their first child, timer
  /// or coroutine: a census for tests, exact when the runtime rests.
  [[nodiscard]] SlabCensus memory() const;
  [[nodiscard]] std::size_t actors() const noexcept;

  // ---- scopes, from any thread (path.hpp, scope.hpp, resource.hpp)
  /// The actor at an absolute path.
  template <class A>
  [[nodiscard]] Result<Ref<A>> find(const Path& where) const;
  /// What is published and offered at a place: lookups, routes.
  [[nodiscard]] Result<Scope> scope(const Path& where) const;
  /// Publishes at the root, so that cx.lookup<T>() of every actor finds it.
  template <class T>
  void publish(T value);
  template <class T>
  auto withdraw();

  /// Figures of actors' own (Context::counter and its like), of all places.
  [[nodiscard]] std::vector<ActorMetrics> metrics() const;

  /// The inside, for the floors above (application, sim).
  [[nodiscard]] detail::Core& core() noexcept { return *core_; }

 private:
  template <class A, class M>
  friend class OutsideRequest;
  friend class OutsideMonitor;
  template <class A>
  static void order(const Ref<A>& actor, std::uint32_t orders) noexcept {
    (void)detail::order_cell(detail::RefAccess::cell(actor), detail::RefAccess::generation(actor), orders);
  }
  friend class OutsideInspection;
  [[nodiscard]] Result<Inspection> inspect_cell(detail::Cell* cell, std::uint32_t generation, Duration within);
  void note_still_alive(Instant until);
  [[nodiscard]] detail::CoreFace& face() const noexcept;
  [[nodiscard]] SlabPool& pool() noexcept;
  std::pair<detail::Cell*, std::uint32_t> start(detail::Body& body);
  /// Blocks (or, in manual mode, drives) until done() or the deadline.
  void wait_until(Instant deadline, detail::OutsideAsk& ask, bool (*done)(detail::OutsideAsk&),
                  void (*block)(detail::OutsideAsk&, Duration));
  template <class State>
  void wait_for(State& state, Instant deadline);
  [[nodiscard]] bool called_inside() const noexcept;
  void stop_all(Duration within);

  detail::Core* core_;
  std::mutex shutdown_mutex_;  // held by the one shutdown
};

template <class A, class M>
PendingAnswer<reply_t<A, M>> OutsideRequest<A, M>::polled_within(Duration d) && {
  const Clock& clock = runtime_.environment().clock();
  const Instant deadline = clock.now() + d;
  auto state = std::make_shared<detail::OutsideAskOf<T>>();
  detail::AskRecord record = request_.record();
  request_.send(detail::ReplyPort(state, deadline), record);
  return PendingAnswer<T>(std::move(state), deadline, clock);
}

template <class A, class M>
Result<reply_t<A, M>> OutsideRequest<A, M>::within(Duration d) && {
  if (runtime_.called_inside()) {
    return Error(Errc::invalid,
                 "runtime.ask blocks its thread: inside an actor use co_await ref.ask<...>().within(...)");
  }
  const Clock& clock = runtime_.environment().clock();
  detail::AskRecord record = request_.record();
  record.sent = clock.now();
  const Instant deadline = record.sent + d;
  auto state = std::make_shared<detail::OutsideAskOf<T>>();
  request_.send(detail::ReplyPort(state, deadline), record);
  using State = detail::OutsideAskOf<T>;
  runtime_.wait_until(
      deadline, *state,
      [](detail::OutsideAsk& ask) {
        auto& s = static_cast<State&>(ask);
        const std::lock_guard lock(s.mutex);
        return s.result.has_value();
      },
      [](detail::OutsideAsk& ask, Duration most) {
        auto& s = static_cast<State&>(ask);
        std::unique_lock lock(s.mutex);
        s.arrived.wait_for(lock, most, [&] { return s.result.has_value(); });
      });
  const std::lock_guard lock(state->mutex);
  if (state->result) return std::move(*state->result);
  return detail::timeout_error(record, clock.now());
}

}  // namespace v0
}  // namespace backstage
