// Reply<T>: the right to answer one request, once, from anywhere and at any time.
//
//     void handle(Get get, Reply<std::string> reply) { std::move(reply)(lookup(get.key)); }
//
// Dropped unanswered, the asker hears Errc::dropped at once. `ref.forward(message, std::move(reply))` lets another
// actor answer, under the same deadline. Threads: may be moved to and used on any thread.
// Stability: settling (v0).
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "backstage/actor/detail/post.hpp"
#include "backstage/base/function.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// A request made by a thread outside: shared between the asking thread and whoever answers.
struct OutsideAsk {
  virtual ~OutsideAsk() = default;
  virtual void fail(Error error) = 0;

  std::shared_ptr<OutsideAsk> kept;  // itself, by its port: as long as somebody may answer
};

template <class T>
struct OutsideAskOf final : OutsideAsk {
  std::mutex mutex;
  std::condition_variable arrived;
  std::optional<Result<T>> result;
  MoveFunction<void()> notify;

  void put(Result<T> answer) {
    MoveFunction<void()> call;
    {
      const std::lock_guard lock(mutex);
      if (result) return;
      result.emplace(std::move(answer));
      call = std::move(notify);
      arrived.notify_all();
    }
    if (call) call();
  }
  void fail(Error error) override { put(Result<T>(std::move(error))); }
};

/// Where an answer goes: to an await of an actor, or to a thread outside. Moved, never copied: one answer.
struct ReplyPort {
  ReplyPort() = default;
  ReplyPort(Cell* asker, std::uint32_t asker_generation, std::uint32_t asker_number, Instant until,
            bool noted = false) noexcept
      : cell(asker), generation(asker_generation), number(asker_number), is_noted(noted), deadline(until) {}
  ReplyPort(const std::shared_ptr<OutsideAsk>& asker, Instant until) noexcept : slot(asker.get()), deadline(until) {
    asker->kept = asker;
  }
  ReplyPort(ReplyPort&& other) noexcept
      : cell(std::exchange(other.cell, nullptr)),
        slot(std::exchange(other.slot, nullptr)),
        generation(other.generation),
        number(other.number),
        is_noted(other.is_noted),
        has_begun(other.has_begun),
        deadline(other.deadline) {}
  ReplyPort& operator=(ReplyPort&& other) noexcept {
    if (this == &other) return *this;
    if (slot != nullptr) give_back();
    cell = std::exchange(other.cell, nullptr);
    slot = std::exchange(other.slot, nullptr);
    generation = other.generation;
    number = other.number;
    is_noted = other.is_noted;
    has_begun = other.has_begun;
    deadline = other.deadline;
    return *this;
  }
  ~ReplyPort() {
    if (slot != nullptr) [[unlikely]]
      give_back();
  }
  explicit operator bool() const noexcept { return cell != nullptr || slot != nullptr; }
  /// The thread's ask that it is for, or null.
  [[nodiscard]] OutsideAsk* outside() const noexcept {
    return cell == nullptr ? static_cast<OutsideAsk*>(slot) : nullptr;
  }
  /// What was reserved for an answer is not needed; whoever waits outside goes without.
  void give_back() noexcept;

  Cell* cell = nullptr;  // null: a thread's, or nobody's
  /// An actor's: a frame for the ReplyNode, reserved by the asker: to answer needs no memory. Null: none was. A thread's: its OutsideAsk.
  void* slot = nullptr;
  std::uint32_t generation = 0;
  std::uint32_t number = 0;
  bool is_noted = false;   // the asker's note (WaitNote) says whether this ask is still waited for
  bool has_begun = false;  // its request was handled, and failed, at least once
  Instant deadline = Instant::never();
};
/// Whether the asker is known to wait no longer: it was told of a circle, was cancelled, or has ended.
[[nodiscard]] inline bool is_given_up(const ReplyPort& port) noexcept {
  if (!port.is_noted) return false;
  // relaxed: a stale look handles a request that nobody waits for, which a slower asker would have got, too.
  const auto is_over = [&]() noexcept {
    return port.cell->waits_number() != port.number ||
           port.cell->gate.load(std::memory_order_relaxed) >> gate_bit::bits != port.generation;
  };
  if (context_beside(port.cell) != nullptr) [[likely]]
    return is_over();
  // The note is not the cell's own memory: of an asker of another Runtime it may be going just now.
  const Visit visit(port.cell);
  return visit.core() == nullptr || is_over();
}
/// A request that was taken out of the mailbox and is not handled: counted as expired instead.
void skip_request(Cell& cell, const MessageDescriptor& descriptor) noexcept;
/// The same for any message that the run loop has counted as handled: counted as `why` instead.
void skip_message(Cell& cell, const MessageDescriptor& descriptor, Undelivered why) noexcept;

