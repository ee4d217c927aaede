// Records and cursors read back without trust: what is accepted is exactly what writing makes, and a changed byte in a
// good record is found.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "chronicle/query.hpp"
#include "chronicle/record.hpp"

namespace {

const chronicle::Limits limits;

void accepts_only_what_it_writes(std::string_view input) {
  if (const auto message = chronicle::decode_message(input, limits); message.has_value()) {
    if (chronicle::encode(message.value()) != input) std::abort();
  }
  if (const auto stream = chronicle::decode_stream(input, limits); stream.has_value()) {
    if (chronicle::encode(stream.value()) != input) std::abort();
  }
}

void finds_a_changed_byte(std::string_view input) {
  if (input.size() < 4) return;
  chronicle::Message message;
  message.stream = "fuzz/stream";
  message.sequence = static_cast<std::uint8_t>(input[0]) + 1U;
  message.payload = std::string(input.substr(2));
  std::string record = chronicle::encode(message);
  const auto read = chronicle::decode_message(record, limits);
  if (!read.has_value() || read.value().payload != message.payload) std::abort();
  const auto change = static_cast<char>(input[1] | 1);
  record[static_cast<std::uint8_t>(input[0]) * record.size() / 256] ^= change;
  if (chronicle::decode_message(record, limits).has_value()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  accepts_only_what_it_writes(input);
  finds_a_changed_byte(input);
  chronicle::Query query;
  query.stream = "fuzz/stream";
  query.cursor = std::string(input);
  if (!query.cursor.empty()) {
    if (const auto place = chronicle::read_cursor(query); place.has_value()) {
      if (chronicle::make_cursor(query, place.value()) != query.cursor) std::abort();
    }
  }
  return 0;
}
