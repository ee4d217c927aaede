// What inspections, the service tree and crash reports share: looking at a cell in its own turn, naming a place from
// anywhere, and text that fits on a line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backstage/actor/inspect.hpp"
#include "core.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// Cut to at most `most` bytes, not within a character of UTF-8; control characters become spaces.
[[nodiscard]] std::string tame(std::string_view text, std::size_t most);

/// What describe() says, cut, or what it threw; empty when there is nothing to describe. The cell's own turn.
[[nodiscard]] std::string describe_actor(const Cell& cell);

/// What each coroutine of the cell waits for, oldest first. The cell's own turn.
[[nodiscard]] std::vector<Waiting> waits_of(const Cell& cell);
/// "Nap waits for sleep of 1h since 3s".
[[nodiscard]] std::string to_line(const Waiting& waiting);

/// In the cell's own turn. Throws when memory is out.
[[nodiscard]] Result<Inspection> look_at(const Cell& cell);

/// All messages that wait, those behind a lock included. Any thread.
[[nodiscard]] std::uint32_t queued_in(const Cell& cell);

/// Keeps the body of a place where it is while somebody else's turn, or a thread outside, reads its names.
class Naming {
 public:
  /// Within a Visit of the core.
  Naming(Core& core, const Cell& cell, std::uint32_t generation) : core_(core), lock_(core.naming_mutex) {
    // seq_cst: Dekker's pattern with Core::wait_for_naming().
    core.naming.store(true, std::memory_order_seq_cst);
    is_there_ = cell.gate.load(std::memory_order_seq_cst) >> gate_bit::bits == generation;
  }
  ~Naming() { core_.naming.store(false, std::memory_order_seq_cst); }
  Naming(const Naming&) = delete;
  Naming& operator=(const Naming&) = delete;
  /// False: the place is over, and nothing of it may be read.
  [[nodiscard]] bool is_there() const noexcept { return is_there_; }

 private:
  Core& core_;
  std::lock_guard<std::mutex> lock_;
  bool is_there_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
