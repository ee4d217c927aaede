#include "backstage/base/log.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "backstage/base/utf8.hpp"

namespace backstage {
inline namespace v0 {
namespace {

constexpr std::array<std::string_view, 6> level_names{"trace", "debug", "info", "warn", "error", "off"};
constexpr std::array<std::string_view, 6> level_columns{"TRACE", "DEBUG", "INFO ", "WARN ", "ERROR", "OFF  "};
constexpr std::array<std::string_view, 6> level_colours{"\x1b[2m",  "\x1b[36m", "\x1b[32m",
                                                        "\x1b[33m", "\x1b[31m", ""};

struct Decoded {
  std::uint32_t point = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

// The first code point of a text that is not empty. Overlong forms, surrogates and what is cut off are invalid.
Decoded decode(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return {};
  std::uint32_t point = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    point = point << 6U | (byte(i) & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  if (point < least[length] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return {};
  return {point, length, true};
}

// What changes lines, the terminal's state or the reading direction, and so could make a line lie.
bool is_dangerous(std::uint32_t point) noexcept {
  return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0x200E || point == 0x200F || point == 0x061C ||
         (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069) || point == 0xFEFF;
}

void append_hex(std::string& out, std::uint32_t value, int digits) {
  constexpr std::string_view hex = "0123456789abcdef";
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out += hex[value >> static_cast<unsigned>(shift) & 0xFU];
}

enum class Escape : std::uint8_t { line, json };

void append_escaped(std::string& out, std::string_view whole, Escape escape) {
  const std::string_view text = cut_utf8(whole, max_log_string);
  for (std::size_t i = 0; i < text.size();) {
    const Decoded at = decode(text.substr(i));
    if (!at.valid) {
      if (escape == Escape::json) {
        out += "\\ufffd";
      } else {
        out += "\\x";
        append_hex(out, static_cast<unsigned char>(text[i]), 2);
      }
    } else if (at.point == '"' || at.point == '\\') {
      out += '\\';
      out += static_cast<char>(at.point);
    } else if (at.point == '\n') {
      out += "\\n";
    } else if (at.point == '\r') {
      out += "\\r";
    } else if (at.point == '\t') {
      out += "\\t";
    } else if (is_dangerous(at.point)) {
      out += "\\u";  // none of them is beyond four digits
      append_hex(out, at.point, 4);
    } else {
      out += text.substr(i, at.bytes);
    }
    i += at.bytes;
  }
  if (text.size() != whole.size()) {
    out += "...[";
    out += std::to_string(whole.size() - text.size());
    out += " more bytes]";
  }
}

// Nothing to escape, nothing that would be taken for a field. A sentence may hold single spaces between its words.
bool is_bare(std::string_view text, bool sentence) noexcept {
  if (text.empty() || text.size() > max_log_string || text.front() == ' ' || text.back() == ' ') return false;
  char previous = 0;
  for (std::size_t i = 0; i < text.size();) {
    const Decoded at = decode(text.substr(i));
    if (!at.valid || is_dangerous(at.point) || at.point == '"' || at.point == '\\' || at.point == '=') return false;
    if (at.point == ' ' && (!sentence || previous == ' ')) return false;
    previous = text[i];
    i += at.bytes;
  }
  return true;
}

void append_word(std::string& out, std::string_view text, bool sentence = false) {
  if (is_bare(text, sentence)) {
    out += text;
    return;
  }
  out += '"';
  append_escaped(out, text, Escape::line);
  out += '"';
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text, Escape::json);
  out += '"';
}

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_value(std::string& out, const Field::Value& value, Escape escape) {
  struct Visitor {
    std::string& out;
    Escape escape;
    void operator()(std::string_view text) const {
      if (escape == Escape::json) {
        append_json_string(out, text);
      } else {
        append_word(out, text);
      }
    }
    void operator()(std::int64_t number) const { append_number(out, number); }
    void operator()(std::uint64_t number) const { append_number(out, number); }
    void operator()(bool truth) const { out += truth ? "true" : "false"; }
    void operator()(double number) const {
      // JSON has no number for these.
      const bool quoted = escape == Escape::json && !std::isfinite(number);
      if (quoted) out += '"';
      append_number(out, number);
      if (quoted) out += '"';
    }
  };
  std::visit(Visitor{out, escape}, value);
}

std::size_t index_of(Level level) noexcept {
  return static_cast<std::size_t>(level) < level_names.size() ? static_cast<std::size_t>(level) : 5;
}

}  // namespace

std::string_view to_string(Level level) noexcept { return level_names[index_of(level)]; }

Result<Level> parse_level(std::string_view text) {
  for (std::size_t i = 0; i < level_names.size(); ++i) {
    const std::string_view name = level_names[i];
    bool same = text.size() == name.size();
    for (std::size_t c = 0; same && c < name.size(); ++c) {
      same = text[c] == name[c] || text[c] == static_cast<char>(name[c] - 'a' + 'A');
    }
    if (same) return static_cast<Level>(i);
  }
  std::string why = "no log level '";
  append_escaped(why, cut_utf8(text, 40), Escape::line);
  why += text.size() > 40 ? "...'" : "'";
  why += ": it is one of trace, debug, info, warn, error, off";
  return Error(Errc::invalid, why);
}

void append_line(std::string& out, const LogRecord& record, bool colours) {
  out += to_string(record.at);
  out += ' ';
  const std::size_t level = index_of(record.level);
  if (colours) out += level_colours[level];
  out += level_columns[level];
  if (colours) out += "\x1b[0m";
  out += ' ';
  append_word(out, record.where.empty() ? std::string_view("-") : record.where);
  out += "  ";
  append_word(out, record.text, true);
  std::string_view gap = "  ";
  for (const Field& field : record.fields) {
    out += gap;
    gap = " ";
    append_word(out, field.key);
    out += '=';
    append_value(out, field.value, Escape::line);
  }
}

void append_json(std::string& out, const LogRecord& record) {
  out += R"({"time":")";
  out += to_string(record.at);
  out += R"(","level":")";
  out += to_string(record.level);
  out += R"(","where":)";
  append_json_string(out, record.where);
  out += R"(,"text":)";
  append_json_string(out, record.text);
  if (!record.fields.empty()) {
    // An object of their own: no field can pass for the time or the level.
    out += R"(,"fields":{)";
    bool first = true;
    for (const Field& field : record.fields) {
      if (!first) out += ',';
      first = false;
      append_json_string(out, field.key);
      out += ':';
      append_value(out, field.value, Escape::json);
    }
    out += '}';
  }
  out += '}';
}

void Logger::write(Level level, std::string_view text, std::span<const Field> fields) const noexcept {
  if (!enabled(level)) return;
  sink_->write(LogRecord{time_.now(), level, where_, text, fields});
}

}  // namespace v0
}  // namespace backstage
