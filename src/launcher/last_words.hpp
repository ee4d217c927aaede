// The last words of a program that dies in an actor: std::terminate (a destructor that threw) and a fault of memory, of
// which a stack overflow in a handler is one. They name the actor, what it was handling and what was thrown, on standard
// error; then the program ends as it would have.
//
// Process-wide, so the launcher's alone, for the time of its run (promise W2): what was there before is put back.
// Threads: made and destroyed on the main one.
#pragma once

#include <exception>
#include <memory>
#include <string>

#include <csignal>

#include "backstage/exec/thread_care.hpp"

namespace backstage {
inline namespace v0 {
namespace launcher_detail {

class LastWords {
 public:
  explicit LastWords(std::string name);
  ~LastWords();
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;

 private:
  std::terminate_handler before_ = nullptr;
  struct sigaction segv_before_{};
  struct sigaction bus_before_{};
};

/// Gives each worker a stack to speak on when its own has overflowed.
[[nodiscard]] std::shared_ptr<ThreadCare> second_stacks();

}  // namespace launcher_detail
}  // namespace v0
}  // namespace backstage
