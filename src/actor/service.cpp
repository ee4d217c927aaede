// The service tree is gathered by walking it through the lanes: each actor answers in its own turn and passes the
// question to its children.
#include "backstage/actor/service.hpp"

#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core.hpp"
#include "inspecting.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
class ServiceWalk : public std::enable_shared_from_this<ServiceWalk> {
 public:
  struct Entry {
    std::size_t parent;
    Cell* cell;
    Service service;
    Status counts_as = Status::starting;  // for the roll-up
    bool stated = false;                  // by the actor itself: its children do not overrule it
  };
  struct Node : LaneNode {
    std::shared_ptr<ServiceWalk> walk;
    std::size_t index = 0;
  };

  ServiceWalk(const Core& core, ReplyPort port, bool with_waits)
      : core_(core), port_(std::move(port)), with_waits_(with_waits) {}

  void ask(Cell& cell, std::size_t parent) {
    auto node = std::make_unique<Node>();
    node->walk = shared_from_this();
    node->generation = cell.generation();
    node->run = &answer_for;
    {
      const std::lock_guard lock(mutex_);
      node->index = entries_.size();
      Entry entry;
      entry.parent = parent;
      entry.cell = &cell;
      // As the parent knows it, in case the child does not answer.
      entry.service.name = cell.parent() == nullptr ? cell.full_path() : cell.step();
      entry.service.type = cell.ops().type;
      entry.service.status = cell.status.load(std::memory_order_relaxed);
      entry.counts_as = entry.service.status;
      entry.service.suspended = cell.suspended.load(std::memory_order_relaxed);
      entry.service.responding = false;
      entries_.push_back(std::move(entry));
      ++missing_;
    }
    cell.post_lane(*node.release());
  }

  [[nodiscard]] ServiceTree gather() {
    const std::lock_guard lock(mutex_);
    for (Entry& entry : entries_) {
      if (entry.service.responding) continue;
      const Core::Run run = core_.find_run(*entry.cell);
      if (!run.found) continue;
      entry.service.handling = run.message.empty() ? "cannot be told" : run.message;
      entry.service.stuck = run.stuck;
      entry.service.handling_since = std::max(core_.scheduler->now() - run.since, Duration::zero());
    }
    // Children stand behind their parents in the list: built from the back, moved into place.
    std::vector<Service> built;
    built.reserve(entries_.size());
    for (const Entry& entry : entries_) built.push_back(entry.service);
    for (std::size_t i = entries_.size(); i-- > 0;) {
      Service& service = built[i];
      std::reverse(service.children.begin(), service.children.end());
      service.rolled_up = entries_[i].counts_as;
      for (const Service& child : service.children) {
        if (entries_[i].stated) break;
        if (gravity(child.rolled_up) > gravity(service.rolled_up)) service.rolled_up = child.rolled_up;
      }
      if (i != 0) built[entries_[i].parent].children.push_back(std::move(service));
    }
    return built.empty() ? ServiceTree() : ServiceTree(std::move(built.front()));
  }

 private:
  static void answer_for(LaneNode& lane_node, Cell* cell) noexcept {
    const std::unique_ptr<Node> node(static_cast<Node*>(&lane_node));
    try {
      fill_in(*node, cell);
    } catch (...) {
      // Out of memory: what of it is not known is missing in the tree. Nobody who is looked at fails for that.
    }
    try {
      node->walk->one_answered();
    } catch (...) {
      // Nor can the tree be handed over: whoever asked hears it at its deadline.
    }
  }

  static void fill_in(const Node& at, Cell* cell) {
    ServiceWalk& walk = *at.walk;
    const Node* const node = &at;
    if (cell != nullptr) {
      {
        const std::lock_guard lock(walk.mutex_);
        Entry& entry = walk.entries_[node->index];
        Service& service = entry.service;
        service.status = cell->status.load(std::memory_order_relaxed);
        // A child that failed and waits for its restart serves nobody; one that ended normally does not count.
        entry.counts_as = cell->phase == Phase::ended && cell->failed ? Status::outage : service.status;
        // The phase first: what has ended may be its supervisor's just now, that destroys it beside us.
        entry.stated = cell->phase == Phase::running && cell->rest().status_stated;
        service.incarnation = cell->incarnation();
        service.restarts = cell->incarnation() > 1 ? cell->incarnation() - 1 : 0;
        service.suspended = cell->suspended.load(std::memory_order_relaxed);
        service.mailbox = queued_in(*cell);
        service.handled = cell->handled.load(std::memory_order_relaxed);
        service.responding = true;
        const Instant now = this_turn->worker->fresh_now();
        if (cell->incarnation() != 0 && service.status != Status::stopped) {
          service.uptime = std::max(now - cell->rest().began, Duration::zero());
        }
        if (const Extras* const extras = cell->extras) {
          service.word = extras->status_word;
          service.downtime = extras->downtime;
          if (extras->down_since != Instant::never()) {
            service.downtime += std::max(now - extras->down_since, Duration::zero());
          }
          service.last_error = extras->last_error;
          service.last_error_at = extras->last_error_at;
        }
        if (walk.with_waits_) {
          for (const Waiting& waiting : waits_of(*cell)) service.waits.push_back(to_line(waiting));
        }
      }
      if (cell->extras != nullptr) {
        for (Cell* child = cell->extras->first_child; child != nullptr; child = child->next_sibling()) {
          walk.ask(*child, node->index);
        }
      }
    } else {
      const std::lock_guard lock(walk.mutex_);
      Entry& entry = walk.entries_[node->index];
      entry.service.status = Status::stopped;
      entry.counts_as = Status::stopped;
      entry.service.responding = true;
    }
  }

