// The mailbox's side behind a lock: for boxes bounded by bytes or dropping the oldest, and for senders that wait for
// room (send_wait). Everything here is under the box's lock, on any thread, unless it says otherwise.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <utility>

#include "core.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// It stays with its cell over generations: a sender may hold it while the actor ends.
struct SideBox : WaitNote {
  /// First in, first out, linked through the envelopes: nothing is allocated to queue one. Under the box's lock.
  class Queue {
   public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] Envelope* front() const noexcept { return first_; }
    [[nodiscard]] static Envelope* after(const Envelope& one) noexcept {
      return one.next.load(std::memory_order_relaxed);
    }
    void push_back(Envelope& one) noexcept;
    void push_front(Envelope& one) noexcept;  // for a mistake that is planted (base/planted.hpp)
    /// Takes out the one behind `before`; null: the first.
    Envelope& remove_after(Envelope* before) noexcept;
    [[nodiscard]] Queue take_all() noexcept { return std::exchange(*this, Queue()); }

   private:
    Envelope* first_ = nullptr;
    Envelope* last_ = nullptr;
    std::size_t size_ = 0;
  };
  struct Waiting {
    Cell* sender;
    std::uint32_t generation;
    std::uint32_t number;
    Envelope* envelope;
    std::size_t weight;
    void* slot;  // reserved for the answer
  };
  std::mutex mutex;
  std::uint32_t generation = 0;
  Mailbox kind;
  bool queues = false;  // the messages themselves are here, not in the list
  Queue queue;
  std::size_t bytes = 0;
  std::uint32_t taken = 0;
  std::uint32_t pushed = 0;
  std::list<Waiting> waiting;  // a list: made without memory, and its nodes come and go with those who wait
};

/// The side box of a cell, made on first need. Without the lock.
[[nodiscard]] SideBox& side_of(Cell& cell);
/// What there is of it.
[[nodiscard]] inline SideBox* side_if_any(const Cell& cell) noexcept {
  return static_cast<SideBox*>(cell.side.load(std::memory_order_acquire));
}
[[nodiscard]] bool is_full(const SideBox& side, std::size_t weight) noexcept;
void enqueue(Cell& cell, SideBox& side, Envelope& envelope, std::size_t weight, std::uint32_t* position) noexcept;
/// Lets in those who wait, first come first served, as far as there is room.
void let_in(CoreFace& core, WorkerContext* context, Cell& cell, SideBox& side) noexcept;
/// Takes out of the queue what has to go so that `weight` more fits. What the runtime sends to user code (Eol) never goes.
[[nodiscard]] SideBox::Queue make_room(SideBox& side, std::size_t weight) noexcept;

}  // namespace detail
}  // namespace v0
}  // namespace backstage
