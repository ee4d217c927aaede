// Targets and their percent-encoding. Encoding can be undone, for all text that may stand in a target and for nothing
// else; a target that is taken, written anew from its parts, is the same target.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "backstage/http/message.hpp"
#include "chronicle/intake/text.hpp"

namespace {

namespace http = backstage::http;

void require(bool holds) {
  if (!holds) std::abort();
}

void undoes_encoding(std::string_view text) {
  const std::string encoded = http::percent_encode(text);
  require(encoded.find_first_of("/?&=+ \r\n") == std::string::npos);
  const auto decoded = http::percent_decode(encoded);
  // Chronicle's own judgement of UTF-8 is another implementation.
  require(decoded.has_value() == (chronicle::is_utf8(text) && text.find('\0') == std::string_view::npos));
  if (decoded) require(*decoded == text);
}

std::string written(const http::Target& target) {
  std::string out;
  for (const std::string& segment : target.segments) out += "/" + http::percent_encode(segment);
  char before = '?';
  for (const auto& [key, value] : target.query) {
    out += before + http::percent_encode(key) + "=" + http::percent_encode(value);
    before = '&';
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  undoes_encoding(input);
  const auto target = http::parse_target(input);
  if (!target) {
    require(!target.error().text().empty());
    return 0;
  }
  std::string path;
  for (const std::string& segment : target->segments) {
    require(segment != "." && segment != "..");
    path += "/" + segment;
  }
  require(target->path == path);
  const auto again = http::parse_target(written(*target));
  require(again.has_value());
  require(again->path == target->path && again->segments == target->segments && again->query == target->query);
  return 0;
}
