// A Task as a root of an actor.
// Stability: internal.
#pragma once

#include <coroutine>
#include <string_view>
#include <utility>

#include "backstage/actor/detail/cell.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// A root that runs a Task<T> and gives its outcome to `Finish`, a callable `void(Cell&, Task<T>&)`.
template <class T, class Finish>
struct TaskRoot final : Root {
  TaskRoot(Task<T> t, Finish f) : finish_(std::move(f)), task(std::move(t)) {}
  void finish(Cell& cell) override { finish_(cell, task); }
  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* block) noexcept { deallocate_frame(block); }

  /// Before the task: what it owns (a loop's inbox) outlives the coroutine that refers to it.
  Finish finish_;
  Task<T> task;
};

/// Starts a Task as a root of the running cell.
template <class T, class Finish>
Handled run_root(Cell& cell, RootKind kind, Task<T> task, Instant deadline, std::string_view message, Finish finish) {
  auto* const root = new TaskRoot<T, Finish>(std::move(task), std::move(finish));
  root->kind = kind;
  root->deadline = deadline;
  root->message = message;
  root->task.on_done([](void* done) noexcept { *static_cast<bool*>(done) = true; }, &root->done);
  cell.adopt_root(*root);
  return cell.drive_root(*root, root->task.handle());
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
