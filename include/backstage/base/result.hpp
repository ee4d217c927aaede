// Result<T>: a value or an Error, in the shape of std::expected.
//
// No conversion to bool for Result<bool>, where `if (r)` would be a trap. `value()` on an error throws
// BadResult; `.or_fail()` gives the value or throws a Need, which ends the incarnation of the actor it is
// thrown in (see need.hpp).
// Stability: settling (v0).
#pragma once

#include <concepts>
#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "backstage/base/error.hpp"
#include "backstage/base/need.hpp"

namespace backstage {
inline namespace v0 {

/// Thrown by `value()` when there is none.
class BadResult : public std::exception {
 public:
  explicit BadResult(Error error) : error_(std::move(error)), what_(error_.describe()) {}
  [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  Error error_;
  std::string what_;
};

template <class T = void>
class [[nodiscard]] Result {
  static_assert(!std::is_reference_v<T> && !std::same_as<T, Error>, "a Result holds a value that is no Error");

 public:
  using value_type = T;

  template <class U = T>
    requires(std::constructible_from<T, U &&> && !std::same_as<std::remove_cvref_t<U>, Result> &&
             !std::same_as<std::remove_cvref_t<U>, Error> && std::is_convertible_v<U &&, T>)
  Result(U&& value)  // NOLINT(google-explicit-constructor)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept
    requires(!std::same_as<T, bool>)
  {
    return has_value();
  }

  [[nodiscard]] const T& value() const& {
    need_value();
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] T& value() & {
    need_value();
    return *std::get_if<0>(&state_);
  }
  /// Returns a value, not a reference: `for (auto& x : f().value())` is safe.
  [[nodiscard]] T value() && {
    need_value();
    return std::move(*std::get_if<0>(&state_));
  }
  [[nodiscard]] const T& operator*() const& { return value(); }
  [[nodiscard]] T& operator*() & { return value(); }
  [[nodiscard]] T operator*() && { return std::move(*this).value(); }
  [[nodiscard]] const T* operator->() const { return &value(); }
  [[nodiscard]] T* operator->() { return &value(); }
  template <class U>
  [[nodiscard]] T value_or(U&& other) && {
    return has_value() ? std::move(*std::get_if<0>(&state_)) : static_cast<T>(std::forward<U>(other));
  }

  /// The value, or a Need thrown: "this incarnation cannot go on without it".
  [[nodiscard]] T or_fail() && {
    if (!has_value()) throw Need::fail(*std::get_if<1>(&state_));
    return std::move(*std::get_if<0>(&state_));
  }

  /// Precondition: !has_value().
  [[nodiscard]] const Error& error() const noexcept { return *std::get_if<1>(&state_); }

 private:
  void need_value() const {
    if (!has_value()) throw BadResult(*std::get_if<1>(&state_));
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() noexcept = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  void value() const {
    if (error_) throw BadResult(*error_);
  }
  void or_fail() && {
    if (error_) throw Need::fail(*error_);
  }
  /// Precondition: !has_value().
  [[nodiscard]] const Error& error() const noexcept { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace v0
}  // namespace backstage
