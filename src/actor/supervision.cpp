// Supervision: what a parent makes of the ends of its children (promises L2, L6). Each function runs in the parent's turn.
#include <algorithm>
#include <string>
#include <utility>

#include "../base/planted.hpp"
#include "core.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

/// A wrong setting is as wrong the next time: whoever fails with it before it runs is not begun again, and nor is who is
/// above it, up to whoever can say so to the user.
[[nodiscard]] bool cannot_be(const Cell& child) noexcept {
  using Stage = Failure::Stage;
  if (!child.failed || child.failure() == nullptr || child.failure()->code != Errc::configuration) return false;
  const Stage stage = child.failure()->stage;
  return stage == Stage::constructor || stage == Stage::init || stage == Stage::child;
}

/// Without memory to remember the restart it is admitted all the same: the back-off bounds how often.
[[nodiscard]] bool admit(RestartHistory& history, const Intensity& limit, Instant now) noexcept {
  try {
    return history.admit(limit, now);
  } catch (...) {
    return true;
  }
}

}  // namespace

void Supervision::settle(Cell& child, std::uint32_t order) noexcept {
  child.core().scheduler->cancel(child.extras->verdict_clock);
  // release: pairs with is_with_parent(); publishes what was written into the child's extras.
  child.ends_seen.store(child.extras->open_notice, std::memory_order_release);
  child.signal_command(order | signal::decided);
}

void run_item(LaneItem& item, Cell* cell) {
  if (item.lane_next.is_of_end()) return Lifecycle::child_notice(item, cell);
  auto& node = static_cast<LaneNode&>(item);
  node.run(node, cell);
}

void Lifecycle::child_notice(LaneItem& item, Cell* parent) {
  Cell& child = cell_around(&item);
  if (parent == nullptr) return;  // cannot be: a parent outlives its children
  const std::uint8_t told = child.ends_told.load(std::memory_order_relaxed);
  if (parent->extras->stopping_child == &child) parent->extras->stopping_child = nullptr;
  if (child.phase == Phase::closing) {
    if (parent->extras->supervising != nullptr) Supervision::no_longer_awaited(*parent, child);
    reap(*parent, child);
    if (parent->extras->supervising != nullptr) Supervision::continue_group(*parent);
  } else if (child.phase == Phase::kept) {
    Supervision::no_longer_awaited(*parent, child);
    // Nobody but a group, our own end, or keep_child() keeps a place: else it was restarted by order.
    const bool held = std::erase(parent->extras->held, &child) != 0;
    // Who drains supervises until it ends: what it has left to handle may need this child.
    const bool supervises =
        parent->phase == Phase::initializing || parent->phase == Phase::running || parent->phase == Phase::draining;
    const bool begin_anew = supervises && !held && !child.rest().in_group;
    child.rest().quiet = !begin_anew;
    // It rests in its place by now: no restart is due that cancel_group() would have to take back.
    if (child.ruling == Ruling::restart) child.ruling = Ruling::none;
    child.ends_seen.store(told, std::memory_order_release);
    if (begin_anew) child.signal_command(signal::start);
    if (parent->extras->child_order != nullptr) {
      using News = ChildOrder::News;
      parent->extras->child_order->tell(*parent, &child, begin_anew ? News::restarting : News::kept);
    }
    Supervision::continue_group(*parent);
  } else {
    child.need_extras().open_notice = told;
    if (parent->phase == Phase::ending) {
      // It failed while we are ending: not restarted now.
      const bool keeps = parent->failed_or_kept() && (!parent->rest().stop_ordered || parent->rest().keep_place);
      // Another may be waited for: told a second time, it could take that for its next life.
      if (parent->extras->child_order == nullptr && parent->extras->stopping_child == nullptr) {
        parent->extras->stopping_child = &child;
      }
      return Supervision::settle(child, keeps ? signal::keep : signal::close);
    }
    if (child.rest().in_group && parent->extras->supervising->step == Supervising::Step::stopping) {
      // It failed while it was to be stopped with its group: it is begun anew with it.
      return Supervision::settle(child, child.policy().restart == Restart::never ? signal::close : signal::keep);
    }
    Supervision::no_longer_awaited(*parent, child);
    child.rest().in_group = false;
    Supervision::decide(*parent, child);
    Supervision::continue_group(*parent);
    return;
  }
  if (parent->phase == Phase::ending && parent->extras->stopping_child == nullptr) {
    if (!stop_next_child(*parent)) begin_terminating(*parent);
  }
}

