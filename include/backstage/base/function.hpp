// MoveFunction<R(Args...)>: any callable, moved and never copied; up to 48 bytes of it without an allocation.
//
//     MoveFunction<int(int)> twice = [p = std::make_unique<int>(2)](int n) { return n * *p; };
//
// Moving never throws: what might throw on moving, or is larger, lives on the heap. Calling an empty one throws
// std::bad_function_call. Threads: as its callable.
// Stability: settling (v0).
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace backstage {
inline namespace v0 {

template <class Signature>
class MoveFunction;

template <class R, class... Args>
class MoveFunction<R(Args...)> {
 public:
  static constexpr std::size_t inline_bytes = 48;

  MoveFunction() noexcept = default;
  MoveFunction(std::nullptr_t) noexcept {}  // NOLINT(google-explicit-constructor)

  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, MoveFunction> &&
             std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
  MoveFunction(F&& f) {  // NOLINT(google-explicit-constructor)
    using Callable = std::decay_t<F>;
    using Given = std::remove_cvref_t<F>;  // not decayed: a function itself is never null
    if constexpr (std::is_pointer_v<Given> || std::is_member_pointer_v<Given>) {
      if (f == nullptr) return;  // a null pointer makes an empty function
    }
    if constexpr (fits<Callable>) {
      ::new (static_cast<void*>(storage_)) Callable(std::forward<F>(f));
      table_ = &inline_table<Callable>;
    } else {
      ::new (static_cast<void*>(storage_)) Callable*(new Callable(std::forward<F>(f)));
      table_ = &heap_table<Callable>;
    }
  }

  MoveFunction(MoveFunction&& other) noexcept { take(other); }
  MoveFunction& operator=(MoveFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  MoveFunction& operator=(std::nullptr_t) noexcept {
    reset();
    return *this;
  }
  ~MoveFunction() { reset(); }

  explicit operator bool() const noexcept { return table_ != &empty_table; }
  R operator()(Args... args) { return table_->call(storage_, std::forward<Args>(args)...); }

 private:
  struct Table {
    R (*call)(void*, Args&&...);
    /// Moves the callable to fresh storage and ends it here.
    void (*relocate)(void* from, void* to) noexcept;
    void (*destroy)(void*) noexcept;
  };

  template <class F>
  static constexpr bool fits =
      sizeof(F) <= inline_bytes && alignof(F) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<F>;

  template <class F>
  static R invoke(F& f, Args&&... args) {
    if constexpr (std::is_void_v<R>) {
      std::invoke(f, std::forward<Args>(args)...);
    } else {
      return std::invoke(f, std::forward<Args>(args)...);
    }
  }
  template <class F>
  static F& at(void* storage) noexcept {
    return *std::launder(static_cast<F*>(storage));
  }

  static constexpr Table empty_table{[](void*, Args&&...) -> R { throw std::bad_function_call(); },
                                     [](void*, void*) noexcept {}, [](void*) noexcept {}};
  template <class F>
  static constexpr Table inline_table{
      [](void* s, Args&&... args) -> R { return invoke(at<F>(s), std::forward<Args>(args)...); },
      [](void* from, void* to) noexcept {
        ::new (to) F(std::move(at<F>(from)));
        std::destroy_at(&at<F>(from));
      },
      [](void* s) noexcept { std::destroy_at(&at<F>(s)); }};
  template <class F>
  static constexpr Table heap_table{
      [](void* s, Args&&... args) -> R { return invoke(*at<F*>(s), std::forward<Args>(args)...); },
      [](void* from, void* to) noexcept { ::new (to) F*(at<F*>(from)); }, [](void* s) noexcept { delete at<F*>(s); }};

  void take(MoveFunction& other) noexcept {
    other.table_->relocate(other.storage_, storage_);
    table_ = std::exchange(other.table_, &empty_table);
  }
  void reset() noexcept {
    // Empty first: the callable's destructor may look at us.
    std::exchange(table_, &empty_table)->destroy(storage_);
  }

  alignas(std::max_align_t) std::byte storage_[inline_bytes];
  const Table* table_ = &empty_table;
};

}  // namespace v0
}  // namespace backstage
