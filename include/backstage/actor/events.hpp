// runtime.events(): one typed stream of what happens to actors, for subscribers, dashboards and tests.
//
//     auto subscription = runtime.events().subscribe([](const Event& event) { ... });   // called on runtime threads
//     runtime.events().subscribe(ref);                                                  // or sent to handle(Event)
//
// Events of one actor come in order. A callback must be quick, must not throw, and may send but not block. What a
// callback itself brings about (the dead letter of a send of its own) is not told to that callback.
// Stability: settling (v0).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "backstage/actor/ref.hpp"
#include "backstage/actor/status.hpp"
#include "backstage/base/function.hpp"
#include "backstage/exec/stack_signal.hpp"
#include "backstage/mailbox/counters.hpp"

namespace backstage {
inline namespace v0 {

/// A message that was not delivered, or was dropped by policy.
struct DeadLetter {
  Undelivered why;
  std::string_view message;  ///< its type
  std::string_view actor;    ///< the type of the actor it was meant for
  std::string path;          ///< that actor's path where it is known (it may be gone)
};
/// An incarnation ended by a failure: the crash report as one record. The log's "actor failed" carries the same.
/// With no memory left for it the record comes shortened: the path empty or cut, the error its code alone.
struct ActorFailed {
  std::string path;
  std::string_view actor;
  std::uint32_t incarnation;
  Error error;                 ///< with its causes
  std::string_view message{};  ///< what was being handled: a message's type, "init", "constructor" ...
  std::string state{};         ///< what describe() said then, if the actor has it and was constructed
  Duration uptime{0};          ///< since its init had ended; 0: it had not
  std::uint32_t restarts = 0;  ///< of its place so far, this failure's not included
  std::uint32_t mailbox = 0;   ///< messages that waited
  WallTime at{};
};
/// The supervisor restarts a child after a back-off.
struct Restarting {
  std::string path;
  std::string_view actor;
  std::uint32_t restarts;
  Duration after;
};
/// A message made its actor fail as often as its policy lets it be tried, and was set aside.
struct Quarantined {
  std::string path;
  std::string_view actor;
  std::string_view message;  ///< its type
  std::uint32_t tries;
  Error error;  ///< of the last one
};
/// An actor is gone for good.
struct Ended {
  std::string path;
  std::string_view actor;
  Result<> result;
};
/// A child of the root failed more often than its limit allows: nobody above can help.
struct GaveUp {
  std::string path;
  std::string_view actor;
  Error error;
};

/// A handler (a hook, a constructor) keeps its worker: it has been in one message for longer than RuntimeOptions::hog_after.
/// Told when it is found, and once more (`over`) when it has given its worker back. From the runtime's watch.
struct Hog {
  std::string path;
  std::string_view actor;
  std::string_view message{};  ///< its type; a hook's name; or that it cannot be told
  Duration kept{0};            ///< for how long so far, or (over) in all, up to a look of 10 ms
  unsigned worker = 0;
  bool over = false;
  StackAddresses stack;  ///< innermost first, see describe_stack(); empty when it was not allowed or did not come
};

using Event = std::variant<DeadLetter, StatusChanged, ActorFailed, Restarting, Quarantined, Ended, GaveUp, Hog>;

class Events {
 public:
  using Callback = MoveFunction<void(const Event&)>;

  /// Ends with its destruction: afterwards the callback is not called any more (and no call is under way).
  class Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&&) noexcept = default;
    Subscription& operator=(Subscription&& other) noexcept {
      if (this != &other) {
        end();
        entry_ = std::move(other.entry_);
        hub_ = other.hub_;
      }
      return *this;
    }
    ~Subscription() { end(); }
    void end() noexcept;

   private:
    friend class Events;
    struct Entry;
    std::shared_ptr<Entry> entry_;
    std::weak_ptr<std::atomic<int>> hub_;
  };

  Events();
  ~Events();
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  [[nodiscard]] Subscription subscribe(Callback callback);
  /// Sends each event to `target` for as long as it lives. Its mailbox bounds what waits: what finds it full is
  /// dropped, as its policy says.
  template <class A>
  void subscribe(Ref<A> target) {
    static_assert(Handles<A, Event>, "the subscriber needs  void handle(backstage::Event)");
    keep(add([target](const Event& event) {
      const Result<> sent = target.try_send(event);
      if (sent) return true;
      if (sent.error().is(Errc::full)) target.send(event);  // dropped and counted as its mailbox says
      return sent.error().is(Errc::full);
    }));
  }

  /// Whether anybody listens: what is costly to build need not be built.
  [[nodiscard]] bool wanted() const noexcept { return listeners_->load(std::memory_order_relaxed) > 0; }
  void emit(const Event& event) noexcept;

 private:
  /// A callback that says whether it wants to be called again.
  using Listener = MoveFunction<bool(const Event&)>;
  [[nodiscard]] Subscription add(Listener listener);
  void keep(Subscription subscription);
  std::shared_ptr<std::atomic<int>> listeners_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<Subscription::Entry>> entries_;
  std::vector<Subscription> kept_;
};

}  // namespace v0
}  // namespace backstage
