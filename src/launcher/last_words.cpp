#include "last_words.hpp"

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include <cxxabi.h>

#include "backstage/actor/detail/running.hpp"

namespace backstage {
inline namespace v0 {
namespace launcher_detail {
namespace {

constexpr std::size_t second_stack_bytes = std::size_t{64} * 1024;
// A fault so near to where the stack ends is one of the stack: it meets the guard page below it.
constexpr std::uintptr_t near_the_stack = std::uintptr_t{64} * 1024;

/// What handlers find: they are given no argument of ours. One launcher at a time runs in a process.
struct Words {
  std::array<char, 64> name{};
  std::atomic<bool> spoken{false};  // by the first thread that dies
  struct sigaction segv_before{};
  struct sigaction bus_before{};
};
Words& words() noexcept {
  static constinit Words all;
  return all;
}

/// One line, put together without memory and written at once.
class Line {
 public:
  Line& operator<<(std::string_view text) noexcept {
    for (const char c : text) {
      if (used_ + 1 >= text_.size()) break;
      text_[used_++] = static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return *this;
  }
  Line& operator<<(std::uintptr_t address) noexcept {
    std::array<char, 16> digits{};
    std::size_t first = digits.size();
    do {
      digits[--first] = "0123456789abcdef"[address & 0xfU];
      address >>= 4U;
    } while (address != 0);
    return *this << "0x" << std::string_view(digits.data() + first, digits.size() - first);
  }
  void write_out() noexcept {
    text_[used_++] = '\n';
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text_.data(), used_);
  }

 private:
  std::array<char, 1024> text_{};
  std::size_t used_ = 0;
};

void name_the_actor(Line& line) noexcept {
  detail::RunningActor running;
  if (!detail::find_running_actor(running)) {
    line << " outside of any actor";
    return;
  }
  line << " in " << running.where() << " (" << running.type << ")";
  if (!running.message.empty()) line << ", handling " << running.message;
}

/// What is being thrown, if that is why.
void name_what_was_thrown(Line& line) noexcept {
  if (std::current_exception() == nullptr) return;
  const std::type_info* const type = abi::__cxa_current_exception_type();
  int status = -1;
  // NOLINTNEXTLINE(cppcoreguidelines-no-malloc): __cxa_demangle allocates with malloc; the program ends with it
  const char* const readable =
      type != nullptr ? abi::__cxa_demangle(type->name(), nullptr, nullptr, &status) : nullptr;
  line << ": " << (status == 0 ? std::string_view(readable) : std::string_view("something of unknown type"));
  try {
    throw;
  } catch (const std::exception& error) {
    line << ": " << error.what();
  } catch (const char* text) {
    line << ": " << (text != nullptr ? text : "");
  } catch (...) {
  }
  line << " was thrown where nothing may be (a destructor, or noexcept)";
}

[[noreturn]] void terminated() {
  if (!words().spoken.exchange(true)) {
    Line line;
    line << words().name.data() << ": terminated";
    name_the_actor(line);
    name_what_was_thrown(line);
    line.write_out();
  }
  std::abort();
}

[[nodiscard]] std::uintptr_t stack_pointer(const void* context) noexcept {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(machine.gregs[REG_RSP]);
#elif defined(__aarch64__)
  return static_cast<std::uintptr_t>(machine.sp);
#else
  (void)machine;
  return 0;
#endif
}

/// Async-signal-safe: composes on its own stack, writes, and gives the signal to whoever had it before.
void faulted(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  if (!words().spoken.exchange(true)) {
    const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    const std::uintptr_t stack = stack_pointer(context);
    const std::uintptr_t distance = address > stack ? address - stack : stack - address;
    Line line;
    line << words().name.data();
    if (distance < near_the_stack) {
      line << ": stack overflow";
    } else {
      line << ": memory fault at " << address;
    }
    name_the_actor(line);
    line.write_out();
  }
  // Back in the instruction that faulted, it faults again, as if we had not been here.
  sigaction(signal, signal == SIGSEGV ? &words().segv_before : &words().bus_before, nullptr);
  errno = error;
}

class SecondStacks final : public ThreadCare {
 public:
  void begins() noexcept override {
    stack_t now{};
    // Somebody has given it one (a sanitizer does): that will do.
    if (sigaltstack(nullptr, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0) return;
    void* const memory =
        mmap(nullptr, second_stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;  // without last words, then
    stack_t mine{};
    mine.ss_sp = memory;
    mine.ss_size = second_stack_bytes;
    if (sigaltstack(&mine, nullptr) != 0) munmap(memory, second_stack_bytes);
  }
  void ends() noexcept override {
    stack_t mine{};
    if (sigaltstack(nullptr, &mine) != 0 || (mine.ss_flags & SS_DISABLE) != 0 || mine.ss_size != second_stack_bytes) {
      return;
    }
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    if (sigaltstack(&none, nullptr) == 0) munmap(mine.ss_sp, second_stack_bytes);
  }
};

}  // namespace

LastWords::LastWords(std::string name) {
  Words& mine = words();
  const std::size_t bytes = std::min(name.size(), mine.name.size() - 1);
  std::memcpy(mine.name.data(), name.data(), bytes);
  mine.name[bytes] = '\0';
  mine.spoken.store(false);
  struct sigaction speak{};
  speak.sa_sigaction = &faulted;
  speak.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&speak.sa_mask);
  sigaction(SIGSEGV, nullptr, &mine.segv_before);
  sigaction(SIGBUS, nullptr, &mine.bus_before);
  sigaction(SIGSEGV, &speak, &segv_before_);
  sigaction(SIGBUS, &speak, &bus_before_);
  before_ = std::set_terminate(&terminated);
}

LastWords::~LastWords() {
  std::set_terminate(before_);
  sigaction(SIGSEGV, &segv_before_, nullptr);
  sigaction(SIGBUS, &bus_before_, nullptr);
}

std::shared_ptr<ThreadCare> second_stacks() { return std::make_shared<SecondStacks>(); }

}  // namespace launcher_detail
}  // namespace v0
}  // namespace backstage
