// The door to other programs: start one and read its output as it comes.
//
//     environment.open<files::Commands>(files::posix_commands(environment.clock()));
//     Command list{.argv = {"apt-get", "indextargets"}, .deadline = clock.now() + 10s};
//     auto exit = commands.run(list, 1 << 20, [&](std::string_view bytes) { text += bytes; });
//
// Promises: (1) No wait is endless: each read waits at most `patience`, and none goes on beyond `deadline`; when either
// passes the program is killed. (2) What is not read stays in the pipe and holds the program back; memory is bounded
// by the reader's buffer and the last 4 KiB of its complaints. (3) Destroying a Process kills the program with all that
// it started in its group; no zombie, no open pipe stays behind. (4) The program sees an empty standard input, no
// file of ours, and the C locale.
// Threads: Commands from any thread; a Process by one thread at a time, but kill() from any thread.
// Stability: settling (v0).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backstage/base/result.hpp"
#include "backstage/base/time.hpp"
#include "backstage/exec/environment.hpp"
#include "backstage/files/fwd.hpp"

namespace backstage {
inline namespace v0 {
namespace files {

struct Command {
  std::vector<std::string> argv = {};  ///< argv[0] is looked up in PATH unless it has a slash
  /// The end of it all, by the clock of the environment. `never` suits a program whose output is taken at the reader's
  /// own pace: there `patience` is what finds the program hanging, and a slow reader is not its fault.
  Instant deadline = Instant::never();
  Duration patience = std::chrono::seconds(30);  ///< the longest that one read waits for output
};

/// How a program ended.
struct Exit {
  int code = 0;    ///< its exit code, if no signal ended it
  int signal = 0;  ///< the signal that ended it, or 0
  [[nodiscard]] bool is_success() const noexcept { return code == 0 && signal == 0; }
};

/// "exit code 100", "signal 9".
[[nodiscard]] std::string to_string(Exit exit);

/// A running program.
class Process {
 public:
  virtual ~Process() = default;
  /// Waits for output and fills the front of `buffer`; 0 is the end of the output. Errc::timeout: it was killed.
  [[nodiscard]] virtual Result<std::size_t> read(std::span<char> buffer) = 0;
  /// Drops what output is left and waits for the end of the program.
  [[nodiscard]] virtual Result<Exit> wait() = 0;
  /// Ends it at once; a read under way returns soon.
  virtual void kill() noexcept = 0;
  /// The end of what it wrote to standard error so far, at most 4 KiB.
  [[nodiscard]] virtual std::string complaint() const = 0;
};

class Commands {
 public:
  virtual ~Commands() = default;
  /// Errc::not_found when there is no such program.
  [[nodiscard]] virtual Result<std::unique_ptr<Process>> start(const Command& command) = 0;

  /// Runs to the end, giving the output to `sink` piece by piece. Errc::full when it is more than `limit` bytes.
  [[nodiscard]] Result<Exit> run(const Command& command, std::size_t limit,
                                 const std::function<void(std::string_view)>& sink);
};

/// The programs of this machine. `clock` must outlive the door; an Environment's own clock does.
[[nodiscard]] std::shared_ptr<Commands> posix_commands(const Clock& clock);

}  // namespace files
}  // namespace v0
}  // namespace backstage
