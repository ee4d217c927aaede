// What stands in the lane of an actor (exec/detail/lane.hpp).
// Stability: internal.
#pragma once

#include <cstdint>

namespace backstage {
inline namespace v0 {
namespace detail {

class Cell;

/// What is left in an actor's lane: ends of children, and all else, which is a LaneNode.
struct LaneItem {
  /// The next in the lane, and beside it, for as long as it lives, what kind of item this one is.
  class Link {
   public:
    explicit Link(bool is_end) noexcept : bits_(is_end ? 1U : 0U) {}
    operator LaneItem*() const noexcept {  // NOLINT(google-explicit-constructor)
      return reinterpret_cast<LaneItem*>(bits_ & ~std::uintptr_t{1});
    }
    Link& operator=(LaneItem* next) noexcept {
      bits_ = reinterpret_cast<std::uintptr_t>(next) | (bits_ & 1U);
      return *this;
    }
    [[nodiscard]] bool is_of_end() const noexcept { return (bits_ & 1U) != 0; }

   private:
    std::uintptr_t bits_;
  };

  Link lane_next{false};
};

/// Commands, completions of awaits, timers.
/// run(node, cell): take effect in the cell's turn; run(node, nullptr): the incarnation it was meant for is gone.
struct LaneNode : LaneItem {
  void (*run)(LaneNode&, Cell*) = nullptr;
  std::uint32_t generation = 0;
};

/// An actor's own end, on its way to its parent: reserved in the cell, never allocated, never lost. Whose it is says its
/// address (cell_around). It needs no generation: a parent outlives its children.
struct EndNotice : LaneItem {
  EndNotice() noexcept { lane_next = Link(true); }
};

/// Takes effect in the turn of `cell`, whose lane it was in; null: nobody's place. (supervision.cpp)
void run_item(LaneItem& item, Cell* cell);

}  // namespace detail
}  // namespace v0
}  // namespace backstage
