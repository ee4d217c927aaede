// The names under which Context::app finds the applications of a runtime. Written by the application module.
// Stability: internal.
#pragma once

#include <cstdint>
#include <string_view>

namespace backstage {
inline namespace v0 {
namespace detail {

class Cell;

/// The running cell's runtime from now on knows `app` under that name (again, if it did). "" is the supervisor of all.
void register_app(Cell& me, std::string_view name, Cell* app, std::uint32_t generation, const void* type_id,
                  std::string_view type);
void unregister_app(Cell& me, std::string_view name);

}  // namespace detail
}  // namespace v0
}  // namespace backstage
