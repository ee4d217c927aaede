// Cuts a stream of bytes into lines, in bounded memory whatever the bytes are.
//
//     LineSplitter splitter({.max_line = 1 << 20});
//     splitter.feed(chunk);
//     while (auto piece = splitter.next()) use(piece->bytes);
//     if (auto last = splitter.finish()) use(last->bytes);        // at the end: the line that has no line feed
//
// Promises: (1) The pieces tile the input: each begins where the one before it ended. (2) No more is held than
// `max_line` plus what was fed since the last full drain. (3) A line longer than `max_line` is cut or skipped, and
// what is lost is told in a `dropped` piece. Line ends are LF or CR LF; every other byte is content, NUL included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace chronicle {

enum class Overlong : std::uint8_t {
  cut,   ///< its first `max_line` bytes are given, the rest is dropped
  skip,  ///< nothing of it is given
};

class LineSplitter {
 public:
  struct Options {
    std::size_t max_line = std::size_t{1} << 20U;  ///< at least 1
    Overlong overlong = Overlong::cut;
  };
  struct Piece {
    enum class Kind : std::uint8_t { line, cut_line, dropped };
    Kind kind = Kind::line;
    std::uint64_t offset = 0;  ///< where it begins in the stream
    std::uint64_t end = 0;     ///< where the next piece begins
    std::string_view bytes;  ///< without the line end, empty when dropped; good until the next call of feed or reset
  };

  explicit LineSplitter(Options options) : options_(options) {
    if (options_.max_line == 0) options_.max_line = 1;  // cutting to nothing would never get on
  }

  /// Starts anew at this offset of the stream; `is_discarding`: in the rest of a line that was too long.
  void reset(std::uint64_t offset, bool is_discarding = false);
  void feed(std::string_view bytes);
  [[nodiscard]] std::optional<Piece> next();
  /// After next() has given nothing: what is left, as the last line. The stream goes on behind it.
  [[nodiscard]] std::optional<Piece> finish();

  /// Where the first byte stands that no line given so far holds: here reading may begin again later.
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
  [[nodiscard]] bool is_discarding() const noexcept { return is_discarding_; }
  /// Bytes held for lines to come.
  [[nodiscard]] std::size_t held() const noexcept { return buffer_.size() - begin_; }

 private:
  Piece take(Piece::Kind kind, std::size_t length, std::size_t line_end);
  std::optional<Piece> discard(std::size_t length, bool is_end);

  Options options_;
  std::string buffer_;
  std::size_t begin_ = 0;    // buffer_[begin_] stands at offset_, unless discarding
  std::size_t scanned_ = 0;  // no line feed in buffer_[begin_, scanned_)
  std::uint64_t offset_ = 0;
  std::uint64_t discarded_ = 0;  // while discarding: bytes already gone beyond offset_
  bool is_discarding_ = false;
};

}  // namespace chronicle
