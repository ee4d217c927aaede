// A message as it comes (Draft) and as it is kept (Message), what a stream's identity is, and the limits.
//
// Plain data; the functions are pure. Who fills a Draft passes in time and chance: this file reads neither.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backstage/base/result.hpp"
#include "backstage/base/time.hpp"
#include "chronicle/message_id.hpp"

namespace chronicle {

using backstage::Errc;
using backstage::Error;
using backstage::Result;
using backstage::WallTime;

/// How a stream tells its messages apart. Its first stored message decides, for ever.
enum class Identity : std::uint8_t {
  event = 1,    ///< by stream, Idempotency-Key or source time (else a nonce), and payload
  content = 2,  ///< by the payload alone
};

[[nodiscard]] std::string_view to_string(Identity identity) noexcept;
/// "event" or "content".
[[nodiscard]] Result<Identity> parse_identity(std::string_view text);

/// What the storage takes at most. They also bound what it reads back: a stored record beyond them is corrupt, so
/// they may be raised later but never lowered under a store that has data.
struct Limits {
  std::size_t stream_name = 200;              ///< bytes
  std::size_t payload = 1024 * 1024;          ///< bytes of one message
  std::size_t content_type = 127;             ///< bytes
  std::size_t key = 255;                      ///< bytes of an Idempotency-Key
  std::size_t streams = 10'000;               ///< their table is kept in memory
  std::size_t group_count = 4096;             ///< messages in one append
  std::size_t group_bytes = 8 * 1024 * 1024;  ///< of one append, as `cost` counts; at least one largest message
  std::size_t page_count = 1000;              ///< messages in one page; a greater limit is cut to this
  std::size_t page_bytes = 4 * 1024 * 1024;   ///< a page ends when its payloads pass this (but holds at least one)
};

using Nonce = std::array<unsigned char, 16>;

/// A message on its way in.
struct Draft {
  std::string stream;
  std::string payload;       ///< raw bytes
  std::string content_type;  ///< may be empty
  std::optional<WallTime> source_time;
  std::optional<std::string> key;    ///< Idempotency-Key
  std::optional<Nonce> nonce;        ///< from the environment's Chance; used only without key and source time
  std::optional<Identity> identity;  ///< nothing: as the stream is, or event when the stream is new
  WallTime arrival;                  ///< the environment's clock when it came
};

/// A message as kept.
struct Message {
  MessageId id;
  std::string stream;
  std::uint64_t sequence = 0;  ///< in its stream: 1, 2, 3 ... without holes
  WallTime arrival;            ///< never before that of the message before it (see Storage)
  std::optional<WallTime> source_time;
  std::string content_type;
  std::string payload;

  friend bool operator==(const Message&, const Message&) = default;
};

/// Why a draft is refused, for whoever must answer with a status.
enum class Refusal : std::uint8_t {
  invalid,      ///< it cannot be meant (400)
  too_large,    ///< beyond a limit of size (413)
  identity,     ///< the stream has the other identity (409)
  full,         ///< no more streams are taken (507)
  unavailable,  ///< the store could not read what it needed to decide (503)
};

struct Refused {
  Refusal why;
  Error error;
};

/// The bytes that a draft counts for in a group: its texts and a fixed part for the rest.
[[nodiscard]] std::size_t cost(const Draft& draft) noexcept;

/// A stream's name: printable ASCII without space, of segments parted by '/' that are not empty, "." or "..": it can
/// stand in a URL. (Strict at first: it can be widened later, not narrowed.)
[[nodiscard]] std::optional<Refused> fault_of_stream_name(std::string_view name, const Limits& limits);
/// What is wrong with a draft by itself, or nothing.
[[nodiscard]] std::optional<Refused> fault_of(const Draft& draft, const Limits& limits);

/// The identity to use for a draft that asks for `asked` in a stream that has `has` (nothing: it is new).
[[nodiscard]] std::optional<Identity> settle(std::optional<Identity> has, std::optional<Identity> asked) noexcept;
[[nodiscard]] Refused identity_refused(std::string_view stream, Identity has);

/// The draft's id. Key before source time before nonce: whoever sends a key says that it alone tells events apart.
/// Refused (invalid) for an event that has none of the three.
[[nodiscard]] Result<MessageId> id_of(const Draft& draft, Identity identity);

}  // namespace chronicle