/// An answer on its way through the asker's lane.
template <class T>
struct ReplyNode : LaneNode {
  explicit ReplyNode(Result<T>&& r) : result(std::move(r)) {}
  Result<T> result;
  std::uint32_t number = 0;
};

/// An await whose result is a Result<T> that is put into it, or comes through the lane.
template <class T>
struct ResultAwaiter : Awaiter {
  std::optional<Result<T>> result_;
  void complete(LaneNode& node) override { result_.emplace(std::move(static_cast<ReplyNode<T>&>(node).result)); }
};

template <class T>
void run_reply(LaneNode& node, Cell* cell) {
  auto& reply = static_cast<ReplyNode<T>&>(node);
  Awaiter* awaiter = nullptr;
  if (cell != nullptr && (awaiter = cell->find_awaiter(reply.number)) != nullptr) awaiter->complete(node);
  reply.~ReplyNode<T>();
  deallocate_frame(&node);
  if (awaiter != nullptr) cell->wake_awaiter(*awaiter);
}

/// The await that an answer is for, if its actor stands waiting and is left no other word: then the place is the caller's, who puts
/// the answer where it is waited for and lets the actor go on. Null: the answer has to go through the lane. (hand_over.hpp)
[[nodiscard]] Awaiter* claim_asker(Cell& asker, std::uint32_t generation, std::uint32_t number) noexcept;
void let_asker_go_on(WorkerContext& context, Cell& asker, Awaiter& answered) noexcept;

/// answer() to whom it cannot be put into the hands.
template <class T>
[[gnu::noinline]] void answer_otherwise(ReplyPort&& port, Result<T>&& result) {
  Cell* const asker = port.cell;
  if (asker == nullptr) {
    OutsideAsk* const outside = port.outside();
    if (outside == nullptr) return;
    // The port is nobody's from here on: whoever is told may destroy what it stands in.
    port.slot = nullptr;
    try {
      static_cast<OutsideAskOf<T>*>(outside)->put(std::move(result));
    } catch (...) {
      port.slot = outside;
      throw;
    }
    const std::shared_ptr<OutsideAsk> last = std::move(outside->kept);
    return;
  }
  const Visit visit(asker);
  // relaxed: a hint that saves the node; the lane checks again in the asker's turn.
  if (visit.core() == nullptr || asker->gate.load(std::memory_order_relaxed) >> gate_bit::bits != port.generation)
      [[unlikely]] {
    void* const unused = std::exchange(port.slot, nullptr);
    port.cell = nullptr;
    if (unused != nullptr && visit.core() != nullptr) deallocate_frame(unused);  // else it has gone with its Runtime
    return;
  }
  if (port.slot == nullptr) port.slot = allocate_frame_of(visit.core()->pool, sizeof(ReplyNode<T>));
  auto* const node = ::new (port.slot) ReplyNode<T>(std::move(result));
  port.slot = nullptr;
  port.cell = nullptr;
  node->run = &run_reply<T>;
  node->generation = port.generation;
  node->number = port.number;
  asker->post_lane(*node);
}

/// Afterwards the port is nobody's. What T's own move throws, or the want of memory where none was reserved, leaves it as
/// it was.
template <class T>
inline void answer(ReplyPort&& port, Result<T>&& result) {
  Cell* const asker = port.cell;
  WorkerContext* const context = asker != nullptr ? context_beside(asker) : nullptr;
  if (context != nullptr) [[likely]] {
    if (Awaiter* const waiting = claim_asker(*asker, port.generation, port.number)) [[likely]] {
      auto& into = static_cast<ResultAwaiter<T>*>(waiting)->result_;
      if constexpr (std::is_nothrow_move_constructible_v<Result<T>>) {
        into.emplace(std::move(result));
      } else {
        try {
          into.emplace(std::move(result));
        } catch (...) {
          asker->schedule();
          throw;
        }
      }
      port.cell = nullptr;
      if (void* const unused = std::exchange(port.slot, nullptr)) [[likely]]
        deallocate_frame_of_size<sizeof(ReplyNode<T>)>(unused);
      return let_asker_go_on(*context, *asker, *waiting);
    }
  }
  answer_otherwise<T>(std::move(port), std::move(result));
}

/// An error with a text if there is memory for one, else the code alone: for where nothing may be thrown.
[[nodiscard]] Error error_if_memory(Errc code, std::string_view text) noexcept;

