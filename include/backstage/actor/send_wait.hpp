// send_wait: sends when there is room in the receiver's mailbox, first come first served (promise M4). In a mailbox of 128 and more, room is
// given to those who wait when half of it is empty, or when its actor's turn ends or waits; at the latest when its actor has been 20 ms in one message.
//
//     auto sent = co_await sink.send_wait(moved(line)).within(1s);   // Errc::timeout: still full, not sent
//
// While somebody waits, later try_sends are refused and later sends meet a full mailbox. Inside actors only.
// Stability: settling (v0).
#pragma once

#include <optional>
#include <utility>

#include "backstage/actor/ask.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

enum class Enqueued : std::uint8_t { sent, waiting };
/// The asker of a forwarded request waits for `target` from now on: a circle of waiting actors may run through it.
void note_forwarded(const ReplyPort& port, Cell& target, std::uint32_t generation);
/// Sends `envelope` if there is room, else keeps it until there is. The completion (a ReplyNode<void>) goes to the
/// awaiter `number` of `sender`, in the frame `slot`. Counts the message as sent when it enters the mailbox. Both are handed
/// over, also when this throws (std::bad_alloc).
Enqueued send_or_wait(Cell& target, Envelope& envelope, Cell& sender, std::uint32_t number, void* slot);
/// Takes a waiting envelope back. False: it has been sent (or answered) meanwhile; `if_full`: or there is room for it.
bool withdraw_waiting(Cell& target, std::uint32_t generation, Cell& sender, std::uint32_t number,
                      bool if_full = false) noexcept;

template <class A, class M>
void forward_message(Cell* cell, std::uint32_t generation, M message, Reply<reply_t<A, M>> reply) {
  using T = reply_t<A, M>;
  ReplyPort port = ReplyAccess::take(reply);
  if (cell == nullptr) {
    answer<T>(std::move(port), refusal(Errc::gone, type_name<A>()));
    return;
  }
  settle_turn();
  const Visit visit(cell);
  if (visit.core() == nullptr) {
    answer<T>(std::move(port), refusal(Errc::gone, type_name<A>()));
    return;
  }
  note_forwarded(port, *cell, generation);
  auto* const block = build<AskEnvelope<M, T>>(*visit.core(), visit.context(), ask_descriptor<A, M>, generation,
                                               std::move(port), std::move(message));
  count_sent(*visit.core(), visit.context());
  post(*visit.core(), visit.context(), *cell, block->head);
}

/// A message that waits for room. `message` stands where it was sent from, until it goes.
template <class A, class M>
class RoomAwait final : public ResultAwaiter<void> {
 public:
  RoomAwait(Cell* target, std::uint32_t generation, M& message, Duration within) noexcept
      : target_(target), generation_(generation), message_(message), within_(within) {}
  RoomAwait(const RoomAwait&) = delete;
  RoomAwait& operator=(const RoomAwait&) = delete;
  ~RoomAwait() {
    if (waiting_ && cell_ != nullptr) withdraw_waiting(*target_, generation_, *cell_, number_);
  }

  /// False: it need not wait, and result() says why.
  [[nodiscard]] bool waits(std::coroutine_handle<> handle) {
    Cell& cell = *current_cell();
    const Visit visit(target_);
    if (visit.core() == nullptr) {
      result_.emplace(Error(Errc::gone, reason_of_refusal(Errc::gone, type_name<A>())));
      return false;
    }
    Root* const root = static_cast<Root*>(this_turn->root);
    const Instant deadline =
        std::min(this_turn->worker->fresh_now() + within_, root != nullptr ? root->deadline : Instant::never());
    enlist(cell, handle, deadline);
    // To be told that there is room needs no memory then.
    void* const slot = allocate_frame(sizeof(ReplyNode<void>));
    PlainEnvelope<M>* block = nullptr;
    try {
      block = build<PlainEnvelope<M>>(*visit.core(), visit.context(), plain_descriptor<A, M>, generation_,
                                      std::move(message_));
    } catch (...) {
      deallocate_frame(slot);
      throw;
    }
    if (send_or_wait(*target_, block->head, cell, number_, slot) == Enqueued::sent) {
      delist();
      result_.emplace();
      return false;
    }
    waiting_ = true;
    return true;
  }
  [[nodiscard]] Result<> result() {
    waiting_ = false;
    return std::move(*result_);
  }
  void expire(Cell& cell) override {
    if (withdraw_waiting(*target_, generation_, cell, number_, true)) {
      result_.emplace(Error(Errc::timeout, "the mailbox of " + std::string(type_name<A>()) + " was full for " +
                                               to_string(within_) + "; the message was not sent"));
    } else {
      deadline_ = Instant::never();  // it was let in in the same instant, or turned away
    }
  }
  [[nodiscard]] std::string describe_wait() const override {
    return "room in the mailbox of " + place_name(target_, generation_, type_name<A>()) + " for " +
           std::string(type_name<M>());
  }

