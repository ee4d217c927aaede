// Paths: from names to places (promise R5).
//
// Going down takes a share of the names' lock of each actor on the way, parents before children, and keeps it until the
// end: who is found by name in there cannot be reaped meanwhile, since that takes the lock whole. Going up needs no lock:
// whoever is above the running actor outlives it.
#include "backstage/actor/path.hpp"

#include <algorithm>
#include <shared_mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backstage/actor/runtime.hpp"
#include "core.hpp"
#include "inspecting.hpp"
#include "scopes.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::size_t most_steps = 40;
// Unnamed ones that are passed through count, too: one lock each (ThreadSanitizer follows 64 held by a thread, and no more).
constexpr std::size_t most_levels = 60;
constexpr std::size_t most_missing = 32;
constexpr std::size_t most_named = 8;
constexpr std::size_t most_sorted = 256;

/// A Path as names to go down by, from an actor that is known to live.
struct Way {
  Cell* start = nullptr;
  std::vector<std::string_view> names;
};

[[nodiscard]] Error makes_no_sense(const Path& path, std::string_view why) {
  return Error(Errc::invalid, "the path '" + path.text() + "': " + std::string(why));
}

/// The names of `text`, "." and ".." taken away. Returns how many ".." are left over.
[[nodiscard]] std::size_t fold(std::string_view text, std::vector<std::string_view>& names) {
  std::size_t up = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('/'), text.size());
    const std::string_view step = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (step.empty() || step == ".") continue;
    if (step != "..") {
      names.push_back(step);
    } else if (!names.empty()) {
      names.pop_back();
    } else {
      ++up;
    }
  }
  return up;
}

[[nodiscard]] Result<Way> way_of(Core& core, Cell* from, const Path& path, std::string& place_text) {
  Way way;
  std::string_view text = PathAccess::text(path);
  if (PathAccess::has_place(path)) {
    // From somewhere else: by the path that it has just now.
    const Cell* const cell = PathAccess::cell(path);
    if (cell == nullptr || region_of(cell).core.load(std::memory_order_acquire) != &core) {
      return makes_no_sense(path, "the Ref is null, or of another Runtime");
    }
    place_text = place_name(cell, PathAccess::generation(path), "") + "/";
    if (place_text.front() != '/') return Error(Errc::gone, "the path '" + path.text() + "': that actor has ended");
    place_text += text;
    text = place_text;
  }
  const bool absolute = !text.empty() && text.front() == '/' && !PathAccess::is_above(path);
  if (!absolute && from == nullptr) {
    return makes_no_sense(path, "outside of actors it has to begin with '/'");
  }
  std::size_t up = fold(text, way.names);
  if (way.names.size() > most_steps) return makes_no_sense(path, "it has more than 40 steps");
  way.start = absolute ? core.root : from;
  for (std::size_t i = PathAccess::up(path); i > 0; --i) {
    if (way.start->parent() == nullptr) return makes_no_sense(path, "there is nothing above the root");
    way.start = way.start->parent();
  }
  for (; up > 0; --up) {
    if (way.start->parent() == nullptr) {
      // As in a file system, the root is above itself when it was named; from below it is a mistake.
      if (absolute) break;
      return makes_no_sense(path, "there is nothing above the root");
    }
    do {
      way.start = way.start->parent();
    } while (way.start->parent() != nullptr && way.start->name().empty());
  }
  return way;
}

class Descent {
 public:
  explicit Descent(std::span<const std::string_view> names) : all_(names) {}

  /// `at` is kept alive by who it is above, or by the locks that our callers hold.
  [[nodiscard]] bool go(Cell& at, std::size_t step, std::size_t level = 0) {
    if (level == most_levels) return false;
    const std::string_view name = all_[step];
    const Extras* const extras = at.extras.seen_by_others();
    if (extras == nullptr) return miss(at, step, nullptr);
    const std::shared_lock lock(extras->names_mutex);
    if (Cell* const child = extras->names.find(name)) {
      if (step + 1 == all_.size()) return hit(at, *child);
      if (go(*child, step + 1, level + 1)) return true;
    }
    for (Cell* passage = extras->first_passage; passage != nullptr;
         passage = passage->extras.seen_by_others()->next_passage) {
      const bool meant = name.front() == '#' && passage->step() == name;
      if (meant && step + 1 == all_.size()) return hit(at, *passage);
      if (go(*passage, meant ? step + 1 : step, level + 1)) return true;
    }
    return miss(at, step, extras);
  }

  FoundPlace found;
  // of the deepest miss
  std::size_t depth = 0;
  bool missed = false;
  Cell* missed_at = nullptr;
  std::uint32_t missed_generation = 0;
  bool has_passages = false;
  std::string text;
  std::vector<MissingPlace::Step> steps;

