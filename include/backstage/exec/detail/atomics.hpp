// The atomics that lock-free structures are written against (promise W5): every such structure takes a class like
// StdAtomics as a template parameter and reaches shared memory, parking and mutexes only through it. The model checker
// (tests/model/checker.hpp) has a twin of this class in which every operation is a scheduling point.
//
// An Atomics has
//   Atomic<T>                       as std::atomic<T>, for integers, bool and pointers
//   Mutex                           as std::mutex
//   pause()                         in a spin, between two looks
//   wait(word, expected, timeout)   sleeps while `word == expected`, as a futex does: compares and falls asleep in one
//                                   step. False: did not sleep, the word was another. True: slept, and was woken, or
//                                   the time-out passed, or for no reason at all: look at the word again
//   wake_one(word), wake_all(word)  wake who sleeps on the word
//   can_expedite()                  whether expedite() can put a barrier into all threads of the process
//   announce(word, value, cheap)    a store (release), and behind it whatever orders it before the loads that follow: nothing at all when
//                                   `cheap`, since who looks for it calls expedite() first; else it is a seq_cst exchange
//   expedite(cheap)                 the other half of announce(): a barrier in every thread, when `cheap`
// Any thread. Wake and wait order no memory: what a woken thread may read is argued by the atomics around them.
// Stability: internal.
#pragma once

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <optional>
#include <type_traits>

#include "backstage/base/time.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// What two threads write independently stands this far apart (two lines: neighbouring lines are fetched in pairs).
inline constexpr std::size_t kApart = 128;

struct StdAtomics {
  template <class T>
  using Atomic = std::atomic<T>;
  using Mutex = std::mutex;

  static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t),
                "the futex call needs the atomic to be the bare word");

  static void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  static bool wait(Atomic<std::uint32_t>& word, std::uint32_t expected,
                   std::optional<Duration> timeout = std::nullopt) noexcept {
    timespec relative{};
    if (timeout) {
      const auto ns = timeout->count() > 0 ? timeout->count() : 0;
      relative.tv_sec = static_cast<std::time_t>(ns / 1'000'000'000);
      relative.tv_nsec = static_cast<long>(ns % 1'000'000'000);
    }
    const auto result = syscall(SYS_futex, static_cast<void*>(&word), FUTEX_WAIT_PRIVATE, expected,
                                timeout ? &relative : nullptr, nullptr, 0);
    return result == 0 || errno != EAGAIN;
  }

  /// Asked once by each that relies on it. A sanitizer cannot see such a barrier, so there it is said not to exist.
  [[nodiscard]] static bool can_expedite() noexcept {
#if defined(BACKSTAGE_SANITIZED)
    return false;
#else
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
#endif
  }
  template <class T>
  static void announce(Atomic<T>& word, std::type_identity_t<T> value, bool cheap) noexcept {
    if (cheap) [[likely]] {
      word.store(value, std::memory_order_release);
      // For the compiler only; the processor's part is expedite()'s.
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      word.exchange(value, std::memory_order_seq_cst);
    }
  }
  static void expedite(bool cheap) noexcept {
    // Cannot fail: can_expedite() has registered the process.
    if (cheap) syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
  }

  static void wake_one(Atomic<std::uint32_t>& word) noexcept { wake(word, 1); }
  static void wake_all(Atomic<std::uint32_t>& word) noexcept { wake(word, INT_MAX); }

 private:
  static void wake(Atomic<std::uint32_t>& word, int count) noexcept {
    syscall(SYS_futex, static_cast<void*>(&word), FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
  }
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
