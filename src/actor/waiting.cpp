// Why no answer came in time, and circles of actors that wait for each other (promise M7).
//
// A circle is found by chasing its edges (Chandy, Misra and Haas, 1983): an ask that has waited for 50 ms sends a probe
// to the actor it waits for; each actor that keeps its turn while it waits itself adds its name and passes the probe
// on. A probe that comes back to its origin, which still waits for the same ask, has gone round a circle: all asks in
// it fail, with the names of all. Probes run through the lanes, each step in its actor's own turn.
#include <string>
#include <utility>
#include <vector>

#include "core.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::size_t longest_circle = 256;

struct Member {
  Cell* cell;
  std::uint32_t generation;
  std::uint32_t number;
  std::string path;
};

struct ProbeNode : LaneNode {
  Cell* origin = nullptr;
  std::uint32_t number = 0;
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
  const Error error(Errc::cycle, "these actors keep their turn while they ask each other: " + names +
                                     " (make one of the handlers Interleaved, or send instead of asking)");
  for (const Member& member : members) {
    auto* const node = new CircleNode();
    node->run = &run_circle;
    node->generation = member.generation;
    node->number = member.number;
    node->error = error;
    member.cell->post_lane(*node);
  }
}

/// Adds `cell` to the probe and passes it on. False: it ends here.
bool pass_on(ProbeNode& probe, Cell& cell) {
  const std::uint32_t number = cell.waits_number.load(std::memory_order_relaxed);
  Cell* const next = cell.waits_for.load(std::memory_order_relaxed);
  if (number == 0 || next == nullptr || probe.members.size() >= longest_circle) return false;
  probe.members.push_back({&cell, cell.generation(), number, cell.full_path()});
  probe.generation = cell.waits_generation.load(std::memory_order_relaxed);
  if (&next->core() != &cell.core()) return false;  // circles over two runtimes are not looked for
  next->post_lane(probe);
  return true;
}

void run_probe(LaneNode& node, Cell* cell) {
  std::unique_ptr<ProbeNode> probe(static_cast<ProbeNode*>(&node));
  if (cell == nullptr) return;
  if (cell == probe->origin) {
    if (cell->waits_number.load(std::memory_order_relaxed) == probe->number) tell_all(probe->members);
    return;
  }
  for (const Member& member : probe->members) {
    if (member.cell == cell) return;  // a circle that the origin only waits for: its members find it
  }
  if (pass_on(*probe, *cell)) (void)probe.release();
}

}  // namespace

void probe_for_cycle(Cell& cell, std::uint32_t number) {
  auto probe = std::make_unique<ProbeNode>();
  probe->run = &run_probe;
  probe->origin = &cell;
  probe->number = number;
  if (pass_on(*probe, cell)) (void)probe.release();
}

void note_waiting(Cell& cell, const AskRecord& record, std::uint32_t number) noexcept {
  // relaxed: read in this cell's own turn by probes, and as a hint by forward().
  cell.waits_for.store(record.target, std::memory_order_relaxed);
  cell.waits_generation.store(record.generation, std::memory_order_relaxed);
  cell.waits_number.store(number, std::memory_order_relaxed);
}

void note_waiting_over(Cell& cell, std::uint32_t number) noexcept {
  if (cell.waits_number.load(std::memory_order_relaxed) != number) return;
  cell.waits_number.store(0, std::memory_order_relaxed);
  cell.waits_for.store(nullptr, std::memory_order_relaxed);
}

Error timeout_error(const AskRecord& record, Instant now) {
  std::string text = std::string(record.actor) + " did not answer " + std::string(record.message) + " within " +
                     to_string(now - record.sent);
  if (record.target != nullptr && record.position != 0) {
    const Visit visit(record.target);
    Cell& target = *record.target;
    if (visit.core() != nullptr &&
        target.gate.load(std::memory_order_acquire) >> gate_bit::bits == record.generation) {
      const auto before = static_cast<std::int32_t>(record.position - record.taken_when_sent) - 1;
      const auto behind = static_cast<std::int32_t>(record.position - target.mailbox.taken());
      const std::string stood = ", " + std::to_string(std::max(before, 0)) + " stood before it";
      if (behind > 0) {
        text += ": it queued for " + to_string(now - record.sent) + " and was not begun" + stood + ", " +
                std::to_string(std::max(behind - 1, 0)) + " still do";
        return Error(Errc::timeout, text);
      }
      const Instant began{target.request_began.load(std::memory_order_relaxed)};
      if (behind == 0 && began >= record.sent) {
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
