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

class ServiceWalk : public std::enable_shared_from_this<ServiceWalk> {
 public:
  struct Entry {
    std::size_t parent;
    Service service;
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
      Entry entry{parent, {}};
      // As the parent knows it, in case the child does not answer.
      entry.service.name = cell.parent == nullptr ? cell.full_path() : std::string(cell.name());
      if (entry.service.name.empty()) entry.service.name = "#" + std::to_string(cell.unnamed_number);
      entry.service.type = cell.ops().type;
      entry.service.status = cell.status.load(std::memory_order_relaxed);
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
      service.rolled_up = service.status;
      for (const Service& child : service.children) {
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
        Service& service = walk.entries_[node->index].service;
        service.status = cell->status.load(std::memory_order_relaxed);
        service.incarnation = cell->incarnation;
        service.mailbox = cell->mailbox.depth();
        service.handled = cell->handled.load(std::memory_order_relaxed);
        service.responding = true;
        if (cell->extras != nullptr) {
          service.last_error = cell->extras->last_error;
          service.uptime = this_turn->worker->coarse_now() - cell->extras->began;
        }
      }
      if (cell->extras != nullptr) {
        for (Cell* child = cell->extras->first_child; child != nullptr; child = child->next_sibling) {
          walk.ask(*child, node->index);
        }
      }
    } else {
      const std::lock_guard lock(walk.mutex_);
      Service& service = walk.entries_[node->index].service;
      service.status = Status::stopped;
      service.responding = true;
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
