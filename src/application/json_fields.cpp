#include "json_fields.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

namespace json = boost::json;

Error no_form(std::string_view text) {
  return Error(Errc::invalid, "passthrough: " + cut_for_message(text) +
                                  R"( is neither {"app":"message"} nor {"app":{"message":{"field":value}}})");
}

}  // namespace

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return "[" + text + "]";
}

Result<AddressedJson> read_addressed(std::string_view text) {
  json::error_code bad;
  const json::value whole = json::parse(text, bad);
  if (bad) return Error(Errc::invalid, "passthrough: " + cut_for_message(text) + " is no JSON: " + bad.message());
  const json::object* const top = whole.if_object();
  if (top == nullptr || top->size() != 1) return no_form(text);
  const auto& [app, message] = *top->begin();
  if (const json::string* const name = message.if_string()) {
    return AddressedJson{std::string(app), std::string(*name), "{}"};
  }
  const json::object* const named = message.if_object();
  if (named == nullptr || named->size() != 1) return no_form(text);
  const auto& [name, fields] = *named->begin();
  if (!fields.is_object()) return no_form(text);
  return AddressedJson{std::string(app), std::string(name), json::serialize(fields)};
}

Result<ReadMessage> read_message(const AddressedJson& from, const std::vector<TakenMessage>& taken) {
  const auto found =
      std::find_if(taken.begin(), taken.end(), [&](const TakenMessage& one) { return one.name == from.message; });
  if (found == taken.end()) {
    std::vector<std::string> names;
    for (const TakenMessage& one : taken) names.push_back(one.name);
    return Error(Errc::not_found,
                 "app '" + from.app + "' takes no message '" + from.message + "': it takes " + listed(names));
  }
  const Result<JsonText> fields =
      JsonText::read(from.fields, "app '" + from.app + "', message '" + from.message + "'");
  if (!fields) return fields.error();
  auto message = found->read(fields->root());
  if (!message) return message.error();
  return ReadMessage{&*found, std::move(message).value()};
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
