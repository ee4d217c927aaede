// The name of a message: 32 bytes, written as 64 lower-case hex digits.
//
//   content  id = BLAKE2b-256(payload), nothing else: what ledgers do, so their blocks keep their true ids.
//   event    id = BLAKE2b-256 personalised "chronicle-event1" of the bytes that `event_id` describes.
//
// The personalisation makes the two different hash functions: no payload can be written that takes an event's id.
// Both are for ever: ids are kept in other people's databases. Tests pin them. Pure functions, any thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "backstage/base/result.hpp"

namespace chronicle {

class MessageId {
 public:
  static constexpr std::size_t size = 32;

  MessageId() noexcept = default;
  /// From exactly 64 lower-case hex digits; everything else is Errc::invalid.
  [[nodiscard]] static backstage::Result<MessageId> parse(std::string_view hex);
  /// From exactly 32 bytes (Errc::invalid otherwise).
  [[nodiscard]] static backstage::Result<MessageId> from_bytes(std::string_view bytes);

  [[nodiscard]] std::string hex() const;
  [[nodiscard]] std::string_view bytes() const noexcept {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  [[nodiscard]] std::span<unsigned char, size> raw() noexcept { return bytes_; }

  friend auto operator<=>(const MessageId&, const MessageId&) = default;

 private:
  std::array<unsigned char, size> bytes_{};
};

/// For unordered containers: the id is a cryptographic hash already, so any eight of its bytes will do.
struct MessageIdHash {
  [[nodiscard]] std::size_t operator()(const MessageId& id) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, id.bytes().data(), sizeof hash);
    return hash;
  }
};

/// What makes one event differ from another with the same stream and payload.
enum class Distinction : std::uint8_t {
  source_time = 1,  ///< eight bytes, big-endian two's complement nanoseconds
  key = 2,          ///< the Idempotency-Key as given
  nonce = 3,        ///< sixteen random bytes: every such message is a new event
};

[[nodiscard]] MessageId content_id(std::string_view payload);

/// Hashes: u8 version (1) | u32 length, stream | u8 distinction | u32 length, its bytes | u64 length, payload.
/// All integers big-endian. Each part has its length before it, so no two inputs are the same bytes.
[[nodiscard]] MessageId event_id(std::string_view stream, Distinction distinction, std::string_view distinct_by,
                                 std::string_view payload);

}  // namespace chronicle
