// The beginning and the end of the memory of one actor, and how an actor type is built and run. What lies in between: body.hpp.
// Stability: internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "backstage/base/result.hpp"
#include "backstage/exec/slab.hpp"
#include "backstage/mailbox/envelope.hpp"
#include "backstage/supervise/policy.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

class Cell;
struct RouteEntry;
struct Body;

/// How an actor type is built and run. One constant per type.
struct ActorOps {
  std::string_view type;
  const void* type_id = nullptr;
  bool has_loop = false;
  bool has_init = false;
  bool has_terminating = false;
  bool movable = false;
  void (*construct)(Cell&) = nullptr;            ///< may throw what the constructor throws
  void (*revive)(Cell&, void* state) = nullptr;  ///< move-constructs it from such an actor
  void (*destroy)(Cell&) noexcept = nullptr;
  Handled (*init)(Cell&) = nullptr;
  Handled (*loop)(Cell&) = nullptr;
  Handled (*terminating)(Cell&, const Result<>& why) = nullptr;
  void (*release)(Body&, SlabPool&) noexcept = nullptr;  ///< destroys the arguments and frees the block
  std::string (*describe)(const Cell&) = nullptr;        ///< what the actor says of its state; null: nothing
  std::uint32_t body_bytes = 0;                          ///< up to the end of the actor
  const RouteEntry* routes = nullptr;                    ///< the messages that it declares (route.hpp)
  std::size_t route_count = 0;
};

inline constexpr ChildPolicy default_policy{};

/// In front of each actor's memory: what is kept over its incarnations. Behind the actor, in the same block, lie its policy, if
/// it has one of its own, and its name, or the number of who has none.
struct Body {
  const ActorOps* ops = nullptr;
  std::uint32_t actor_at = 0;  // where the actor lies, from here on
  std::uint32_t block_bytes : 30 = 0;
  std::uint32_t has_policy : 1 = 0;
  std::uint32_t is_unnamed : 1 = 0;

  [[nodiscard]] void* actor() noexcept { return at(actor_at); }
  [[nodiscard]] const ChildPolicy& policy() const noexcept { return has_policy != 0 ? own_policy() : default_policy; }
  [[nodiscard]] std::string_view name() const noexcept {
    const std::size_t begin = name_at();
    return is_unnamed != 0 ? std::string_view() : std::string_view(at(begin), block_bytes - begin);
  }
  [[nodiscard]] std::uint64_t number() const noexcept {
    std::uint64_t number = 0;
    if (is_unnamed != 0) std::memcpy(&number, at(name_at()), sizeof number);
    return number;
  }
  void set_number(std::uint64_t number) noexcept { std::memcpy(at(name_at()), &number, sizeof number); }

  /// What is to be set behind the actor.
  void set_tail(std::string_view name, const ChildPolicy& policy) noexcept;  // spawning.cpp
  [[nodiscard]] static std::size_t tail_bytes(std::string_view name, const ChildPolicy& policy) noexcept {
    return (&policy != &default_policy ? sizeof(void*) : 0) + (name.empty() ? sizeof(std::uint64_t) : name.size());
  }

 private:
  [[nodiscard]] char* at(std::size_t offset) noexcept { return reinterpret_cast<char*>(this) + offset; }
  [[nodiscard]] const char* at(std::size_t offset) const noexcept {
    return reinterpret_cast<const char*>(this) + offset;
  }
  [[nodiscard]] std::size_t name_at() const noexcept {
    return ops->body_bytes + (has_policy != 0 ? sizeof(void*) : 0);
  }
  [[nodiscard]] const ChildPolicy& own_policy() const noexcept {
    const ChildPolicy* own = nullptr;
    std::memcpy(&own, at(ops->body_bytes), sizeof own);
    return *own;
  }
};
static_assert(sizeof(Body) == 16);

}  // namespace detail
}  // namespace v0
}  // namespace backstage
