// A program whose memory can be told to be out: operator new, and through the door Scarcity the pools of Runtimes.
#pragma once

#include <memory>

#include "backstage/actor/runtime.hpp"
#include "backstage/exec/scarcity.hpp"

namespace backstage::exhausted {

/// While one lives nothing is allocated on this thread: whoever tries meets std::bad_alloc.
class NoMemory {
 public:
  NoMemory() noexcept;
  ~NoMemory();
  NoMemory(const NoMemory&) = delete;
  NoMemory& operator=(const NoMemory&) = delete;
};
/// The same by hand.
void take_memory_away() noexcept;
void give_memory_back() noexcept;
[[nodiscard]] bool memory_is_out() noexcept;
/// How often somebody has asked for memory while there was none.
[[nodiscard]] unsigned refusals() noexcept;

/// A runtime without threads whose pool has no memory when there is none.
[[nodiscard]] RuntimeOptions manual_options(std::shared_ptr<LogSink> sink);

/// Writes nothing.
struct Silent final : LogSink {
  void write(const LogRecord&) noexcept override {}
};

}  // namespace backstage::exhausted
