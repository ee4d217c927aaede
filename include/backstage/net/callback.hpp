// A move-only function object: what the network calls back with, and what an HTTP handler is.
//
// (std::function would demand that everything it holds can be copied; a Responder or a Stream cannot.)
// Stability: settling (v0).
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace net {

template <class Signature>
class Callback;

template <class R, class... Args>
class Callback<R(Args...)> {
 public:
  Callback() noexcept = default;
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, Callback> && std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
  Callback(F&& f)  // NOLINT(google-explicit-constructor)
      : body_(std::make_unique<Body<std::decay_t<F>>>(std::forward<F>(f))) {}

  explicit operator bool() const noexcept { return body_ != nullptr; }
  /// Precondition: not empty.
  R operator()(Args... args) { return body_->call(std::forward<Args>(args)...); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual R call(Args... args) = 0;
  };
  template <class F>
  struct Body final : Base {
    explicit Body(F&& f) : f_(std::move(f)) {}
    explicit Body(const F& f) : f_(f) {}
    R call(Args... args) override { return f_(std::forward<Args>(args)...); }
    F f_;
  };
  std::unique_ptr<Base> body_;
};

}  // namespace net
}  // namespace v0
}  // namespace backstage
