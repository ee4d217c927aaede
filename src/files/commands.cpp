#include "backstage/files/commands.hpp"

#include <array>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace files {

std::string to_string(Exit exit) {
  return exit.signal != 0 ? "signal " + std::to_string(exit.signal) : "exit code " + std::to_string(exit.code);
}

Result<Exit> Commands::run(const Command& command, std::size_t limit,
                           const std::function<void(std::string_view)>& sink) {
  auto started = start(command);
  if (!started) return started.error();
  Process& process = **started;
  std::array<char, 16384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  std::size_t taken = 0;
  for (;;) {
    auto got = process.read(buffer);
    if (!got) return got.error();
    if (*got == 0) return process.wait();
    if (*got > limit - taken) {
      process.kill();
      return Error(Errc::full, "'" + command.argv.front() + "' wrote more than the limit of " +
                                   std::to_string(limit) + " bytes and was killed");
    }
    taken += *got;
    sink(std::string_view(buffer.data(), *got));
  }
}

}  // namespace files
}  // namespace v0
}  // namespace backstage
