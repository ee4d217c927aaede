// What travels: an Envelope in front of a message, and the one constant descriptor per actor and message (and kind
// of sending) that it points to.
//
// The descriptor is static data, so a dead letter can be named, sized and destroyed when the actor that it was meant
// for is long gone. It has room for what later work needs (copy, encode): adding it later would touch every send.
// Stability: internal layout, not part of the API.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backstage/base/error.hpp"
#include "backstage/base/time.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

class Cell;
struct CoreFace;
struct Envelope;
struct WorkerContext;

/// How a message was sent, which decides what stands between the Envelope and the message.
enum class SendKind : std::uint8_t {
  plain,   ///< nothing
  ask,     ///< an AskHeader (reply port, deadline)
  system,  ///< from the runtime to user code (Eol, Down): never refused by the mailbox's bound
};

/// What becomes of a handled message's envelope.
enum class Handled : std::uint8_t { done, suspended };

struct MessageDescriptor {
  /// Runs the message in the actor that lives in the cell. May throw whatever the handler throws.
  Handled (*handle)(Cell&, Envelope&);
  /// Destroys the payload unhandled and, for an ask, tells the asker why. Never throws.
  void (*abandon)(Envelope&, Errc why) noexcept;
  std::string_view message;  ///< the message type's name
  std::string_view actor;    ///< the actor type's name
  std::uint32_t size;        ///< of the whole envelope in bytes
  SendKind kind;
  /// The message's weight for a mailbox bounded by bytes.
  std::size_t (*weight)(const Envelope&) noexcept;
  /// A copy in a block of its own, for retries. Null: the message cannot be copied, or is no plain one.
  Envelope* (*copy)(CoreFace&, WorkerContext*, const Envelope&) = nullptr;
  /// Room kept: an encoder for the wire. Null until a codec is known.
  bool (*encode)(const Envelope&, void* out) = nullptr;
};

/// 24 bytes in front of every message: an 8-byte message makes a 32-byte block.
struct Envelope {
  explicit Envelope(const MessageDescriptor& d, std::uint32_t target_generation) noexcept
      : descriptor(&d), generation(target_generation) {}

  std::atomic<Envelope*> next{nullptr};  // owned by MessageList
  const MessageDescriptor* descriptor;
  std::uint32_t generation;    // the target's, checked again when the message is handled
  std::uint32_t reserved = 0;  // room kept
};
static_assert(sizeof(Envelope) == 24);

}  // namespace detail
}  // namespace v0
}  // namespace backstage
