// Why no answer came in time, and circles of actors that wait for each other (promise M7).
//
// A circle is found by chasing its edges (Chandy, Misra and Haas, 1983): an ask that has waited for 50 ms sends a probe
// to the actor it waits for; each actor that keeps its turn while it waits itself adds its name and passes the probe
// on, to each of those it waits for. A probe that comes back to its origin, which still waits for the same ask, has gone
// round a circle. It goes round once more, to see that each wait is still the same one: then all of them held at one
// instant, and all asks in it fail, with the names of all. Probes run through the lanes, each step in its actor's turn.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core.hpp"
#include "side_box.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::uint32_t most_steps = 1'024;  // of one probe and all that it splits into

/// Whom an actor's turn waits for, by one of its asks.
struct Edge {
  Cell* target;
  std::uint32_t generation;
  std::uint32_t number;
  bool of_a_value = false;  // no answer: what the target publishes, in whichever of its coroutines
};

struct Member {
  Cell* cell;
  std::uint32_t generation;
  Edge edge;
  std::string path;
};

struct ProbeNode : LaneNode {
  Cell* origin = nullptr;
  std::uint32_t number = 0;
  std::uint32_t steps = most_steps;
  std::size_t confirmed = 0;  // of the second round
  std::vector<Member> members;
};

struct CircleNode : LaneNode {
  std::uint32_t number = 0;
  Error error{Errc::cycle};
};

void run_circle(LaneNode& node, Cell* cell) {
  const std::unique_ptr<CircleNode> circle(static_cast<CircleNode*>(&node));
  if (cell == nullptr) return;
  Awaiter* const awaiter = cell->find_awaiter(circle->number);
  if (awaiter == nullptr) return;
  awaiter->fail(circle->error);
  cell->wake_awaiter(*awaiter);
}

void tell_all(const std::vector<Member>& members) {
  std::string names;
  for (const Member& member : members) {
    if (!names.empty()) names += " -> ";
    names += member.path;
  }
  names += " -> " + members.front().path;
  const Error error(Errc::cycle, "these actors keep their turn while they ask, or wait for, each other: " + names +
                                     " (make one of the handlers Interleaved, or send instead of asking)");
  for (const Member& member : members) {
    // Given up from now on, for all at once: whoever hears first must not begin with the request of another, which
    // would only close the circle anew. Fails if the wait is over already.
    std::uint32_t expected = member.edge.number;
    if (WaitNote* const note = member.cell->side.load(std::memory_order_acquire))
      note->number.compare_exchange_strong(expected, 0, std::memory_order_relaxed);
  }
  for (const Member& member : members) {
    auto* const node = new CircleNode();
    node->run = &run_circle;
    node->generation = member.generation;
    node->number = member.edge.number;
    node->error = Error(error).and_may_have_run();  // all but the queued one of them had begun
    member.cell->post_lane(*node);
  }
}

/// What the turn of `cell` waits for; its own turn.
[[nodiscard]] std::vector<Edge> edges_of(const Cell& cell) {
  std::vector<Edge> edges;
  const WaitNote* const note = cell.side.load(std::memory_order_acquire);
  const std::uint32_t noted = cell.waits_number();
  for (const Awaiter* awaiter = cell.awaiters(); awaiter != nullptr; awaiter = awaiter->next_) {
    if (awaiter->root_ == nullptr || awaiter->root_ != cell.turn_root() || awaiter->number_ == 0) continue;
    const auto* const ask = dynamic_cast<const AskEdge*>(awaiter);
    if (ask == nullptr) continue;
    for (std::size_t i = 0;; ++i) {
      const AskRecord* const further = ask->further_edge(i);
      if (further == nullptr) break;
      if (further->target != nullptr) edges.push_back({further->target, further->generation, awaiter->number_, true});
    }
    if (ask->record_.target == nullptr) continue;
    Edge edge{ask->record_.target, ask->record_.generation, awaiter->number_};
    if (edge.number == noted) {
      // The request may have been forwarded since: then somebody else owes the answer.
      edge.target = note->target.load(std::memory_order_relaxed);
      edge.generation = note->generation.load(std::memory_order_relaxed);
    }
    if (edge.target != nullptr) edges.push_back(edge);
  }
  return edges;
}

