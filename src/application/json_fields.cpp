#include "json_fields.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

namespace json = boost::json;

constexpr std::size_t shown_bytes = 60;

std::string cut(std::string text) {
  if (text.size() > shown_bytes) text = text.substr(0, shown_bytes) + "...";
  return text;
}

class Fields final : public JsonFields {
 public:
  Fields(const json::object& fields, std::string where, std::vector<std::string> known)
      : fields_(fields), where_(std::move(where)), known_(std::move(known)) {}

  /// No field but those that are declared.
  [[nodiscard]] Result<> check() const {
    for (const auto& [name, value] : fields_) {
      if (std::find(known_.begin(), known_.end(), std::string_view(name)) == known_.end()) {
        return Error(Errc::not_found,
                     where_ + " has no field '" + std::string(name) + "': its fields are " + listed(known_));
      }
    }
    return {};
  }

  [[nodiscard]] bool has(std::string_view name) const override { return fields_.contains(name); }
  [[nodiscard]] Result<bool> boolean(std::string_view name) const override {
    const json::value* const value = fields_.if_contains(name);
    if (value == nullptr || !value->is_bool()) return wrong(name, "true or false");
    return value->get_bool();
  }
  [[nodiscard]] Result<std::int64_t> integer(std::string_view name, std::int64_t least,
                                             std::int64_t most) const override {
    const json::value* const value = fields_.if_contains(name);
    json::error_code bad;
    const auto number = value != nullptr ? value->to_number<std::int64_t>(bad) : 0;
    if (value == nullptr || !is_whole(*value) || bad || number < least || number > most) {
      return wrong(name, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return number;
  }
  [[nodiscard]] Result<std::uint64_t> natural(std::string_view name, std::uint64_t most) const override {
    const json::value* const value = fields_.if_contains(name);
    json::error_code bad;
    const auto number = value != nullptr ? value->to_number<std::uint64_t>(bad) : 0;
    if (value == nullptr || !is_whole(*value) || bad || number > most) {
      return wrong(name, "a whole number from 0 to " + std::to_string(most));
    }
    return number;
  }
  [[nodiscard]] Result<double> number(std::string_view name) const override {
    const json::value* const value = fields_.if_contains(name);
    if (value == nullptr || !value->is_number()) return wrong(name, "a number");
    return value->to_number<double>();
  }
  [[nodiscard]] Result<std::string> text(std::string_view name) const override {
    const json::value* const value = fields_.if_contains(name);
    if (value == nullptr || !value->is_string()) return wrong(name, "a text");
    return std::string(value->get_string());
  }

 private:
  [[nodiscard]] static bool is_whole(const json::value& value) { return value.is_int64() || value.is_uint64(); }
  [[nodiscard]] Error wrong(std::string_view name, const std::string& wanted) const {
    const std::string place = where_ + ", field '" + std::string(name) + "': ";
    const json::value* const value = fields_.if_contains(name);
    if (value == nullptr) {
      std::vector<std::string> there;
      for (const auto& [other, ignored] : fields_) there.emplace_back(other);
      return Error(Errc::invalid, place + "it is missing and has to be " + wanted + "; there is " + listed(there));
    }
    return Error(Errc::invalid, place + cut(json::serialize(*value)) + " is not " + wanted);
  }

  const json::object& fields_;
  std::string where_;
  std::vector<std::string> known_;
};

Error no_form(std::string_view text) {
  return Error(Errc::invalid, "passthrough: " + cut(std::string(text)) +
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
  if (bad) return Error(Errc::invalid, "passthrough: " + cut(std::string(text)) + " is no JSON: " + bad.message());
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
  const json::value whole = json::parse(from.fields);
  const Fields fields(whole.get_object(), "app '" + from.app + "', message '" + from.message + "'", found->fields);
  if (Result<> known = fields.check(); !known) return known.error();
  auto message = found->read(fields);
  if (!message) return message.error();
  return ReadMessage{&*found, std::move(message).value()};
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
