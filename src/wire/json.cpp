#include "backstage/wire/json.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <limits>

#include "backstage/base/utf8.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

namespace json = boost::json;

constexpr std::size_t most_shown = 60;
constexpr std::size_t most_listed = 32;
constexpr std::size_t most_depth = 32;
constexpr std::size_t most_bytes = 16U << 20U;

[[nodiscard]] const json::value& value_at(const void* value) noexcept {
  return *static_cast<const json::value*>(value);
}
[[nodiscard]] bool is_whole(const json::value& value) { return value.is_int64() || value.is_uint64(); }

/// Counted apart from the names that are put in: an object may have millions.
[[nodiscard]] std::string listed(const std::vector<std::string>& some, std::size_t count) {
  std::string text;
  for (const std::string& name : some) text += (text.empty() ? "" : ", ") + name;
  if (count > some.size()) text += ", and " + std::to_string(count - some.size()) + " more";
  return "[" + text + "]";
}
[[nodiscard]] std::string listed(const std::vector<std::string_view>& names) {
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), most_listed));
  return listed({names.begin(), end}, names.size());
}
/// As text, cut. Only what is shown of it is written.
[[nodiscard]] std::string shown(const json::value& value) {
  std::array<char, most_shown + 4> room{};
  json::serializer writer;
  writer.reset(&value);
  const json::string_view text = writer.read(room.data(), room.size());
  return cut_for_message({text.data(), text.size()});
}

}  // namespace

std::string cut_for_message(std::string_view text) {
  if (text.size() <= most_shown) return std::string(text);
  return std::string(cut_utf8(text, most_shown)) + "...";
}

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
    return Error(Errc::invalid, std::string(what) + ": " + cut_for_message(text) + " is no JSON: " + bad.message());
  }
  return JsonText(std::move(impl));
}

JsonIn JsonText::root() const { return {&impl_->value, std::string_view(impl_->what)}; }

bool JsonIn::is_null() const noexcept { return value_at(value_).is_null(); }

Error JsonIn::wrong(std::string_view wanted) const {
  return Error(Errc::invalid, place() + ": " + shown(value_at(value_)) + " is not " + std::string(wanted));
}

std::string JsonIn::place() const {
  // No longer than the text is deep.
  std::vector<const JsonIn*> way;
  const JsonIn* top = this;
  for (; top->above_ != nullptr; top = top->above_) way.push_back(top);
  std::string text(top->name_);
  if (way.empty()) return text;
  text += ", field '";
  for (auto one = way.rbegin(); one != way.rend(); ++one) {
    if ((*one)->at_ != no_number) {
      text += "[" + std::to_string((*one)->at_) + "]";
    } else {
      if (one != way.rbegin()) text += ".";
      text += (*one)->name_.empty() ? "''" : cut_for_message((*one)->name_);
    }
  }
  return text + "'";
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
Result<float> JsonIn::short_number() const {
  const Result<double> number = this->number();
  if (!number) return number.error();
  constexpr double most = std::numeric_limits<float>::max();
  // Up to half a step beyond the largest float it is still that one: what was written of it is read a little off.
  constexpr double half_a_step = 0x1p103;
  if (std::abs(*number) >= most + half_a_step) return wrong("a number that a float can hold");
  return static_cast<float>(std::clamp(*number, -most, most));
}
Result<std::string> JsonIn::text() const {
  const json::value& value = value_at(value_);
  if (!value.is_string()) return wrong("a text");
  return std::string(value.get_string());
}
Result<std::size_t> JsonIn::count_elements() const {
  const json::value& value = value_at(value_);
  if (!value.is_array()) return wrong("a list");
  return value.get_array().size();
}
JsonIn JsonIn::element(std::size_t at) const& { return {&value_at(value_).get_array()[at], *this, {}, at}; }
Result<std::size_t> JsonIn::count_members() const {
  const json::value& value = value_at(value_);
  if (!value.is_object()) return wrong("an object");
  return value.get_object().size();
}
JsonIn JsonIn::member(std::size_t at) const& {
  const json::key_value_pair& member = value_at(value_).get_object().begin()[at];
  return {&member.value(), *this, {member.key().data(), member.key().size()}};
}
std::optional<JsonIn> JsonIn::find_member(std::string_view name) const& {
  const json::object* const object = value_at(value_).if_object();
  if (object == nullptr) return std::nullopt;
  const auto found = object->find(json::string_view(name.data(), name.size()));
  if (found == object->end()) return std::nullopt;
  // Its key, not `name`: that is the caller's.
  return JsonIn(&found->value(), *this, {found->key().data(), found->key().size()});
}

Result<> JsonIn::check_members(const std::vector<std::string_view>& known) const {
  const json::value& value = value_at(value_);
  if (!value.is_object()) return wrong("an object with the fields " + listed(known));
  for (const auto& member : value.get_object()) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return Error(Errc::not_found,
                   place() + " has no field '" + cut_for_message(name) + "': its fields are " + listed(known));
    }
  }
  return {};
}
Error JsonIn::missing(std::string_view name, std::string_view wanted) const {
  std::vector<std::string> there;
  std::size_t count = 0;
  if (const json::object* const object = value_at(value_).if_object()) {
    count = object->size();
    for (std::size_t i = 0; i < std::min(count, most_listed); ++i) there.push_back(cut_for_message(member(i).name()));
  }
  return Error(Errc::invalid, JsonIn(nullptr, *this, name).place() + ": it is missing and has to be " +
                                  std::string(wanted) + "; there is " + listed(there, count));
}

void JsonOut::number(double value) { text_ += std::isfinite(value) ? json::serialize(json::value(value)) : "null"; }
void JsonOut::string(std::string_view value) {
  text_ += json::serialize(json::string_view(value.data(), value.size()));
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
