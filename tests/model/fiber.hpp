// Fibers for the model checker: stacks that one OS thread switches between. Sanitizers are told of every switch.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace backstage {
inline namespace v0 {
namespace model {

class Fiber {
 public:
  /// The stack this thread is on already.
  Fiber();
  /// A stack of its own. `body` starts on the first switch to it and must never return.
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Leaves `from`, which is the running one, for `to`; comes back when somebody switches to `from`.
  static void change(Fiber& from, Fiber& to);

 private:
  static void enter(unsigned high, unsigned low);
  void arrived();

  ucontext_t context_{};
  std::function<void()> body_;
  std::unique_ptr<std::byte[]> stack_;
  // For the address sanitizer: the bounds of the stack, and its own record of what was on it.
  [[maybe_unused]] const void* bottom_ = nullptr;
  [[maybe_unused]] std::size_t size_ = 0;
  [[maybe_unused]] void* fake_stack_ = nullptr;
  [[maybe_unused]] void* tsan_ = nullptr;  // the thread sanitizer's fiber
};

}  // namespace model
}  // namespace v0
}  // namespace backstage
