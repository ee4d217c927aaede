// How messages get from a sender to a cell: the send path, as short as it can be made, and its slow side.
// Stability: internal.
#pragma once

#include <array>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "backstage/actor/detail/cell.hpp"
#include "backstage/actor/detail/handlers.hpp"
#include "backstage/actor/detail/type_name.hpp"
#include "backstage/exec/detail/large_pages.hpp"
#include "backstage/exec/detail/presence.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// The part of the runtime's core that the send path needs inline.
struct CoreFace {
  SlabPool* pool = nullptr;
  Scheduler* scheduler = nullptr;
  MessageCounters* outside = nullptr;  // of threads that are no workers
};

/// Counts the threads from outside that are inside a send, so that a Runtime can end while Refs to it live on.
using Presence = PresenceOf<>;

/// At the start of each region of chunks of cells. After the Runtime's end the region reads as zeros: no core, generation 0.
struct RegionHeader {
  std::atomic<CoreFace*> core{nullptr};
  std::atomic<Presence*> presence{nullptr};
  std::size_t first_chunk = 0;  // its number among the core's; constant
};
[[nodiscard]] inline RegionHeader& region_of(const Cell* cell) noexcept {
  return *reinterpret_cast<RegionHeader*>(reinterpret_cast<std::uintptr_t>(cell) & ~(region_bytes - 1));
}

/// What an actor sends to another in a row, in one turn: the first message goes at once, those behind it are handed over a few
/// at a time, since each hand-over takes the mailbox's first cache line away from the receiver, who may be running.
///
/// It is emptied when it holds `most`; before the actor sends to another, asks, answers, orders, publishes or spawns; when the
/// message is handled or its handler waits; and before the Runtime tells of a life's beginning or end. So what A sends to B
/// stays in order, and what A then causes otherwise comes behind it. The watch empties it when the handler takes long. Never
/// where the Runtime holds a lock: to hand over may make dead letters, whose destructors and listeners are the user's, and may
/// send. Nothing is held for a mailbox that has a lock or little room: there each message is decided upon when it is sent.
///
/// Behind the worker's gate: what is held. Its worker alone writes `to`, and only while nothing is held. What is not for the place as it
/// is is not held: all are of one generation, unless the place changes hands meanwhile, and then they do not go in whole.
struct Outbox {
  static constexpr std::uint32_t most = 16;
  static constexpr std::uint32_t least_room = 4 * most;

  Cell* to = nullptr;  // whom the last message went to; null: nobody since the last was handled
  /// Of those held, linked by `next`. The worker may look from without; acquire: what a visitor handed over is in.
  std::atomic<std::uint32_t> count{0};
  Envelope* first = nullptr;
  Envelope* last = nullptr;

  [[nodiscard]] bool empty() const noexcept { return count.load(std::memory_order_acquire) == 0; }
};

/// What each worker counts; Turn::context points to it. On lines of its own: it writes there with each message.
struct alignas(kApart) WorkerContext {
  CoreFace* core = nullptr;
  Worker* worker = nullptr;    // whose it is
  SlabCache* cache = nullptr;  // the worker's
  MessageCounters counters;
  Outbox outbox;
  /// Free cells of this worker's own: spawning and ending take the lock of all cells once for half of these.
  std::array<Cell*, 64> spare_cells{};
  std::uint32_t spare_count = 0;
  /// Made less freed here; its worker writes.
  std::atomic<std::int64_t> cells{0};
  std::atomic<std::int64_t> extras{0};  // the same of cold parts
  /// Numbers for unnamed actors that this worker may give out.
  std::uint64_t next_unnamed = 0;
  std::uint64_t last_unnamed = 0;
  /// Whose turn it is, if it owes room to senders that wait for it (run_for_room). Its worker writes; the watch reads.
  std::atomic<Cell*> owes_room{nullptr};
  /// Of Turn::asked: when it was sent, and `counters.handled` then.
  Instant asked_at{};
  std::uint64_t asked_after = 0;

  void note(Worker& whose) noexcept {
    worker = &whose;
    cache = whose.turn().cache;
  }
};
[[nodiscard]] inline WorkerContext* context_for(const CoreFace* core) noexcept {
  auto* const context = static_cast<WorkerContext*>(this_context);
  return context != nullptr && context->core == core ? context : nullptr;
}

