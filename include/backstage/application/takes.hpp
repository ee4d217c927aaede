// Messages by name: what an app takes as JSON, and from apps that do not know its type.
//
//     launcher.add<HelloWorld>("hello_world")
//         .takes<Shutdown>("shutdown")                                                            // "shutdown"
//         .takes<Greet>("greet", field("name", &Greet::name), field("times", &Greet::times));     // {"greet":{...}}
//
// A field is a bool, an integer, a double, a std::string, or a std::optional of these (which may be missing). Every
// other field must be there, and no field that is not declared. Integers are whole and fit, or are refused.
// Stability: experimental (v0): the scopes' routes will use the same declarations.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "backstage/base/result.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

class Cell;

/// Where an actor is: what a Ref holds, without its type.
struct Place {
  Cell* cell = nullptr;
  std::uint32_t generation = 0;
};

/// The fields of one message as they came.
class JsonFields {
 public:
  virtual ~JsonFields() = default;
  [[nodiscard]] virtual bool has(std::string_view name) const = 0;
  [[nodiscard]] virtual Result<bool> boolean(std::string_view name) const = 0;
  [[nodiscard]] virtual Result<std::int64_t> integer(std::string_view name, std::int64_t least,
                                                     std::int64_t most) const = 0;
  [[nodiscard]] virtual Result<std::uint64_t> natural(std::string_view name, std::uint64_t most) const = 0;
  [[nodiscard]] virtual Result<double> number(std::string_view name) const = 0;
  [[nodiscard]] virtual Result<std::string> text(std::string_view name) const = 0;
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
Result<> read_field(std::string_view name, const JsonFields& from, T& into) {
  const auto put = [&into](auto read) -> Result<> {
    if (!read.has_value()) return read.error();
    into = static_cast<T>(std::move(read).value());
    return {};
  };
  if constexpr (is_optional<T>) {
    if (!from.has(name)) return {};
    return read_field(name, from, into.emplace());
  } else if constexpr (std::same_as<T, bool>) {
    return put(from.boolean(name));
  } else if constexpr (std::integral<T> && std::is_signed_v<T>) {
    return put(from.integer(name, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else if constexpr (std::integral<T>) {
    return put(from.natural(name, std::numeric_limits<T>::max()));
  } else if constexpr (std::same_as<T, double>) {
    return put(from.number(name));
  } else {
    static_assert(std::same_as<T, std::string>,
                  "a field is a bool, an integer, a double, a std::string, or a std::optional of these");
    return put(from.text(name));
  }
}

/// One message that an app takes by name.
struct TakenMessage {
  std::string name;
  const void* type = nullptr;
  std::vector<std::string> fields;
  std::function<Result<std::shared_ptr<void>>(const JsonFields&)> read;
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
  std::function<Result<>(M&, const detail::JsonFields&)> read;
};
template <class M, class T>
[[nodiscard]] MessageField<M> field(std::string name, T M::* member) {
  return {name, [name, member](M& message, const detail::JsonFields& from) {
            return detail::read_field(name, from, message.*member);
          }};
}

}  // namespace v0
}  // namespace backstage
