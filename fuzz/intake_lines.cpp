// Whatever the bytes and however they are fed, the pieces tile the input, no line is over the limit, each is what
// stands between two line feeds, and the same lines come out as when all is fed at once.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "chronicle/intake/line_splitter.hpp"

namespace {

using chronicle::LineSplitter;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Line {
  LineSplitter::Piece::Kind kind;
  std::uint64_t offset;
  std::string bytes;
  friend bool operator==(const Line&, const Line&) = default;
};

std::vector<Line> split(std::string_view input, LineSplitter::Options options, std::size_t chunk) {
  LineSplitter splitter(options);
  std::vector<Line> lines;
  std::uint64_t at = 0;
  const auto take = [&](const LineSplitter::Piece& piece) {
    require(piece.offset == at && piece.end > piece.offset && piece.end <= input.size());
    require(piece.bytes.size() <= options.max_line);
    const std::string_view all = input.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(piece.end - at));
    require(all.starts_with(piece.bytes));
    const std::string_view end = all.substr(piece.bytes.size());
    if (piece.kind == LineSplitter::Piece::Kind::line) {
      require(piece.bytes.find('\n') == std::string_view::npos);
      require(end.empty() ? piece.end == input.size() : end == "\n" || end == "\r\n");
    } else if (piece.kind == LineSplitter::Piece::Kind::cut_line) {
      require(piece.bytes.size() == options.max_line && end.empty() && options.overlong == chronicle::Overlong::cut);
    } else {
      require(piece.bytes.empty());
    }
    lines.push_back({piece.kind, piece.offset, std::string(piece.bytes)});
    at = piece.end;
  };
  for (std::string_view rest = input; !rest.empty();) {
    splitter.feed(rest.substr(0, chunk));
    rest.remove_prefix(rest.size() < chunk ? rest.size() : chunk);
    while (const auto piece = splitter.next()) take(*piece);
    require(splitter.held() <= options.max_line + chunk);
  }
  if (const auto piece = splitter.finish()) take(*piece);
  require(at == input.size());
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const LineSplitter::Options options{
      .max_line = data[0] % 32U + 1,
      .overlong = data[2] % 2U == 0 ? chronicle::Overlong::cut : chronicle::Overlong::skip};
  const std::string_view input(reinterpret_cast<const char*>(data) + 3, size - 3);
  require(split(input, options, data[1] % 16U + 1) == split(input, options, input.size()));
  return 0;
}
