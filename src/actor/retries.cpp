// Messages that are handled again after they made their actor fail: .retry_failed(n) and .quarantine().
//
// The message in hand is a copy, made before it is handled, or the message itself where a handler that takes it as const
// M& has failed. It is handled by the next incarnation before all others, and counts as handled once. Of a request the
// right to answer lies in the copy while its handler runs (KeptAnswer), and so outlives the incarnation with it. What an
// Interleaved handler has in hand hangs on its coroutine: of several under way only the one that failed is tried again.
#include <string>
#include <utility>

#include "../base/planted.hpp"
#include "core.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

void Retries::before(Cell& cell, Core& core, WorkerContext* context, const Envelope& envelope) noexcept {
  done(cell);
  if (envelope.descriptor().copy == nullptr) return;
  try {
    Extras& extras = cell.need_extras();
    extras.in_hand = envelope.descriptor().copy(core, context, envelope);
  } catch (...) {
    // It cannot be copied now: it will not be tried again.
  }
}

void Retries::done(Cell& cell) noexcept {
  if (cell.extras == nullptr || cell.extras->is(Extras::retry)) return;
  cell.extras->tries = 0;
  drop(cell);
}

void Retries::drop(Cell& cell) noexcept {
  if (cell.extras == nullptr || cell.extras->in_hand == nullptr) return;
  Envelope* const envelope = std::exchange(cell.extras->in_hand, nullptr);
  cell.extras->say(Extras::retry, false);
  envelope->descriptor().abandon(*envelope, Errc::failed);
  free_envelope(cell.core(), context_for(&cell.core()), *envelope);
}

void Retries::adopt(Cell& cell, Root& root) noexcept {
  if (cell.extras->in_hand == nullptr || cell.extras->is(Extras::retry)) return;
  root.in_hand = std::exchange(cell.extras->in_hand, nullptr);
  root.tries = std::exchange(cell.extras->tries, 0);
}

void Retries::failed_in(Cell& cell, Root& root) noexcept {
  drop(cell);
  cell.extras->in_hand = std::exchange(root.in_hand, nullptr);
  cell.extras->tries = root.tries;
}

void Retries::drop(Cell& cell, Root& root) noexcept {
  Envelope* const envelope = std::exchange(root.in_hand, nullptr);
  if (envelope == nullptr) return;
  envelope->descriptor().abandon(*envelope, Errc::failed);
  free_envelope(cell.core(), context_for(&cell.core()), *envelope);
}

Envelope* copy_in_hand(const Cell& cell) noexcept { return cell.extras != nullptr ? cell.extras->in_hand : nullptr; }

void Retries::failed(Cell& cell) noexcept {
  if (cell.extras == nullptr || cell.extras->in_hand == nullptr) return;
  Extras& extras = *cell.extras;
  if (extras.tries < cell.policy().retry_failed ||
      (planted(Mistake::retry_without_limit) && cell.policy().retry_failed != 0)) {
    ++extras.tries;
    extras.say(Extras::retry);
    return;
  }
  if (cell.policy().quarantine) {
    extras.uncharged = true;
    ++extras.quarantined;
    try {
      Core& core = cell.core();
      const std::string_view message = extras.in_hand->descriptor().message;
      const Error error = cell.failure() != nullptr ? cell.failure()->error() : Error(Errc::failed);
      core.logger(cell.full_path())
          .error("message set aside", {{"message", message}, {"tries", extras.tries + 1}, {"error", error.text()}});
      if (core.events.wanted()) {
        core.events.emit(Quarantined{cell.full_path(), cell.ops().type, message, extras.tries + 1, error});
      }
    } catch (...) {
      // Out of memory: untold, not undone.
    }
  }
  extras.tries = 0;
  drop(cell);
}

void keep_for_retry(Cell& cell, Envelope* (*move)(CoreFace&, WorkerContext*, Envelope&), Envelope& failed) noexcept {
  try {
    Extras& extras = cell.need_extras();
    if (extras.in_hand != nullptr) return;
    Core& core = cell.core();
    extras.in_hand = move(core, context_for(&core), failed);
  } catch (...) {
    // No memory: it is not tried again.
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
