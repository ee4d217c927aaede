// What an actor's coroutines are driven by: roots (handlers, hooks, piped tasks), what they wait for with the deadlines
// of that, and own event loops. All of it in the cell's own turn; run_at_length.cpp is the loop that comes here.
#include <algorithm>
#include <cassert>
#include <memory>
#include <utility>

#include "awaiting.hpp"
#include "core.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

/// Whether something will resume it: all that an actor can wait for is listed.
[[nodiscard]] bool is_resumed_by_somebody(const Root& root, const Extras& more) noexcept {
  for (const Awaiter* awaiter = more.awaiters; awaiter != nullptr; awaiter = awaiter->next_) {
    if (awaiter->root_ == &root) return true;
  }
  return more.inbox != nullptr && more.inbox->root == &root;
}

[[noreturn, gnu::cold]] void fail_for_ever_waiting() {
  throw Need::fail(
      Error(Errc::failed,
            "a coroutine stopped without waiting for anything, so nothing would ever resume it: either it awaits "
            "something that is none of Backstage's, or it was compiled by g++ 12, which loses a co_await in the "
            "condition of an if, while, switch or for (put what it yields into a variable first)"));
}

}  // namespace

// -------------------------------------------------------------------------------------------------- roots

void Cell::adopt_root(Root& root) noexcept {
  Extras& more = need_extras();
  root.next = more.first_root;
  root.previous = nullptr;
  root.began = this_turn->worker->coarse_now();
  if (root.next != nullptr) root.next->previous = &root;
  more.first_root = &root;
  if (root.kind == RootKind::turn) more.turn_root = &root;
  if (root.kind == RootKind::interleaved) {
    ++more.interleaved;
    if (retries) [[unlikely]]
      Retries::adopt(*this, root);
  }
}

void Cell::drop_root(Root& root) noexcept {
  assert(extras != nullptr && "a cell with a root has extras: adopt_root() made them");
  if (root.previous != nullptr) {
    root.previous->next = root.next;
  } else {
    extras->first_root = root.next;
  }
  if (root.next != nullptr) root.next->previous = root.previous;
  if (extras->turn_root == &root) extras->turn_root = nullptr;
  if (root.kind == RootKind::interleaved) --extras->interleaved;
}

Handled Cell::drive_root(Root& root, std::coroutine_handle<> handle) {
  Turn& turn = *this_turn;
  void* const before = std::exchange(turn.root, &root);
  const std::coroutine_handle<> resumes_next = turn.next;
  drive(handle);
  turn.next = resumes_next;
  turn.root = before;
  return has_driven(root);
}

Handled Cell::has_driven(Root& root) {
  if (!root.done) {
    if (is_resumed_by_somebody(root, *extras)) [[likely]]
      return Handled::suspended;
    extras->failed_in = root.message;
    fail_for_ever_waiting();
  }
  this_turn->asked = nullptr;
  const bool kept_turn = extras->turn_root == &root;
  drop_root(root);
  const std::unique_ptr<Root> guard(&root);
  try {
    root.finish(*this);
    if (kept_turn && extras->in_hand != nullptr) Retries::done(*this);
    if (root.in_hand != nullptr) [[unlikely]]
      Retries::drop(*this, root);
  } catch (...) {
    extras->failed_in = root.message;
    if (root.in_hand != nullptr) [[unlikely]]
      Retries::failed_in(*this, root);
    throw;
  }
  return Handled::done;
}

Awaiter* Cell::find_awaiter(std::uint32_t number) const noexcept {
  for (Awaiter* awaiter = awaiters(); awaiter != nullptr; awaiter = awaiter->next_) {
    if (awaiter->number_ == number) return awaiter;
  }
  return nullptr;
}

void Cell::wake_awaiter(Awaiter& awaiter) {
  Root& root = *awaiter.root_;
  if (root.kind == RootKind::interleaved && extras->turn_root != nullptr) {
    // Another coroutine keeps the turn: what this one waited for is there, it goes on afterwards (M1).
    awaiter.ready_ = true;
    awaiter.deadline_ = Instant::never();
    awaiter.probe_at_ = Instant::never();
    awaiter.number_ = 0;
    ++extras->ready;
    return;
  }
  const std::coroutine_handle<> handle = awaiter.handle_;
  awaiter.delist();
  this_turn->worker->note(&resumed_work);
  (void)drive_root(root, handle);
}

