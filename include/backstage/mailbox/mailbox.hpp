// The kinds of mailbox (promise M4): what an actor's queue holds, and what happens when it is full.
//
//     child<Parser>("parser").mailbox(bounded(1'000).drop_oldest())
//     child<Sink>("sink").mailbox(bounded(10'000).bytes(64 << 20))
//     child<Log>("log").mailbox(unbounded())          // grows without limit: only where senders are bounded
//
// Stability: settling (v0).
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace backstage {
inline namespace v0 {

/// What `send` does at a full mailbox. `try_send` and `send_wait` never lose anything, whatever the policy.
enum class WhenFull : std::uint8_t {
  refuse,       ///< the new message becomes a dead letter
  drop_newest,  ///< the new message is dropped and counted
  drop_oldest,  ///< the message that waited longest is dropped and counted
};

class Mailbox {
 public:
  static constexpr std::uint32_t no_limit = std::numeric_limits<std::int32_t>::max();

  constexpr Mailbox() = default;
  [[nodiscard]] constexpr Mailbox refuse() const { return with(WhenFull::refuse); }
  [[nodiscard]] constexpr Mailbox drop_newest() const { return with(WhenFull::drop_newest); }
  [[nodiscard]] constexpr Mailbox drop_oldest() const { return with(WhenFull::drop_oldest); }
  /// Also bounded by bytes: the sum of payload_bytes(message), which is sizeof unless the message's namespace has a
  /// `std::size_t payload_bytes(const M&)`. A message larger than the whole bound is accepted when the box is empty.
  [[nodiscard]] constexpr Mailbox bytes(std::size_t most) const {
    Mailbox copy = *this;
    copy.bytes_ = most;
    return copy;
  }

  [[nodiscard]] constexpr std::uint32_t count_limit() const { return count_; }
  [[nodiscard]] constexpr std::size_t byte_limit() const { return bytes_; }
  [[nodiscard]] constexpr WhenFull when_full() const { return when_full_; }
  [[nodiscard]] constexpr bool is_bounded() const { return count_ != no_limit || bytes_ != 0; }

  friend constexpr Mailbox bounded(std::uint32_t messages);
  friend constexpr Mailbox unbounded();

 private:
  [[nodiscard]] constexpr Mailbox with(WhenFull policy) const {
    Mailbox copy = *this;
    copy.when_full_ = policy;
    return copy;
  }
  std::uint32_t count_ = 65'536;
  WhenFull when_full_ = WhenFull::refuse;
  std::size_t bytes_ = 0;  // 0: not bounded by bytes
};

/// At most `messages` wait (at least 1). Threads that meet a full mailbox at the same instant may overshoot by one each.
constexpr Mailbox bounded(std::uint32_t messages) {
  Mailbox box;
  box.count_ = messages == 0 ? 1 : (messages < Mailbox::no_limit ? messages : Mailbox::no_limit);
  return box;
}
/// No bound at all.
constexpr Mailbox unbounded() {
  Mailbox box;
  box.count_ = Mailbox::no_limit;
  return box;
}

namespace detail {
template <class M>
concept WeighsItself = requires(const M& message) {
  { payload_bytes(message) } -> std::convertible_to<std::size_t>;
};
template <class M>
[[nodiscard]] std::size_t weight_of(const M& message) {
  if constexpr (WeighsItself<M>) {
    return payload_bytes(message);
  } else {
    return sizeof(M);
  }
}
}  // namespace detail

}  // namespace v0
}  // namespace backstage
