// The door of a rehearsal: who stands behind Environment::maybe_fault, always, sometimes and unreachable when code runs
// in a simulated world. In the real world nobody does: then a fault point never strikes, and the others do nothing.
//
// Names are the code's own, best "module.what" ("store.append"); the same name is the same point everywhere.
// Threads: one. Stability: settling (v0).
#pragma once

#include <string_view>

namespace backstage {
inline namespace v0 {

class Rehearsal {
 public:
  virtual ~Rehearsal() = default;
  /// Whether the fault at this point happens now.
  [[nodiscard]] virtual bool strikes(std::string_view point) noexcept = 0;
  /// A run in which `holds` was ever false has failed.
  virtual void always(bool holds, std::string_view name) noexcept = 0;
  /// An exploration in none of whose runs `happens` was ever true has failed.
  virtual void sometimes(bool happens, std::string_view name) noexcept = 0;
  /// A run that comes here has failed.
  virtual void unreachable(std::string_view name) noexcept = 0;
};

}  // namespace v0
}  // namespace backstage
