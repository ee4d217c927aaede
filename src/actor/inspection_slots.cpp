// How an inspection is asked for and answered (promise M3). The question lies with whoever asks: in an actor's coroutine
// frame or on the stack of a thread that waits. It hangs in a list of the target's Runtime, under a lock that nobody holds
// while user code runs; a bit among the target's orders says that there is one. So asking needs no memory, whoever stops
// waiting takes the question back, and none is lost: a place that ends answers what is left.
#include <mutex>
#include <utility>

#include "inspecting.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

using State = InspectSlot::State;

/// Under the list's lock.
void unlink(Core& core, InspectSlot& slot) noexcept {
  if (slot.previous != nullptr) {
    slot.previous->next = slot.next;
  } else {
    core.inspections = slot.next;
  }
  if (slot.next != nullptr) slot.next->previous = slot.previous;
  slot.previous = nullptr;
  slot.next = nullptr;
}

/// The same, or with the lock of nobody: the slot is in no list. Afterwards it may be gone.
void deliver(InspectSlot& slot, Result<Inspection> answer) noexcept {
  if (slot.outside != nullptr) {
    OutsideAskOf<Inspection>& waits = *slot.outside;
    slot.state.store(State::answered, std::memory_order_relaxed);
    return waits.put(std::move(answer));
  }
  Cell* const asker = slot.asker;
  const std::uint32_t generation = slot.asker_generation;
  slot.result.emplace(std::move(answer));
  // release: publishes the result; pairs with the acquire in take_answer().
  slot.state.store(State::answered, std::memory_order_release);
  (void)order_cell(asker, generation, order::answered);
}

[[nodiscard]] Result<Inspection> gone() noexcept {
  try {
    return nothing_to_inspect();
  } catch (...) {
    return Error(Errc::gone);
  }
}

[[nodiscard]] Result<Inspection> look(const Cell& cell) noexcept {
  try {
    return look_at(cell);
  } catch (...) {
    return Error(Errc::unavailable);  // out of memory: the code alone needs none
  }
}

[[nodiscard]] Result<Inspection> copy_of(const Result<Inspection>& seen) noexcept {
  try {
    return seen;
  } catch (...) {
    return Error(Errc::unavailable);
  }
}

}  // namespace

void InspectSlot::ask(Cell& whom, std::uint32_t whom_generation) noexcept {
  target = &whom;
  generation = whom_generation;
  const Visit visit(&whom);
  if (visit.core() == nullptr) return deliver(*this, gone());
  Core& core = Core::of(*visit.core());
  {
    const std::lock_guard lock(core.inspections_mutex);
    state.store(State::asked, std::memory_order_relaxed);
    previous = nullptr;
    next = core.inspections;
    if (next != nullptr) next->previous = this;
    core.inspections = this;
  }
  // After that: whoever takes the order finds the question.
  if (order_cell(&whom, whom_generation, order::inspect)) return;
  const std::lock_guard lock(core.inspections_mutex);
  if (state.load(std::memory_order_relaxed) == State::answered) return;  // by what the place answered at its end
  unlink(core, *this);
  deliver(*this, gone());
}

void InspectSlot::take_back() noexcept {
  if (target == nullptr) return;
  const Visit visit(target);
  // Its Runtime is over: every place in it has ended, and answered what was left.
  if (visit.core() == nullptr) return;
  Core& core = Core::of(*visit.core());
  const std::lock_guard lock(core.inspections_mutex);
  const State now = state.load(std::memory_order_relaxed);
  if (now == State::asked || now == State::looked_at) unlink(core, *this);
  if (now != State::answered) state.store(State::idle, std::memory_order_relaxed);
}

void answer_inspections(Cell& cell, std::uint32_t generation, bool over) noexcept {
  Core& core = cell.core();
  const auto is_ours = [&](const InspectSlot& slot, State state) {
    return slot.target == &cell && slot.generation == generation &&
           slot.state.load(std::memory_order_relaxed) == state;
  };
  bool any = false;
  {
    const std::lock_guard lock(core.inspections_mutex);
    for (InspectSlot* slot = core.inspections; slot != nullptr; slot = slot->next) {
      if (!is_ours(*slot, State::asked)) continue;
      slot->state.store(State::looked_at, std::memory_order_relaxed);
      any = true;
    }
  }
  if (!any) return;
  // Without the lock: describe() is the user's. Who asks meanwhile is answered by a look of its own.
  const Result<Inspection> seen = over ? gone() : look(cell);
  const std::lock_guard lock(core.inspections_mutex);
  for (InspectSlot* slot = core.inspections; slot != nullptr;) {
    InspectSlot* const following = slot->next;
    if (is_ours(*slot, State::looked_at)) {
      unlink(core, *slot);
      deliver(*slot, copy_of(seen));
    }
    slot = following;
  }
}

void InspectAwait::await_suspend(std::coroutine_handle<> handle) {
  Cell& me = *current_cell();
  const Root* const root = static_cast<Root*>(this_turn->root);
  const Instant deadline =
      std::min(this_turn->worker->fresh_now() + within_, root != nullptr ? root->deadline : Instant::never());
  enlist(me, handle, deadline);
  slot_.asker = &me;
  slot_.asker_generation = me.generation();
  slot_.ask(*target_, target_generation_);
}

bool InspectAwait::take_answer() {
  // acquire: pairs with the release of who answered.
  if (result_ || slot_.state.load(std::memory_order_acquire) != State::answered) return false;
  result_.emplace(std::move(*slot_.result));
  return true;
}

void InspectAwait::expire(Cell&) {
  slot_.take_back();
  if (!take_answer()) result_.emplace(seen_from_outside(target_, target_generation_));
}

std::string InspectAwait::describe_wait() const {
  return "the inspection of " + place_name(target_, target_generation_, "gone");
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
