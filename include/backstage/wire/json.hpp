// JSON of plain structs, both ways, and what they may look like, without a macro (fields.hpp).
//
//     Result<Reading> reading = from_json<Reading>(R"({"sensor":"a","celsius":21.5})");
//     std::string text = to_json(*reading);
//     std::string schema = json_schema<Reading>();     {"type":"object","fields":[{"name":"sensor","type":"string"}, ...]}
//
// A field is a bool, an integer, a float or double, a std::string, a struct of such fields, a std::vector or a
// std::map<std::string, ...> of these, or a std::optional of these, which may be missing or null. Every other field has to
// be there, and none that the struct does not have. Integers are whole and fit, or are refused.
// Errors: invalid, naming the field by its place ("readings[3].celsius"), the value, and what it has to be; not_found for
// a field that there is none of, naming those that there are. Text: at most 32 levels deep, 16 MiB long.
// Fractions are read to within 1e-15 of what is written there (the reader's, Boost.JSON 1.81); integers exactly.
// No number but a finite one can be written: infinity and NaN become null, which is read back into an optional only.
// Threads: functions of their arguments. Stability: settling (v0).
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "backstage/base/result.hpp"
#include "backstage/wire/fields.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// A value in a text that has been read, and its place in words. Valid while the text's JsonText lives.
class JsonIn {
 public:
  JsonIn(const void* value, std::string place) : value_(value), place_(std::move(place)) {}

  [[nodiscard]] bool is_null() const noexcept;
  [[nodiscard]] Result<bool> boolean() const;
  [[nodiscard]] Result<std::int64_t> integer(std::int64_t least, std::int64_t most) const;
  [[nodiscard]] Result<std::uint64_t> natural(std::uint64_t most) const;
  [[nodiscard]] Result<double> number() const;
  [[nodiscard]] Result<std::string> text() const;
  [[nodiscard]] Result<std::vector<JsonIn>> elements() const;
  /// Each with its name.
  [[nodiscard]] Result<std::vector<std::pair<std::string, JsonIn>>> members() const;
  /// An object that has no fields but these.
  [[nodiscard]] Result<> check_members(const std::vector<std::string_view>& known) const;
  /// Of an object, by name. Nothing: it is missing.
  [[nodiscard]] std::optional<JsonIn> member(std::string_view name) const;
  [[nodiscard]] Error missing(std::string_view name, std::string_view wanted) const;
  /// As text, for messages: cut to 60 bytes.
  [[nodiscard]] std::string shown() const;
  [[nodiscard]] const std::string& place() const noexcept { return place_; }

 private:
  [[nodiscard]] Error wrong(std::string_view wanted) const;
  [[nodiscard]] std::string below(std::string_view name) const;
  const void* value_;
  std::string place_;
};

/// A text that was read.
class JsonText {
 public:
  /// `what` it is, for messages: "app 'x', message 'y'".
  [[nodiscard]] static Result<JsonText> read(std::string_view text, std::string_view what);
  JsonText(JsonText&&) noexcept;
  ~JsonText();
  [[nodiscard]] JsonIn root() const;

