// Messages by name: what an app takes as JSON, and from apps that do not know its type.
//
//     launcher.add<HelloWorld>("hello_world")
//         .takes<Shutdown>("shutdown")                                                            // "shutdown"
//         .takes<Greet>("greet")                                                                  // {"greet":{...}}
//         .takes<Greet>("hello", field("who", &Greet::name));                                     // other names, or fewer
//
// Fields are those of wire/json.hpp. Every one must be there that is no std::optional, and none that there is not.
// Stability: settling (v0).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backstage/base/result.hpp"
#include "backstage/wire/json.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

class Cell;

/// Where an actor is: what a Ref holds, without its type.
struct Place {
  Cell* cell = nullptr;
  std::uint32_t generation = 0;
};

/// One message that an app takes by name.
struct TakenMessage {
  std::string name;
  const void* type = nullptr;
  std::vector<std::string> fields;
  std::function<Result<std::shared_ptr<void>>(const JsonIn& object)> read;
  void (*deliver)(Place place, void* message) = nullptr;
};

/// A message that has been read, and how it is delivered.
struct ReadMessage {
  const TakenMessage* kind = nullptr;
  std::shared_ptr<void> message;
};

template <class M>
inline constexpr char message_tag = 0;

}  // namespace detail

/// A field of message M.
template <class M>
struct MessageField {
  std::string name;
  std::function<Result<>(M&, const detail::JsonIn& object)> read;
};
template <class M, class T>
[[nodiscard]] MessageField<M> field(std::string name, T M::* member) {
  return {name, [name, member](M& message, const detail::JsonIn& object) {
            return detail::read_member(object, name, message.*member);
          }};
}

}  // namespace v0
}  // namespace backstage
