#include "backstage/actor/detail/child_order.hpp"

#include <algorithm>
#include <shared_mutex>
#include <utility>

#include "core.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

void set_child_order(Cell& me, std::shared_ptr<const ChildOrder> order) {
  me.need_extras().child_order = std::move(order);
}

void keep_child(Cell& child) {
  child.parent()->extras->held.push_back(&child);
  child.signal_command(signal::keep);
}

void close_kept_child(Cell& child) noexcept {
  if (!child.rest().take_quiet()) return;
  child.signal_command(signal::close);
}

/// Tells all children to stop who need not wait for another any more. Told again while they end, they do not mind.
bool Lifecycle::stop_children_in_order(Cell& cell, bool keeps) {
  const Extras& extras = *cell.extras;
  const auto lives = [&](const std::string& name) {
    const std::shared_lock lock(extras.names_mutex);
    const Cell* const other = extras.names.find(name);
    return other != nullptr && !(other->rest().quiet && keeps);
  };
  bool any = false;
  for (Cell* child = extras.last_child; child != nullptr; child = child->previous_sibling()) {
    if (child->rest().quiet && keeps) continue;
    any = true;
    const auto found = extras.child_order->ends_after.find(child->name());
    if (!cell.rest().killed && found != extras.child_order->ends_after.end() &&
        std::any_of(found->second.begin(), found->second.end(), lives)) {
      continue;
    }
    const std::uint32_t order = keeps ? signal::keep : cell.rest().killed ? signal::kill : signal::stop;
    if (child->rest().take_quiet()) {
      child->signal_command(signal::close);
    } else if (child->rest().take_asked()) {
      Supervision::settle(*child, order);  // the Verdict that was asked for comes too late
    } else {
      child->signal_command(order);
    }
  }
  return any;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
