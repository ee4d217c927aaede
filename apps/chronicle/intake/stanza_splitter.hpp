// Cuts Debian control data into stanzas (paragraphs separated by blank lines), in bounded memory, and takes a stanza
// apart into its fields. Pure functions of bytes; any bytes are fine input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chronicle/intake/line_splitter.hpp"

namespace chronicle {

class StanzaSplitter {
 public:
  explicit StanzaSplitter(std::size_t max_stanza);

  void feed(std::string_view bytes) { lines_.feed(bytes); }
  /// The next complete stanza, its lines separated by line feeds; nothing when more must be fed.
  [[nodiscard]] std::optional<std::string> next();
  /// At the end of the input: the stanza that no blank line ends.
  [[nodiscard]] std::optional<std::string> finish();
  /// Stanzas over the limit, given up whole.
  [[nodiscard]] std::uint64_t skipped() const noexcept { return skipped_; }

 private:
  std::optional<std::string> take_line(const LineSplitter::Piece& piece);
  std::optional<std::string> end_stanza();

  std::size_t max_stanza_;
  LineSplitter lines_;
  std::string stanza_;
  bool is_too_long_ = false;
  std::uint64_t skipped_ = 0;
};

/// Name and value in the order of the stanza. Continuation lines are joined by line feeds, without the blank that
/// marks them; a lone " ." there stands for an empty line. Lines that are neither are left out.
using Fields = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] Fields fields_of(std::string_view stanza);

/// The value of the field, upper and lower case alike; null when there is none.
[[nodiscard]] const std::string* find_field(const Fields& fields, std::string_view name);

}  // namespace chronicle
