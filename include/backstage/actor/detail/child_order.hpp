// A supervisor that orders the end of its children by more than the order of their start, and hears what becomes of
// them: what the application module needs of the actors. All functions run in the supervisor's own turn.
//
//   - While the supervisor ends, a child is told to end as soon as all whom `ends_after` lists for it have ended:
//     those that do not wait for each other end at the same time.
//   - A child may be ended so that its place stays (keep_child): mailbox and Refs wait for its next start, under the
//     same name and type.
// Stability: internal.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace backstage {
inline namespace v0 {
namespace detail {

class Cell;

struct ChildOrder {
  enum class News : std::uint8_t {
    restarting,  ///< the child failed (or is restarted always): its policy starts it again
    kept,        ///< it has ended by keep_child
    ending,      ///< the supervisor itself begins to end (no child)
  };

  /// For each child the names of those that end before it. A child that is not listed waits for nobody.
  std::map<std::string, std::vector<std::string>, std::less<>> ends_after;
  void (*tell)(Cell& supervisor, const Cell* child, News news) noexcept = nullptr;
};

void set_child_order(Cell& me, std::shared_ptr<const ChildOrder> order);
/// Ends a living child in order, without draining: what is queued waits in its place.
void keep_child(Cell& child);
/// The place of a child that was kept is over for good.
void close_kept_child(Cell& child) noexcept;

}  // namespace detail
}  // namespace v0
}  // namespace backstage
