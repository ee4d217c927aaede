// A log record is one line whatever its strings hold, with exactly the fields that it was given: nothing in a string
// passes for a line, a field, a terminal sequence or the end of a JSON string.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "backstage/base/log.hpp"
#include "chronicle/intake/text.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void is_one_plain_line(std::string_view line) {
  require(chronicle::is_utf8(line));
  for (const char c : line) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

/// Equals signs outside of quotes: one for each field.
std::size_t fields_in(std::string_view line) {
  std::size_t count = 0;
  bool is_quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (is_quoted && line[i] == '\\') {
      ++i;
    } else if (line[i] == '"') {
      is_quoted = !is_quoted;
    } else if (!is_quoted && line[i] == '=') {
      ++count;
    }
  }
  require(!is_quoted);
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 3, size - 3);
  const auto take = [&](std::size_t count) {
    const std::string_view taken = rest.substr(0, count);
    rest.remove_prefix(taken.size());
    return taken;
  };
  const std::string_view where = take(data[0] % 16U);
  const std::string_view text = take(data[1]);
  const std::string_view key = take(data[2] % 16U);
  const std::vector<backstage::Field> fields{{key, rest}, {text, key}, {"number", static_cast<int>(size)}};
  const backstage::LogRecord record{backstage::WallTime{1}, backstage::Level::warn, where, text, fields};

  std::string line;
  append_line(line, record);
  is_one_plain_line(line);
  require(fields_in(line) == fields.size());

  std::string json;
  append_json(json, record);
  is_one_plain_line(json);
  const boost::json::value read = boost::json::parse(json);
  require(read.at("level").as_string() == "warn");
  require(read.at("text").as_string() == chronicle::clean_utf8(text));
  require(read.at("where").as_string() == chronicle::clean_utf8(where));
  if (const auto level = backstage::parse_level(text)) {
    require(text.size() == to_string(*level).size());
  }
  return 0;
}
