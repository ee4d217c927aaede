#include "signals.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>

namespace backstage {
inline namespace v0 {
namespace launcher_detail {
namespace {

[[noreturn]] void fail(const char* what) {
  throw Need::fail(Error(Errc::unavailable, std::string(what) + " failed: " + std::strerror(errno)));
}

}  // namespace

Bell::Bell() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (descriptor_ < 0) fail("eventfd");
}
Bell::~Bell() { close(descriptor_); }

void Bell::ring() noexcept {
  const std::uint64_t one = 1;
  // A full counter means it rings already.
  [[maybe_unused]] const ssize_t written = write(descriptor_, &one, sizeof one);
}

void Bell::clear() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(descriptor_, &count, sizeof count);
}

Signals::Signals() {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGINT);
  sigaddset(&mask, SIGTERM);
  if (pthread_sigmask(SIG_BLOCK, &mask, &before_) != 0) fail("pthread_sigmask");
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &pipe_before_);
  descriptor_ = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor_ < 0) {
    const int why = errno;
    give_back();
    errno = why;
    fail("signalfd");
  }
}

Signals::~Signals() {
  close(descriptor_);
  give_back();
}

void Signals::give_back() noexcept {
  sigaction(SIGPIPE, &pipe_before_, nullptr);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<int> Signals::wait(Bell& bell, std::optional<Duration> most) {
  // Rounded up, so that a wait of less than a millisecond is none of zero.
  const int timeout =
      most ? static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(std::max(*most, Duration(0))).count())
           : -1;
  for (;;) {
    std::array<pollfd, 2> both{{{descriptor_, POLLIN, 0}, {bell.descriptor(), POLLIN, 0}}};
    const int woken = poll(both.data(), both.size(), timeout);
    if (woken == 0) return std::nullopt;
    if (woken < 0) {
      if (errno == EINTR) continue;
      fail("poll");
    }
    if ((both[0].revents & POLLIN) != 0) {
      signalfd_siginfo info{};
      if (read(descriptor_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        return static_cast<int>(info.ssi_signo);
      }
    }
    if ((both[1].revents & POLLIN) != 0) {
      bell.clear();
      return std::nullopt;
    }
  }
}

}  // namespace launcher_detail
}  // namespace v0
}  // namespace backstage
