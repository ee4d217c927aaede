// The door of scarce memory: who stands behind it is asked before each allocation from a Runtime's pool, and may refuse
// it. That is how allocation failure is tried in simulated worlds, and by tests that fail the Nth allocation. In the real
// world nobody stands there, and nothing is paid for it.
//
// What the pool serves: messages, actors' bodies, coroutine frames, timers, answers. What the framework keeps outside
// (names, tables, texts) comes from operator new and is not asked about here.
// Open it before the Runtime is built: environment.open<Scarcity>(...).
// Threads: any that allocates. Errors: none may be thrown. Stability: internal.
#pragma once

namespace backstage {
inline namespace v0 {

class Scarcity {
 public:
  virtual ~Scarcity() = default;
  /// Whether this allocation fails, by std::bad_alloc.
  [[nodiscard]] virtual bool refuses() noexcept = 0;
};

}  // namespace v0
}  // namespace backstage
