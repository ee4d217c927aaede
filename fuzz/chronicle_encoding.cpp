// Base64, hex and message ids: what is taken has one spelling, and every value can be written and read back. The
// Reader never takes more than there is.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "chronicle/base64.hpp"
#include "chronicle/encoding.hpp"
#include "chronicle/message_id.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// The first half says in which order what is read from the second.
void reads_within_bounds(std::string_view input) {
  const std::string_view orders = input.substr(0, input.size() / 2);
  const std::string_view bytes = input.substr(orders.size());
  chronicle::Reader in(bytes);
  chronicle::Writer out;
  std::size_t taken = 0;
  for (const char order : orders) {
    switch (static_cast<unsigned char>(order) % 6U) {
      case 0: out.u8(in.u8()), taken += 1; break;
      case 1: out.u32(in.u32()), taken += 4; break;
      case 2: out.u64(in.u64()), taken += 8; break;
      case 3: out.i64(in.i64()), taken += 8; break;
      case 4: out.ordered_i64(in.ordered_i64()), taken += 8; break;
      default: {
        const std::string_view text = in.bytes();
        out.bytes(text), taken += 4 + text.size();
      }
    }
    if (in.has_failed()) {
      require(!in.complete() && in.u64() == 0 && in.bytes().empty());
      return;
    }
    require(taken <= bytes.size() && out.text() == bytes.substr(0, taken));
  }
  require(in.complete() == (taken == bytes.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto bytes = chronicle::from_base64(input)) require(chronicle::to_base64(*bytes) == input);
  if (const auto bytes = chronicle::from_hex(input)) require(chronicle::to_hex(*bytes) == input);
  if (const auto id = chronicle::MessageId::parse(input)) require(id->hex() == input);
  const auto base64 = chronicle::from_base64(chronicle::to_base64(input));
  require(base64.has_value() && *base64 == input);
  const auto hex = chronicle::from_hex(chronicle::to_hex(input));
  require(hex.has_value() && *hex == input);
  if (input.size() >= chronicle::MessageId::size) {
    const auto id = chronicle::MessageId::from_bytes(input.substr(0, chronicle::MessageId::size));
    require(id.has_value() && chronicle::MessageId::parse(id->hex()).value() == *id);
  }
  reads_within_bounds(input);
  return 0;
}
