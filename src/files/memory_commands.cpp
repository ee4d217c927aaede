#include "backstage/files/memory_commands.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace files {

class MemoryCommands::ScriptedProcess final : public Process {
 public:
  ScriptedProcess(std::shared_ptr<State> state, Script script)
      : state_(std::move(state)), script_(std::move(script)) {}
  ~ScriptedProcess() override {
    const std::lock_guard lock(state_->mutex);
    --state_->running;
  }
  ScriptedProcess(const ScriptedProcess&) = delete;
  ScriptedProcess& operator=(const ScriptedProcess&) = delete;

  Result<std::size_t> read(std::span<char> buffer) override {
    const std::lock_guard lock(state_->mutex);
    if (is_killed_) return std::size_t{0};
    const std::size_t count = std::min({buffer.size(), script_.chunk, script_.output.size() - at_});
    if (count == 0 && script_.hangs) {
      is_killed_ = true;
      return Error(Errc::timeout, "the scripted program gave no more output");
    }
    std::memcpy(buffer.data(), script_.output.data() + at_, count);
    at_ += count;
    state_->bytes_read += count;
    return count;
  }
  Result<Exit> wait() override {
    const std::lock_guard lock(state_->mutex);
    return is_killed_ ? Exit{.code = 0, .signal = 9} : script_.exit;
  }
  void kill() noexcept override {
    const std::lock_guard lock(state_->mutex);
    is_killed_ = true;
  }
  std::string complaint() const override { return script_.complaint; }

 private:
  std::shared_ptr<State> state_;
  Script script_;
  std::size_t at_ = 0;
  bool is_killed_ = false;
};

void MemoryCommands::on(std::vector<std::string> argv, Script script) {
  const std::lock_guard lock(state_->mutex);
  state_->scripts.insert_or_assign(std::move(argv), std::move(script));
}

Result<std::unique_ptr<Process>> MemoryCommands::start(const Command& command) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->scripts.find(command.argv);
  if (found == state_->scripts.end()) {
    const std::string name = command.argv.empty() ? "" : command.argv.front();
    return Error(Errc::not_found, "cannot start '" + name + "': No such file or directory");
  }
  ++state_->running;
  return std::unique_ptr<Process>(std::make_unique<ScriptedProcess>(state_, found->second));
}

std::uint64_t MemoryCommands::bytes_read() const {
  const std::lock_guard lock(state_->mutex);
  return state_->bytes_read;
}

int MemoryCommands::running() const {
  const std::lock_guard lock(state_->mutex);
  return state_->running;
}

}  // namespace files
}  // namespace v0
}  // namespace backstage