/// This worker's, in a turn of the cell's own Runtime (which then lives); else null.
[[nodiscard]] inline WorkerContext* context_beside(const Cell* cell) noexcept {
  // acquire: pairs with the release that published the region.
  return context_for(region_of(cell).core.load(std::memory_order_acquire));
}

/// Keeps the core of a cell alive while a thread uses it. Free inside a turn of the same Runtime.
class Visit {
 public:
  explicit Visit(const Cell* cell) noexcept {
    RegionHeader& region = region_of(cell);
    // acquire: pairs with the release that published the region.
    CoreFace* const core = region.core.load(std::memory_order_acquire);
    if (core == nullptr) return;
    if ((context_ = context_for(core)) != nullptr) {
      core_ = core;
      return;
    }
    Presence* const presence = region.presence.load(std::memory_order_acquire);
    if (presence == nullptr || !presence->enter()) return;
    presence_ = presence;
    core_ = core;
  }
  ~Visit() {
    if (presence_ != nullptr) presence_->leave();
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  [[nodiscard]] CoreFace* core() const noexcept { return core_; }
  [[nodiscard]] WorkerContext* context() const noexcept { return context_; }

 private:
  CoreFace* core_ = nullptr;
  WorkerContext* context_ = nullptr;
  Presence* presence_ = nullptr;
};

inline void count_sent(CoreFace& core, WorkerContext* context) noexcept {
  if (context != nullptr) {
    MessageCounters::bump(context->counters.sent);
  } else {
    core.outside->sent.fetch_add(1, std::memory_order_relaxed);
  }
}

[[nodiscard]] inline void* new_block(CoreFace& core, WorkerContext* context, std::size_t bytes) {
  return context != nullptr ? context->cache->allocate(bytes) : core.pool->shared().allocate(bytes);
}
inline void free_block(CoreFace& core, WorkerContext* context, void* block, std::size_t bytes) noexcept {
  if (context != nullptr) {
    context->cache->deallocate(block, bytes);
  } else {
    core.pool->shared().deallocate(block, bytes);
  }
}

/// Nothing in it could be the right to answer somebody.
template <class M>
inline constexpr bool is_plain_data = std::is_trivially_copyable_v<M>;

/// While a message is built for `to` that may carry a Reply: who moves one meanwhile hands it on (Reply's constructor).
class HandingOver {
 public:
  HandingOver(Cell* to, bool is_plain) noexcept : turn_(is_plain ? nullptr : this_turn) {
    if (turn_ != nullptr) turn_->handing_to = to;
  }
  ~HandingOver() {
    if (turn_ != nullptr) turn_->handing_to = nullptr;
  }
  HandingOver(const HandingOver&) = delete;
  HandingOver& operator=(const HandingOver&) = delete;

 private:
  Turn* turn_;
};

/// While a message is built that is sent later: finds out whether it carries a Reply, which is handed on when it is sent.
class LookForReply {
 public:
  explicit LookForReply(bool is_plain) noexcept : turn_(is_plain ? nullptr : this_turn) {
    if (turn_ != nullptr) turn_->handing_to = &nobody_yet;
  }
  ~LookForReply() {
    if (turn_ != nullptr) turn_->handing_to = nullptr;
  }
  LookForReply(const LookForReply&) = delete;
  LookForReply& operator=(const LookForReply&) = delete;

  [[nodiscard]] bool has_found() const noexcept { return turn_ != nullptr && turn_->handing_to != &nobody_yet; }
  /// Whether the Reply that is being moved is looked for, and not handed on yet.
  [[nodiscard]] static bool finds(Turn& turn) noexcept {
    if (turn.handing_to != &nobody_yet) return false;
    turn.handing_to = nullptr;
    return true;
  }

