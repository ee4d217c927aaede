#include "backstage/base/log_sinks.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <exception>

#include "backstage/base/utf8.hpp"

namespace backstage {
inline namespace v0 {
namespace {

std::string plain(const Field::Value& value) {
  struct Visitor {
    std::string operator()(std::string_view text) const { return std::string(cut_utf8(text, max_log_string)); }
    std::string operator()(bool truth) const { return truth ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(std::uint64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const {
      std::array<char, 32> digits{};
      return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr};
    }
  };
  return std::visit(Visitor{}, value);
}

}  // namespace

void DescriptorSink::write(const LogRecord& record) noexcept {
  const std::lock_guard lock(mutex_);
  bool written = false;
  try {
    buffer_.clear();
    if (torn_) buffer_ += '\n';
    if (format_ == LogFormat::json) {
      append_json(buffer_, record);
    } else {
      append_line(buffer_, record, format_ == LogFormat::coloured);
    }
    buffer_ += '\n';
    std::size_t done = 0;
    while (done < buffer_.size()) {
      const ssize_t count = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      done += static_cast<std::size_t>(count);
    }
    written = done == buffer_.size();
    // A torn line stays torn when nothing went out, not even its line end.
    if (done > 0) torn_ = !written;
  } catch (const std::exception&) {
    // Out of memory: counted below, as any other loss.
  }
  // relaxed: see lost().
  if (!written) lost_.fetch_add(1, std::memory_order_relaxed);
}

std::string_view MemorySink::Entry::field(std::string_view key) const noexcept {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& pair) { return pair.first == key; });
  return found != fields.end() ? std::string_view(found->second) : std::string_view();
}

void MemorySink::write(const LogRecord& record) noexcept {
  const std::lock_guard lock(mutex_);
  try {
    Entry entry{
        record.at, record.level, std::string(record.where), std::string(cut_utf8(record.text, max_log_string)), {},
        {}};
    for (const Field& field : record.fields) entry.fields.emplace_back(field.key, plain(field.value));
    append_line(entry.line, record);
    entries_.push_back(std::move(entry));
    if (entries_.size() > capacity_) {
      entries_.pop_front();
      ++lost_;
    }
  } catch (const std::exception&) {
    ++lost_;
  }
}

std::vector<MemorySink::Entry> MemorySink::entries() const {
  const std::lock_guard lock(mutex_);
  return {entries_.begin(), entries_.end()};
}

std::size_t MemorySink::count(std::string_view text) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.text == text; }));
}

std::uint64_t MemorySink::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

void MemorySink::clear() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
}

void RateLimitSink::write(const LogRecord& record) noexcept {
  if (record.level >= Level::off) return;
  std::uint64_t held = 0;
  {
    const std::lock_guard lock(mutex_);
    Window& window = windows_[static_cast<std::size_t>(record.level)];
    // A calendar clock may be set back: that opens a new window as well.
    if (!window.open || record.at < window.began || record.at >= window.began + window_) {
      held = window.held;
      window = Window{record.at, 0, 0, true};
    }
    if (window.passed >= most_) {
      ++window.held;
      ++held_back_;
      if (held == 0) return;
    } else {
      ++window.passed;
    }
  }
  if (held != 0) {
    const std::array<Field, 1> fields{Field("records", held)};
    next_.write(LogRecord{record.at, record.level, "-", "log records held back by the rate limit", fields});
    if (most_ == 0) return;
  }
  next_.write(record);
}

std::uint64_t RateLimitSink::held_back() const {
  const std::lock_guard lock(mutex_);
  return held_back_;
}

}  // namespace v0
}  // namespace backstage