  void one_answered() {
    {
      const std::lock_guard lock(mutex_);
      if (--missing_ != 0 || told_) return;
      told_ = true;
    }
    if (port_) answer<ServiceTree>(std::move(port_), gather());
  }

  const Core& core_;
  std::mutex mutex_;
  std::vector<Entry> entries_;
  std::size_t missing_ = 0;
  bool told_ = false;
  ReplyPort port_;
  const bool with_waits_;
};

std::shared_ptr<ServiceWalk> start_walk(Cell& from, ReplyPort port, bool with_waits) {
  auto walk = std::make_shared<ServiceWalk>(from.core(), std::move(port), with_waits);
  walk->ask(from, 0);
  return walk;
}

ServiceTree gathered(ServiceWalk& walk) { return walk.gather(); }

void Lifecycle::note_down(Cell& cell) noexcept {
  // One that did not run is down already, or has never run.
  if (cell.phase != Phase::running && cell.phase != Phase::draining) return;
  // Nothing is allocated for one that surely ends for good.
  const Restart restart = cell.policy().restart;
  const bool may_live_again = cell.rest().stop_ordered
                                  ? cell.rest().keep_place
                                  : cell.failed || restart == Restart::always || restart == Restart::ask;
  if (cell.extras == nullptr && !may_live_again) return;
  try {
    Instant& since = cell.need_extras().down_since;
    if (since == Instant::never()) since = this_turn->worker->coarse_now();
  } catch (...) {
    // Out of memory: its downtime is not counted this time.
  }
}

void Lifecycle::note_up(Cell& cell) noexcept {
  Extras& extras = *cell.extras;
  if (extras.down_since == Instant::never()) return;
  extras.downtime += std::max(this_turn->worker->coarse_now() - extras.down_since, Duration::zero());
  extras.down_since = Instant::never();
}

}  // namespace detail

namespace {

constexpr std::size_t longest_text = 400;

void append(std::string& out, const Service& service, const std::string& indent, bool last, bool top) {
  using detail::tame;
  out += indent;
  if (!top) out += last ? "`- " : "|- ";
  out += service.name + "  " + std::string(to_string(service.status));
  if (!service.word.empty()) out += " \"" + tame(service.word, max_status_word) + '"';
  if (service.rolled_up != service.status) out += " (below: " + std::string(to_string(service.rolled_up)) + ")";
  if (service.suspended) out += "  SUSPENDED";
  if (!service.responding) out += "  DOES NOT RESPOND";
  if (service.stuck) out += "  STUCK";
  if (!service.handling.empty()) {
    out += ", in " + service.handling + " for " + to_string(service.handling_since);
  }
  out += "  " + service.type;
  if (service.uptime > Duration::zero()) out += "  up=" + to_string(service.uptime);
  if (service.downtime > Duration::zero()) out += "  down=" + to_string(service.downtime);
  if (service.restarts != 0) out += "  restarts=" + std::to_string(service.restarts);
  out += "  handled=" + std::to_string(service.handled);
  if (service.mailbox != 0) out += "  waiting=" + std::to_string(service.mailbox);
  if (!service.last_error.empty()) {
    out += "  last_error=\"" + tame(service.last_error, longest_text) + "\" at " + to_string(service.last_error_at);
  }
  out += '\n';
  const std::string below = top ? indent : indent + (last ? "   " : "|  ");
  for (const std::string& one : service.waits) {
    out += below + (service.children.empty() ? "     " : "|    ") + tame(one, longest_text) + '\n';
  }
  for (std::size_t i = 0; i < service.children.size(); ++i) {
    append(out, service.children[i], below, i + 1 == service.children.size(), false);
  }
}

}  // namespace

std::string ServiceTree::text() const {
  std::string out;
  append(out, root, "", true, true);
  return out;
}

}  // namespace v0
}  // namespace backstage