 private:
  Cell* target_;
  std::uint32_t generation_;
  M& message_;
  Duration within_;
  bool waiting_ = false;
};

/// What mostly is: there is room and nobody waits for it. Then it is sent, and nothing has to be prepared for waiting. False: all is as it was.
template <class A, class M>
[[nodiscard]] bool is_sent_at_once(Cell& target, std::uint32_t generation, M& message) {
  WorkerContext* const context = context_beside(&target);
  if (context == nullptr) return false;  // of another Runtime
  settle(*context->core, context);
  // acquire: as in post().
  if (target.gate.load(std::memory_order_acquire) != generation << gate_bit::bits) return false;
  auto* const block =
      build<PlainEnvelope<M>>(*context->core, context, plain_descriptor<A, M>, generation, std::move(message));
  MessageCounters::bump(context->counters.sent);
  const Push pushed = target.mailbox.try_push_now(&block->head, target.queue);
  if (pushed == Push::full) [[unlikely]] {
    // All as it was.
    MessageCounters::take_back(context->counters.sent);
    std::destroy_at(&message);
    std::construct_at(&message, std::move(block->message));
    block->message.~M();
    free_envelope(*context->core, context, block->head);
    return false;
  }
  if (pushed == Push::idle) context->worker->push(&target);
  return true;
}

/// Refers to the message where it is sent from, which outlives the co_await.
template <class A, class M>
class SendWaitAwait {
 public:
  SendWaitAwait(Cell* target, std::uint32_t generation, M& message, Duration within) noexcept
      : target_(target), generation_(generation), message_(message), within_(within) {}

  [[nodiscard]] bool await_ready() {
    if constexpr (std::is_nothrow_move_constructible_v<M>) {
      if (target_ == nullptr || current_cell() == nullptr) [[unlikely]]
        return false;
      return is_sent_at_once<A, M>(*target_, generation_, message_);
    } else {
      return false;
    }
  }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> handle) {
    if (current_cell() == nullptr) {
      refused_.emplace(Errc::invalid, "co_await of send_wait outside an actor");
      return false;
    }
    if (target_ == nullptr) {
      refused_.emplace(Errc::gone, reason_of_refusal(Errc::gone, type_name<A>()));
      return false;
    }
    return wait_.emplace(target_, generation_, message_, within_).waits(handle);
  }
  [[nodiscard]] Result<> await_resume() {
    if (wait_) return wait_->result();
    if (refused_) return std::move(*refused_);
    return {};
  }

 private:
  Cell* target_;
  std::uint32_t generation_;
  M& message_;
  Duration within_;
  std::optional<Error> refused_;
  std::optional<RoomAwait<A, M>> wait_;
};

}  // namespace detail

template <class A, class M>
class [[nodiscard]] SendWait {
 public:
  SendWait(detail::Cell* target, std::uint32_t generation, M message)
      : target_(target), generation_(generation), message_(std::move(message)) {}
  SendWait(SendWait&&) noexcept = default;

  class [[nodiscard]] Within {
   public:
    Within(SendWait wait, Duration d) : wait_(std::move(wait)), within_(d) {}
    Within(Within&&) noexcept = default;
    detail::SendWaitAwait<A, M> operator co_await() && {
      return detail::SendWaitAwait<A, M>(wait_.target_, wait_.generation_, wait_.message_, within_);
    }
    using value_type = Result<>;

   private:
    SendWait wait_;
    Duration within_;
  };
  [[nodiscard]] Within within(Duration d) && { return Within(std::move(*this), d); }
  void operator co_await() && = delete;  // a wait always has a deadline: .within(1s)

 private:
  detail::Cell* target_;
  std::uint32_t generation_;
  M message_;
};

}  // namespace v0
}  // namespace backstage
