// The service tree: every actor with its status, as data and as text. It is gathered through the command lane, so an
// actor whose mailbox is full still answers; one that is stuck in a handler is shown as such.
// Stability: settling (v0).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backstage/actor/await.hpp"
#include "backstage/actor/status.hpp"
#include "backstage/base/time.hpp"

namespace backstage {
inline namespace v0 {

struct Service {
  std::string name;
  std::string type;
  Status status = Status::starting;  ///< as the actor says
  std::string word;                  ///< the actor's own for its status ("disconnected"), or empty
  /// The gravest of its own and its children's, unless the actor states its own by cx.status(). A child that failed
  /// and waits for its restart counts as outage; one that ended normally does not count.
  Status rolled_up = Status::starting;
  std::uint32_t incarnation = 0;
  Duration uptime{0};  ///< of this incarnation
  /// For how long the place has not run since it first did, over all its restarts: from the end of each incarnation
  /// (its draining still counts as running) to the end of the next one's init. The present one is included.
  Duration downtime{0};
  std::uint32_t restarts = 0;  ///< incarnations after the first
  bool suspended = false;
  std::uint32_t mailbox = 0;  ///< messages that wait
  std::uint64_t handled = 0;  ///< messages handled since the place was made
  bool responding = true;     ///< false: did not answer in time (busy with one message)
  bool stuck = false;         ///< found by the watch: keeps its worker (Hog)
  std::string handling;       ///< the message that it is busy with, when it does not respond and that can be told
  Duration handling_since{0};
  std::string last_error;    ///< of its last failure, with causes
  WallTime last_error_at{};  ///< by the calendar; 0: it has not failed
  /// What its coroutines wait for ("Nap waits for sleep of 1h since 3s"). Filled in Runtime::still_alive() only.
  std::vector<std::string> waits;
  std::vector<Service> children;  ///< in start order
};

class ServiceTree {
 public:
  ServiceTree() = default;
  explicit ServiceTree(Service top) : root(std::move(top)) {}
  Service root;
  /// For people, one line an actor: name, status with its word, what is below, type, uptime, downtime, restarts,
  /// handled and waiting messages, the last error and when; below that what it waits for. No line holds control
  /// characters, whatever the errors and words do.
  [[nodiscard]] std::string text() const;
};

namespace detail {
class ServiceWalk;
/// Asks `from` and everybody below. The answer (ReplyNode<ServiceTree>) goes to `port` when all have answered.
[[nodiscard]] std::shared_ptr<ServiceWalk> start_walk(Cell& from, ReplyPort port, bool with_waits = false);
/// What has been gathered so far.
[[nodiscard]] ServiceTree gathered(ServiceWalk& walk);
[[nodiscard]] Cell& root_of(Cell& cell) noexcept;

class ServiceAwait final : public ResultAwaiter<ServiceTree> {
 public:
  explicit ServiceAwait(Duration within) : within_(within) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    Cell& me = *current_cell();
    const Instant deadline = this_turn->worker->fresh_now() + within_;
    enlist(me, handle, deadline);
    walk_ = start_walk(root_of(me), ReplyPort(&me, me.generation(), number_, deadline));
  }
  Result<ServiceTree> await_resume() { return std::move(*result_); }
  /// Not everybody answered: those who did not are marked.
  void expire(Cell&) override { result_.emplace(gathered(*walk_)); }
  [[nodiscard]] std::string describe_wait() const override { return "the service tree"; }

 private:
  Duration within_;
  std::shared_ptr<ServiceWalk> walk_;
};
}  // namespace detail

template <>
class [[nodiscard]] Pending<ServiceTree> {
 public:
  class [[nodiscard]] Within {
   public:
    explicit Within(Duration d) : within_(d) {}
    detail::ServiceAwait operator co_await() && { return detail::ServiceAwait(within_); }
    using value_type = Result<ServiceTree>;

   private:
    Duration within_;
  };
  [[nodiscard]] Within within(Duration d) && { return Within(d); }
};

}  // namespace v0
}  // namespace backstage
