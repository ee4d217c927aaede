// Spawning: new places, places taken over from a former incarnation of the parent (promises L2, L8), and finding children.
#include <cstring>
#include <memory>
#include <shared_mutex>
#include <string>
#include <utility>

#include "core.hpp"
#include "lifecycle.hpp"
#include "side_box.hpp"
#include "spawn_checks.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

void Body::set_tail(std::string_view name, const ChildPolicy& policy) noexcept {
  if (&policy != &default_policy) {
    const ChildPolicy* const own = &policy;
    std::memcpy(at(ops->body_bytes), &own, sizeof own);
    has_policy = 1;
  }
  if (name.empty()) {
    is_unnamed = 1;
    set_number(0);
  } else {
    std::memcpy(at(name_at()), name.data(), name.size());
  }
}

bool Cell::policy_has_end_target() const noexcept { return body->has_policy != 0; }

SlabPool& pool_of(Cell& parent) noexcept { return parent.core().memory; }

namespace {

void release_body(Body& body, Core& core) noexcept { body.ops->release(body, core.memory); }

/// An unnamed actor is "#n" in its path.
void number_unnamed(Body& body, Core& core) {
  if (body.is_unnamed == 0) return;
  WorkerContext* const context = core.scheduler->is_manual() ? nullptr : context_for(&core);
  if (context == nullptr) {
    body.set_number(core.unnamed.fetch_add(1, std::memory_order_relaxed) + 1);
    return;
  }
  // A worker takes some at once: the count is a line that all would write to.
  constexpr std::uint64_t at_once = 64;
  if (context->next_unnamed == context->last_unnamed) {
    context->next_unnamed = core.unnamed.fetch_add(at_once, std::memory_order_relaxed);
    context->last_unnamed = context->next_unnamed + at_once;
  }
  body.set_number(++context->next_unnamed);
}

[[nodiscard]] bool queues_behind_a_lock(const Mailbox& box) noexcept {
  return box.byte_limit() != 0 || (box.is_bounded() && box.when_full() == WhenFull::drop_oldest);
}

/// All that equip() and what follows it would allocate: afterwards nothing can fail any more.
void prepare(Cell& cell, const Body& body, bool has_starter) {
  if (has_starter || body.policy().start_after > Duration::zero()) (void)cell.need_extras();
  if (body.has_policy == 0) return;
  Lifecycle::reserve_news(cell, body.policy());
  if (queues_behind_a_lock(body.policy().mailbox)) (void)side_of(cell);
}

/// A body, and then its cell, that are nobody's place yet: given back when something is in the way.
class Unplaced {
 public:
  Unplaced(Body& body, Core& core) noexcept : core_(core), body_(&body) {}
  Unplaced(const Unplaced&) = delete;
  Unplaced& operator=(const Unplaced&) = delete;
  ~Unplaced() {
    if (body_ == nullptr) return;
    body_->ops->release(*body_, core_.memory);
    if (cell_ == nullptr) return;
    Lifecycle::free_extras(*cell_);
    core_.free_cell(*cell_);
  }
  /// A place for it, with all that it needs.
  [[nodiscard]] Cell& find_cell(bool has_starter) {
    cell_ = &core_.new_cell();
    prepare(*cell_, *body_, has_starter);
    return *cell_;
  }
  void placed() noexcept { body_ = nullptr; }

