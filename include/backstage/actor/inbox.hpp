// Inbox and Asked: for an actor that owns its loop. The parameter of event_loop says what may be sent and asked:
//
//     Task<Result<>> event_loop(Context&, Inbox<Reading, Flush, Asked<Get>>& inbox) {
//       while (auto event = co_await inbox.next()) std::visit(..., *event);
//       co_return {};
//     }
//
// next() yields a variant of the messages, in order; nothing once the actor is being stopped and its queue is empty.
// Threads: the actor's own turn. Stability: settling (v0).
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "backstage/actor/reply.hpp"

namespace backstage {
inline namespace v0 {

template <class M, class T>
class Asked {
 public:
  using message_type = M;
  using reply_type = T;
  Asked(M m, Reply<T> reply) : message(std::move(m)), reply_(std::move(reply)) {}
  Asked(Asked&&) noexcept = default;
  Asked& operator=(Asked&&) noexcept = default;

  M message;

  /// Answers the asker, once. Dropped unanswered, the asker hears Errc::dropped.
  void answer(Result<T> result) && { std::move(reply_)(std::move(result)); }
  [[nodiscard]] Reply<T>& reply() noexcept { return reply_; }

 private:
  Reply<T> reply_;
};

namespace detail {

struct InboxBase {
  Cell* cell = nullptr;
  std::coroutine_handle<> waiting{};
  Root* root = nullptr;
  void* slot = nullptr;  // std::optional<std::variant<M...>>*
  bool closed = false;
};
/// The running cell's loop waits for a message: let it be delivered.
void inbox_waits(InboxBase& inbox, std::coroutine_handle<> handle);
void inbox_leaves(InboxBase& inbox) noexcept;
/// A message was put into the waiting loop's slot: let it go on.
Handled inbox_resume(InboxBase& inbox);
[[nodiscard]] InboxBase* waiting_inbox(Cell& cell) noexcept;
[[nodiscard]] bool inbox_is_closed(Cell& cell) noexcept;

}  // namespace detail

template <class... Messages>
class Inbox {
 public:
  using Event = std::variant<Messages...>;

  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  explicit Inbox(detail::Cell& cell) { base_.cell = &cell; }

  class [[nodiscard]] Next {
   public:
    explicit Next(Inbox& inbox) : inbox_(inbox) {}
    Next(Next&& other) noexcept : inbox_(other.inbox_) {}
    ~Next() {
      if (waits_) detail::inbox_leaves(inbox_.base_);
    }
    bool await_ready() const noexcept { return detail::inbox_is_closed(*inbox_.base_.cell); }
    void await_suspend(std::coroutine_handle<> handle) {
      waits_ = true;
      inbox_.base_.slot = &event_;
      detail::inbox_waits(inbox_.base_, handle);
    }
    std::optional<Event> await_resume() {
      waits_ = false;
      return std::move(event_);
    }

   private:
    Inbox& inbox_;
    std::optional<Event> event_;
    bool waits_ = false;
  };
  [[nodiscard]] Next next() { return Next(*this); }

 private:
  detail::InboxBase base_;
};

}  // namespace v0
}  // namespace backstage
