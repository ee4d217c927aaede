#include "backstage/exec/stack_signal.hpp"

#include <dlfcn.h>
#include <unistd.h>
#include <unwind.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include <boost/stacktrace/frame.hpp>

#include "backstage/base/need.hpp"
#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace {

struct Walk {
  const void** frames;
  std::size_t most;
  std::size_t count;
};

_Unwind_Reason_Code step(_Unwind_Context* context, void* argument) {
  auto& walk = *static_cast<Walk*>(argument);
  int before = 0;
  const auto at = _Unwind_GetIPInfo(context, &before);
  if (at == 0) return _URC_END_OF_STACK;
  // It was interrupted just here: what came before is the handler.
  if (before != 0) walk.count = 0;
  // A return address stands behind its call, which may be the last of its line or even of its function.
  walk.frames[walk.count++] = reinterpret_cast<const void*>(before != 0 ? at : at - 1);
  return walk.count == walk.most ? _URC_END_OF_STACK : _URC_NO_REASON;
}

[[nodiscard]] std::string place_of(const void* address) {
  Dl_info module{};
  std::array<char, 24> offset{};
  if (dladdr(address, &module) == 0 || module.dli_fname == nullptr) {
    std::snprintf(offset.data(), offset.size(), "%p", address);
    return offset.data();
  }
  const std::string_view file = module.dli_fname;
  const auto distance = static_cast<const char*>(address) - static_cast<const char*>(module.dli_fbase);
  std::snprintf(offset.data(), offset.size(), "+0x%tx", distance);
  return std::string(file.substr(file.rfind('/') + 1)) + offset.data();
}

}  // namespace

StackSignal::StackSignal(int signal) : signal_(signal) {
  if (signal < SIGRTMIN || signal > SIGRTMAX) {
    throw Need::fail(Error(Errc::invalid, "signal " + std::to_string(signal) + " is no real-time signal: these are " +
                                              std::to_string(SIGRTMIN) + " to " + std::to_string(SIGRTMAX)));
  }
  struct sigaction present{};
  sigaction(signal, nullptr, &present);
  if ((present.sa_flags & SA_SIGINFO) != 0 || (present.sa_handler != SIG_DFL && present.sa_handler != SIG_IGN)) {
    throw Need::fail(Error(Errc::exists, "signal " + std::to_string(signal) +
                                             " has a handler already: name another one, StackSignal(SIGRTMIN + n)"));
  }
  struct sigaction action{};
  action.sa_sigaction = &handle;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  // Refused for signals only that are none, or that nobody may have (SIGKILL): none of those came this far.
  sigaction(signal, &action, &before_);
  // The first walk of all may have to load what it needs: not in the handler.
  std::array<const void*, 4> frames{};
  Walk walk{frames.data(), frames.size(), 0};
  _Unwind_Backtrace(&step, &walk);
}

StackSignal::~StackSignal() { sigaction(signal_, &before_, nullptr); }

void StackSignal::handle(int, siginfo_t* info, void*) {
  // Ours only: whoever else sends this signal points at nothing.
  if (info->si_code != SI_QUEUE || info->si_pid != getpid() || info->si_value.sival_ptr == nullptr) return;
  const int error = errno;
  auto& buffer = *static_cast<detail::StackBuffer*>(info->si_value.sival_ptr);
  std::uint32_t expected = detail::StackBuffer::asked;
  // acquire: who asked is done with the frames of the last time. Late, and nobody waits: nothing is written.
  if (buffer.state_.compare_exchange_strong(expected, detail::StackBuffer::writing, std::memory_order_acquire,
                                            std::memory_order_relaxed)) {
    Walk walk{buffer.frames_.data(), buffer.frames_.size(), 0};
    _Unwind_Backtrace(&step, &walk);
    buffer.count_ = static_cast<std::uint32_t>(walk.count);
    // release: publishes the frames to who asked.
    buffer.state_.store(detail::StackBuffer::done, std::memory_order_release);
    detail::StdAtomics::wake_all(buffer.state_);
  }
  errno = error;
}

StackAddresses StackSignal::capture(pthread_t thread, detail::StackBuffer& buffer, Duration within) const {
  using detail::StackBuffer;
  std::uint32_t state = StackBuffer::idle;
  // Not idle: the handler of the last time has not come to its end yet. release: it may write the frames anew.
  if (!buffer.state_.compare_exchange_strong(state, StackBuffer::asked, std::memory_order_acq_rel)) {
    state = StackBuffer::done;
    if (!buffer.state_.compare_exchange_strong(state, StackBuffer::asked, std::memory_order_acq_rel)) return {};
  }
  sigval value{};
  value.sival_ptr = &buffer;
  if (pthread_sigqueue(thread, signal_, value) != 0) {
    buffer.state_.store(StackBuffer::idle, std::memory_order_relaxed);
    return {};
  }
  // One wait for each step of the handler's: asked to writing is told to nobody, so the first covers both.
  (void)detail::StdAtomics::wait(buffer.state_, StackBuffer::asked, within);
  if (buffer.state_.load(std::memory_order_acquire) == StackBuffer::writing) {
    (void)detail::StdAtomics::wait(buffer.state_, StackBuffer::writing, within);
  }
  state = StackBuffer::asked;
  if (buffer.state_.compare_exchange_strong(state, StackBuffer::idle, std::memory_order_relaxed)) return {};
  // acquire: pairs with the handler's release.
  if (buffer.state_.load(std::memory_order_acquire) != StackBuffer::done) return {};
  StackAddresses stack(buffer.frames_.begin(), buffer.frames_.begin() + buffer.count_);
  buffer.state_.store(StackBuffer::idle, std::memory_order_release);
  return stack;
}

std::vector<std::string> describe_stack(std::span<const void* const> stack) {
  std::vector<std::string> lines;
  lines.reserve(stack.size());
  for (const void* const address : stack) {
    const boost::stacktrace::frame frame(address);
    std::string line = frame.name();
    if (line.empty()) line = place_of(address);
    const std::string file = frame.source_file();
    if (!file.empty() && frame.source_line() != 0) {
      line += " at " + file.substr(file.rfind('/') + 1) + ':' + std::to_string(frame.source_line());
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace v0
}  // namespace backstage