 private:
  Core& core_;
  Body* body_;
  Cell* cell_ = nullptr;
};

/// Allocates nothing: see prepare().
void equip(Cell& cell, Cell& parent, Body& body, ReplyPort started) noexcept {
  cell.body = &body;
  cell.rest().parent = &parent;
  cell.place_generation = cell.generation();
  const Mailbox& box = body.policy().mailbox;
  const bool side = body.has_policy != 0 && queues_behind_a_lock(box);
  cell.mailbox.set_bound(cell.queue, side ? Mailbox::no_limit : box.count_limit());
  cell.drops_newest.store(box.when_full() == WhenFull::drop_newest, std::memory_order_relaxed);
  cell.scheduling_group = parent.scheduling_group;
  cell.rest().quiet = false;
  cell.retries = body.policy().retry_failed != 0;
  cell.plain = !cell.retries && !body.ops->has_loop && body.policy().interleaved != 0;
  if (started) cell.need_extras().start_port = std::move(started);
  if (side) {
    SideBox* const box_side = side_if_any(cell);
    const std::lock_guard lock(box_side->mutex);
    box_side->generation = cell.generation();
    box_side->kind = box;
    box_side->queues = true;
    cell.gate.fetch_or(gate_bit::special, std::memory_order_seq_cst);
  } else if (SideBox* const box_side = side_if_any(cell)) {
    // A place that is taken over under another kind of mailbox: what is queued goes on to be queued there.
    const std::lock_guard lock(box_side->mutex);
    if (box_side->queues && box_side->generation == cell.generation()) box_side->kind = box;
  }
}

/// A cell that becomes a new place: whatever its former owner left is wiped out. Nothing is left in its lane, and no failure.
void reset(Cell& cell) {
  cell.rest() = CellRest();
  cell.handled.store(0, std::memory_order_relaxed);
  cell.status.store(Status::starting, std::memory_order_relaxed);
  cell.failed = false;
  // Of one byte; what follows is apart, so that it is not written with a neighbour in one step that reads both.
  cell.ruling = Ruling::none;
  cell.own_end = false;
  cell.suspended.store(false, std::memory_order_relaxed);
  cell.own_commands = 0;
}

/// equip() for one that nobody has said anything of.
void equip_plainly(Cell& cell, Cell& parent, Body& body) noexcept {
  cell.body = &body;
  cell.rest().parent = &parent;
  cell.place_generation = cell.generation();
  cell.mailbox.set_bound(cell.queue, default_policy.mailbox.count_limit());
  cell.drops_newest.store(false, std::memory_order_relaxed);
  cell.scheduling_group = parent.scheduling_group;
  cell.retries = false;
  cell.plain = !body.ops->has_loop;
}
static_assert(default_policy.retry_failed == 0 && default_policy.interleaved != 0 &&
              default_policy.start_after == Duration::zero());

void link_child(Extras& extras, Cell& cell) noexcept {
  cell.rest().next_sibling = nullptr;
  cell.rest().previous_sibling = extras.last_child;
  if (extras.last_child != nullptr) {
    extras.last_child->rest().next_sibling = &cell;
  } else {
    extras.first_child = &cell;
  }
  extras.last_child = &cell;
  ++extras.children;
}

/// Names are looked for below unnamed actors, too, from the first child on that they have.
void note_passage(Cell& parent, Extras& extras) {
  if (parent.parent() == nullptr || !parent.name().empty() || extras.is_passage) return;
  Extras& above = *parent.parent()->extras;
  const std::lock_guard lock(above.names_mutex);
  extras.previous_passage = above.last_passage;
  (above.last_passage != nullptr ? above.last_passage->extras->next_passage : above.first_passage) = &parent;
  above.last_passage = &parent;
  extras.is_passage = true;
}

/// Who waits for a place of that name looks again. Those above an unnamed actor see its children as theirs.
void tell_appeared(Core& core, Cell& parent, std::string_view name) noexcept {
  for (Cell* at = &parent; at != nullptr && !name.empty(); at = at->parent()) {
    // Whoever looked for the name before it was there, under its lock, has set the mark by then.
    if (at->board_mark.is_asked()) {
      if (const auto board = core.boards.find(at, place_generation_of(*at))) board->tell_appeared(name);
    }
    if (at->parent() == nullptr || !at->name().empty()) return;
  }
}

[[noreturn]] void refuse_name(const Body& body, const std::string& where) {
  throw Need::fail(
      Error(Errc::exists, "'" + std::string(body.name()) + "' below " + where +
                              " is taken by a living actor: choose another name, or backstage::unnamed"));
}

/// Somebody's place from now on: what is sent before it has its start waits. Before its name is to be found by others: what
/// they send to a place that is nobody's would be a dead letter.
void come_alive(Cell& cell) {
  cell.phase = Phase::starting;
  // exchange: bits that late senders left for the former owner go with it. release: publishes the fields of the cell.
  cell.signals.exchange(signal::alive, std::memory_order_seq_cst);
}

/// One that nobody finds by name: of those there are many, so the newest goes first. Named ones are few, and begin in the
/// order that their supervisor says.
void set_off_unnamed(Cell& cell, Core& core) {
  const bool at_once = cell.policy().start_after <= Duration::zero();
  if (at_once) cell.own_commands = signal::start;
  cell.phase = Phase::starting;
  // Bits that late senders left for the former owner go with it. release: publishes the fields of the cell.
  cell.signals.store(signal::alive, std::memory_order_release);
  bool is_ours = cell.mailbox.wake();
  if (!is_ours) {
    // A late sender has woken it, and somebody is looking what for. Dekker, which that plain store was no half of:
    // seq_cst: either he sees the place alive when he has let it go, or we find it idle. It changes nothing, since its whole
    // life may be over by now; then it is looked at once more for nothing.
    cell.signals.fetch_or(0, std::memory_order_seq_cst);
    is_ours = cell.mailbox.wake();
  }
  if (is_ours) core.scheduler->schedule_new(cell);
  if (!at_once) Lifecycle::first_start(cell);
}

}  // namespace

