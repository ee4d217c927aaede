#include "backstage/mailbox/envelope.hpp"

#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace backstage {
inline namespace v0 {
namespace detail {

std::uint32_t enroll(const MessageDescriptor& descriptor) noexcept {
  static std::mutex mutex;
  static std::uint32_t next_even = 2;
  static std::uint32_t next_odd = 1;
  const std::lock_guard lock(mutex);
  // relaxed, all but the last: under the lock.
  if (const std::uint32_t known = descriptor.number.load(std::memory_order_relaxed); known != 0) return known;
  std::uint32_t& next = descriptor.kind == SendKind::ask ? next_odd : next_even;
  const std::uint32_t given = next;
  if (given >= most_descriptors) {
    std::fprintf(stderr,
                 "backstage: more than %u pairs of an actor's and a message's type (the last: %.*s for %.*s)\n",
                 most_descriptors / 2 - 1, static_cast<int>(descriptor.message.size()), descriptor.message.data(),
                 static_cast<int>(descriptor.actor.size()), descriptor.actor.data());
    std::abort();
  }
  next += 2;
  all_descriptors[given].store(&descriptor, std::memory_order_relaxed);
  // release: publishes the entry; pairs with the acquire of whoever builds an envelope.
  descriptor.number.store(given, std::memory_order_release);
  return given;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
