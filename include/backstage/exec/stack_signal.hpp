// A real-time signal by which the stack of a thread of this process is read while it runs: for the report of a handler
// that keeps its worker (promise F3).
//
//     RuntimeOptions options;
//     options.stacks = std::make_shared<StackSignal>();      // the Launcher does so; a Runtime alone uses no signals
//
// Whoever makes one owns that signal of the process until the last copy of the pointer goes; then the process has back
// what it had. The handler only walks the stack into memory that was set aside before, and wakes who waits for it: no
// allocation, no lock. A system call that it interrupts is restarted (SA_RESTART) where the system can do that; sleep,
// poll and the like return EINTR, as with any signal.
// Threads: any. Stability: settling (v0).
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <pthread.h>

#include "backstage/base/time.hpp"

namespace backstage {
inline namespace v0 {

class StackSignal;

/// Addresses of a stack, innermost first.
using StackAddresses = std::vector<const void*>;

/// A line each: "poke(Poke) at hog.cpp:31" as far as the program's symbols and lines are known, else
/// "chronicle+0x1f20", to be looked up by addr2line. Slow when first called (it reads the program's debug information).
[[nodiscard]] std::vector<std::string> describe_stack(std::span<const void* const> stack);

namespace detail {

/// Where a thread's stack is written to. Lives at least as long as the thread.
class StackBuffer {
 public:
  static constexpr std::size_t most = 48;

 private:
  friend class v0::StackSignal;
  // idle -> asked (who asks) -> writing -> done (the handler) -> idle (who asks); asked -> idle when nothing came
  static constexpr std::uint32_t idle = 0, asked = 1, writing = 2, done = 3;
  std::atomic<std::uint32_t> state_{idle};
  std::uint32_t count_ = 0;
  std::array<const void*, most> frames_{};
};

}  // namespace detail

class StackSignal {
 public:
  /// Takes the signal. Throws Need (Errc::invalid: no real-time signal; Errc::exists: it has a handler already).
  explicit StackSignal(int signal = SIGRTMIN + 3);
  ~StackSignal();
  StackSignal(const StackSignal&) = delete;
  StackSignal& operator=(const StackSignal&) = delete;

  [[nodiscard]] int signal() const noexcept { return signal_; }

  /// The stack of `thread`, which must not have been joined. Empty when it did not run its handler in time (it blocks
  /// the signal, or sits in the kernel) or was asked already. One caller at a time for one buffer.
  [[nodiscard]] StackAddresses capture(pthread_t thread, detail::StackBuffer& buffer,
                                       Duration within = std::chrono::milliseconds(20)) const;

 private:
  static void handle(int signal, siginfo_t* info, void* context);
  int signal_;
  struct sigaction before_{};
};

}  // namespace v0
}  // namespace backstage
