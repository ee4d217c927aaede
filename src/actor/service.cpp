// The service tree is gathered by walking it through the lanes: each actor answers in its own turn and passes the
// question to its children.
#include "backstage/actor/service.hpp"

#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

std::uint32_t side_depth(const Cell& cell) {
  SideBox* const side = cell.side.load(std::memory_order_acquire);
  if (side == nullptr) return 0;
  const std::lock_guard lock(side->mutex);
  return static_cast<std::uint32_t>(side->queue.size());
}

}  // namespace

class ServiceWalk : public std::enable_shared_from_this<ServiceWalk> {
 public:
  struct Entry {
    std::size_t parent;
    Service service;
    Status counts_as = Status::starting;  // for the roll-up
    bool stated = false;                  // by the actor itself: its children do not overrule it
  };
  struct Node : LaneNode {
    std::shared_ptr<ServiceWalk> walk;
    std::size_t index = 0;
  };

  explicit ServiceWalk(ReplyPort port) : port_(std::move(port)) {}

  void ask(Cell& cell, std::size_t parent) {
    auto* const node = new Node();
    node->walk = shared_from_this();
    node->generation = cell.generation();
    node->run = &answer_for;
    {
      const std::lock_guard lock(mutex_);
      node->index = entries_.size();
      Entry entry;
      entry.parent = parent;
      // As the parent knows it, in case the child does not answer.
      entry.service.name = cell.parent == nullptr ? cell.full_path() : cell.step();
      entry.service.type = cell.ops().type;
      entry.service.status = cell.status.load(std::memory_order_relaxed);
      entry.counts_as = entry.service.status;
      entry.service.responding = false;
      entries_.push_back(std::move(entry));
      ++missing_;
    }
    cell.post_lane(*node);
  }

  [[nodiscard]] ServiceTree gather() {
    const std::lock_guard lock(mutex_);
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
  static void answer_for(LaneNode& lane_node, Cell* cell) {
    const std::unique_ptr<Node> node(static_cast<Node*>(&lane_node));
    ServiceWalk& walk = *node->walk;
    if (cell != nullptr) {
      {
        const std::lock_guard lock(walk.mutex_);
        Entry& entry = walk.entries_[node->index];
        Service& service = entry.service;
        service.status = cell->status.load(std::memory_order_relaxed);
        // A child that failed and waits for its restart serves nobody; one that ended normally does not count.
        entry.counts_as = cell->phase == Phase::ended && cell->failed ? Status::outage : service.status;
        entry.stated = cell->status_stated && cell->phase == Phase::running;
        service.incarnation = cell->incarnation;
        service.mailbox = cell->mailbox.depth() + side_depth(*cell);
        service.handled = cell->handled.load(std::memory_order_relaxed);
        service.responding = true;
        if (cell->incarnation != 0 && service.status != Status::stopped) {
          service.uptime = this_turn->worker->fresh_now() - cell->began;
        }
        if (cell->extras != nullptr) service.last_error = cell->extras->last_error;
      }
      if (cell->extras != nullptr) {
        for (Cell* child = cell->extras->first_child; child != nullptr; child = child->next_sibling) {
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
    walk.one_answered();
  }

  void one_answered() {
    {
      const std::lock_guard lock(mutex_);
      if (--missing_ != 0 || told_) return;
      told_ = true;
    }
    if (port_) answer<ServiceTree>(std::move(port_), gather());
  }

  std::mutex mutex_;
  std::vector<Entry> entries_;
  std::size_t missing_ = 0;
  bool told_ = false;
  ReplyPort port_;
};

std::shared_ptr<ServiceWalk> start_walk(Cell& from, ReplyPort port) {
  auto walk = std::make_shared<ServiceWalk>(std::move(port));
  walk->ask(from, 0);
  return walk;
}

ServiceTree gathered(ServiceWalk& walk) { return walk.gather(); }

}  // namespace detail

namespace {

void append(std::string& out, const Service& service, const std::string& indent, bool last, bool top) {
  out += indent;
  if (!top) out += last ? "`- " : "|- ";
  out += service.name + "  " + std::string(to_string(service.status));
  if (service.rolled_up != service.status) out += " (below: " + std::string(to_string(service.rolled_up)) + ")";
  if (!service.responding) out += "  DOES NOT RESPOND";
  out += "  " + service.type;
  if (service.incarnation > 1) out += "  restarts=" + std::to_string(service.incarnation - 1);
  out += "  handled=" + std::to_string(service.handled);
  if (service.mailbox != 0) out += "  waiting=" + std::to_string(service.mailbox);
  if (!service.last_error.empty()) out += "  last_error=\"" + service.last_error + "\"";
  out += '\n';
  const std::string below = top ? indent : indent + (last ? "   " : "|  ");
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
