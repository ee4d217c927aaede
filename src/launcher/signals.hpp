// SIGINT and SIGTERM as file-descriptor events, for the time of a launcher's run. Afterwards the process has back what
// it had: signal mask and the way SIGPIPE is treated.
// Threads: made before any other thread, so that all of them inherit the mask.
#pragma once

#include <csignal>
#include <optional>

#include "backstage/base/result.hpp"
#include "backstage/base/time.hpp"

namespace backstage {
inline namespace v0 {
namespace launcher_detail {

/// Something that can be waited for together with signals. Any thread may raise it.
class Bell {
 public:
  Bell();
  ~Bell();
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  void ring() noexcept;
  void clear() noexcept;
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Waits for a signal (its number), or for the bell, or that `most` goes by (nothing).
  [[nodiscard]] std::optional<int> wait(Bell& bell, std::optional<Duration> most = std::nullopt);

 private:
  void give_back() noexcept;

  int descriptor_ = -1;
  sigset_t before_{};
  struct sigaction pipe_before_{};
};

}  // namespace launcher_detail
}  // namespace v0
}  // namespace backstage