void Supervision::decide(Cell& parent, Cell& child) {
  const ChildPolicy& policy = child.policy();
  child.ruling = Ruling::over;
  if (child.extras->start_port) return settle(child, signal::close);  // its starter is told, nobody else decides
  if (policy.restart == Restart::ask && ask_for_verdict(parent, child)) return;
  if (policy.restart != Restart::never && cannot_be(child)) {
    std::string why = "a setting that cannot be";
    if_memory([&] {
      why = "child '" + child.step() + "' (" + std::string(child.ops().type) +
            ") has a setting that cannot be: " + std::string(child.failure()->error().text());
    });
    return escalate(parent, child, why, Errc::configuration);
  }
  const bool wanted = policy.restart != Restart::never && policy.restart != Restart::ask && !child.rest().by_wish &&
                      (child.failed || policy.restart == Restart::always);
  if (!wanted) {
    child.own_end = true;
    return settle(child, signal::close);
  }
  child.extras->keep_state = policy.with_state;
  restart(parent, child);
}

bool Supervision::ask_for_verdict(Cell& parent, Cell& child) {
  Core& core = parent.core();
  WorkerContext* const context = context_for(&core);
  const EndTarget& end = static_cast<const OwnPolicy&>(child.policy()).end;
  Envelope* const asked = end.ask(child, core, context, end.generation, Lifecycle::outcome(child));
  if (asked == nullptr) return false;  // no memory to ask with: it is over
  // Its state travels: what it left behind is nothing that a group's or our own next start could go on with.
  if (child.ops().movable) Lifecycle::destroy_actor(child);
  child.rest().asked = true;
  count_sent(core, context);
  post(core, context, parent, *asked);
  VerdictClock& clock = child.extras->verdict_clock;
  clock.owner = &parent;
  clock.run = &verdict_is_late;
  clock.generation = parent.generation();
  core.scheduler->arm(clock, core.scheduler->now() + child.policy().verdict_within);
  return true;
}

void Supervision::verdict_is_late(LaneNode& node, Cell* parent) {
  // Whoever decided meanwhile found it fired, and left it in the lane: before whatever the child does next.
  Cell& child = *static_cast<VerdictClock&>(static_cast<CellTimer&>(node)).child;
  if (parent == nullptr || !child.rest().asked || child.extras->verdict) return;
  // It ends by now, and deals with this child when its turn comes, as with all others.
  if (parent->phase == Phase::ending) return;
  child.rest().asked = false;
  std::string why = "no Verdict came for a child within verdict_within";
  if_memory([&] {
    why = "child '" + child.step() + "' (" + std::string(child.ops().type) + ") ended, and no Verdict came within " +
          to_string(child.policy().verdict_within) +
          ": answer sooner (move what takes long into an actor of its own), "
          "or say .verdict_within(d)";
  });
  Supervision::escalate(*parent, child, why);
}

void give_verdict(Cell& supervisor, const VerdictPort& port, Verdict verdict) {
  Cell& child = *port.child;
  // The generation first: if it is still the child's, the place is ours and the rest may be read.
  if (child.generation() != port.generation || !child.rest().asked || child.incarnation() != port.incarnation) return;
  // It may make the supervisor fail, which ends all that it is handling: so not within the handler that gave it, but
  // between two messages. The child's own notice is free: it has told its end, and has not begun anew.
  child.extras->verdict.emplace(std::move(verdict));
  StartNotice& notice = child.extras->start_notice;
  notice.run = &Supervision::verdict_given;
  notice.generation = supervisor.generation();
  notice.child = &child;
  supervisor.post_lane(notice);
}

void Supervision::verdict_given(LaneNode& node, Cell* parent) {
  Cell& child = *static_cast<StartNotice&>(node).child;
  Extras& extras = *child.extras;
  if (parent == nullptr || !extras.verdict) return;
  Verdict verdict = std::move(*extras.verdict);
  extras.verdict.reset();
  // It ends by now, and deals with this child when its turn comes, as with all others: nobody is begun anew in there.
  if (parent->phase == Phase::ending) return;
  // Stopped meanwhile, by its group or with its supervisor.
  if (!child.rest().take_asked()) return;
  Cell& supervisor = *parent;
  switch (verdict.kind()) {
    case Verdict::Kind::stop:
      child.own_end = true;
      extras.eol_told = !planted(Mistake::eol_twice);
      child.ruling = Ruling::over;
      return Supervision::settle(child, signal::close);
    case Verdict::Kind::escalate: {
      const Result<> why = Lifecycle::outcome(child);
      std::string text = "its supervisor escalates";
      if_memory([&] {
        text = "child '" + child.step() + "' (" + std::string(child.ops().type) +
               ") ended, and its supervisor escalates: " +
               (why ? std::string("normal end") : std::string(why.error().text()));
      });
      return Supervision::escalate(supervisor, child, text);
    }
    case Verdict::Kind::restart: break;
    case Verdict::Kind::restart_with_state:
      extras.given_state = verdict.take_state();
      if (extras.given_state != nullptr && verdict.type() != child.ops().type_id) {
        supervisor.core()
            .logger(child.full_path())
            .error("the state of another type of actor came with the Verdict: restarted without", {});
        extras.given_state.reset();
      }
      // Nothing given: the object in the place, unless it was moved into the Eol.
      extras.keep_state = extras.given_state == nullptr && !child.ops().movable;
      break;
  }
  Supervision::restart(supervisor, child);
  Supervision::continue_group(supervisor);
}

