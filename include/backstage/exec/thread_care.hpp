// The door of whoever looks after a Runtime's worker threads: told when one begins and when it ends, on that thread. The
// launcher stands there with a second stack for each, so that a stack overflow in a handler can be told by name.
// Open it before the Runtime is built. Threads: each worker's own. Stability: internal.
#pragma once

namespace backstage {
inline namespace v0 {

class ThreadCare {
 public:
  virtual ~ThreadCare() = default;
  virtual void begins() noexcept = 0;
  virtual void ends() noexcept = 0;
};

}  // namespace v0
}  // namespace backstage
