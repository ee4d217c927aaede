// Structured logging: a sentence and named fields, from an actor's place, at the environment's time, to a sink.
//
//     log.info("opened", {{"path", path}, {"count", 3}});
//     2026-11-22T21:30:29.123456Z INFO  /chronicle/store  opened  path=/x count=3
//
// Threads: a Logger is a plain value; a LogSink's write() may be called from any thread.
// Promises:
//  (1) Below the logger's level nothing is formatted, no time is read, nothing allocated.
//  (2) Logging neither throws nor fails the caller: what a sink cannot write it counts (lost()).
//  (3) A record is one line in every format, whatever its strings hold: control characters, line ends, terminal
//      escapes, text direction marks and quotes are escaped, what could pass for a field is quoted, invalid UTF-8
//      is shown (\xNN) or, in JSON, replaced. Strings over max_log_string bytes are cut, and say by how much.
// Stability: settling (v0).
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "backstage/base/result.hpp"
#include "backstage/base/time.hpp"

namespace backstage {
inline namespace v0 {

enum class Level : std::uint8_t { trace, debug, info, warn, error, off };

/// "trace", "debug" ...
[[nodiscard]] std::string_view to_string(Level level) noexcept;
/// The level of that name, in lower or upper case.
[[nodiscard]] Result<Level> parse_level(std::string_view text);

/// A name and a value. Views: good until the end of the log statement.
struct Field {
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

  Field(std::string_view k, std::string_view v) noexcept : key(k), value(v) {}
  Field(std::string_view k, const char* v) noexcept : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const std::string& v) noexcept : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, std::same_as<bool> auto v) noexcept : key(k), value(v) {}
  Field(std::string_view k, std::floating_point auto v) noexcept : key(k), value(static_cast<double>(v)) {}
  template <std::integral I>
    requires(!std::same_as<I, bool>)
  Field(std::string_view k, I v) noexcept : key(k) {
    if constexpr (std::signed_integral<I>) {
      value = static_cast<std::int64_t>(v);
    } else {
      value = static_cast<std::uint64_t>(v);
    }
  }

  std::string_view key;
  Value value;
};

/// What a sink gets. Views: good during write() only.
struct LogRecord {
  WallTime at;
  Level level = Level::info;
  std::string_view where;  ///< the actor's path
  std::string_view text;
  std::span<const Field> fields;
};

class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write(const LogRecord& record) noexcept = 0;
};

inline constexpr std::size_t max_log_string = 8 * 1024;

/// The record as a line for people, key=value, without the line end. Colours are terminal sequences around the level.
void append_line(std::string& out, const LogRecord& record, bool colours = false);
/// The record as a JSON object on one line: {"time","level","where","text","fields":{...}}, without the line end.
void append_json(std::string& out, const LogRecord& record);

/// Where a logger's time comes from: the environment's calendar clock, which base cannot see.
///     LogTime{&clock, [](const void* c) noexcept { return static_cast<const Clock*>(c)->wall(); }}
struct LogTime {
  const void* context = nullptr;
  WallTime (*read)(const void* context) noexcept = nullptr;
  [[nodiscard]] WallTime now() const noexcept { return read != nullptr ? read(context) : WallTime{}; }
};

/// A place to log from. Copies freely; the sink, the clock and the place's text outlive it. Without a sink it is off.
class Logger {
 public:
  Logger() noexcept = default;
  Logger(LogSink* sink, LogTime time, Level level, std::string_view where) noexcept
      : sink_(sink), time_(time), where_(where), level_(sink != nullptr ? level : Level::off) {}

  [[nodiscard]] bool enabled(Level level) const noexcept { return level >= level_ && level != Level::off; }
  [[nodiscard]] Level level() const noexcept { return level_; }
  [[nodiscard]] std::string_view where() const noexcept { return where_; }
  /// The same, from another place.
  [[nodiscard]] Logger at(std::string_view where) const noexcept { return {sink_, time_, level_, where}; }
  /// The same, with another level.
  [[nodiscard]] Logger with(Level level) const noexcept { return {sink_, time_, level, where_}; }

  using Fields = std::initializer_list<Field>;
  void trace(std::string_view text, Fields fields = {}) const noexcept { log(Level::trace, text, fields); }
  void debug(std::string_view text, Fields fields = {}) const noexcept { log(Level::debug, text, fields); }
  void info(std::string_view text, Fields fields = {}) const noexcept { log(Level::info, text, fields); }
  void warn(std::string_view text, Fields fields = {}) const noexcept { log(Level::warn, text, fields); }
  void error(std::string_view text, Fields fields = {}) const noexcept { log(Level::error, text, fields); }
  void log(Level level, std::string_view text, Fields fields = {}) const noexcept {
    if (enabled(level)) write(level, text, {fields.begin(), fields.size()});
  }
  /// For fields gathered at run time.
  void write(Level level, std::string_view text, std::span<const Field> fields) const noexcept;

 private:
  LogSink* sink_ = nullptr;
  LogTime time_;
  std::string_view where_;
  Level level_ = Level::off;
};

}  // namespace v0
}  // namespace backstage
