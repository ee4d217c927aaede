// Inspections: answered in the actor's own turn, through its lane; at the deadline, from what can be seen outside.
#include "inspecting.hpp"
#include "backstage/base/utf8.hpp"

#include <algorithm>
#include <utility>

#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

std::string tame(std::string_view text, std::size_t most) {
  std::string out(cut_utf8(text, most));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

std::string describe_actor(const Cell& cell) {
  // What has ended may be its supervisor's just now, that takes its state and destroys it: asked first.
  if (is_with_parent(cell) || !cell.rest().constructed || cell.ops().describe == nullptr) return {};
  try {
    std::string said = cell.ops().describe(cell);
    if (said.size() > max_description) {
      std::size_t keep = max_description - 3;
      while (keep > 0 && (static_cast<unsigned char>(said[keep]) & 0xc0U) == 0x80U) --keep;
      said.resize(keep);
      said += "...";
    }
    return said;
  } catch (...) {
    return "describe() threw " + std::string(describe_current_exception(Errc::failed).text());
  }
}

std::uint32_t queued_in(const Cell& cell) {
  std::uint32_t depth = cell.mailbox.depth(cell.queue);
  SideBox* const side = side_if_any(cell);
  if (side == nullptr) return depth;
  const std::lock_guard lock(side->mutex);
  depth += static_cast<std::uint32_t>(side->queue.size());
  return depth;
}

std::string Awaiter::describe_wait() const { return "something"; }

std::string place_name(const Cell* cell, std::uint32_t generation, std::string_view type) {
  if (cell != nullptr) {
    const Visit visit(cell);
    if (visit.core() != nullptr) {
      const Naming naming(Core::of(*visit.core()), *cell, generation);
      if (naming.is_there()) return cell->full_path();
    }
  }
  return "an actor that has ended (" + std::string(type) + ")";
}

std::string describe_ask(const Awaiter& awaiter, const AskRecord& record) {
  const Cell* target = record.target;
  std::uint32_t generation = record.generation;
  const Cell* const asker = awaiter.cell_;
  if (asker != nullptr && asker->waits_number() == awaiter.number_) {
    // The request may have been forwarded: then somebody else owes the answer.
    const WaitNote& note = *asker->side.load(std::memory_order_acquire);
    target = note.target.load(std::memory_order_relaxed);
    generation = note.generation.load(std::memory_order_relaxed);
  }
  return "ask " + std::string(record.message()) + " to " + place_name(target, generation, record.actor());
}

std::vector<Waiting> waits_of(const Cell& cell) {
  std::vector<Waiting> waits;
  if (cell.extras == nullptr) return waits;
  const Instant now = this_turn->worker->fresh_now();
  const auto age = [now](Instant since) { return std::max(now - since, Duration::zero()); };
  for (const Root* root = cell.extras->first_root; root != nullptr; root = root->next) {
    bool found = false;
    for (const Awaiter* awaiter = cell.awaiters(); awaiter != nullptr; awaiter = awaiter->next_) {
      if (awaiter->root_ != root) continue;
      found = true;
      Waiting one;
      one.work = root->message;
      one.on = awaiter->ready_ ? "the turn: what it waited for is there" : awaiter->describe_wait();
      one.since = age(awaiter->since_);
      if (awaiter->deadline_ != Instant::never()) {
        one.left = std::max(awaiter->deadline_ - now, Duration::zero());
      }
      waits.push_back(std::move(one));
    }
    if (!found && root == cell.turn_root() && cell.extras->inbox != nullptr) {
      // Since when is not known: an inbox reads no clock for each message.
      waits.push_back({std::string(root->message), "its next message", Duration::zero(), Duration::max()});
    }
  }
  // Roots and awaiters are listed newest first.
  std::reverse(waits.begin(), waits.end());
  return waits;
}

std::string to_line(const Waiting& waiting) {
  std::string out = waiting.work + " waits for " + waiting.on;
  if (waiting.since > Duration::zero()) out += " since " + to_string(waiting.since);
  return out;
}

namespace {

[[nodiscard]] std::string_view name_of(Phase phase, bool failed) noexcept {
  switch (phase) {
    case Phase::vacant:
    case Phase::closing: return "gone";
    case Phase::starting: return "starting";
    case Phase::initializing: return "initializing";
    case Phase::running: return "running";
    case Phase::draining: return "draining";
    case Phase::ending: return "ending: its children are being stopped";
    case Phase::terminating: return "terminating";
    case Phase::ended: return failed ? "failed: waits for its restart" : "ended: waits for its supervisor";
    case Phase::kept: return "kept: waits for its supervisor's restart";
  }
  return "unknown";
}

/// What may be read from anywhere, under Naming.
void fill_outer(Inspection& seen, const Cell& cell) {
  seen.path = cell.full_path();
  seen.type = cell.ops().type;
  const Mailbox& box = cell.policy().mailbox;
  if (box.is_bounded()) seen.mailbox_bound = box.count_limit();
  seen.status = cell.status.load(std::memory_order_relaxed);
  seen.suspended = cell.suspended.load(std::memory_order_relaxed);
  seen.handled = cell.handled.load(std::memory_order_relaxed);
}

}  // namespace

Result<Inspection> look_at(const Cell& cell) {
  Inspection seen;
  {
    // Also in its own turn: the body of a kept place is exchanged by its parent.
    const Naming naming(cell.core(), cell, cell.generation());
    if (!naming.is_there()) return nothing_to_inspect();
    fill_outer(seen, cell);
  }
  const Instant now = this_turn->worker->fresh_now();
  seen.phase = name_of(cell.phase, cell.failed);
  seen.incarnation = cell.incarnation();
  seen.mailbox = queued_in(cell);
  if (cell.phase == Phase::running || cell.phase == Phase::draining) {
    seen.uptime = std::max(now - cell.rest().began, Duration::zero());
  }
  // A loop that waits for its next message handles none.
  if (cell.turn_root() != nullptr && cell.extras->inbox == nullptr) {
    seen.handling = cell.turn_root()->message;
    seen.handling_since = std::max(now - cell.turn_root()->began, Duration::zero());
  }
  seen.waits = waits_of(cell);
  if (cell.extras != nullptr) {
    const Extras& extras = *cell.extras;
    seen.word = extras.status_word;
    seen.timers = extras.timers.size();
    seen.children = extras.children;
    for (const Cell* child = extras.first_child; child != nullptr; child = child->next_sibling()) {
      if (seen.child_names.size() == Inspection::max_children) break;
      seen.child_names.push_back(child->step());
    }
    seen.last_error = extras.last_error;
  }
  // Of one that has ended the state, and of one that is kept the whole body, are its parent's to take.
  if (cell.phase != Phase::ended && cell.phase != Phase::kept) seen.state = describe_actor(cell);
  Watches::list(cell, seen);
  return seen;
}

Error nothing_to_inspect() { return {Errc::gone, "the actor has ended for good, or the Ref is null"}; }

Result<Inspection> seen_from_outside(Cell* cell, std::uint32_t generation) {
  if (cell == nullptr) return nothing_to_inspect();
  const Visit visit(cell);
  if (visit.core() == nullptr) return nothing_to_inspect();
  Core& core = Core::of(*visit.core());
  Inspection seen;
  {
    const Naming naming(core, *cell, generation);
    if (!naming.is_there()) return nothing_to_inspect();
    fill_outer(seen, *cell);
  }
  seen.responding = false;
  seen.mailbox = queued_in(*cell);
  if (const Core::Run run = core.find_run(*cell); run.found) {
    seen.handling = run.message.empty() ? "cannot be told" : run.message;
    seen.handling_since = std::max(core.scheduler->now() - run.since, Duration::zero());
  }
  return seen;
}

Core::Run Core::find_run(const Cell& cell) const noexcept {
  for (unsigned id = 0; id < scheduler->known_workers(); ++id) {
    const Worker& worker = scheduler->worker(id);
    if (worker.noted_cell() != &cell) continue;
    Run run{true, {}, worker.noted_since(), worker.hogs()};
    if (const auto* const message = static_cast<const std::string_view*>(worker.noted_message())) {
      run.message = *message;
    }
    // Another turn began meanwhile: what was read may belong to two.
    if (worker.noted_cell() != &cell || worker.noted_since() != run.since) continue;
    return run;
  }
  return {};
}

}  // namespace detail