 private:
  [[nodiscard]] bool hit(Cell& at, Cell& place) {
    found = {&place, place.place_generation, &place.ops(), &at, place_generation_of(at)};
    return true;
  }
  [[nodiscard]] static bool is_unnamed(const Cell& cell) noexcept {
    return cell.parent() != nullptr && cell.name().empty();
  }
  [[nodiscard]] bool miss(Cell& at, std::size_t step, const Extras* extras) {
    if (steps.size() < most_missing) steps.push_back({&at, place_generation_of(at), std::string(all_[step])});
    if (missed && step < depth) return false;
    // Of the same step, somebody with a name is told rather than who was only passed through.
    if (missed && step == depth && (!is_unnamed(*missed_at) || is_unnamed(at))) return false;
    missed = true;
    depth = step;
    missed_at = &at;
    missed_generation = place_generation_of(at);
    has_passages = extras != nullptr && extras->first_passage != nullptr;
    text = at.full_path() + " has children [" + (extras != nullptr ? some_of(extras->names) : "") + "]";
    return false;
  }
  /// The first few by name; of very many children just any.
  [[nodiscard]] static std::string some_of(const NameIndex<Cell>& index) {
    std::vector<std::string_view> names;
    index.for_some(most_sorted, [&](const Cell& child) { names.push_back(child.name()); });
    std::sort(names.begin(), names.end());
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), most_named); ++i) {
      text += (i == 0 ? "" : ", ") + std::string(names[i]);
    }
    if (names.size() > most_named) text += ", ... (" + std::to_string(index.size()) + " in all)";
    return text;
  }

  std::span<const std::string_view> all_;
};

[[nodiscard]] Error has_ended(const Path& path) { return Error(Errc::gone, "'" + path.text() + "' has ended"); }

/// What a Ref names. A Path may have come from anybody, so its type is asked of the place itself.
[[nodiscard]] Result<FoundPlace> find_ref(const Path& path) {
  Cell* const cell = PathAccess::cell(path);
  if (cell == nullptr) return Error(Errc::gone, "a null Ref is nobody's place");
  const Visit visit(cell);
  if (visit.core() != nullptr) {
    const Naming naming(Core::of(*visit.core()), *cell, PathAccess::generation(path));
    if (naming.is_there()) {
      Cell* const above = cell->parent();
      return FoundPlace{cell, PathAccess::generation(path), &cell->ops(), above,
                        above != nullptr ? place_generation_of(*above) : 0};
    }
  }
  return has_ended(path);
}

}  // namespace

CoreFace& face_of(const Cell& cell) noexcept { return *region_of(&cell).core.load(std::memory_order_acquire); }

Result<FoundPlace> find_place(CoreFace& face, Cell* from, const Path& path, MissingPlace* missing) {
  Core& core = Core::of(face);
  if (PathAccess::is_place(path)) {
    Result<FoundPlace> found = find_ref(path);
    if (missing != nullptr) missing->error = found ? has_ended(path) : found.error();
    return found;
  }
  // From outside: the Runtime must not end meanwhile.
  const Visit visit(core.root);
  if (visit.core() == nullptr) return Error(Errc::gone, "no '" + path.text() + "': the runtime is over");
  std::string place_text;
  const Result<Way> way = way_of(core, from, path, place_text);
  if (!way) {
    if (missing != nullptr) missing->error = way.error();
    return way.error();
  }
  if (way->names.empty()) {
    if (missing != nullptr) missing->error = has_ended(path);
    Cell& here = *way->start;
    return FoundPlace{&here, place_generation_of(here), &here.ops(), here.parent(),
                      here.parent() != nullptr ? place_generation_of(*here.parent()) : 0};
  }
  Descent descent(way->names);
  if (descent.go(*way->start, 0)) {
    if (missing != nullptr) {
      const FoundPlace& found = descent.found;
      missing->steps = {{found.above, found.above_generation, std::string(way->names.back())}};
      missing->deepest = found.above;
      missing->deepest_generation = found.above_generation;
      missing->error = has_ended(path);
    }
    return descent.found;
  }
  const std::string step(way->names[descent.depth]);
  Error error(Errc::not_found, "no '" + path.text() + "': there is no '" + step + "', " + descent.text);
  if (missing != nullptr) {
    missing->steps = std::move(descent.steps);
    if (!descent.has_passages) {
      missing->deepest = descent.missed_at;
      missing->deepest_generation = descent.missed_generation;
    }
    missing->error = error;
  }
  return error;
}

Result<FoundPlace> find_actor(CoreFace& core, Cell* from, const Path& path, const void* type_id,
                              std::string_view type) {
  Result<FoundPlace> found = find_place(core, from, path);
  if (!found || found->ops->type_id == type_id) return found;
  return Error(Errc::invalid,
               "'" + path.text() + "' is a " + std::string(found->ops->type) + ", not a " + std::string(type));
}

}  // namespace detail

std::string Path::text() const {
  std::string text;
  if (base_ == Base::place) text = "(a place)";
  if (base_ == Base::above) {
    for (std::uint8_t i = 0; i < up_; ++i) text += i == 0 ? ".." : "/..";
  }
  if (text.empty()) return text_.empty() ? "." : text_;
  return text_.empty() ? text : text + "/" + text_;
}

namespace {

[[nodiscard]] Path checked(std::uint8_t up, std::string_view name) {
  detail::check_name(name);
  if (name.empty()) throw Need::fail(Error(Errc::invalid, "a path's step needs a name: unnamed actors have none"));
  return detail::PathAccess::above(up, name);
}

}  // namespace

Path Context::child(std::string_view wanted) const { return checked(0, wanted); }
Path Context::sibling(std::string_view wanted) const { return checked(1, wanted); }
Path Context::uncle(std::string_view wanted) const { return checked(2, wanted); }
Path Context::parent() const { return detail::PathAccess::above(1, {}); }
Path Context::grandparent() const { return detail::PathAccess::above(2, {}); }

}  // namespace v0
}  // namespace backstage