void delete_policy(const ChildPolicy* policy) noexcept { delete static_cast<const OwnPolicy*>(policy); }

/// A first start may be delayed; the timer is the one of the restarts.
void Lifecycle::first_start(Cell& cell) {
  const Duration after = cell.policy().start_after;
  if (after <= Duration::zero()) return cell.signal_command(signal::start);
  Scheduler& scheduler = *cell.core().scheduler;
  SignalTimer& timer = cell.extras->restart_timer;
  timer.bits = signal::start;
  scheduler.arm(timer, scheduler.now() + after);
}

namespace {

/// Whose end nobody hears of but its supervisor, who has nothing to decide.
[[nodiscard]] bool is_plain_end(const LaneItem& item) noexcept {
  if (!item.lane_next.is_of_end()) return false;
  const Cell& child = cell_around(&item);
  return child.phase == Phase::closing && child.extras == nullptr && child.body->has_policy == 0;
}

/// Who makes many children in one message takes back those that have ended meanwhile, so that they are made in the same
/// memory. Only from the front of what waits: the order stays.
void reap_some(Cell& parent) {
  constexpr unsigned at_once = 4;
  if (parent.parent() == nullptr || parent.extras->supervising != nullptr || parent.extras->child_order != nullptr)
    return;
  for (unsigned i = 0; i < at_once; ++i) {
    LaneItem* const item = parent.look_into_lane();
    if (item == nullptr || !is_plain_end(*item)) return;
    parent.leave_in_lane(item->lane_next);
    Lifecycle::child_notice(*item, &parent);
  }
}

}  // namespace

namespace {

/// What is to be seen to before each start.
void look_round(Cell& parent, Extras& extras) {
  if (parent.phase != Phase::initializing && parent.phase != Phase::running) {
    throw Need::fail(Error(Errc::stopping, parent.full_path() + " is being stopped and starts no children"));
  }
  if (!parent.lane.empty(std::memory_order_relaxed) || parent.has_left_in_lane) reap_some(parent);
  note_passage(parent, extras);
}

}  // namespace

Cell& start_child(Cell& parent, Body& body) {
  if (body.has_policy != 0 || body.is_unnamed == 0) return start_child(parent, body, ReplyPort());
  Core& core = parent.core();
  settle_turn();
  Unplaced owned(body, core);
  Extras& extras = parent.need_extras();
  look_round(parent, extras);
  Cell& cell = core.new_cell();
  owned.placed();  // nothing can fail any more
  reset(cell);
  equip_plainly(cell, parent, body);
  number_unnamed(body, core);
  link_child(extras, cell);
  set_off_unnamed(cell, core);
  return cell;
}