/// Whoever waits for a value may get it from a piped task, which goes on beside the turn: then nothing is proved by what the
/// turn waits for. (An Interleaved handler goes on only when the turn is free.)
[[nodiscard]] bool leads_on(const Edge& edge, const Cell& target) noexcept {
  if (!edge.of_a_value || target.extras == nullptr) return true;
  for (const Root* root = target.extras->first_root; root != nullptr; root = root->next) {
    if (root->kind == RootKind::beside) return false;
  }
  return true;
}

/// Circles over two runtimes are not looked for. (A Ref may outlive its Runtime: then there is no core to compare.)
[[nodiscard]] bool is_near(const Cell& cell, const Cell& other) noexcept {
  return region_of(&cell).core.load(std::memory_order_acquire) ==
         region_of(&other).core.load(std::memory_order_acquire);
}

void run_probe(LaneNode& node, Cell* cell);

/// Adds the edge to a copy of the probe and passes that on.
void pass_on(const ProbeNode& probe, Cell& cell, const Edge& edge, std::uint32_t steps) {
  if (!is_near(cell, *edge.target)) return;
  auto next = std::make_unique<ProbeNode>();
  next->run = &run_probe;
  next->origin = probe.origin;
  next->number = probe.number;
  next->steps = steps;
  next->members = probe.members;
  next->members.push_back({&cell, cell.generation(), edge, cell.full_path()});
  next->generation = edge.generation;
  edge.target->post_lane(*next.release());
}

/// The second round: is this member's wait still the one that the first round saw?
void run_confirmation(LaneNode& node, Cell* cell) {
  std::unique_ptr<ProbeNode> probe(static_cast<ProbeNode*>(&node));
  if (cell == nullptr) return;
  const std::size_t before = (probe->confirmed == 0 ? probe->members.size() : probe->confirmed) - 1;
  if (!leads_on(probe->members[before].edge, *cell)) return;
  const Edge& seen = probe->members[probe->confirmed].edge;
  const std::vector<Edge> edges = edges_of(*cell);
  if (std::none_of(edges.begin(), edges.end(), [&](const Edge& edge) {
        return edge.number == seen.number && edge.target == seen.target && edge.generation == seen.generation;
      })) {
    return;
  }
  if (++probe->confirmed == probe->members.size()) return tell_all(probe->members);
  const Member& next = probe->members[probe->confirmed];
  probe->generation = next.generation;
  next.cell->post_lane(*probe.release());
}

void run_probe(LaneNode& node, Cell* cell) {
  std::unique_ptr<ProbeNode> probe(static_cast<ProbeNode*>(&node));
  if (cell == nullptr || !leads_on(probe->members.back().edge, *cell)) return;
  if (cell == probe->origin) {
    if (cell->find_awaiter(probe->number) == nullptr) return;
    probe->run = &run_confirmation;
    probe->generation = cell->generation();
    return cell->post_lane(*probe.release());
  }
  for (const Member& member : probe->members) {
    if (member.cell == cell) return;  // a circle that the origin only waits for: its members find it
  }
  const std::vector<Edge> edges = edges_of(*cell);
  if (edges.empty() || probe->steps <= edges.size()) return;
  const auto steps = static_cast<std::uint32_t>((probe->steps - 1) / edges.size());
  for (const Edge& edge : edges) pass_on(*probe, *cell, edge, steps);
}

}  // namespace

void probe_for_cycle(Cell& cell, std::uint32_t number) {
  ProbeNode probe;
  probe.origin = &cell;
  probe.number = number;
  for (const Edge& edge : edges_of(cell)) {
    if (edge.number == number) pass_on(probe, cell, edge, probe.steps - 1);
  }
}