/// What of its coroutines has had its answer put into its hands.
void Cell::wake_answered() {
  if (extras != nullptr && extras->answered != nullptr) wake_awaiter(*std::exchange(extras->answered, nullptr));
}

void Awaiter::enlist(Cell& cell, std::coroutine_handle<> handle, Instant until) {
  Worker& worker = *this_turn->worker;
  list(*this, cell, worker, static_cast<Root*>(worker.turn().root), handle, until);
}

void Awaiter::unlink() noexcept {
  Extras& more = *cell_->extras;
  if (more.answered == this) more.answered = nullptr;
  if (ready_) --more.ready;
  ready_ = false;
  if (previous_ != nullptr) {
    previous_->next_ = next_;
  } else {
    more.awaiters = next_;
  }
  if (next_ != nullptr) next_->previous_ = previous_;
  cell_ = nullptr;
}

// ------------------------------------------------------------------------------------------ awaits' deadlines

namespace {

/// Those whose deadline passed end, in the order of their deadlines; those to be probed are probed.
void run_await_clock(LaneNode& node, Cell* cell) {
  auto& clock = static_cast<CellTimer&>(node);
  clock.set = false;
  if (cell == nullptr) return;
  const Instant now = this_turn->worker->fresh_now();
  for (;;) {
    Awaiter* due = nullptr;
    Instant next = Instant::never();
    for (Awaiter* awaiter = cell->awaiters(); awaiter != nullptr; awaiter = awaiter->next_) {
      if (awaiter->probe_at_ <= now && awaiter->deadline_ > now) {
        awaiter->probe_at_ = Instant::never();
        awaiter->probe(*cell);
      }
      if (awaiter->deadline_ <= now && (due == nullptr || awaiter->deadline_ < due->deadline_ ||
                                        (awaiter->deadline_ == due->deadline_ && awaiter->number_ < due->number_))) {
        due = awaiter;
      }
      next = std::min(next, std::min(awaiter->deadline_, awaiter->probe_at_));
    }
    if (due == nullptr) {
      if (next != Instant::never()) cell->arm_await_clock(next);
      return;
    }
    // Armed before anything is resumed: what is resumed may throw.
    if (next != Instant::never()) cell->arm_await_clock(std::max(next, now + Duration(1)));
    due->expire(*cell);
    if (due->deadline_ != Instant::never()) cell->wake_awaiter(*due);
  }
}

}  // namespace

void Cell::arm_await_clock(Instant at) {
  CellTimer& clock = need_extras().await_clock;
  if (clock.set && clock.armed_for <= at) return;
  Core& all = core();
  // Fired meanwhile: its node is in the lane, and will look at everything.
  if (clock.set && !all.scheduler->cancel(clock)) return;
  clock.set = true;
  clock.armed_for = at;
  clock.run = &run_await_clock;
  clock.generation = generation();
  all.scheduler->arm(clock, at);
}

// ------------------------------------------------------------------------------------------- own event loops

void inbox_waits(InboxBase& inbox, std::coroutine_handle<> handle) {
  inbox.waiting = handle;
  inbox.root = static_cast<Root*>(this_turn->root);
  inbox.cell->need_extras().inbox = &inbox;
}
void inbox_leaves(InboxBase& inbox) noexcept {
  if (inbox.cell->extras != nullptr && inbox.cell->extras->inbox == &inbox) inbox.cell->extras->inbox = nullptr;
}
Handled inbox_resume(InboxBase& inbox) {
  inbox.cell->extras->inbox = nullptr;
  return inbox.cell->drive_root(*inbox.root, std::exchange(inbox.waiting, {}));
}
InboxBase* waiting_inbox(Cell& cell) noexcept { return cell.extras != nullptr ? cell.extras->inbox : nullptr; }
bool inbox_is_closed(Cell& cell) noexcept { return cell.extras != nullptr && cell.extras->inbox_closed; }
void loop_ended(Cell& cell) { cell.need_extras().say(Extras::loop_over); }

}  // namespace detail
}  // namespace v0
}  // namespace backstage