bool Supervision::admits(Cell& parent, Cell& child, Instant now, std::string& why_not) {
  Extras& extras = *child.extras;
  const ChildPolicy& policy = child.policy();
  if (std::exchange(extras.uncharged, false)) return true;
  const auto last = [&] {
    return "; the last time: " +
           (child.failure() != nullptr ? std::string(child.failure()->text) : std::string("normal end"));
  };
  if (!planted(Mistake::backoff_not_reset)) {
    extras.history.lived(now - child.rest().began, policy.intensity, policy.backoff);
  }
  Intensity intensity = policy.intensity;
  if (planted(Mistake::restart_off_by_one) && intensity.restarts != unlimited.restarts) ++intensity.restarts;
  if (!admit(extras.history, intensity, now)) {
    if_memory([&] {
      why_not = "child '" + child.step() + "' (" + std::string(child.ops().type) + ") failed more often than " +
                std::to_string(policy.intensity.restarts) + " times in " + to_string(policy.intensity.window) +
                last();
    });
    return false;
  }
  Supervising* const all = parent.extras->supervising.get();
  if (all == nullptr || !all->budget || admit(all->spent, *all->budget, now)) return true;
  if_memory([&] {
    why_not = "its children failed more often than " + std::to_string(all->budget->restarts) + " times in " +
              to_string(all->budget->window) + ", the last of them '" + child.step() + "' (" +
              std::string(child.ops().type) + ")" + last();
  });
  return false;
}

void Supervision::restart(Cell& parent, Cell& child) {
  Core& core = parent.core();
  Extras& extras = *child.extras;
  const Instant now = core.scheduler->now();
  std::string why_not;
  if (!admits(parent, child, now, why_not)) return give_up(parent, child, why_not);
  Duration after = child.policy().backoff.wait(extras.history.in_a_row(), core.environment->chance().next());
  if (child.failure() != nullptr) after = std::max(after, child.failure()->restart_after);
  child.ruling = Ruling::restart;
  ++extras.restarts;
  if_memory([&] {
    core.logger(child.full_path()).info("restarting", {{"restarts", extras.restarts}, {"after", to_string(after)}});
    if (core.events.wanted()) {
      core.events.emit(Restarting{child.full_path(), child.ops().type, extras.restarts, after});
    }
  });
  if (parent.extras->child_order != nullptr) {
    parent.extras->child_order->tell(parent, &child, ChildOrder::News::restarting);
  }
  const Supervising* const all = parent.extras->supervising.get();
  if (all != nullptr && (all->strategy != Strategy::one_for_one || all->step != Supervising::Step::none)) {
    return begin_group(parent, child, planted(Mistake::restart_without_backoff) ? now : now + after);
  }
  extras.restart_timer.bits = signal::start;
  core.scheduler->arm(extras.restart_timer, now + after);
  settle(child, 0);
}

/// Over the limit: the supervisor fails.
void Supervision::give_up(Cell& parent, Cell& child, const std::string& why) {
  if (parent.parent() != nullptr) return escalate(parent, child, why);
  child.ruling = Ruling::given_up;
  Core& core = parent.core();
  core.gave_up.store(true, std::memory_order_relaxed);
  if_memory([&] {
    core.logger(child.full_path()).error("gave up", {{"error", why}});
    if (core.events.wanted()) {
      core.events.emit(GaveUp{child.full_path(), child.ops().type, Error(Errc::failed, why)});
    }
  });
  settle(child, signal::close);
}

void Supervision::escalate(Cell& parent, Cell& child, const std::string& text, Errc code) {
  if (parent.parent() == nullptr) return give_up(parent, child, text);
  child.ruling = Ruling::given_up;
  Failure& failure = parent.core().take_failure();
  if (!parent.core().is_lost(failure)) {
    failure.stage = Failure::Stage::child;
    failure.code = code;
    copy_cut(failure.text, text);
  }
  // The child's place is kept, as its siblings' are: our next init may take it over.
  settle(child, 0);
  Lifecycle::fail(parent, failure, false);
}

