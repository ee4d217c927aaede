// send_wait: sends when there is room in the receiver's mailbox, first come first served (promise M4).
//
//     auto sent = co_await sink.send_wait(moved(line)).within(1s);   // Errc::timeout: still full, not sent
//
// While somebody waits, later try_sends are refused and later sends meet a full mailbox. Inside actors only.
// Stability: settling (v0).
#pragma once

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
/// Takes a waiting envelope back. False: it has been sent (or answered) meanwhile.
bool withdraw_waiting(Cell& target, std::uint32_t generation, Cell& sender, std::uint32_t number) noexcept;

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

template <class A, class M>
class SendWaitAwait final : public ResultAwaiter<void> {
 public:
  SendWaitAwait(Cell* target, std::uint32_t generation, M message, Duration within)
      : target_(target), generation_(generation), message_(std::move(message)), within_(within) {}

  bool await_ready() {
    if (current_cell() == nullptr) {
      result_.emplace(Error(Errc::invalid, "co_await of send_wait outside an actor"));
    } else if (target_ == nullptr) {
      result_.emplace(Error(Errc::gone, reason_of_refusal(Errc::gone, type_name<A>())));
    } else if constexpr (std::is_nothrow_move_constructible_v<M>) {
      if (is_sent_at_once()) result_.emplace();
    }
    return result_.has_value();
  }
  bool await_suspend(std::coroutine_handle<> handle) {
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
  Result<> await_resume() {
    waiting_ = false;
    return std::move(*result_);
  }
  ~SendWaitAwait() {
    if (waiting_ && cell_ != nullptr) withdraw_waiting(*target_, generation_, *cell_, number_);
  }
  void expire(Cell& cell) override {
    if (withdraw_waiting(*target_, generation_, cell, number_)) {
      result_.emplace(Error(Errc::timeout, "the mailbox of " + std::string(type_name<A>()) + " was full for " +
                                               to_string(within_) + "; the message was not sent"));
    } else {
      result_.emplace();  // granted in the same instant
    }
  }
  [[nodiscard]] std::string describe_wait() const override {
    return "room in the mailbox of " + place_name(target_, generation_, type_name<A>()) + " for " +
           std::string(type_name<M>());
  }

 private:
  /// What mostly is: there is room and nobody waits for it, so nothing has to be prepared for waiting.
  [[nodiscard]] bool is_sent_at_once() {
    const Visit visit(target_);
    if (visit.context() == nullptr) return false;  // of another Runtime
    settle(*visit.core(), visit.context());
    // acquire: as in post().
    if (target_->gate.load(std::memory_order_acquire) != generation_ << gate_bit::bits || is_full(*target_))
      return false;
    auto* const block = build<PlainEnvelope<M>>(*visit.core(), visit.context(), plain_descriptor<A, M>, generation_,
                                                std::move(message_));
    count_sent(*visit.core(), visit.context());
    const Push pushed = target_->mailbox.try_push_now(&block->head, target_->queue);
    if (pushed == Push::full) [[unlikely]] {
      // Somebody else took the room meanwhile. All as it was.
      MessageCounters::take_back(visit.context()->counters.sent);
      std::destroy_at(&message_);
      std::construct_at(&message_, std::move(block->message));
      block->message.~M();
      free_envelope(*visit.core(), visit.context(), block->head);
      return false;
    }
    if (pushed == Push::idle) visit.core()->scheduler->schedule(*target_);
    return true;
  }

  Cell* target_;
  std::uint32_t generation_;
  M message_;
  Duration within_;
  bool waiting_ = false;
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
      return detail::SendWaitAwait<A, M>(wait_.target_, wait_.generation_, std::move(wait_.message_), within_);
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