 private:
  static inline constinit char nobody_yet = 0;
  Turn* turn_;
};

/// An envelope with what stands between it and the message.
template <class M>
struct PlainEnvelope {
  Envelope head;
  M message;
};

/// Builds an envelope's block in place; gives the memory back when a constructor throws.
template <class Block, class... X>
[[nodiscard]] Block* build(CoreFace& core, WorkerContext* context, const MessageDescriptor& descriptor,
                           std::uint32_t generation, X&&... parts) {
  static_assert(alignof(Block) <= 16, "messages with an alignment above 16 bytes are not supported: send a pointer");
  void* const memory = new_block(core, context, sizeof(Block));
  if constexpr (noexcept(Block{Envelope(descriptor, generation), std::forward<X>(parts)...})) {
    return ::new (memory) Block{Envelope(descriptor, generation), std::forward<X>(parts)...};
  } else {
    try {
      return ::new (memory) Block{Envelope(descriptor, generation), std::forward<X>(parts)...};
    } catch (...) {
      free_block(core, context, memory, sizeof(Block));
      throw;
    }
  }
}

/// Frees an envelope's memory; its payload is destroyed already.
inline void free_envelope(CoreFace& core, WorkerContext* context, Envelope& envelope) noexcept {
  const BlockSize& size = envelope.descriptor().size;
  if (context != nullptr) {
    context->cache->deallocate(&envelope, size);
  } else {
    core.pool->shared().deallocate(&envelope, size.bytes());
  }
}

// ---- the slow side (post.cpp)

enum class Admission : std::uint8_t { admitted, gone, stopping, full };

/// For `send` and asks when the fast path does not apply: the policy of the mailbox decides.
void post_slowly(CoreFace& core, WorkerContext* context, Cell& cell, Envelope& envelope, std::uint32_t* position);
/// Would a try_send be admitted now?
[[nodiscard]] Admission admission(Cell& cell, std::uint32_t generation, std::size_t weight) noexcept;
/// Hands an envelope over only if it is admitted, for those who must not lose it: the bound is looked at as late as can
/// be. Counts it as sent if it enters; else it stays the caller's.
[[nodiscard]] Admission try_post(CoreFace& core, WorkerContext* context, Cell& cell, Envelope& envelope);
/// A message for a null Ref, or for a Runtime that is over: a dead letter of the Runtime whose actor sent it (a thread
/// from outside has none that could count it).
void sent_to_nobody(const MessageDescriptor& descriptor) noexcept;
/// A dead letter: counted, told to the events, its payload abandoned, its memory freed.
void dead_letter(CoreFace& core, WorkerContext* context, Cell* cell, Envelope& envelope, Undelivered why) noexcept;

/// Whether a bounded list has no room. Exact when nobody else sends.
[[nodiscard]] inline bool is_full(const Cell& cell) noexcept {
  return cell.mailbox.depth(cell.queue) >= cell.queue.bound.load(std::memory_order_relaxed);
}

/// Hands over what is held. Its worker.
void empty_outbox(CoreFace& core, WorkerContext& context) noexcept;
/// The same again and again: who hears of a dead letter may send.
void settle_held(CoreFace& core, WorkerContext& context) noexcept;
/// Before anything else leaves this turn.
inline void settle(CoreFace& core, WorkerContext* context) noexcept {
  if (context != nullptr && !context->outbox.empty()) [[unlikely]]
    settle_held(core, *context);
}
/// Any thread, whatever it is doing.
inline void settle_turn() noexcept {
  auto* const context = static_cast<WorkerContext*>(this_context);
  if (context != nullptr) settle(*context->core, context);
}
/// After each message: what is sent next may be late.
inline void end_outbox(CoreFace& core, WorkerContext& context) noexcept {
  if (context.outbox.to == nullptr) return;
  if (!context.outbox.empty()) [[unlikely]]
    settle_held(core, context);
  context.outbox.to = nullptr;
}

/// Hands an envelope over. It was counted as sent by the caller.
inline void post(CoreFace& core, WorkerContext* context, Cell& cell, Envelope& envelope,
                 std::uint32_t* position = nullptr) {
  // acquire: pairs with the release that opened the place; a mismatch in any bit (other generation, refusing,
  // special mailbox) takes the slow side.
  if (cell.gate.load(std::memory_order_acquire) == envelope.generation << gate_bit::bits) [[likely]] {
    const Push pushed = cell.mailbox.try_push(&envelope, position);
    if (pushed == Push::busy) return;
    if (pushed == Push::idle) return core.scheduler->schedule(cell);
  }
  post_slowly(core, context, cell, envelope, position);
}

/// What an actor sends to one of its own Runtime, in its turn: counted, and it may be held for a moment.
void post_from_turn(WorkerContext& context, Cell& cell, Envelope& envelope);
/// The same for whoever sends.
void post_sent(CoreFace& core, WorkerContext* context, Cell& cell, Envelope& envelope);

}  // namespace detail
}  // namespace v0
}  // namespace backstage