std::string Inspection::text() const {
  using detail::tame;
  constexpr std::size_t line = 400;
  std::string out = path + "  " + type + "  " + std::string(to_string(status));
  if (!word.empty()) out += " \"" + tame(word, line) + '"';
  if (suspended) out += "  SUSPENDED";
  if (!responding) out += "  DOES NOT RESPOND";
  out += '\n';
  if (responding) {
    out += "  phase: " + phase + ", life " + std::to_string(incarnation);
    if (uptime > Duration::zero()) out += ", up " + to_string(uptime);
    out += '\n';
  }
  out += "  mailbox: " + std::to_string(mailbox);
  out += mailbox_bound == Mailbox::no_limit ? std::string(" waiting") : " of " + std::to_string(mailbox_bound);
  out += ", " + std::to_string(handled) + " handled\n";
  if (!handling.empty()) {
    out += "  handling: " + handling;
    if (handling_since > Duration::zero()) out += " since " + to_string(handling_since);
    out += '\n';
  }
  for (const Waiting& one : waits) {
    out += "  " + detail::to_line(one);
    if (one.left != Duration::max()) out += ", " + to_string(one.left) + " left";
    out += '\n';
  }
  if (timers != 0) out += "  timers: " + std::to_string(timers) + '\n';
  if (children != 0) {
    out += "  children: " + std::to_string(children) + " [";
    for (std::size_t i = 0; i < child_names.size(); ++i) out += (i != 0 ? ", " : "") + child_names[i];
    out += child_names.size() < children ? ", ...]\n" : "]\n";
  }
  for (const Watched& one : watches) out += "  watches " + one.who + " (" + one.how + ")\n";
  for (const Watched& one : watched_by) out += "  watched by " + one.who + " (" + one.how + ")\n";
  if (!last_error.empty()) out += "  last error: " + tame(last_error, line) + '\n';
  if (!state.empty()) out += "  state: " + tame(state, max_description) + '\n';
  return out;
}

}  // namespace v0
}  // namespace backstage
