// Path: where an actor is. Who is there is found out when the Path is used, from the names as they are then.
//
//     "/chronicle/broker/collector-3"    from the root; "/" is the root itself
//     "../store"   "parser/7"            from the actor that uses it; ".." is the nearest actor above that has a name
//     cx.child("x")  cx.sibling("x")  cx.uncle("x")  cx.parent()  cx.grandparent()      each one step further, names or not
//     a Ref                              the place itself, under whatever name
//     cx.parent() / "x" / "y"            and further down
//
// Unnamed actors are passed through: "/a/b" also finds a `b` below an unnamed child of /a (a child of that name comes
// first; which of several unnamed ones, is not said). "#7", as paths show it, is found as well once it has children.
// "x/.." is taken as nothing, whether there is an x or not. Above the root there is nothing. A path has 40 steps at most
// (invalid: more), and a search passes 60 actors on its way down, unnamed ones counted; what is deeper is not found.
//
// Errors, when it is used (R5): not_found, naming the step that is missing and what there is instead; invalid, for
// another type of actor than was asked for; gone, for a Ref whose actor is over.
// Threads: a value. Relative ones mean something within an actor only. Stability: settling (v0).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backstage/actor/detail/route_entry.hpp"

namespace backstage {
inline namespace v0 {

namespace detail {
struct PathAccess;
}

class Path {
 public:
  Path(std::string_view text) : text_(text) {}                 // NOLINT(google-explicit-constructor)
  Path(const char* text) : text_(text) {}                      // NOLINT(google-explicit-constructor)
  Path(std::string text) noexcept : text_(std::move(text)) {}  // NOLINT(google-explicit-constructor)
  template <class A>
  Path(const Ref<A>& place)  // NOLINT(google-explicit-constructor)
      : base_(Base::place),
        cell_(detail::RefAccess::cell(place)),
        generation_(detail::RefAccess::generation(place)) {}

  [[nodiscard]] Path operator/(std::string_view step) const {
    Path further(*this);
    if (!further.text_.empty() && further.text_.back() != '/') further.text_ += '/';
    further.text_ += step;
    return further;
  }
  /// As it is written: "../store", "/a/b", "(a place)/b".
  [[nodiscard]] std::string text() const;

 private:
  friend struct detail::PathAccess;
  enum class Base : std::uint8_t { text, above, place };
  Base base_ = Base::text;
  std::uint8_t up_ = 0;  // of Base::above: so many steps up from the actor that uses it
  detail::Cell* cell_ = nullptr;
  std::uint32_t generation_ = 0;
  std::string text_;
};

namespace detail {

struct ActorOps;

struct PathAccess {
  /// `up` steps up, then down to the child `name` (one name; empty: none).
  [[nodiscard]] static Path above(std::uint8_t up, std::string_view name) {
    Path path{std::string(name)};
    path.base_ = Path::Base::above;
    path.up_ = up;
    return path;
  }
  [[nodiscard]] static Path place(Cell* cell, std::uint32_t generation) {
    Path path{std::string()};
    path.base_ = Path::Base::place;
    path.cell_ = cell;
    path.generation_ = generation;
    return path;
  }
  [[nodiscard]] static bool is_place(const Path& path) noexcept {
    return path.base_ == Path::Base::place && path.text_.empty();
  }
  [[nodiscard]] static bool is_above(const Path& path) noexcept { return path.base_ == Path::Base::above; }
  [[nodiscard]] static std::uint8_t up(const Path& path) noexcept { return path.up_; }
  [[nodiscard]] static const std::string& text(const Path& path) noexcept { return path.text_; }
  [[nodiscard]] static Cell* cell(const Path& path) noexcept { return path.cell_; }
  [[nodiscard]] static std::uint32_t generation(const Path& path) noexcept { return path.generation_; }
  [[nodiscard]] static bool has_place(const Path& path) noexcept { return path.base_ == Path::Base::place; }
};

/// A place that was found. It may be over by now: whoever uses it compares the generation.
struct FoundPlace {
  Cell* cell = nullptr;
  std::uint32_t generation = 0;
  const ActorOps* ops = nullptr;
  // The deepest place on the way that is there: the one above what was found, or above the step that is missing.
  Cell* above = nullptr;
  std::uint32_t above_generation = 0;
};
struct MissingPlace {
  /// Where a child of the name `step` would have been the next on the way: there are several when unnamed actors are passed
  /// through. None: nothing could be there.
  struct Step {
    Cell* at = nullptr;
    std::uint32_t generation = 0;
    std::string name;
  };
  std::vector<Step> steps;
  Cell* deepest = nullptr;  // of them; null: it has unnamed children, which may be those that are to spawn it
  std::uint32_t deepest_generation = 0;
  Error error{Errc::not_found};
};

/// `from` is the running cell, or null outside of actors. Within a Visit or the turn of a cell of `core`. What is written to
/// `missing` holds also for a place that was found: there the next of that name will be.
[[nodiscard]] Result<FoundPlace> find_place(CoreFace& core, Cell* from, const Path& path,
                                            MissingPlace* missing = nullptr);
/// The same, of that type.
[[nodiscard]] Result<FoundPlace> find_actor(CoreFace& core, Cell* from, const Path& path, const void* type_id,
                                            std::string_view type);
[[nodiscard]] CoreFace& face_of(const Cell& cell) noexcept;

}  // namespace detail

template <class A>
Result<Ref<A>> Context::find(const Path& where) const {
  auto& me = const_cast<detail::Cell&>(cell());
  auto found = detail::find_actor(detail::face_of(me), &me, where, &detail::type_tag<A>, detail::type_name<A>());
  if (!found) return found.error();
  return detail::RefAccess::make<A>(found->cell, found->generation);
}

}  // namespace v0
}  // namespace backstage