Cell& start_child(Cell& parent, Body& body, ReplyPort started) {
  Core& core = parent.core();
  settle_turn();
  Unplaced owned(body, core);
  check_targets(parent, body);
  Extras& extras = parent.need_extras();
  const std::string_view name = body.name();
  look_round(parent, extras);
  if (!name.empty()) {
    Cell* kept = nullptr;
    {
      const std::lock_guard lock(extras.names_mutex);
      kept = extras.names.find(name);
      const bool taken_over = kept != nullptr && kept->rest().quiet && kept->ops().type_id == body.ops->type_id;
      if (taken_over && !kept->rest().in_group) prepare(*kept, body, static_cast<bool>(started));
      // Its name goes with the old body. One that is being restarted with its group lives.
      if (kept != nullptr && kept->rest().quiet && !kept->rest().in_group) extras.names.erase(*kept);
    }
    if (kept != nullptr && (!kept->rest().quiet || kept->rest().in_group)) refuse_name(body, parent.full_path());
    if (kept != nullptr && kept->ops().type_id == body.ops->type_id) {
      // L2: the place is taken over, with its mailbox and its Refs.
      // Of our former life; relaxed: our own order.
      kept->signals.fetch_and(~signal::keep, std::memory_order_relaxed);
      Lifecycle::destroy_actor(*kept);  // a state that was kept for a restart of the place alone
      Body& old = *kept->body;
      // Last in start order, and with a fresh budget: those before it failed under another supervisor.
      unlist_child(parent, *kept);
      link_child(extras, *kept);
      kept->rest().quiet = false;
      kept->own_end = false;
      kept->ruling = Ruling::none;
      if (kept->extras != nullptr) {
        kept->extras->history = RestartHistory();
        kept->extras->keep_state = false;
        // Who started it has failed and asks no more.
        kept->extras->start_port = ReplyPort();
      }
      {
        const std::lock_guard naming(core.naming_mutex);  // nobody reads its names just now
        equip(*kept, parent, body, std::move(started));
      }
      owned.placed();
      release_body(old, core);
      {
        // Its old name has just gone: there is room for the new one.
        const std::lock_guard lock(extras.names_mutex);
        extras.names.insert(*kept);
      }
      tell_appeared(core, parent, kept->name());
      Lifecycle::first_start(*kept);
      return *kept;
    }
    if (kept != nullptr) {
      kept->rest().quiet = false;
      kept->signal_command(signal::close);
    }
  }
  Cell& cell = owned.find_cell(static_cast<bool>(started));
  if (!name.empty()) {
    const std::lock_guard lock(extras.names_mutex);
    extras.names.make_room();
  }
  reset(cell);
  equip(cell, parent, body, std::move(started));
  owned.placed();
  number_unnamed(body, core);
  link_child(extras, cell);
  if (name.empty()) {
    set_off_unnamed(cell, core);
    return cell;
  }
  come_alive(cell);
  {
    const std::lock_guard lock(extras.names_mutex);
    extras.names.insert(cell);
  }
  Lifecycle::first_start(cell);
  tell_appeared(core, parent, name);
  return cell;
}

