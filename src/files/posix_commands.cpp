// The Commands door on POSIX calls: posix_spawn, two pipes, poll.
//
//   start ──► running ──read()=0──► output ended ──wait()──► reaped
//                │  timeout, kill(), destructor                ▲
//                └──────────► group killed ────────────────────┘
//
// The process group is killed only while its leader is not reaped: until then the leader's number cannot be given to
// anybody else, so no stranger is ever hit.

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backstage/files/commands.hpp"
#include "os_error.hpp"

namespace backstage {
inline namespace v0 {
namespace files {
namespace {

constexpr std::size_t complaint_limit = 4096;

class PosixProcess final : public Process {
 public:
  PosixProcess(const Clock& clock, const Command& command, pid_t pid, Descriptor output, Descriptor complaints)
      : clock_(clock),
        name_(command.argv.front()),
        deadline_(command.deadline),
        patience_(command.patience),
        pid_(pid),
        output_(std::move(output)),
        complaints_(std::move(complaints)),
        pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  PosixProcess(const PosixProcess&) = delete;
  PosixProcess& operator=(const PosixProcess&) = delete;
  ~PosixProcess() override {
    kill();
    reap();
  }

  Result<std::size_t> read(std::span<char> buffer) override {
    if (!output_.is_open() || buffer.empty()) return std::size_t{0};
    const Instant until = give_up_at();
    for (;;) {
      std::array<pollfd, 2> waits{{{output_.get(), POLLIN, 0}, {complaints_.get(), POLLIN, 0}}};
      if (auto ready = wait_for(waits, until); !ready) return ready.error();
      // Complaints first: a program stuck on a full pipe of complaints would give no output.
      if (waits[1].revents != 0) take_complaint();
      if (waits[0].revents == 0) continue;
      const ssize_t got = ::read(output_.get(), buffer.data(), buffer.size());
      if (got > 0) return static_cast<std::size_t>(got);
      if (got == 0) {
        output_.close();
        return std::size_t{0};
      }
      if (errno != EINTR && errno != EAGAIN) return os_error(errno, "read the output of", name_);
    }
  }

  Result<Exit> wait() override {
    // Closing our end tells a program that still writes that nobody reads any more (SIGPIPE).
    output_.close();
    const Instant until = give_up_at();
    while (!exit_) {
      // A negative descriptor is ignored by poll: then complaints alone are waited for.
      std::array<pollfd, 2> waits{{{pidfd_.get(), POLLIN, 0}, {complaints_.get(), POLLIN, 0}}};
      if (pidfd_.is_open() || complaints_.is_open()) {
        if (auto ready = wait_for(waits, until); !ready) return ready.error();
      } else {
        kill();  // A kernel without pidfd, and it closed its pipes: its end cannot be waited for with a deadline.
      }
      while (waits[1].revents != 0 && complaints_.is_open() && take_complaint()) {
      }
      if (waits[0].revents == 0 && pidfd_.is_open()) continue;
      if (waits[0].revents != 0 || !complaints_.is_open()) {
        // What it has left behind in its group goes with it; the leader is a zombie by now and cannot be hurt.
        kill();
        reap();
      }
    }
    return *exit_;
  }

  void kill() noexcept override {
    const std::lock_guard lock(mutex_);
    if (!is_reaped_) ::kill(-pid_, SIGKILL);
  }

  std::string complaint() const override { return complaint_; }

 private:
  [[nodiscard]] Instant give_up_at() const { return std::min(deadline_, clock_.now() + patience_); }

  Result<> wait_for(std::span<pollfd> waits, Instant until) {
    for (;;) {
      // Before poll, not only after it: a program that never stops writing is always ready.
      const Instant now = clock_.now();
      if (now >= until) {
        kill();
        const bool is_deadline = until == deadline_;
        return Error(Errc::timeout, "'" + name_ + "' was killed: " +
                                        (is_deadline ? "its deadline passed"
                                                     : "nothing came from it within " + v0::to_string(patience_)));
      }
      // Rounded up: polling for 0 ms again and again before a deadline 0.5 ms away would spin.
      const Duration left = until - now;
      const auto ms = std::clamp<std::int64_t>((left.count() + 999'999) / 1'000'000, 0, INT_MAX);
      const int ready = ::poll(waits.data(), static_cast<nfds_t>(waits.size()), static_cast<int>(ms));
      if (ready > 0) return {};
      if (ready < 0 && errno != EINTR) return os_error(errno, "wait for", name_);
    }
  }

  /// Reads one piece; false when there is nothing more now.
  bool take_complaint() {
    std::array<char, 1024> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    const ssize_t got = ::read(complaints_.get(), piece.data(), piece.size());
    if (got > 0) {
      complaint_.append(piece.data(), static_cast<std::size_t>(got));
      if (complaint_.size() > complaint_limit) complaint_.erase(0, complaint_.size() - complaint_limit);
      return true;
    }
    if (got == 0 || (errno != EINTR && errno != EAGAIN)) complaints_.close();
    return false;
  }

  void reap() noexcept {
    int status = 0;
    {
      const std::lock_guard lock(mutex_);
      if (is_reaped_) return;
      // Does not wait long: it is called only for a leader that has ended or was just killed.
      while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
      }
      is_reaped_ = true;
    }
    exit_ = WIFSIGNALED(status) ? Exit{.code = 0, .signal = WTERMSIG(status)}
                                : Exit{.code = WEXITSTATUS(status), .signal = 0};
  }

  const Clock& clock_;
  const std::string name_;
  const Instant deadline_;
  const Duration patience_;
  const pid_t pid_;
  Descriptor output_;
  Descriptor complaints_;
  Descriptor pidfd_;
  std::string complaint_;
  std::optional<Exit> exit_;
  std::mutex mutex_;  // guards is_reaped_ between kill() on another thread and reap()
  bool is_reaped_ = false;
};

struct Pipe {
  Descriptor read;
  Descriptor write;
};

Result<Pipe> make_pipe(const std::string& name) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return os_error(errno, "make a pipe for", name);
  Pipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  // Only our end: the program expects an ordinary, waiting one.
  if (::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) != 0) return os_error(errno, "make a pipe for", name);
  return pipe;
}

/// The inherited environment with the C locale: the output of programs is read by programs here.
std::vector<std::string> plain_environment() {
  std::vector<std::string> all{"LC_ALL=C"};
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!text.starts_with("LC_") && !text.starts_with("LANG")) all.emplace_back(text);
  }
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

class SpawnSettings {
 public:
  SpawnSettings(int output, int complaints) {
    note(::posix_spawn_file_actions_init(&actions_));
    note(::posix_spawnattr_init(&attributes_));
    note(::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0));
    note(::posix_spawn_file_actions_adddup2(&actions_, output, 1));
    note(::posix_spawn_file_actions_adddup2(&actions_, complaints, 2));
    // Not every library marks its descriptors close-on-exec; a program that inherits a listening socket keeps the
    // port taken after we are gone.
    note(::posix_spawn_file_actions_addclosefrom_np(&actions_, 3));
    // A group of its own: Ctrl-C in our terminal is our business, and one kill reaches all that it starts. Its
    // signals are as a fresh program's, whatever this process blocks or ignores.
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    note(::posix_spawnattr_setpgroup(&attributes_, 0));
    note(::posix_spawnattr_setsigmask(&attributes_, &none));
    note(::posix_spawnattr_setsigdefault(&attributes_, &all));
    note(::posix_spawnattr_setflags(&attributes_,
                                    POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  int spawn(pid_t& pid, char* const* argv, char* const* envp) const {
    return failure_ != 0 ? failure_ : ::posix_spawnp(&pid, argv[0], &actions_, &attributes_, argv, envp);
  }

 private:
  void note(int failure) {
    if (failure_ == 0) failure_ = failure;
  }
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  int failure_ = 0;
};

class PosixCommands final : public Commands {
 public:
  explicit PosixCommands(const Clock& clock) : clock_(clock) {}

  Result<std::unique_ptr<Process>> start(const Command& command) override {
    if (command.argv.empty() || command.argv.front().empty()) {
      return Error(Errc::invalid, "cannot start a program without a name: argv[0] is empty");
    }
    const std::string& name = command.argv.front();
    auto output = make_pipe(name);
    if (!output) return output.error();
    auto complaints = make_pipe(name);
    if (!complaints) return complaints.error();
    auto arguments = command.argv;
    auto environment = plain_environment();
    pid_t pid = 0;
    const SpawnSettings settings(output->write.get(), complaints->write.get());
    const int failure = settings.spawn(pid, pointers_to(arguments).data(), pointers_to(environment).data());
    if (failure != 0) return os_error(failure, "start", name);
    return std::unique_ptr<Process>(
        std::make_unique<PosixProcess>(clock_, command, pid, std::move(output->read), std::move(complaints->read)));
  }

 private:
  const Clock& clock_;
};

}  // namespace

std::shared_ptr<Commands> posix_commands(const Clock& clock) { return std::make_shared<PosixCommands>(clock); }

}  // namespace files
}  // namespace v0
}  // namespace backstage
