// What the running thread is doing for a Runtime: the one pointer that is kept per thread (promise W2).
//
// A worker keeps one Turn for as long as it lives. Coroutines are resumed by a loop (drive), never from within one
// another: whoever wants a coroutine to go on next leaves it in Turn::next and suspends. So a chain of a million
// ready awaits uses the stack of one, in every build, whether or not the compiler makes tail calls.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <new>

#include "backstage/exec/slab.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

class Worker;

struct Turn {
  std::coroutine_handle<> next{};    // resumed by drive() after the present coroutine suspends
  SlabPool* pool = nullptr;          // the Runtime's memory
  SlabCache* cache = nullptr;        // this thread's cache of it; null: use pool->shared()
  Worker* worker = nullptr;          // null on a thread that only drives (tests)
  void* context = nullptr;           // per-worker data of the floor above (counters, free cells)
  std::atomic<void*> cell{nullptr};  // the actor that is running, or null; its thread writes, the watch reads
  void* root = nullptr;              // the root coroutine that is running, or null
  const void* asked = nullptr;       // the request sent last, as long as nobody's code has been run since
  void* handing_to = nullptr;        // the actor for which a message is being built, while it may carry a Reply
};

inline thread_local constinit Turn* this_turn = nullptr;
/// Its context, or null: asked with each message.
inline thread_local constinit void* this_context = nullptr;

/// Sets the thread's Turn for a scope; null: it has none. Its context is said before. Nobody else sets this_turn and this_context.
class TurnScope {
 public:
  explicit TurnScope(Turn& turn) noexcept : TurnScope(&turn) {}
  explicit TurnScope(Turn* turn) noexcept : before_(this_turn) { set(turn); }
  ~TurnScope() { set(before_); }
  TurnScope(const TurnScope&) = delete;
  TurnScope& operator=(const TurnScope&) = delete;

 private:
  static void set(Turn* turn) noexcept {
    this_turn = turn;
    this_context = turn != nullptr ? turn->context : nullptr;
  }
  Turn* before_;
};

/// Resumes `first` and then whatever each resumed coroutine leaves in Turn::next. `turn` is this thread's. May be nested (when_all).
inline void drive(Turn& turn, std::coroutine_handle<> first) {
  while (first) {
    turn.next = nullptr;
    turn.asked = nullptr;
    first.resume();
    first = turn.next;
  }
  turn.next = nullptr;
}
inline void drive(std::coroutine_handle<> first) { drive(*this_turn, first); }

/// Memory for coroutine frames: from the Runtime's pool on its threads, from the heap elsewhere. A header keeps
/// where a frame came from, because it may be destroyed on another thread.
struct FrameHeader {
  SlabPool* pool;
  std::size_t bytes;
};
static_assert(sizeof(FrameHeader) == 16);

inline void* allocate_from(SlabPool* pool, std::size_t bytes) {
  if (this_turn != nullptr && this_turn->pool == pool && this_turn->cache != nullptr) {
    return this_turn->cache->allocate(bytes);
  }
  return pool->shared().allocate(bytes);
}
inline void deallocate_to(SlabPool* pool, void* block, std::size_t bytes) noexcept {
  if (this_turn != nullptr && this_turn->pool == pool && this_turn->cache != nullptr) {
    this_turn->cache->deallocate(block, bytes);
  } else {
    pool->shared().deallocate(block, bytes);
  }
}

/// From the pool of a certain Runtime (null: the heap). For what is handed to that Runtime and freed there: this
/// thread may be in a turn of another one, which may end earlier.
inline void* allocate_frame_of(SlabPool* pool, std::size_t bytes) {
  const std::size_t whole = bytes + sizeof(FrameHeader);
  void* const block = pool != nullptr ? allocate_from(pool, whole) : ::operator new(whole);
  auto* const header = new (block) FrameHeader{pool, whole};
  return header + 1;
}
/// From the pool of the Runtime in whose turn this thread is. Freed while that Runtime lives.
inline void* allocate_frame(std::size_t bytes) {
  return allocate_frame_of(this_turn != nullptr ? this_turn->pool : nullptr, bytes);
}
inline void deallocate_frame(void* frame) noexcept {
  FrameHeader* const header = static_cast<FrameHeader*>(frame) - 1;
  if (header->pool != nullptr) {
    deallocate_to(header->pool, header, header->bytes);
  } else {
    ::operator delete(static_cast<void*>(header));
  }
}

/// allocate_frame() for a size that is known when it is compiled: what is at hand is taken here.
template <std::size_t bytes>
inline void* allocate_frame_of_size() {
  constexpr std::size_t whole = bytes + sizeof(FrameHeader);
  if (Turn* const turn = this_turn; turn != nullptr && turn->cache != nullptr) [[likely]] {
    if (void* const block = turn->cache->allocate_at_hand(whole)) [[likely]]
      return new (block) FrameHeader{turn->pool, whole} + 1;
  }
  return allocate_frame(bytes);
}
/// deallocate_frame() of one that is nearly always of that size, and of this turn's pool.
template <std::size_t bytes>
inline void deallocate_frame_of_size(void* frame) noexcept {
  constexpr std::size_t whole = bytes + sizeof(FrameHeader);
  FrameHeader* const header = static_cast<FrameHeader*>(frame) - 1;
  Turn* const turn = this_turn;
  if (turn != nullptr && header->pool == turn->pool && header->bytes == whole && turn->cache != nullptr) [[likely]] {
    return turn->cache->deallocate(header, whole);
  }
  deallocate_frame(frame);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
