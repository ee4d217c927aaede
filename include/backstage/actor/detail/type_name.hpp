// The name of a type as people write it: "chronicle::Store".
#pragma once

#include <string_view>

namespace backstage {
inline namespace v0 {
namespace detail {

template <class T>
[[nodiscard]] consteval std::string_view type_name() {
  // Both compilers put "T = <name>" into the function's name and end it with ']' or ';'.
  std::string_view text = __PRETTY_FUNCTION__;
  const auto begin = text.find("T = ") + 4;
  auto end = text.find(';', begin);
  if (end == std::string_view::npos) end = text.rfind(']');
  return text.substr(begin, end - begin);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
