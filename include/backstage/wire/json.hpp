// JSON of plain structs, both ways, and what they may look like, without a macro (fields.hpp).
//
//     Result<Reading> reading = from_json<Reading>(R"({"sensor":"a","celsius":21.5})");
//     std::string text = to_json(*reading);
//     std::string schema = json_schema<Reading>();     {"type":"object","fields":[{"name":"sensor","type":"string"}, ...]}
//
// A field is a bool, an integer, a float or double, a std::string, a struct of such fields, a std::vector or a
// std::map<std::string, ...> of these, or a std::optional of these: null empties it, a missing one keeps the value that
// the struct gives it ("std::optional<int> tries = 5"). Every other field has to be there, and none that the struct does
// not have. Integers are whole and fit, or are refused, as is a fraction that is too large for its field.
// A struct may contain itself, in a vector or a map. Its schema is then "named", and says "like" that name further in.
// Errors: invalid, naming the field by its place ("readings[3].celsius"), the value, and what it has to be; not_found for
// a field that there is none of, naming those that there are. What of a text goes into an error is cut: its keys and
// values to 60 bytes each, lists of names to 32. Text: at most 32 levels deep, 16 MiB long, in UTF-8; more is written
// without being refused, but is not read back.
// Fractions are read to within 1e-15 of what is written there (the reader's, Boost.JSON 1.81); integers exactly.
// No number but a finite one can be written: infinity and NaN become null, which is read back into an optional only.
// Threads: functions of their arguments. Stability: settling (v0).
#pragma once

#include <concepts>
#include <cstddef>
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

/// At most 60 bytes of it, for messages; what is cut ends with "...", and never within a character of UTF-8.
[[nodiscard]] std::string cut_for_message(std::string_view text);

/// A value in a text that has been read. It knows the value that it was taken from, and its name or number there, so that
/// its place costs nothing until there is an error to tell of. Valid while the text's JsonText lives and that other value
/// does: what was taken lives on the stack, below what it was taken from.
class JsonIn {
 public:
  /// The outermost one; `what` it is, for messages.
  JsonIn(const void* value, std::string_view what) noexcept : value_(value), name_(what) {}

  [[nodiscard]] bool is_null() const noexcept;
  [[nodiscard]] Result<bool> boolean() const;
  [[nodiscard]] Result<std::int64_t> integer(std::int64_t least, std::int64_t most) const;
  [[nodiscard]] Result<std::uint64_t> natural(std::uint64_t most) const;
  [[nodiscard]] Result<double> number() const;
  [[nodiscard]] Result<float> short_number() const;
  [[nodiscard]] Result<std::string> text() const;

  /// How many there are, if it is a list; then each, by its number.
  [[nodiscard]] Result<std::size_t> count_elements() const;
  [[nodiscard]] JsonIn element(std::size_t at) const&;
  JsonIn element(std::size_t at) const&& = delete;
  /// The same of an object; each has its name().
  [[nodiscard]] Result<std::size_t> count_members() const;
  [[nodiscard]] JsonIn member(std::size_t at) const&;
  JsonIn member(std::size_t at) const&& = delete;
  /// Of an object, by name. Nothing: it is missing.
  [[nodiscard]] std::optional<JsonIn> find_member(std::string_view name) const&;
  std::optional<JsonIn> find_member(std::string_view name) const&& = delete;

  /// An object that has no fields but these.
  [[nodiscard]] Result<> check_members(const std::vector<std::string_view>& known) const;
  [[nodiscard]] Error missing(std::string_view name, std::string_view wanted) const;
  [[nodiscard]] std::string_view name() const noexcept { return name_; }
  /// "what, field 'readings[3].celsius'".
  [[nodiscard]] std::string place() const;

 private:
  static constexpr auto no_number = static_cast<std::size_t>(-1);
  JsonIn(const void* value, const JsonIn& above, std::string_view name, std::size_t at = no_number) noexcept
      : value_(value), above_(&above), name_(name), at_(at) {}
  [[nodiscard]] Error wrong(std::string_view wanted) const;

