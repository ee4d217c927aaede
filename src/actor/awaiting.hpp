// How what a coroutine waits for is listed with its actor, to be found by its number, and when its time is over.
#pragma once

#include <algorithm>
#include <coroutine>

#include "core.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// In front of what else its cell's coroutines wait for.
[[gnu::always_inline]] inline void list(Awaiter& awaiter, Cell& cell, Worker& worker, Root* root,
                                        std::coroutine_handle<> handle, Instant until) {
  awaiter.cell_ = &cell;
  awaiter.root_ = root;
  awaiter.handle_ = handle;
  awaiter.deadline_ = until;
  awaiter.since_ = worker.coarse_now();
  Extras& more = cell.extras != nullptr ? *cell.extras : cell.need_extras();
  if (++more.last_await == 0) ++more.last_await;  // 0 is nobody's number
  awaiter.number_ = more.last_await;
  awaiter.previous_ = nullptr;
  awaiter.next_ = more.awaiters;
  if (awaiter.next_ != nullptr) awaiter.next_->previous_ = &awaiter;
  more.awaiters = &awaiter;
  const Instant first = std::min(until, awaiter.probe_at_);
  const CellTimer& clock = more.await_clock;
  if (first != Instant::never() && !(clock.set && clock.armed_for <= first)) cell.arm_await_clock(first);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
