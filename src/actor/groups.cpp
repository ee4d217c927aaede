// Children that are restarted together (one_for_all, rest_for_one). Each function runs in the parent's turn.
//
//   none --begin_group--> stopping --all members rest--> waiting --back-off over--> starting --all run--> none
//                            ^___________________ a further failure (begin_group) ___________|
//
// Stopping goes from the youngest member to the oldest, starting from the oldest to the youngest, one after the other. A
// member is `in_group`; it is `quiet` when it rests: kept by our order, or ended by its own failure. Every wait in here is
// for one child (`awaited`) and ends with its notice: kept, closed, failed again, or started; its own deadlines bound it.
#include <string>
#include <utility>

#include "../base/planted.hpp"
#include "core.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

using Step = Supervising::Step;

bool Supervision::is_under_way(const Cell& parent) noexcept {
  return parent.extras != nullptr && parent.extras->supervising != nullptr &&
         parent.extras->supervising->step != Step::none;
}

void Supervision::begin_group(Cell& parent, Cell& cause, Instant not_before) {
  Supervising& group = *parent.extras->supervising;
  cause.rest().in_group = true;
  cause.rest().quiet = true;
  // Ended and not kept: a stop that somebody orders now closes it, a start begins it anew.
  settle(cause, 0);
  if (group.strategy != Strategy::one_for_one) {
    bool reached = group.strategy == Strategy::one_for_all;
    for (Cell* child = parent.extras->first_child; child != nullptr; child = child->next_sibling()) {
      if (child == &cause) {
        reached = true;
        continue;
      }
      if (planted(Mistake::rest_forgets_the_youngest) && group.strategy == Strategy::rest_for_one &&
          child == parent.extras->last_child) {
        continue;
      }
      // A place that is quiet and in no group waits for our own init to claim it.
      if (reached && !(child->rest().quiet && !child->rest().in_group)) child->rest().in_group = true;
    }
  }
  group.step = Step::stopping;
  group.awaited = nullptr;
  group.not_before = std::max(group.not_before, not_before);
  continue_group(parent);
}

void Supervision::no_longer_awaited(Cell& parent, const Cell& child) noexcept {
  if (is_under_way(parent) && parent.extras->supervising->awaited == &child) {
    parent.extras->supervising->awaited = nullptr;
  }
}

namespace {

/// The youngest member that still lives is told to stop. False: all rest.
bool stop_next_member(Cell& parent, Supervising& group) {
  for (Cell* child = parent.extras->last_child; child != nullptr; child = child->previous_sibling()) {
    if (!child->rest().in_group || child->rest().quiet) continue;
    group.awaited = child;
    const std::uint32_t order = child->policy().restart == Restart::never ? signal::stop : signal::keep;
    if (child->rest().take_asked()) {
      Supervision::settle(*child, order);  // the Verdict that was asked for comes too late
    } else if (!is_with_parent(*child)) {
      child->signal_command(order);
    }
    // Else it rests, and word of that is on its way to us: it might take the order for its next life.
    return true;
  }
  return false;
}

/// The oldest member that rests is begun. False: all are.
bool start_next_member(Cell& parent, Supervising& group) {
  for (Cell* child = parent.extras->first_child; child != nullptr; child = child->next_sibling()) {
    if (!child->rest().in_group || !child->rest().quiet) continue;
    group.awaited = child;
    child->rest().quiet = false;
    child->need_extras().tell_started = true;
    child->signal_command(signal::start);
    return true;
  }
  return false;
}

}  // namespace

void Supervision::continue_group(Cell& parent) {
  if (!is_under_way(parent)) return;
  Supervising& group = *parent.extras->supervising;
  if (group.awaited != nullptr) return;
  if (group.step == Step::stopping) {
    if (stop_next_member(parent, group)) return;
    group.step = Step::waiting;
  }
  Scheduler& scheduler = *parent.core().scheduler;
  if (group.step == Step::waiting) {
    scheduler.cancel(group.timer);
    if (scheduler.now() < group.not_before) {
      group.timer.owner = &parent;
      group.timer.bits = signal::group;
      scheduler.arm(group.timer, group.not_before);
      return;
    }
    group.step = Step::starting;
  }
  if (start_next_member(parent, group)) return;
  group.step = Step::none;
  group.not_before = Instant{};
}

void Supervision::child_started(LaneNode& node, Cell* parent) {
  Cell& child = *static_cast<StartNotice&>(node).child;
  if (parent == nullptr || !is_under_way(*parent)) return;
  // Meanwhile it may have been drawn into another round: then it is to be stopped.
  if (parent->extras->supervising->step != Step::starting) return;
  child.rest().in_group = false;
  no_longer_awaited(*parent, child);
  continue_group(*parent);
}

void Supervision::cancel_group(Cell& parent) noexcept {
  if (!is_under_way(parent)) return;
  Supervising& group = *parent.extras->supervising;
  parent.core().scheduler->cancel(group.timer);
  parent.signals.fetch_and(~signal::group, std::memory_order_relaxed);
  group.step = Step::none;
  group.awaited = nullptr;
  group.not_before = Instant{};
  for (Cell* child = parent.extras->first_child; child != nullptr; child = child->next_sibling()) {
    if (!child->rest().take_in_group()) continue;
    // Whose failure began the group has ended and not kept its place: a stop would close that by now, while our next life
    // takes it over. Its restart is off; it is told to keep its place or to end, as those are that live. (Only of one that
    // rests: one that was told to begin writes its ruling itself.)
    if (child->rest().quiet && child->ruling == Ruling::restart) child->rest().quiet = false;
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
