// What travels: an Envelope in front of a message, and the one constant descriptor per actor and message (and kind
// of sending) that it points to.
//
// The descriptor is static data, so a dead letter can be named, sized and destroyed when the actor that it was meant
// for is long gone. It has room for what later work needs (copy, encode): adding it later would touch every send.
// Stability: internal layout, not part of the API.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backstage/base/error.hpp"
#include "backstage/base/time.hpp"
#include "backstage/exec/slab.hpp"

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
  std::string_view message;  ///< the message type's name; first: workers note it, and so the descriptor's address
  /// Runs the message in the actor that lives in the cell. May throw whatever the handler throws.
  Handled (*handle)(Cell&, Envelope&);
  /// Destroys the payload unhandled and, for an ask, tells the asker why. Never throws.
  void (*abandon)(Envelope&, Errc why) noexcept;
  std::string_view actor;  ///< the actor type's name
  BlockSize size;          ///< of the whole envelope
  SendKind kind;
  /// The message's weight for a mailbox bounded by bytes.
  std::size_t (*weight)(const Envelope&) noexcept;
  /// A copy in a block of its own, for retries. Null: the message cannot be copied, or is no plain one.
  Envelope* (*copy)(CoreFace&, WorkerContext*, const Envelope&) = nullptr;
  /// Room kept: an encoder for the wire. Null until a codec is known.
  bool (*encode)(const Envelope&, void* out) = nullptr;
  /// Its place in `all_descriptors`, from when it is first sent on; 0: none yet. Of an ask it is odd, of all others even.
  mutable std::atomic<std::uint32_t> number{0};
};

/// Every descriptor that was ever sent, by its number: an envelope has room for that, not for an address. What was never
/// written to takes no memory.
inline constexpr std::uint32_t most_descriptors = 1U << 17U;
inline constinit std::array<std::atomic<const MessageDescriptor*>, most_descriptors> all_descriptors{};

/// Any thread. Gives `descriptor` its number, once. Ends the process when there are half of `most_descriptors` of asks, or of all
/// others: as many pairs of an actor's and a message's type as no program has.
[[gnu::cold]] std::uint32_t enroll(const MessageDescriptor& descriptor) noexcept;

/// 16 bytes in front of every message: an 8-byte message makes a 24-byte block.
struct Envelope {
  explicit Envelope(const MessageDescriptor& d, std::uint32_t target_generation) noexcept
      : Envelope(number_of(d), target_generation) {}
  /// Of a descriptor that has its number.
  explicit Envelope(std::uint32_t known, std::uint32_t target_generation) noexcept
      : number(known), generation(target_generation) {}

  [[nodiscard]] const MessageDescriptor& descriptor() const noexcept { return descriptor_in(all_descriptors); }
  /// The same for who has the table at hand.
  [[nodiscard]] const MessageDescriptor& descriptor_in(const decltype(all_descriptors)& all) const noexcept {
    // relaxed: whoever has the envelope got it from somebody who had seen the number, and so the entry.
    return *all[number].load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool is_ask() const noexcept { return (number & 1U) != 0; }

  std::atomic<Envelope*> next{nullptr};  // owned by MessageList
  std::uint32_t number;                  // its descriptor's
  std::uint32_t generation;              // the target's, checked again when the message is handled

 private:
  [[nodiscard]] static std::uint32_t number_of(const MessageDescriptor& descriptor) noexcept {
    // acquire: pairs with the release in enroll(), which had written the entry.
    const std::uint32_t known = descriptor.number.load(std::memory_order_acquire);
    return known != 0 ? known : enroll(descriptor);
  }
};
static_assert(sizeof(Envelope) == 16);

}  // namespace detail
}  // namespace v0
}  // namespace backstage
