#include "chronicle/intake/stanza_splitter.hpp"

#include <algorithm>

#include "chronicle/intake/text.hpp"

namespace chronicle {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

StanzaSplitter::StanzaSplitter(std::size_t max_stanza)
    : max_stanza_(max_stanza), lines_({.max_line = max_stanza, .overlong = Overlong::skip}) {}

std::optional<std::string> StanzaSplitter::next() {
  while (const auto piece = lines_.next()) {
    if (auto stanza = take_line(*piece)) return stanza;
  }
  return std::nullopt;
}

std::optional<std::string> StanzaSplitter::finish() {
  if (const auto piece = lines_.finish()) {
    if (auto stanza = take_line(*piece)) return stanza;
  }
  return end_stanza();
}

std::optional<std::string> StanzaSplitter::take_line(const LineSplitter::Piece& piece) {
  if (piece.kind == LineSplitter::Piece::Kind::dropped) {
    is_too_long_ = true;
    return std::nullopt;
  }
  if (trim(piece.bytes).empty()) return end_stanza();
  if (is_too_long_) return std::nullopt;
  if (stanza_.size() + piece.bytes.size() + 1 > max_stanza_) {
    is_too_long_ = true;
    stanza_.clear();
    return std::nullopt;
  }
  stanza_ += piece.bytes;
  stanza_ += '\n';
  return std::nullopt;
}

std::optional<std::string> StanzaSplitter::end_stanza() {
  std::string done = std::exchange(stanza_, {});
  if (std::exchange(is_too_long_, false)) {
    ++skipped_;
    return std::nullopt;
  }
  if (done.empty()) return std::nullopt;  // blank lines in a row
  return done;
}

Fields fields_of(std::string_view stanza) {
  Fields fields;
  while (!stanza.empty()) {
    const std::string_view line = take_line(stanza);
    if (line.empty()) continue;
    if (line.front() == ' ' || line.front() == '\t') {
      if (fields.empty()) continue;
      const std::string_view more = line.substr(1);
      fields.back().second += '\n';
      if (trim(more) != ".") fields.back().second += more;
      continue;
    }
    const std::size_t colon = line.find(':');
    const std::string_view name = trim(line.substr(0, colon == std::string_view::npos ? 0 : colon));
    if (name.empty()) continue;
    fields.emplace_back(name, trim(line.substr(colon + 1)));
  }
  return fields;
}

const std::string* find_field(const Fields& fields, std::string_view name) {
  for (const auto& [field, value] : fields) {
    if (std::equal(field.begin(), field.end(), name.begin(), name.end(),
                   [](char a, char b) { return lower(a) == lower(b); })) {
      return &value;
    }
  }
  return nullptr;
}

}  // namespace chronicle