/// A unit of work is over: so is whoever was there for it.
bool Supervision::ends_with(const Cell& parent, const Cell& child) {
  const Significant kind = child.policy().significant;
  if (kind == Significant::no || !child.own_end || parent.parent() == nullptr) return false;
  if (planted(Mistake::significant_failure_ignored) && child.failed) return false;
  if (parent.phase != Phase::initializing && parent.phase != Phase::running) return false;
  if (kind == Significant::all) {
    for (const Cell* other = parent.extras->first_child; other != nullptr; other = other->next_sibling()) {
      if (other != &child && other->policy().significant == Significant::all) return false;
    }
  }
  if_memory([&] {
    parent.core().logger(parent.full_path()).info("a significant child ended: stopping", {{"child", child.step()}});
  });
  return true;
}

void unlist_child(Cell& parent, Cell& child) noexcept {
  Extras& extras = *parent.extras;
  Cell* const previous = child.previous_sibling();
  Cell* const next = child.next_sibling();
  if (previous != nullptr) {
    previous->rest().next_sibling = next;
  } else {
    extras.first_child = next;
  }
  if (next != nullptr) {
    next->rest().previous_sibling = previous;
  } else {
    extras.last_child = previous;
  }
  child.rest().previous_sibling = nullptr;
  child.rest().next_sibling = nullptr;
  --extras.children;
}

namespace {

/// Nobody found it by name, watched it, asked for its board, or is told of its end. False: somebody may have.
bool reap_plain(Cell& parent, Cell& child) {
  if (child.extras != nullptr || child.body->has_policy != 0 || child.body->is_unnamed == 0 ||
      child.failure() != nullptr || parent.parent() == nullptr || !parent.extras->held.empty()) {
    return false;
  }
  Core& core = parent.core();
  const std::shared_ptr<Board> board = Scopes::take(core, child);
  unlist_child(parent, child);
  core.wait_for_naming();
  Body* const body = std::exchange(child.body, nullptr);
  body->ops->release(*body, core.memory);
  child.phase = Phase::vacant;
  core.free_cell(child);
  if (board != nullptr) board->close();
  return true;
}

/// Under the lock of the names.
void no_longer_passed_through(Cell& parent, Cell& child) noexcept {
  Extras& above = *parent.extras;
  Extras& mine = *child.extras;
  (mine.previous_passage != nullptr ? mine.previous_passage->extras->next_passage : above.first_passage) =
      mine.next_passage;
  (mine.next_passage != nullptr ? mine.next_passage->extras->previous_passage : above.last_passage) =
      mine.previous_passage;
  mine.is_passage = false;
}

}  // namespace

void Lifecycle::reap(Cell& parent, Cell& child) {
  if (reap_plain(parent, child)) return;
  std::erase(parent.extras->held, &child);
  const bool parent_ends = Supervision::ends_with(parent, child);
  Core& core = parent.core();
  WorkerContext* const context = context_for(&core);
  Envelope* const eol = child.extras != nullptr ? std::exchange(child.extras->eol, nullptr) : nullptr;
  const EndTarget end = eol != nullptr ? static_cast<const OwnPolicy&>(child.policy()).end : EndTarget{};
  unlist_child(parent, child);
  const bool is_passage = child.extras != nullptr && child.extras->is_passage;
  if (is_passage || !child.name().empty()) {
    const std::lock_guard lock(parent.extras->names_mutex);
    parent.extras->names.erase(child);
    if (is_passage) no_longer_passed_through(parent, child);
  }
  // To be told when the name is free again.
  ReplyPort start_port = child.extras != nullptr ? std::move(child.extras->start_port) : ReplyPort();
  Result<> started;
  if (start_port) {
    const bool failed = child.failure() != nullptr && !child.rest().by_wish;
    started = Error(failed ? child.failure()->code : Errc::cancelled);
    if_memory([&] {
      started = failed ? child.failure()->own_error()
                       : Error(Errc::cancelled, "'" + child.step() + "' ended before its init had");
    });
  }
  if (parent.parent() == nullptr) {
    const std::lock_guard lock(core.root_mutex);
    const auto found = core.root_names.find(child.name());
    if (found != core.root_names.end() && found->second == &child) core.root_names.erase(found);
  }
  EndNews news = child.extras != nullptr ? Watches::take(child) : EndNews();
  const std::shared_ptr<Board> board = Scopes::take(core, child);
  if (Failure* const failure = child.failure()) {
    child.set_failure(nullptr);
    core.give_back(*failure);
  }
  core.wait_for_naming();
  Lifecycle::free_extras(child);
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
  if (board != nullptr) board->close();
  Watches::tell(news);
  // Last: its stop goes through the list of its children at once, and it is to hear of this end before.
  if (!parent_ends) return;
  // Nobody else ordered it: to its own supervisor it has ended by itself.
  if (!parent.rest().stop_ordered) parent.own_end = true;
  Lifecycle::order_stop(parent, false, false);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
