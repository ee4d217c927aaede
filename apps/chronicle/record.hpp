// How messages and streams are written down, and read back without trust.
//
// Every record: u8 version (1) | fields | u64 checksum of all before it (BLAKE2b, personalised "chronicle-record").
//   message  u8 1 | 32 bytes id | stream | u64 sequence | i64 arrival | u8 has source time | i64 source time, if so
//            | content type | payload | checksum         (texts: u32 length, then bytes; integers big-endian)
//   stream   u8 1 | u64 number | name | u8 identity | u64 count | u64 bytes | i64 first, i64 last arrival | checksum
// Reading accepts exactly what writing can have made, within the limits; anything else is an Error, never a guess.
// Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "chronicle/message.hpp"
#include "chronicle/storage.hpp"

namespace chronicle {

struct StreamRecord {
  std::uint64_t number = 0;  ///< stands for the name in keys: 1, 2, 3 ... in the order of making
  StreamInfo info;

  friend bool operator==(const StreamRecord&, const StreamRecord&) = default;
};

[[nodiscard]] std::string encode(const Message& message);
[[nodiscard]] Result<Message> decode_message(std::string_view record, const Limits& limits);

[[nodiscard]] std::string encode(const StreamRecord& stream);
[[nodiscard]] Result<StreamRecord> decode_stream(std::string_view record, const Limits& limits);

}  // namespace chronicle
