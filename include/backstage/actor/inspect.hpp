// Inspect: one actor seen from inside, while it lives: what it handles, what its coroutines wait for, what it says of
// its state.
//
//     auto seen = co_await cx.inspect(store).within(1s);        // inside an actor
//     auto seen = runtime.inspect(store).within(1s);            // from a thread of your own
//     std::cout << seen.value().text();
//
// The question is a command: it is answered between two messages and at each await, also when the mailbox is full, the
// actor suspended, or one of its handlers waits. The place for the answer lies with whoever asks, so that asking needs no
// memory; an answer for which the memory is out comes as Errc::unavailable. An actor that does not give its turn back cannot
// answer: at the deadline comes what can be seen from outside (`responding` is false), with the message that it is in.
// Errors: gone (ended for good, or a null Ref), unavailable (out of memory).
//
// An actor may have a hook `std::string describe() const`: a few words on its state, for inspections and crash reports.
// It runs in the actor's own turn, also while one of its coroutines waits and after a failure, so it must cope with
// half-made changes. What it says is cut at max_description bytes; what it throws becomes the text.
// Threads: any. Stability: settling (v0).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backstage/actor/ref.hpp"
#include "backstage/actor/spawn.hpp"
#include "backstage/actor/status.hpp"
#include "backstage/mailbox/mailbox.hpp"

namespace backstage {
inline namespace v0 {

inline constexpr std::size_t max_description = 4 * 1024;

/// One thing that a coroutine of an actor waits for.
struct Waiting {
  std::string work;  ///< what the coroutine works on: a message's type, "init", "terminating", "event_loop", "pipe"
  std::string on;    ///< "ask Get to /store", "sleep of 1s", "room in the mailbox of /sink for Line", "blocking work"
  Duration since{0};
  Duration left = Duration::max();  ///< until its deadline; max: it has none
};

/// One monitor, link or status watch that an actor is part of.
struct Watched {
  std::string how;  ///< "monitor", "link", "status"
  std::string who;  ///< the path of the other; "a thread outside"; "an actor that has ended (Store)"
};

/// An actor as it was at one instant between two messages.
struct Inspection {
  static constexpr std::size_t max_children = 64;  ///< names listed; all are counted
  static constexpr std::size_t max_watches = 64;   ///< listed each way

  std::string path;
  std::string type;
  bool responding = true;  ///< false: did not answer in time; what is marked (*) is then not known
  std::string phase;       ///< (*) "running", "draining", "waits for its restart" ...
  Status status = Status::starting;
  std::string word;  ///< (*) the actor's own for its status
  bool suspended = false;
  std::uint32_t incarnation = 0;  ///< (*)
  Duration uptime{0};             ///< (*) since its init ended; 0: it does not run
  std::uint32_t mailbox = 0;      ///< messages that wait
  std::uint32_t mailbox_bound = Mailbox::no_limit;
  std::uint64_t handled = 0;  ///< since the place was made
  std::string handling;       ///< what keeps its turn: a message's type or a hook; empty: nothing
  Duration handling_since{0};
  std::vector<Waiting> waits;            ///< (*) oldest first
  std::size_t timers = 0;                ///< (*) set and not yet fired for the last time
  std::size_t children = 0;              ///< (*)
  std::vector<std::string> child_names;  ///< (*) the first of them, in start order
  std::vector<Watched> watches;     ///< (*) whom it watches and is linked with, as it said itself; the latest first
  std::vector<Watched> watched_by;  ///< (*) who watches it, and has linked itself with it; the latest first
  std::string last_error;           ///< (*)
  std::string state;                ///< (*) what describe() says; empty: it has none, or is not constructed

  /// A few lines for people.
  [[nodiscard]] std::string text() const;
};

namespace detail {
/// A question under way, with the place for its answer. It lies with whoever asks, and hangs in a list of the target's
/// Runtime (Core::inspections) until it is answered or taken back; the target finds it by order::inspect.
struct InspectSlot {
  enum class State : std::uint8_t { idle, asked, looked_at, answered };

  /// Asks. The answer may come at once.
  void ask(Cell& whom, std::uint32_t whom_generation) noexcept;
  /// Takes the question back; afterwards nobody touches the slot any more.
  void take_back() noexcept;

  InspectSlot* previous = nullptr;  // the list's lock
  InspectSlot* next = nullptr;
  std::atomic<State> state{State::idle};
  Cell* target = nullptr;
  std::uint32_t generation = 0;
  std::uint32_t asker_generation = 0;
  Cell* asker = nullptr;                        // an actor, told by order::answered; or:
  OutsideAskOf<Inspection>* outside = nullptr;  // a thread that waits
  std::optional<Result<Inspection>> result;     // of an actor's question
};
/// What is known of an actor that does not answer.
[[nodiscard]] Result<Inspection> seen_from_outside(Cell* cell, std::uint32_t generation);
[[nodiscard]] Error nothing_to_inspect();

class InspectAwait final : public ResultAwaiter<Inspection> {
 public:
  InspectAwait(Cell* target, std::uint32_t generation, Duration within) noexcept
      : target_(target), target_generation_(generation), within_(within) {}
  ~InspectAwait() { slot_.take_back(); }
  bool await_ready() {
    if (target_ == nullptr) result_.emplace(nothing_to_inspect());
    return result_.has_value();
  }
  void await_suspend(std::coroutine_handle<> handle);
  Result<Inspection> await_resume() { return std::move(*result_); }
  void expire(Cell&) override;
  bool take_answer() override;
  [[nodiscard]] std::string describe_wait() const override;

 private:
  InspectSlot slot_;
  Cell* target_;
  std::uint32_t target_generation_;
  Duration within_;
};
}  // namespace detail

template <>
class [[nodiscard]] Pending<Inspection> {
 public:
  Pending(detail::Cell* cell, std::uint32_t generation) noexcept : cell_(cell), generation_(generation) {}
  class [[nodiscard]] Within {
   public:
    Within(detail::Cell* cell, std::uint32_t generation, Duration d) noexcept
        : cell_(cell), generation_(generation), within_(d) {}
    detail::InspectAwait operator co_await() && { return detail::InspectAwait(cell_, generation_, within_); }
    using value_type = Result<Inspection>;

   private:
    detail::Cell* cell_;
    std::uint32_t generation_;
    Duration within_;
  };
  [[nodiscard]] Within within(Duration d) && { return Within(cell_, generation_, d); }
  void operator co_await() && = delete;  // a wait always has a deadline: .within(1s)

 private:
  detail::Cell* cell_;
  std::uint32_t generation_;
};

template <class A>
Pending<Inspection> Context::inspect(const Ref<A>& actor) {
  return Pending<Inspection>(detail::RefAccess::cell(actor), detail::RefAccess::generation(actor));
}
template <class A>
void Context::suspend(const Ref<A>& actor) {
  (void)detail::order_cell(detail::RefAccess::cell(actor), detail::RefAccess::generation(actor),
                           detail::order::suspend);
}
template <class A>
void Context::resume(const Ref<A>& actor) {
  (void)detail::order_cell(detail::RefAccess::cell(actor), detail::RefAccess::generation(actor),
                           detail::order::resume);
}

}  // namespace v0
}  // namespace backstage
