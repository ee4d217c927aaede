// What is known of a message that an actor offers by type: how to send it, how to ask with it. Constants, one per actor
// and message.
// Stability: internal.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "backstage/actor/ref.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// Its address stands for the type.
template <class A>
inline constexpr char type_tag = 0;

struct RouteEntry {
  const void* message = nullptr;  // type_tag<M>
  const void* reply = nullptr;    // type_tag of the answer
  std::string_view name;
  std::string_view reply_name;
  void (*send)(Cell*, std::uint32_t, void* message) = nullptr;  // moves the M out
  const MessageDescriptor* ask = nullptr;
  const void* codec = nullptr;  // how a higher floor reads and writes it as text, or null
};

template <class A, class M>
void send_routed(Cell* cell, std::uint32_t generation, void* message) {
  send_message<A, M>(cell, generation, std::move(*static_cast<M*>(message)));
}

template <class A, class M>
[[nodiscard]] constexpr RouteEntry route_entry(const void* codec = nullptr) {
  static_assert(Handles<A, M>, "this actor has no handle() for exactly a message type that it routes");
  return {.message = &type_tag<M>,
          .reply = &type_tag<reply_t<A, M>>,
          .name = type_name<M>(),
          .reply_name = type_name<reply_t<A, M>>(),
          .send = &send_routed<A, M>,
          .ask = &ask_descriptor<A, M>,
          .codec = codec};
}

/// Those of `using routes = Routes<...>;` in A, or none.
template <class A>
struct DeclaredRoutes {
  static constexpr std::array<RouteEntry, 0> entries{};
};
template <class A>
  requires requires { A::routes::template entries_of<A>(); }
struct DeclaredRoutes<A> {
  static constexpr auto entries = A::routes::template entries_of<A>();
};

}  // namespace detail

/// `using routes = Routes<Reading, Get>;` in an actor: whoever has its place may send it these, without its type.
template <class... M>
struct Routes {
  template <class A>
  [[nodiscard]] static constexpr std::array<detail::RouteEntry, sizeof...(M)> entries_of() {
    return {detail::route_entry<A, M>()...};
  }
};

}  // namespace v0
}  // namespace backstage
