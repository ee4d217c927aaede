// Fields of what is no aggregate, by Boost.Describe: public members.
//
//     class Point { public: Point(); int x, y; };
//     BOOST_DESCRIBE_STRUCT(Point, (), (x, y))
//
// To be included wherever such a type is read or written as JSON (fields.hpp, json.hpp).
// Stability: settling (v0).
#pragma once

#include <array>
#include <boost/describe.hpp>
#include <boost/mp11/algorithm.hpp>
#include <string_view>

#include "backstage/wire/fields.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class T>
  requires boost::describe::has_describe_members<T>::value
struct Described<T> {
  static constexpr bool value = true;
  using Members = boost::describe::describe_members<T, boost::describe::mod_public>;

  [[nodiscard]] static consteval auto names() {
    return []<template <class...> class List, class... D>(List<D...>) {
      return std::array<std::string_view, sizeof...(D)>{D::name...};
    }(Members());
  }
  template <class W, class F>
  static constexpr void for_each(W& whole, F&& f) {
    boost::mp11::mp_for_each<Members>(
        [&](auto described) { f(std::string_view(described.name), whole.*described.pointer); });
  }
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
