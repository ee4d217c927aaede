// Coroutines of an actor and what they wait for, as its run loop sees them.
// Stability: internal.
#pragma once

#include <coroutine>
#include <cstdint>
#include <string>
#include <string_view>

#include "backstage/actor/detail/lane_item.hpp"
#include "backstage/base/result.hpp"
#include "backstage/base/time.hpp"
#include "backstage/mailbox/envelope.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// Why a root coroutine runs.
enum class RootKind : std::uint8_t {
  turn,         ///< keeps the actor's turn (a handler, a hook, an event loop)
  interleaved,  ///< gives the turn back while it waits
  beside,       ///< a piped task: goes on whenever what it awaits is there
};

/// A coroutine that an actor runs: a handler's, a hook's, a piped task's.
struct Root {
  virtual ~Root() = default;
  /// Takes the coroutine's outcome: answers, reports. Throws what the coroutine threw.
  virtual void finish(Cell&) = 0;

  Root* previous = nullptr;
  Root* next = nullptr;
  RootKind kind = RootKind::turn;
  bool done = false;
  std::uint32_t tries = 0;              // of in_hand: how often it has failed
  Instant deadline = Instant::never();  // of the request that it works on: nested asks get the shorter one
  std::string_view message;
  Instant began{};
  Envelope* in_hand = nullptr;  // of an Interleaved handler: what it works on, kept to be handled again (retries.cpp)
};

/// Something that a coroutine of this actor waits for. Lives in the coroutine's frame; destroying the frame takes
/// it back. Found by its number, so that no pointer into a frame ever leaves the actor.
struct Awaiter {
  virtual void complete(LaneNode&) {}  ///< the completion with our number came
  /// The deadline passed. Whoever then sets deadline_ to never() says that it is not over: what came of it is on its way.
  virtual void expire(Cell&) {}
  virtual void probe(Cell&) {}  ///< probe_at passed
  virtual void fail(Error) {}   ///< the wait is over for another reason (a circle)
  /// Whether an answer lies in its own slot, not taken yet (order::answered says that there may be one); takes it.
  virtual bool take_answer() { return false; }
  /// What it waits for, for whoever inspects the actor: "ask Get to /store". The actor's turn; may throw.
  [[nodiscard]] virtual std::string describe_wait() const;

  void enlist(Cell& cell, std::coroutine_handle<> handle, Instant until);
  void delist() noexcept {
    if (cell_ != nullptr) unlink();
  }
  [[nodiscard]] bool listed() const noexcept { return cell_ != nullptr; }

  Cell* cell_ = nullptr;
  Instant probe_at_ = Instant::never();
  // Said by enlist(), and nothing before: many are made.
  Awaiter* previous_;
  Awaiter* next_;
  Root* root_;
  std::coroutine_handle<> handle_;
  Instant deadline_;
  Instant since_;
  std::uint32_t number_;
  bool ready_ = false;
  bool yields_ = false;

 protected:
  Awaiter() = default;
  Awaiter(const Awaiter&) = delete;
  Awaiter& operator=(const Awaiter&) = delete;
  ~Awaiter() { delist(); }

 private:
  void unlink() noexcept;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
