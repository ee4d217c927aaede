// Whatever the bytes and however they are fed, the pieces tile the input and no line is over the limit.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "chronicle/intake/line_observation.hpp"
#include "chronicle/intake/line_splitter.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::size_t max_line = data[0] % 32U + 1;
  const std::size_t chunk = data[1] % 16U + 1;
  const auto overlong = data[2] % 2U == 0 ? chronicle::Overlong::cut : chronicle::Overlong::skip;
  const std::string_view input(reinterpret_cast<const char*>(data) + 3, size - 3);
  chronicle::LineSplitter splitter({.max_line = max_line, .overlong = overlong});
  std::uint64_t at = 0;
  const auto check = [&](const chronicle::LineSplitter::Piece& piece) {
    if (piece.offset != at || piece.end <= piece.offset || piece.end > input.size()) std::abort();
    if (piece.bytes.size() > max_line) std::abort();
    const auto from = static_cast<std::size_t>(piece.offset);
    if (!piece.bytes.empty() && input.substr(from, piece.bytes.size()) != piece.bytes) std::abort();
    at = piece.end;
  };
  for (std::string_view rest = input; !rest.empty();) {
    splitter.feed(rest.substr(0, chunk));
    rest.remove_prefix(rest.size() < chunk ? rest.size() : chunk);
    while (const auto piece = splitter.next()) check(*piece);
    if (splitter.held() > max_line + chunk) std::abort();
  }
  if (const auto piece = splitter.finish()) check(*piece);
  if (at != input.size()) std::abort();
  static_cast<void>(chronicle::time_of_json(input));
  return 0;
}
