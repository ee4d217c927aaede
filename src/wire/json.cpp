#include "backstage/wire/json.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

namespace json = boost::json;

constexpr std::size_t most_shown = 60;
constexpr std::size_t most_depth = 32;
constexpr std::size_t most_bytes = 16U << 20U;

[[nodiscard]] std::string cut(std::string text) {
  if (text.size() > most_shown) text = text.substr(0, most_shown) + "...";
  return text;
}
[[nodiscard]] const json::value& value_at(const void* value) noexcept {
  return *static_cast<const json::value*>(value);
}
[[nodiscard]] bool is_whole(const json::value& value) { return value.is_int64() || value.is_uint64(); }

template <class Names>
[[nodiscard]] std::string listed(const Names& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return "[" + text + "]";
}

}  // namespace

struct JsonText::Impl {
  json::value value;
  std::string what;
};

JsonText::JsonText(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonText::JsonText(JsonText&&) noexcept = default;
JsonText::~JsonText() = default;

Result<JsonText> JsonText::read(std::string_view text, std::string_view what) {
  if (text.size() > most_bytes) {
    return Error(Errc::invalid, std::string(what) + ": " + std::to_string(text.size()) +
                                    " bytes of JSON are more than the 16 MiB that are read");
  }
  json::parse_options options;
  options.max_depth = most_depth;
  json::error_code bad;
  auto impl = std::make_unique<Impl>();
  impl->value = json::parse(json::string_view(text.data(), text.size()), bad, {}, options);
  impl->what = what;
  if (bad) {
    return Error(Errc::invalid, std::string(what) + ": " + cut(std::string(text)) + " is no JSON: " + bad.message());
  }
  return JsonText(std::move(impl));
}

JsonIn JsonText::root() const { return {&impl_->value, impl_->what}; }

bool JsonIn::is_null() const noexcept { return value_at(value_).is_null(); }

std::string JsonIn::shown() const { return cut(json::serialize(value_at(value_))); }

Error JsonIn::wrong(std::string_view wanted) const {
  return Error(Errc::invalid, place_ + ": " + shown() + " is not " + std::string(wanted));
}

std::string JsonIn::below(std::string_view name) const {
  // "what, field 'a'", and below that "what, field 'a.b'".
  if (!place_.empty() && place_.back() == '\'' && place_.find(", field '") != std::string::npos) {
    return place_.substr(0, place_.size() - 1) + (name.front() == '[' ? "" : ".") + std::string(name) + "'";
  }
  return place_ + ", field '" + std::string(name) + "'";
}

Result<bool> JsonIn::boolean() const {
  const json::value& value = value_at(value_);
  if (!value.is_bool()) return wrong("true or false");
  return value.get_bool();
}
Result<std::int64_t> JsonIn::integer(std::int64_t least, std::int64_t most) const {
  const json::value& value = value_at(value_);
  json::error_code bad;
  const auto number = value.to_number<std::int64_t>(bad);
  if (!is_whole(value) || bad || number < least || number > most) {
    return wrong("a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return number;
}
Result<std::uint64_t> JsonIn::natural(std::uint64_t most) const {
  const json::value& value = value_at(value_);
  json::error_code bad;
  const auto number = value.to_number<std::uint64_t>(bad);
  if (!is_whole(value) || bad || number > most) return wrong("a whole number from 0 to " + std::to_string(most));
  return number;
}
Result<double> JsonIn::number() const {
  const json::value& value = value_at(value_);
  if (!value.is_number()) return wrong("a number");
  const auto number = value.to_number<double>();
  if (!std::isfinite(number)) return wrong("a number that a double can hold");
  return number;
}
Result<std::string> JsonIn::text() const {
  const json::value& value = value_at(value_);
  if (!value.is_string()) return wrong("a text");
  return std::string(value.get_string());
}
Result<std::vector<JsonIn>> JsonIn::elements() const {
  const json::value& value = value_at(value_);
  if (!value.is_array()) return wrong("a list");
  std::vector<JsonIn> all;
  all.reserve(value.get_array().size());
  std::size_t at = 0;
  for (const json::value& one : value.get_array()) all.emplace_back(&one, below("[" + std::to_string(at++) + "]"));
  return all;
}
Result<std::vector<std::pair<std::string, JsonIn>>> JsonIn::members() const {
  const json::value& value = value_at(value_);
  if (!value.is_object()) return wrong("an object");
  std::vector<std::pair<std::string, JsonIn>> all;
  for (const auto& member : value.get_object()) {
    const std::string name(member.key());
    all.emplace_back(name, JsonIn(&member.value(), below(name.empty() ? "''" : name)));
  }
  return all;
}
Result<> JsonIn::check_members(const std::vector<std::string_view>& known) const {
  const json::value& value = value_at(value_);
  if (!value.is_object()) return wrong("an object with the fields " + listed(known));
  for (const auto& member : value.get_object()) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return Error(Errc::not_found,
                   place_ + " has no field '" + cut(std::string(name)) + "': its fields are " + listed(known));
    }
  }
  return {};
}
std::optional<JsonIn> JsonIn::member(std::string_view name) const {
  const json::object* const object = value_at(value_).if_object();
  const json::value* const value =
      object != nullptr ? object->if_contains(json::string_view(name.data(), name.size())) : nullptr;
  if (value == nullptr) return std::nullopt;
  return JsonIn(value, below(name));
}
Error JsonIn::missing(std::string_view name, std::string_view wanted) const {
  std::vector<std::string> there;
  if (const json::object* const object = value_at(value_).if_object()) {
    for (const auto& member : *object) there.push_back(cut(std::string(member.key())));
  }
  return Error(Errc::invalid,
               below(name) + ": it is missing and has to be " + std::string(wanted) + "; there is " + listed(there));
}

void JsonOut::number(double value) { text_ += std::isfinite(value) ? json::serialize(json::value(value)) : "null"; }
void JsonOut::string(std::string_view value) {
  text_ += json::serialize(json::string_view(value.data(), value.size()));
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
