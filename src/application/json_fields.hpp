// {"app": "message"} and {"app": {"message": {"field": value}}}, as text, to a message that an app takes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backstage/application/takes.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// The text as far as it names the app: what is for it stays as JSON.
struct AddressedJson {
  std::string app;
  std::string message;
  std::string fields;  // JSON of an object
};
[[nodiscard]] Result<AddressedJson> read_addressed(std::string_view json);

/// The message that `from` names, among those that the app takes.
[[nodiscard]] Result<ReadMessage> read_message(const AddressedJson& from, const std::vector<TakenMessage>& taken);

/// "[a, b]" of names.
[[nodiscard]] std::string listed(const std::vector<std::string>& names);

}  // namespace detail
}  // namespace v0
}  // namespace backstage
