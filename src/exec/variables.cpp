#include "backstage/exec/variables.hpp"

#include <unistd.h>

#include <functional>

namespace backstage {
inline namespace v0 {

std::shared_ptr<Variables> process_variables() {
  std::map<std::string, std::string, std::less<>> values;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view line = *at;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    values.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return std::make_shared<GivenVariables>(std::move(values));
}

}  // namespace v0
}  // namespace backstage
