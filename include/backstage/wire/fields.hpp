// The fields of a plain struct, by name and type, without a macro: how many there are, what they are called, each in turn.
//
//     struct Reading { std::string sensor; double celsius; };
//     static_assert(field_names<Reading>()[1] == "celsius");
//     for_each_field(reading, [](std::string_view name, auto& field) { ... });
//
// For aggregates without base classes, with up to 24 fields, none of them an array ("T x[3]") or a reference. Their
// number is found by trying how many initialisers fit, their names stand in the compiler's own words for a pointer to each.
// What is no aggregate is described with Boost.Describe, and described.hpp included beside this.
// Threads: all of it at compile time. Stability: settling (v0).
#pragma once

#include <array>
#include <cstddef>
#include <exception>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace detail {

inline constexpr std::size_t most_fields = 24;

struct AnyField {
  // Never called. It has a body since clang asks for one where the field is an optional of a type without linkage.
  template <class T>
  operator T() const noexcept {  // NOLINT: converts to whatever a field is
    std::terminate();
  }
};
template <class T, std::size_t... i>
[[nodiscard]] consteval bool takes_initialisers(std::index_sequence<i...>) {
  return requires { T{(static_cast<void>(i), AnyField{})...}; };
}
template <class T, std::size_t n = most_fields + 1>
[[nodiscard]] consteval std::size_t count_fields() {
  if constexpr (takes_initialisers<T>(std::make_index_sequence<n>())) {
    return n;
  } else if constexpr (n == 0) {
    return 0;
  } else {
    return count_fields<T, n - 1>();
  }
}

/// A pointer to each field.
template <std::size_t n, class T>
[[nodiscard]] constexpr auto field_pointers(T& whole) {
  if constexpr (n == 24) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22,
           f23] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10, &f11, &f12, &f13, &f14, &f15, &f16,
                      &f17, &f18, &f19, &f20, &f21, &f22, &f23);
  } else if constexpr (n == 23) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22] =
        whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10, &f11, &f12, &f13, &f14, &f15, &f16,
                      &f17, &f18, &f19, &f20, &f21, &f22);
  } else if constexpr (n == 22) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21] =
        whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10, &f11, &f12, &f13, &f14, &f15, &f16,
                      &f17, &f18, &f19, &f20, &f21);
  } else if constexpr (n == 21) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10, &f11, &f12, &f13, &f14, &f15, &f16,
                      &f17, &f18, &f19, &f20);
  } else if constexpr (n == 20) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10, &f11, &f12, &f13, &f14, &f15, &f16,
                      &f17, &f18, &f19);
  } else if constexpr (n == 19) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10, &f11, &f12, &f13, &f14, &f15, &f16,
                      &f17, &f18);
  } else if constexpr (n == 18) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10, &f11, &f12, &f13, &f14, &f15, &f16,
                      &f17);
  } else if constexpr (n == 17) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10, &f11, &f12, &f13, &f14, &f15, &f16);
  } else if constexpr (n == 16) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10, &f11, &f12, &f13, &f14, &f15);
  } else if constexpr (n == 15) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10, &f11, &f12, &f13, &f14);
  } else if constexpr (n == 14) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10, &f11, &f12, &f13);
  } else if constexpr (n == 13) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10, &f11, &f12);
  } else if constexpr (n == 12) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10, &f11);
  } else if constexpr (n == 11) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9, &f10);
  } else if constexpr (n == 10) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8, &f9);
  } else if constexpr (n == 9) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7, &f8);
  } else if constexpr (n == 8) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6, &f7);
  } else if constexpr (n == 7) {
    auto& [f0, f1, f2, f3, f4, f5, f6] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5, &f6);
  } else if constexpr (n == 6) {
    auto& [f0, f1, f2, f3, f4, f5] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4, &f5);
  } else if constexpr (n == 5) {
    auto& [f0, f1, f2, f3, f4] = whole;
    return std::tuple(&f0, &f1, &f2, &f3, &f4);
  } else if constexpr (n == 4) {
    auto& [f0, f1, f2, f3] = whole;
    return std::tuple(&f0, &f1, &f2, &f3);
  } else if constexpr (n == 3) {
    auto& [f0, f1, f2] = whole;
    return std::tuple(&f0, &f1, &f2);
  } else if constexpr (n == 2) {
    auto& [f0, f1] = whole;
    return std::tuple(&f0, &f1);
  } else if constexpr (n == 1) {
    auto& [f0] = whole;
    return std::tuple(&f0);
  } else {
    static_assert(n <= most_fields, "a struct of more than 24 fields: put some of them into a struct of their own");
    static_cast<void>(whole);
    return std::tuple<>();
  }
}

// Never defined and never read: only the addresses of its parts are named. A wrapper, since T need not be constructible.
template <class T>
struct Nowhere {
  T value;
};
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif
template <class T>
extern const Nowhere<T> nowhere;

template <auto pointer>
[[nodiscard]] consteval std::string_view name_of_field() {
  // g++:   "... [with auto pointer = (& nowhere<S>.Nowhere<S>::value.S::celsius); std::string_view = ...]"
  // clang: "... [pointer = &nowhere.value.celsius]"
  std::string_view text = __PRETTY_FUNCTION__;
#if defined(__clang__)
  text = text.substr(0, text.rfind(']'));
#else
  text = text.substr(0, text.rfind("); "));
#endif
  return text.substr(text.find_last_of(":.") + 1);
}
template <class T, std::size_t... i>
[[nodiscard]] consteval auto plain_names(std::index_sequence<i...>) {
  return std::array<std::string_view, sizeof...(i)>{
      name_of_field<std::get<i>(field_pointers<sizeof...(i)>(nowhere<T>.value))>()...};
}
#if defined(__clang__)
#pragma clang diagnostic pop
#endif

/// Of types that are described in another way (described.hpp).
template <class T>
struct Described {
  static constexpr bool value = false;
};

}  // namespace detail

/// Whether T has fields that are known by name.
template <class T>
concept Fielded = std::is_class_v<T> && (detail::Described<T>::value || std::is_aggregate_v<T>);

template <Fielded T>
[[nodiscard]] consteval auto field_names() {
  if constexpr (detail::Described<T>::value) {
    return detail::Described<T>::names();
  } else {
    return detail::plain_names<T>(std::make_index_sequence<detail::count_fields<T>()>());
  }
}

/// Calls `f(name, field)` for each, in the order of their declaration. T may be const.
template <class T, class F>
constexpr void for_each_field(T& whole, F&& f) {
  using Plain = std::remove_const_t<T>;
  if constexpr (detail::Described<Plain>::value) {
    detail::Described<Plain>::for_each(whole, std::forward<F>(f));
  } else {
    constexpr auto names = field_names<Plain>();
    const auto pointers = detail::field_pointers<names.size()>(whole);
    [&]<std::size_t... i>(std::index_sequence<i...>) {
      (f(names[i], *std::get<i>(pointers)), ...);
    }(std::make_index_sequence<names.size()>());
  }
}

}  // namespace v0
}  // namespace backstage
