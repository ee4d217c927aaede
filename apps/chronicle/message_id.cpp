#include "chronicle/message_id.hpp"

#include <algorithm>

#include "backstage/base/utf8.hpp"
#include "chronicle/blake2.hpp"
#include "chronicle/encoding.hpp"

namespace chronicle {

using backstage::Errc;
using backstage::Error;
using backstage::Result;

Result<MessageId> MessageId::from_bytes(std::string_view bytes) {
  if (bytes.size() != size) {
    return Error(Errc::invalid, "a message id has 32 bytes, these are " + std::to_string(bytes.size()));
  }
  MessageId id;
  std::copy(bytes.begin(), bytes.end(), id.bytes_.begin());
  return id;
}

Result<MessageId> MessageId::parse(std::string_view hex) {
  const auto bytes = hex.size() == size * 2 ? from_hex(hex) : Result<std::string>(Error(Errc::invalid));
  if (!bytes) {
    // Cut: the text may have come from anybody and may be long.
    return Error(Errc::invalid, "'" + std::string(backstage::cut_utf8(hex, 80)) + (hex.size() > 80 ? "..." : "") +
                                    "' is no message id: 64 lower-case hex digits are expected");
  }
  return from_bytes(*bytes);
}

std::string MessageId::hex() const { return to_hex(bytes()); }

MessageId content_id(std::string_view payload) {
  MessageId id;
  blake2b(id.raw(), {payload});
  return id;
}

MessageId event_id(std::string_view stream, Distinction distinction, std::string_view distinct_by,
                   std::string_view payload) {
  Writer head;
  head.u8(1).bytes(stream).u8(static_cast<std::uint8_t>(distinction)).bytes(distinct_by).u64(payload.size());
  MessageId id;
  blake2b(id.raw(), {head.text(), payload}, {}, "chronicle-event1");
  return id;
}

}  // namespace chronicle
