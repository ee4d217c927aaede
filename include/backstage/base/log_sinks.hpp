// Where log records go: a file descriptor, a ring in memory for tests, and a limit on how many pass.
// All may be written to from any thread.
// Stability: settling (v0).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "backstage/base/log.hpp"

namespace backstage {
inline namespace v0 {

enum class LogFormat : std::uint8_t { line, coloured, json };

/// Each record is one write(2) of one whole line. The descriptor stays the caller's, and is not closed.
/// When the system takes only a part, the rest follows under the same lock; when even that fails, the next record
/// begins with a line end, so that no line is ever two records.
class DescriptorSink final : public LogSink {
 public:
  explicit DescriptorSink(int descriptor, LogFormat format = LogFormat::line)
      : descriptor_(descriptor), format_(format) {}
  void write(const LogRecord& record) noexcept override;
  /// Records not (or not wholly) written.
  [[nodiscard]] std::uint64_t lost() const noexcept {
    // relaxed: a figure to look at, nothing is read through it.
    return lost_.load(std::memory_order_relaxed);
  }

 private:
  const int descriptor_;
  const LogFormat format_;
  std::mutex mutex_;
  std::string buffer_;
  bool torn_ = false;
  std::atomic<std::uint64_t> lost_{0};
};

/// The last `capacity` records, for tests and for showing what happened lately.
class MemorySink final : public LogSink {
 public:
  struct Entry {
    WallTime at;
    Level level;
    std::string where;
    std::string text;
    std::vector<std::pair<std::string, std::string>> fields;  // values as printed, unquoted
    std::string line;                                         // as append_line
    /// The field's value, or "" without one.
    [[nodiscard]] std::string_view field(std::string_view key) const noexcept;
  };

  explicit MemorySink(std::size_t capacity = 1024) : capacity_(capacity) {}
  void write(const LogRecord& record) noexcept override;
  [[nodiscard]] std::vector<Entry> entries() const;
  /// How many records with this text are held.
  [[nodiscard]] std::size_t count(std::string_view text) const;
  /// Records that gave way to newer ones (or to a lack of memory).
  [[nodiscard]] std::uint64_t lost() const;
  void clear();

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
  std::uint64_t lost_ = 0;
};

/// Lets at most `most` records of each level through in each `window` of record time. When a window has ended, the
/// next record of that level is preceded by one that says how many were held back.
class RateLimitSink final : public LogSink {
 public:
  RateLimitSink(LogSink& next, std::uint32_t most, Duration window) noexcept
      : next_(next), most_(most), window_(window) {}
  void write(const LogRecord& record) noexcept override;
  /// Records held back since the beginning.
  [[nodiscard]] std::uint64_t held_back() const;

 private:
  struct Window {
    WallTime began;
    std::uint32_t passed = 0;
    std::uint64_t held = 0;
    bool open = false;
  };
  LogSink& next_;
  const std::uint32_t most_;
  const Duration window_;
  mutable std::mutex mutex_;
  std::array<Window, static_cast<std::size_t>(Level::off)> windows_{};
  std::uint64_t held_back_ = 0;
};

}  // namespace v0
}  // namespace backstage
