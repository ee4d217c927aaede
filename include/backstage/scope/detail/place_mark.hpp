// A mark on a place: somebody has asked for its board. So a place that nobody ever asked for costs its end one look.
//
// Promises
//   (1) After the end of a place (its generation has changed, then taken()) no board of it is made, and one that was made
//       before is found by whoever ends it.
// Who asks sets the mark and then compares the generation; who ends the place changes the generation and then looks at the
// mark (Dekker's pattern): at least one sees the other. Both do the rest under the lock of the boards.
// A mark that is set too late stays for the next owner of the place: it then looks for nothing, once.
// Threads: ask() and is_asked() any; taken() whoever ends the place. Stability: internal.
#pragma once

#include <atomic>

#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class Atomics = StdAtomics>
class PlaceMark {
 public:
  /// seq_cst: before the look at the generation, which is seq_cst, too.
  void ask() noexcept { asked_.store(true, std::memory_order_seq_cst); }
  /// acquire: a hint; who has asked before us, in an order that we know of, is seen.
  [[nodiscard]] bool is_asked() const noexcept { return asked_.load(std::memory_order_acquire); }
  /// Whether there may be a board. seq_cst: behind the change of the generation, which is seq_cst, too.
  [[nodiscard]] bool taken() noexcept {
    if (!asked_.load(std::memory_order_seq_cst)) return false;
    asked_.store(false, std::memory_order_relaxed);
    return true;
  }

 private:
  typename Atomics::template Atomic<bool> asked_{false};
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
