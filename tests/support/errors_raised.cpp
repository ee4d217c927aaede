// Which errors a test has raised: each text that an Error is made with, once a process, is appended to the file that
// BACKSTAGE_ERRORS_RAISED names. tools/check_errors_raised.py holds the sum of a whole run against the places in the sources
// where errors are made (docs/adr/0020-every-error-is-raised.md).
//
// The linker puts these functions in the place of Error's constructors (--wrap, in test programs only): the library that
// is tested is the one that users get.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string_view>

#include "backstage/base/error.hpp"

namespace {

using backstage::Errc;

/// Whether it is the first time in this process. Full, it says yes.
bool is_new(std::uint64_t hash) noexcept {
  static std::array<std::atomic<std::uint64_t>, 1U << 14U> seen{};
  hash |= 1;
  for (std::size_t i = 0; i < 64; ++i) {
    std::uint64_t there = 0;
    auto& slot = seen[(hash / 2 + i) % seen.size()];
    // relaxed: a set of numbers, nothing is read through them.
    if (slot.compare_exchange_strong(there, hash, std::memory_order_relaxed)) return true;
    if (there == hash) return false;
  }
  return true;
}

/// Where to write; less than 0: nowhere.
int record_file() noexcept {
  static const int descriptor = [] {
    const char* const file = std::getenv("BACKSTAGE_ERRORS_RAISED");
    return file == nullptr ? -1 : open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  }();
  return descriptor;
}
/// Before any test: some leave the process no descriptor, or no right to the file, and so do their child processes.
[[maybe_unused]] const int opened = record_file();

/// Allocates nothing: some tests count what is allocated, or refuse it.
void record(Errc code, std::string_view text) noexcept {
  if (record_file() < 0) return;
  std::array<char, 700> line;
  std::size_t length = 0;
  const auto put = [&](std::string_view piece) {
    for (const char c : piece.substr(0, line.size() - 1 - length)) line[length++] = c == '\n' ? ' ' : c;
  };
  put(to_string(code));
  put("\t");
  put(text);
  line[length++] = '\n';
  if (!is_new(std::hash<std::string_view>{}({line.data(), length}))) return;
  // At once, and by one write: the process may be on its way to be killed.
  [[maybe_unused]] const ssize_t written = write(record_file(), line.data(), length);
}

}  // namespace

// The names are what the compilers make of Error(Errc, std::string_view) and Error(Errc, std::string_view, Error).
#define BACKSTAGE_ERROR_WITH_TEXT _ZN9backstage2v05ErrorC1ENS0_4ErrcESt17basic_string_viewIcSt11char_traitsIcEE
#define BACKSTAGE_ERROR_WITH_CAUSE _ZN9backstage2v05ErrorC1ENS0_4ErrcESt17basic_string_viewIcSt11char_traitsIcEES1_
#define BACKSTAGE_JOIN2(a, b) a##b
#define BACKSTAGE_JOIN(a, b) BACKSTAGE_JOIN2(a, b)

extern "C" {
void BACKSTAGE_JOIN(__real_, BACKSTAGE_ERROR_WITH_TEXT)(void* self, Errc code, std::string_view text);
void BACKSTAGE_JOIN(__real_, BACKSTAGE_ERROR_WITH_CAUSE)(void* self, Errc code, std::string_view text, void* cause);

void BACKSTAGE_JOIN(__wrap_, BACKSTAGE_ERROR_WITH_TEXT)(void* self, Errc code, std::string_view text) {
  record(code, text);
  BACKSTAGE_JOIN(__real_, BACKSTAGE_ERROR_WITH_TEXT)(self, code, text);
}
// `cause` is passed as the address of the caller's copy, as every class with a destructor is.
void BACKSTAGE_JOIN(__wrap_, BACKSTAGE_ERROR_WITH_CAUSE)(void* self, Errc code, std::string_view text, void* cause) {
  record(code, text);
  BACKSTAGE_JOIN(__real_, BACKSTAGE_ERROR_WITH_CAUSE)(self, code, text, cause);
}
}