void ReplyPort::give_back() noexcept {
  void* const was = std::exchange(slot, nullptr);
  if (cell == nullptr) {
    const std::shared_ptr<OutsideAsk> last = std::move(static_cast<OutsideAsk*>(was)->kept);
    return;
  }
  const Visit visit(cell);
  // Over: the memory went with its Runtime.
  if (visit.core() != nullptr) deallocate_frame(was);
}

void note_handed_on(const ReplyPort& port) noexcept {
  if (LookForReply::finds(*this_turn)) return;
  auto& target = *static_cast<Cell*>(this_turn->handing_to);
  // Without memory it is not probed once more: a circle is then found by its other members, or by the deadline.
  if_memory([&] { note_forwarded(port, target, target.generation()); });
}

void note_forwarded(const ReplyPort& port, Cell& target, std::uint32_t generation) {
  if (port.cell == nullptr) return;
  Cell& asker = *port.cell;
  const Visit visit(&asker);
  if (visit.core() == nullptr || asker.waits_number(std::memory_order_acquire) != port.number) return;
  WaitNote& note = *asker.side.load(std::memory_order_acquire);
  // relaxed: a probe that meets half a note ends, and so does its confirmation.
  note.generation.store(generation, std::memory_order_relaxed);
  note.target.store(&target, std::memory_order_relaxed);
  // If the target waits already, its own ask may have been probed before this edge was there: probe again.
  if (target.waits_number() == 0 || !is_near(asker, target)) return;
  struct AgainNode : LaneNode {
    std::uint32_t number = 0;
  };
  auto* const node = new AgainNode();
  node->generation = port.generation;
  node->number = port.number;
  node->run = [](LaneNode& self, Cell* cell) {
    const std::unique_ptr<AgainNode> again(static_cast<AgainNode*>(&self));
    if (cell != nullptr) probe_for_cycle(*cell, again->number);
  };
  asker.post_lane(*node);
}

Error timeout_error(const AskRecord& record, Instant now) {
  std::string text = std::string(record.actor()) + " did not answer " + std::string(record.message()) + " within " +
                     to_string(now - record.sent);
  if (record.target != nullptr && record.position != 0) {
    const Visit visit(record.target);
    Cell& target = *record.target;
    if (visit.core() != nullptr &&
        target.gate.load(std::memory_order_acquire) >> gate_bit::bits == record.generation) {
      // relaxed: for the text only.
      const char* const held_up = target.suspended.load(std::memory_order_relaxed) ? "; the actor is suspended" : "";
      const std::int64_t before = MessageList<Envelope>::distance(record.taken_when_sent, record.position) - 1;
      const std::int64_t behind = before + 1 - (taken_from(target) - record.taken_when_sent);
      const std::string stood = ", " + std::to_string(before) + " stood before it";
      const Instant began{target.request_began.load(std::memory_order_relaxed)};
      // The last one taken, and not begun: it was found expired in this same instant.
      // (The two clocks were not read with full precision.)
      if (behind == 0 && began + 2 * Clock::recent_error < record.sent) {
        text += ": it queued for " + to_string(now - record.sent) + " and was not begun" + stood + held_up;
        return Error(Errc::timeout, text);
      }
      if (behind > 0) {
        text += ": it queued for " + to_string(now - record.sent) + " and was not begun" + stood + ", " +
                std::to_string(behind - 1) + " still do" + held_up;
        return Error(Errc::timeout, text);
      }
      if (behind == 0) {
        text += ": it queued for " + to_string(began - record.sent) + stood + ", and has been running for " +
                to_string(now - began);
      } else {
        text += ": it was begun, and the answer is still owed" + stood;
      }
    }
  }
  return Error(Errc::timeout, text).and_may_have_run();
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
