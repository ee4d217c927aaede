// Supervision: what a parent makes of the ends of its children (promises L2, L6). Each function runs in the parent's turn.
#include <algorithm>
#include <string>
#include <utility>

#include "core.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

void Lifecycle::child_notice(LaneNode& node, Cell* parent) {
  Cell& child = *static_cast<EndNotice&>(node).child;
  if (parent == nullptr) return;  // cannot be: a parent outlives its children
  const std::uint32_t notice = child.notices_posted.load(std::memory_order_relaxed);
  if (parent->extras->stopping_child == &child) parent->extras->stopping_child = nullptr;
  if (child.phase == Phase::closing) {
    reap(*parent, child);
  } else if (child.phase == Phase::kept) {
    child.quiet = true;
    child.notices_seen.store(notice, std::memory_order_release);
  } else if (parent->phase == Phase::ending) {
    // It failed while we are ending: not restarted now.
    const bool keeps = parent->failed_or_kept() && (!parent->stop_ordered || parent->keep_place);
    parent->extras->stopping_child = &child;
    child.notices_seen.store(notice, std::memory_order_release);
    child.signal_command(keeps ? signal::keep : signal::close);
    return;
  } else {
    decide(*parent, child, notice);
    return;
  }
  if (parent->phase == Phase::ending && parent->extras->stopping_child == nullptr) {
    if (!stop_next_child(*parent)) begin_terminating(*parent);
  }
}

/// What comes of a child's end. Until notices_seen says so the child does not touch what is written here.
void Lifecycle::decide(Cell& parent, Cell& child, std::uint32_t notice) {
  const auto seen = [&](std::uint32_t order) {
    child.notices_seen.store(notice, std::memory_order_release);
    child.signal_command(order | signal::decided);
  };
  Core& core = parent.core();
  const ChildPolicy& policy = child.policy();
  Extras& extras = child.need_extras();
  const bool wanted =
      policy.restart != Restart::never && (child.failed || policy.restart == Restart::always) && !child.by_wish;
  const bool first_start = static_cast<bool>(extras.start_port);
  if (!wanted || first_start) return seen(signal::close);
  const Instant now = core.scheduler->now();
  extras.history.lived(now - child.began, policy.intensity, policy.backoff);
  if (extras.history.admit(policy.intensity, now)) {
    Duration after = policy.backoff.wait(extras.history.in_a_row(), core.environment->chance().next());
    if (child.failure != nullptr) after = std::max(after, child.failure->restart_after);
    ++extras.restarts;
    core.logger(child.full_path()).info("restarting", {{"restarts", extras.restarts}, {"after", to_string(after)}});
    if (core.events.wanted()) {
      core.events.emit(Restarting{child.full_path(), child.ops().type, extras.restarts, after});
    }
    extras.restart_timer.bits = signal::start;
    extras.restart_timer.fire = &signal_by_timer;
    core.scheduler->arm(extras.restart_timer, now + after);
    return seen(0);
  }
  // Over the limit: the supervisor fails.
  const std::string text =
      "child '" + child.step() + "' (" + std::string(child.ops().type) + ") failed more often than " +
      std::to_string(policy.intensity.restarts) + " times in " + to_string(policy.intensity.window) +
      "; the last time: " + (child.failure != nullptr ? std::string(child.failure->text) : std::string("normal end"));
  if (parent.parent == nullptr) {
    core.logger(child.full_path()).error("gave up", {{"error", text}});
    core.gave_up.store(true, std::memory_order_relaxed);
    if (core.events.wanted()) {
      core.events.emit(GaveUp{child.full_path(), child.ops().type, Error(Errc::failed, text)});
    }
    return seen(signal::close);
  }
  Failure& failure = core.take_failure();
  if (!core.is_lost(failure)) {
    failure.stage = Failure::Stage::child;
    copy_cut(failure.text, text);
  }
  // The child's place is kept, as its siblings' are: our next init may take it over.
  seen(0);
  fail(parent, failure, false);
}

void unlist_child(Cell& parent, Cell& child) noexcept {
  Extras& extras = *parent.extras;
  if (child.previous_sibling != nullptr) {
    child.previous_sibling->next_sibling = child.next_sibling;
  } else {
    extras.first_child = child.next_sibling;
  }
  if (child.next_sibling != nullptr) {
    child.next_sibling->previous_sibling = child.previous_sibling;
  } else {
    extras.last_child = child.previous_sibling;
  }
  child.previous_sibling = nullptr;
  child.next_sibling = nullptr;
  --extras.children;
}

void Lifecycle::reap(Cell& parent, Cell& child) {
  Core& core = parent.core();
  WorkerContext* const context = context_for(&core);
  Envelope* const eol = child.extras != nullptr ? std::exchange(child.extras->eol, nullptr) : nullptr;
  const EndTarget end = eol != nullptr ? static_cast<const OwnPolicy&>(child.policy()).end : EndTarget{};
  unlist_child(parent, child);
  {
    const std::lock_guard lock(parent.extras->names_mutex);
    parent.extras->names.erase(child);
  }
  // To be told when the name is free again.
  ReplyPort start_port = child.extras != nullptr ? std::move(child.extras->start_port) : ReplyPort();
  Result<> started;
  if (start_port) {
    started = child.failure != nullptr && !child.by_wish
                  ? Result<>(child.failure->own_error())
                  : Result<>(Error(Errc::cancelled, "'" + child.step() + "' ended before its init had"));
  }
  if (parent.parent == nullptr) {
    const std::lock_guard lock(core.root_mutex);
    const auto found = core.root_names.find(child.name());
    if (found != core.root_names.end() && found->second == &child) core.root_names.erase(found);
  }
  if (child.failure != nullptr) core.give_back(*std::exchange(child.failure, nullptr));
  delete std::exchange(child.extras, nullptr);
  Body* const body = std::exchange(child.body, nullptr);
  body->ops->release(*body, core.memory);
  child.phase = Phase::vacant;
  core.free_cell(child);
  if (start_port) answer<void>(std::move(start_port), std::move(started));
  if (eol != nullptr) {
    // The end comes last: everything the child sent was pushed before its notice.
    count_sent(core, context);
    post(core, context, *end.cell, *eol);
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
