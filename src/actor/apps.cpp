#include "backstage/actor/detail/apps.hpp"

#include <string>

#include "core.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

void register_app(Cell& me, std::string_view name, Cell* app, std::uint32_t generation, const void* type_id,
                  std::string_view type) {
  Core& core = me.core();
  const std::lock_guard lock(core.root_mutex);
  core.apps.insert_or_assign(std::string(name), App{app, generation, type_id, type});
}

void unregister_app(Cell& me, std::string_view name) {
  Core& core = me.core();
  const std::lock_guard lock(core.root_mutex);
  const auto found = core.apps.find(name);
  if (found != core.apps.end()) core.apps.erase(found);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