/// Who answers for a handler's return value: nobody, or the asker. Unanswered, the request has failed.
struct NoAnswer {
  template <class T>
  void operator()(Result<T>&&) noexcept {}
  [[nodiscard]] Instant deadline() const noexcept { return Instant::never(); }
};
template <class T>
void answer_failed(ReplyPort&& port) noexcept {
  answer<T>(
      std::move(port),
      error_if_memory(Errc::failed, "the actor failed or was ended while it handled the request").and_may_have_run());
}
template <class T>
class AskAnswer {
 public:
  explicit AskAnswer(ReplyPort port) noexcept : port_(std::move(port)) {}
  AskAnswer(AskAnswer&&) noexcept = default;
  AskAnswer& operator=(AskAnswer&&) = delete;
  ~AskAnswer() {
    if (port_) answer_failed<T>(std::move(port_));
  }
  void operator()(Result<T>&& result) {
    settle_turn();
    answer<T>(std::move(port_), std::move(result));
  }
  [[nodiscard]] Instant deadline() const noexcept { return port_.deadline; }
  [[nodiscard]] ReplyPort release() noexcept { return std::move(port_); }

 private:
  ReplyPort port_;
};

/// The same for a handler that has answered when it returns: the port stays where it stands.
template <class T>
class AnswerInPlace {
 public:
  explicit AnswerInPlace(ReplyPort& port) noexcept : port_(&port) {}
  AnswerInPlace(const AnswerInPlace&) = delete;
  AnswerInPlace& operator=(const AnswerInPlace&) = delete;
  ~AnswerInPlace() {
    if (*port_) [[unlikely]]
      answer_failed<T>(std::move(*port_));
  }
  void operator()(Result<T>&& result) {
    settle_turn();
    answer<T>(std::move(*port_), std::move(result));
  }
  [[nodiscard]] Instant deadline() const noexcept { return port_->deadline; }
  [[nodiscard]] ReplyPort release() noexcept { return std::move(*port_); }

 private:
  ReplyPort* port_;
};

/// The same for a request that may be handled again (retry_failed): the right to answer lies in `holder`, which is kept
/// until the handler has ended; unanswered, it stays there for the next incarnation.
template <class T>
class KeptAnswer {
 public:
  explicit KeptAnswer(ReplyPort& holder) noexcept : holder_(&holder), deadline_(holder.deadline) {}
  void operator()(Result<T>&& result) {
    settle_turn();
    answer<T>(std::move(*holder_), std::move(result));
  }
  [[nodiscard]] Instant deadline() const noexcept { return deadline_; }
  [[nodiscard]] ReplyPort release() noexcept { return std::move(*holder_); }

 private:
  ReplyPort* holder_;
  Instant deadline_;
};

struct ReplyAccess;
/// A Reply is moved into a message that is being sent: from now on its receiver owes the answer.
void note_handed_on(const ReplyPort& port) noexcept;

}  // namespace detail

template <class T>
class Reply {
 public:
  using value_type = T;
  Reply() = default;
  Reply(Reply&& other) noexcept : port_(std::move(other.port_)) { note_handed_on(); }
  Reply& operator=(Reply&& other) noexcept {
    if (this != &other) {
      drop();
      port_ = std::move(other.port_);
      note_handed_on();
    }
    return *this;
  }
  ~Reply() { drop(); }

  /// Answers. A Reply to a plain send (nobody asked) answers nobody.
  void operator()(Result<T> result) && {
    detail::settle_turn();
    if (port_) detail::answer<T>(std::move(port_), std::move(result));
  }
  /// Whether anybody waits for the answer as far as is known here.
  [[nodiscard]] bool is_wanted() const noexcept { return static_cast<bool>(port_); }
  /// Until when the asker waits.
  [[nodiscard]] Instant deadline() const noexcept { return port_.deadline; }

 private:
  friend struct detail::ReplyAccess;
  explicit Reply(detail::ReplyPort port) noexcept : port_(std::move(port)) {}
  /// If it was moved into a message.
  void note_handed_on() const noexcept {
    if (port_.is_noted && detail::this_turn != nullptr && detail::this_turn->handing_to != nullptr) {
      detail::note_handed_on(port_);
    }
  }
  void drop() noexcept {
    if (port_)
      detail::answer<T>(
          std::move(port_),
          detail::error_if_memory(Errc::dropped, "the request was dropped unanswered").and_may_have_run());
  }
  detail::ReplyPort port_;
};

namespace detail {
struct ReplyAccess {
  template <class T>
  static Reply<T> make(ReplyPort port) noexcept {
    return Reply<T>(std::move(port));
  }
  template <class T>
  static ReplyPort take(Reply<T>& reply) noexcept {
    return std::move(reply.port_);
  }
};
}  // namespace detail

}  // namespace v0
}  // namespace backstage
