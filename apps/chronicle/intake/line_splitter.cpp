#include "chronicle/intake/line_splitter.hpp"

#include <algorithm>

namespace chronicle {

void LineSplitter::reset(std::uint64_t offset, bool is_discarding) {
  buffer_.clear();
  begin_ = scanned_ = 0;
  offset_ = offset;
  discarded_ = 0;
  is_discarding_ = is_discarding;
}

void LineSplitter::feed(std::string_view bytes) {
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  buffer_ += bytes;
}

LineSplitter::Piece LineSplitter::take(Piece::Kind kind, std::size_t length, std::size_t line_end) {
  std::string_view bytes(buffer_.data() + begin_, length);
  if (kind == Piece::Kind::line && !bytes.empty() && bytes.back() == '\r' && line_end > 0) bytes.remove_suffix(1);
  const Piece piece{kind, offset_, offset_ + length + line_end, bytes};
  begin_ += length + line_end;
  scanned_ = begin_;
  offset_ = piece.end;
  return piece;
}

/// Drops `length` bytes of an overlong line; at its end tells how much it was in all.
std::optional<LineSplitter::Piece> LineSplitter::discard(std::size_t length, bool is_end) {
  begin_ += length;
  scanned_ = begin_;
  discarded_ += length;
  if (!is_end) return std::nullopt;
  const Piece piece{Piece::Kind::dropped, offset_, offset_ + discarded_, {}};
  offset_ = piece.end;
  discarded_ = 0;
  is_discarding_ = false;
  return piece;
}

std::optional<LineSplitter::Piece> LineSplitter::next() {
  for (;;) {
    const std::size_t feed_at = buffer_.find('\n', scanned_);
    const bool has_end = feed_at != std::string::npos;
    const std::size_t length = (has_end ? feed_at : buffer_.size()) - begin_;
    if (is_discarding_) return discard(length + (has_end ? 1 : 0), has_end);
    if (length > options_.max_line) {
      is_discarding_ = true;
      if (options_.overlong == Overlong::cut) return take(Piece::Kind::cut_line, options_.max_line, 0);
      continue;
    }
    if (has_end) return take(Piece::Kind::line, length, 1);
    scanned_ = buffer_.size();
    return std::nullopt;
  }
}

std::optional<LineSplitter::Piece> LineSplitter::finish() {
  if (is_discarding_) {
    if (discarded_ + held() > 0) return discard(held(), true);
    is_discarding_ = false;
    return std::nullopt;
  }
  if (held() == 0) return std::nullopt;
  return take(Piece::Kind::line, held(), 0);
}

}  // namespace chronicle