 private:
  struct Impl;
  explicit JsonText(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Writes what is valid by itself: who calls keeps the order right.
class JsonOut {
 public:
  void boolean(bool value) { text_ += value ? "true" : "false"; }
  void integer(std::int64_t value) { text_ += std::to_string(value); }
  void natural(std::uint64_t value) { text_ += std::to_string(value); }
  void number(double value);
  void string(std::string_view value);
  void null() { text_ += "null"; }
  void raw(std::string_view text) { text_ += text; }
  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  std::string text_;
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_text_map = false;
template <class T>
inline constexpr bool is_text_map<std::map<std::string, T>> = true;
template <class T>
inline constexpr bool is_text_map<std::map<std::string, T, std::less<>>> = true;

template <class T>
Result<> read_json(const JsonIn& from, T& into);

/// What a T has to be, in words.
template <class T>
[[nodiscard]] std::string json_wanted() {
  if constexpr (is_optional<T>) {
    return json_wanted<typename T::value_type>();
  } else if constexpr (std::same_as<T, bool>) {
    return "true or false";
  } else if constexpr (std::integral<T>) {
    return "a whole number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
           std::to_string(std::numeric_limits<T>::max());
  } else if constexpr (std::floating_point<T>) {
    return "a number";
  } else if constexpr (std::same_as<T, std::string>) {
    return "a text";
  } else if constexpr (is_vector<T>) {
    return "a list";
  } else {
    return "an object";
  }
}

template <class T>
Result<> read_member(const JsonIn& object, std::string_view name, T& into) {
  const std::optional<JsonIn> member = object.member(name);
  if constexpr (is_optional<T>) {
    if (!member || member->is_null()) return {};
    return read_json(*member, into.emplace());
  } else {
    if (!member) return object.missing(name, json_wanted<T>());
    return read_json(*member, into);
  }
}

template <class T>
Result<> read_json(const JsonIn& from, T& into) {
  const auto put = [&into](auto read) -> Result<> {
    if (!read.has_value()) return read.error();
    into = static_cast<T>(std::move(read).value());
    return {};
  };
  if constexpr (is_optional<T>) {
    if (from.is_null()) return {};
    return read_json(from, into.emplace());
  } else if constexpr (std::same_as<T, bool>) {
    return put(from.boolean());
  } else if constexpr (std::integral<T> && std::is_signed_v<T>) {
    return put(from.integer(std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else if constexpr (std::integral<T>) {
    return put(from.natural(std::numeric_limits<T>::max()));
  } else if constexpr (std::floating_point<T>) {
    return put(from.number());
  } else if constexpr (std::same_as<T, std::string>) {
    return put(from.text());
  } else if constexpr (is_vector<T>) {
    auto all = from.elements();
    if (!all) return all.error();
    into.clear();
    for (const JsonIn& one : *all) {
      typename T::value_type element{};
      if (Result<> read = read_json(one, element); !read) return read;
      into.push_back(std::move(element));
    }
    return {};
  } else if constexpr (is_text_map<T>) {
    auto all = from.members();
    if (!all) return all.error();
    into.clear();
    for (const auto& [name, one] : *all) {
      if (Result<> read = read_json(one, into[name]); !read) return read;
    }
    return {};
  } else {
    static_assert(Fielded<T>,
                  "JSON: a field is a bool, a number, a std::string, a struct of such fields, or a vector, a map by "
                  "string, or an optional of these (what is no aggregate: wire/described.hpp)");
    constexpr auto names = field_names<T>();
    if (Result<> known = from.check_members({names.begin(), names.end()}); !known) return known;
    Result<> all;
    for_each_field(into, [&](std::string_view name, auto& field) {
      if (all) all = read_member(from, name, field);
    });
    return all;
  }
}

template <class T>
void write_json(JsonOut& out, const T& value) {
  if constexpr (is_optional<T>) {
    value ? write_json(out, *value) : out.null();
  } else if constexpr (std::same_as<T, bool>) {
    out.boolean(value);
  } else if constexpr (std::integral<T> && std::is_signed_v<T>) {
    out.integer(value);
  } else if constexpr (std::integral<T>) {
    out.natural(value);
  } else if constexpr (std::floating_point<T>) {
    out.number(value);
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    out.string(value);
  } else if constexpr (is_vector<T>) {
    out.raw("[");
    bool first = true;
    for (const auto& one : value) {
      if (!std::exchange(first, false)) out.raw(",");
      write_json<typename T::value_type>(out, one);
    }
    out.raw("]");
  } else {
    out.raw("{");
    bool first = true;
    const auto member = [&](std::string_view name, const auto& field) {
      if (!std::exchange(first, false)) out.raw(",");
      out.string(name);
      out.raw(":");
      write_json(out, field);
    };
    if constexpr (is_text_map<T>) {
      for (const auto& [name, one] : value) member(name, one);
    } else {
      static_assert(Fielded<T>, "JSON: no struct of fields that can be written, see from_json");
      for_each_field(value, member);
    }
    out.raw("}");
  }
}

template <class T>
void write_schema(JsonOut& out) {
  if constexpr (is_optional<T>) {
    write_schema<typename T::value_type>(out);
  } else if constexpr (std::same_as<T, bool>) {
    out.raw(R"("type":"boolean")");
  } else if constexpr (std::integral<T>) {
    out.raw(R"("type":"integer","least":)" + std::to_string(std::numeric_limits<T>::min()) + R"(,"most":)" +
            std::to_string(std::numeric_limits<T>::max()));
  } else if constexpr (std::floating_point<T>) {
    out.raw(R"("type":"number")");
  } else if constexpr (std::same_as<T, std::string>) {
    out.raw(R"("type":"string")");
  } else if constexpr (is_vector<T>) {
    out.raw(R"("type":"array","of":{)");
    write_schema<typename T::value_type>(out);
    out.raw("}");
  } else if constexpr (is_text_map<T>) {
    out.raw(R"("type":"map","of":{)");
    write_schema<typename T::mapped_type>(out);
    out.raw("}");
  } else {
    static_assert(Fielded<T>, "JSON: no struct of fields that can be written, see from_json");
    out.raw(R"("type":"object","fields":[)");
    bool first = true;
    // A value is needed to go through the fields; nothing of it is read.
    T example{};
    for_each_field(example, [&](std::string_view name, auto& field) {
      using Field = std::remove_cvref_t<decltype(field)>;
      if (!std::exchange(first, false)) out.raw(",");
      out.raw(R"({"name":)");
      out.string(name);
      out.raw(",");
      if constexpr (is_optional<Field>) out.raw(R"("optional":true,)");
      write_schema<Field>(out);
      out.raw("}");
    });
    out.raw("]");
  }
}

}  // namespace detail

/// `what` it is, for messages.
template <class T>
[[nodiscard]] Result<T> from_json(std::string_view text, std::string_view what = "JSON") {
  auto read = detail::JsonText::read(text, what);
  if (!read) return read.error();
  T value{};
  if (Result<> all = detail::read_json(read->root(), value); !all) return all.error();
  return value;
}
template <class T>
[[nodiscard]] std::string to_json(const T& value) {
  detail::JsonOut out;
  detail::write_json(out, value);
  return std::move(out).take();
}
template <class T>
[[nodiscard]] std::string json_schema() {
  detail::JsonOut out;
  out.raw("{");
  detail::write_schema<T>(out);
  out.raw("}");
  return std::move(out).take();
}

}  // namespace v0
}  // namespace backstage
