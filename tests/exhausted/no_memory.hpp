// A runtime that is turned by hand in a program whose memory is out: operator new refuses (memory.hpp), and so does, through
// the door Scarcity, the runtime's own pool.
#pragma once

#include <memory>

#include "backstage/actor/runtime.hpp"
#include "backstage/exec/scarcity.hpp"
#include "memory.hpp"

namespace exhausted {

/// While one lives every allocation of this thread fails.
class NoMemory {
 public:
  NoMemory() noexcept { refuse_all(true); }
  ~NoMemory() { refuse_all(false); }
  NoMemory(const NoMemory&) = delete;
  NoMemory& operator=(const NoMemory&) = delete;
};

/// The pool's part of it.
class NoPool final : public backstage::Scarcity {
 public:
  bool refuses() noexcept override { return refuses_all(); }
};

/// Writes nothing.
struct Silent final : backstage::LogSink {
  void write(const backstage::LogRecord&) noexcept override {}
};

[[nodiscard]] inline backstage::RuntimeOptions manual_options() {
  backstage::RuntimeOptions options;
  options.manual = true;
  options.log_sink = std::make_shared<Silent>();
  options.environment = backstage::real_environment();
  options.environment->open<backstage::Scarcity>(std::make_shared<NoPool>());
  return options;
}

}  // namespace exhausted