/// From outside: the root adopts it in its own turn.
std::pair<Cell*, std::uint32_t> start_below_root(Core& core, Body& body) {
  settle_turn();
  Unplaced owned(body, core);
  check_targets(*core.root, body);
  struct AdoptNode : LaneNode {
    Cell* child = nullptr;
  };
  Cell& root = *core.root;
  const std::string name(body.name());
  auto node = std::make_unique<AdoptNode>();
  // Until the root has word of it: a shutdown comes before or after, never between.
  const std::lock_guard lock(core.root_mutex);
  if (core.shut_down) {
    throw Need::fail(Error(Errc::stopping, "the runtime is being stopped and starts no more actors"));
  }
  if (!name.empty() && core.root_names.contains(name)) refuse_name(body, "/");
  Cell& cell = owned.find_cell(false);
  {
    // Its name stands in the root's index from now on: in the root's own turn there may be no memory for it.
    const std::lock_guard names(root.extras->names_mutex);
    if (!name.empty()) root.extras->names.make_room();
    if (!name.empty()) core.root_names.emplace(name, &cell);
    reset(cell);
    equip(cell, root, body, {});
    owned.placed();
    number_unnamed(body, core);
    come_alive(cell);  // it waits for its start until the root has adopted it
    if (!name.empty()) root.extras->names.insert(cell);
  }
  node->generation = root.generation();
  node->child = &cell;
  node->run = [](LaneNode& self, Cell* at) {
    const std::unique_ptr<AdoptNode> guard(static_cast<AdoptNode*>(&self));
    Cell& child = *guard->child;
    if (at == nullptr) return;
    link_child(at->need_extras(), child);
    // A root that drains will tell it to stop in its turn: what was sent to it is handled first.
    const bool starts = at->phase == Phase::running || at->phase == Phase::draining;
    if (starts) {
      Lifecycle::first_start(child);
    } else {
      child.signal_command(signal::stop);
    }
    if (at->phase == Phase::ending && at->extras->stopping_child == nullptr) (void)Lifecycle::stop_next_child(*at);
  };
  // Read before the root hears of it: afterwards the actor may run, end, and its cell be somebody else's.
  const std::uint32_t generation = cell.generation();
  tell_appeared(core, root, name);
  root.post_lane(*node.release());
  return {&cell, generation};
}

const Cell& parent_of(const Cell& me) noexcept { return me.parent() != nullptr ? *me.parent() : me; }

Cell& root_of(Cell& cell) noexcept { return *cell.core().root; }

Result<std::pair<Cell*, std::uint32_t>> find_child(const Cell& parent, std::string_view name, const void* type_id,
                                                   std::string_view type) {
  std::string there;
  if (parent.extras != nullptr) {
    const std::shared_lock lock(parent.extras->names_mutex);
    if (Cell* const found = parent.extras->names.find(name)) {
      Cell& cell = *found;
      if (cell.ops().type_id != type_id) {
        return Error(Errc::invalid, "'" + std::string(name) + "' is a " + std::string(cell.ops().type) + ", not a " +
                                        std::string(type));
      }
      // Not its present generation: it may have ended, and its parent not know it yet.
      return std::pair(&cell, cell.place_generation);
    }
    std::size_t shown = 0;
    parent.extras->names.for_each([&](const Cell& other) {
      if (++shown <= 8) {
        there += (there.empty() ? "" : ", ") + std::string(other.name());
      } else if (shown == 9) {
        there += ", ...";
      }
    });
  }
  return Error(Errc::not_found,
               "no '" + std::string(name) + "' below " + parent.full_path() + ": it has children [" + there + "]");
}

Result<std::pair<Cell*, std::uint32_t>> find_app(const Cell& me, std::string_view name, const void* type_id,
                                                 std::string_view type) {
  Core& core = me.core();
  const std::lock_guard lock(core.root_mutex);
  const auto found = core.apps.find(name);
  if (found == core.apps.end()) {
    std::string there;
    for (const auto& [other, app] : core.apps) {
      if (!other.empty()) there += (there.empty() ? "" : ", ") + other;  // "" is the launcher's own
    }
    return Error(Errc::not_found, "no app '" + std::string(name) + "': the launcher runs [" + there + "]");
  }
  const App& app = found->second;
  if (app.type_id != type_id) {
    return Error(Errc::invalid, "the app '" + std::string(name) + "' is a " + std::string(app.type) + ", not a " +
                                    std::string(type));
  }
  return std::pair(app.cell, app.generation);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