  const void* value_;
  const JsonIn* above_ = nullptr;
  std::string_view name_;
  std::size_t at_ = no_number;
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
concept JsonFraction = std::same_as<T, float> || std::same_as<T, double>;

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
  } else if constexpr (JsonFraction<T>) {
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
  const std::optional<JsonIn> member = object.find_member(name);
  if (member) return read_json(*member, into);
  if constexpr (is_optional<T>) {
    return {};
  } else {
    return object.missing(name, json_wanted<T>());
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
    static_assert(!is_optional<typename T::value_type>,
                  "JSON: null cannot say which of an optional and the optional in it is empty");
    if (!from.is_null()) return read_json(from, into.emplace());
    into.reset();
    return {};
  } else if constexpr (std::same_as<T, bool>) {
    return put(from.boolean());
  } else if constexpr (std::integral<T> && std::is_signed_v<T>) {
    return put(from.integer(std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else if constexpr (std::integral<T>) {
    return put(from.natural(std::numeric_limits<T>::max()));
  } else if constexpr (std::same_as<T, float>) {
    return put(from.short_number());
  } else if constexpr (std::same_as<T, double>) {
    return put(from.number());
  } else if constexpr (std::same_as<T, std::string>) {
    return put(from.text());
  } else if constexpr (is_vector<T>) {
    const Result<std::size_t> count = from.count_elements();
    if (!count) return count.error();
    into.clear();
    // Not reserved: a list of eight million zeros would claim the room of as many structs before the first is refused.
    for (std::size_t i = 0; i < *count; ++i) {
      typename T::value_type element{};
      if (Result<> read = read_json(from.element(i), element); !read) return read;
      into.push_back(std::move(element));
    }
    return {};
  } else if constexpr (is_text_map<T>) {
    const Result<std::size_t> count = from.count_members();
    if (!count) return count.error();
    into.clear();
    for (std::size_t i = 0; i < *count; ++i) {
      const JsonIn one = from.member(i);
      if (Result<> read = read_json(one, into[std::string(one.name())]); !read) return read;
    }
    return {};
  } else {
    static_assert(
        Fielded<T>,
        "JSON: a field is a bool, an integer, a float or double, a std::string, a struct of such fields, or "
        "a vector, a map by string, or an optional of these (what is no aggregate: wire/described.hpp)");
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
  } else if constexpr (JsonFraction<T>) {
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
[[nodiscard]] consteval std::string_view name_of_type() {
  // Both compilers put "T = <name>" into the function's name and end it with ']' or ';'.
  const std::string_view text = __PRETTY_FUNCTION__;
  const auto begin = text.find("T = ") + 4;
  const auto end = text.find(';', begin);
  return text.substr(begin, (end == std::string_view::npos ? text.rfind(']') : end) - begin);
}

/// A struct whose schema is being written, and those around it. One that comes again within itself would have no end: there
/// it is named instead.
struct SchemaWay {
  const void* type = nullptr;
  SchemaWay* above = nullptr;
  bool is_named = false;
};
template <class T>
inline constexpr char schema_tag = 0;

template <class T>
void write_schema(JsonOut& out, SchemaWay* above = nullptr) {
  if constexpr (is_optional<T>) {
    write_schema<typename T::value_type>(out, above);
  } else if constexpr (std::same_as<T, bool>) {
    out.raw(R"("type":"boolean")");
  } else if constexpr (std::integral<T>) {
    out.raw(R"("type":"integer","least":)" + std::to_string(std::numeric_limits<T>::min()) + R"(,"most":)" +
            std::to_string(std::numeric_limits<T>::max()));
  } else if constexpr (JsonFraction<T>) {
    out.raw(R"("type":"number")");
  } else if constexpr (std::same_as<T, std::string>) {
    out.raw(R"("type":"string")");
  } else if constexpr (is_vector<T>) {
    out.raw(R"("type":"array","of":{)");
    write_schema<typename T::value_type>(out, above);
    out.raw("}");
  } else if constexpr (is_text_map<T>) {
    out.raw(R"("type":"map","of":{)");
    write_schema<typename T::mapped_type>(out, above);
    out.raw("}");
  } else {
    static_assert(Fielded<T>, "JSON: no struct of fields that can be written, see from_json");
    for (SchemaWay* one = above; one != nullptr; one = one->above) {
      if (one->type != &schema_tag<T>) continue;
      one->is_named = true;
      out.raw(R"("type":"object","like":)");
      out.string(name_of_type<T>());
      return;
    }
    SchemaWay me{&schema_tag<T>, above};
    JsonOut fields;
    bool first = true;
    // A value is needed to go through the fields; nothing of it is read.
    T example{};
    for_each_field(example, [&](std::string_view name, auto& field) {
      using Field = std::remove_cvref_t<decltype(field)>;
      if (!std::exchange(first, false)) fields.raw(",");
      fields.raw(R"({"name":)");
      fields.string(name);
      fields.raw(",");
      if constexpr (is_optional<Field>) fields.raw(R"("optional":true,)");
      write_schema<Field>(fields, &me);
      fields.raw("}");
    });
    out.raw(R"("type":"object",)");
    if (me.is_named) {
      out.raw(R"("named":)");
      out.string(name_of_type<T>());
      out.raw(",");
    }
    out.raw(R"("fields":[)");
    out.raw(std::move(fields).take());
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
