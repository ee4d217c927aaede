// Scripted programs, for tests: what is not scripted is not installed.
//
//     files::MemoryCommands commands;
//     commands.on({"apt-get", "indextargets"}, {.output = "/var/lib/apt/lists/x\n"});
//
// Threads: any.
// Stability: settling (v0).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backstage/files/commands.hpp"

namespace backstage {
inline namespace v0 {
namespace files {

class MemoryCommands final : public Commands {
 public:
  struct Script {
    std::string output = {};
    std::string complaint = {};
    Exit exit = {};
    std::size_t chunk = 4096;  ///< the most that one read gives
    bool hangs = false;        ///< after the output: no end, so the next read times out
  };

  void on(std::vector<std::string> argv, Script script);
  [[nodiscard]] Result<std::unique_ptr<Process>> start(const Command& command) override;

  /// Bytes of output taken by readers so far: shows that nothing is read ahead of demand.
  [[nodiscard]] std::uint64_t bytes_read() const;
  /// Processes started and not yet destroyed.
  [[nodiscard]] int running() const;

 private:
  struct State {
    std::mutex mutex;
    std::map<std::vector<std::string>, Script> scripts;
    std::uint64_t bytes_read = 0;
    int running = 0;
  };
  class ScriptedProcess;

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace files
}  // namespace v0
}  // namespace backstage
