// The launcher's command line. The only file that sees the parser is flags.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "backstage/base/log.hpp"
#include "backstage/base/time.hpp"
#include "backstage/exec/variables.hpp"

namespace backstage {
inline namespace v0 {
namespace launcher_detail {

struct Option {
  std::string flag;
  std::string help;
  std::variant<std::string*, bool*, std::uint16_t*, std::uint64_t*, std::vector<std::string>*> value;
};

struct Flags {
  unsigned workers = 0;
  Level log_level = Level::info;
  bool log_json = false;
  Duration stop_within{0};
};

/// Reads the command line and, for what it does not say, the environment variables. An exit code when the program shall
/// end now: 0 after --help, 2 after a usage error, 4 after a wrong variable (all have been printed).
[[nodiscard]] std::optional<int> read_flags(const std::string& name, const std::string& about,
                                            const std::vector<Option>& options, const Variables& variables, int argc,
                                            const char* const* argv, Flags& flags);

}  // namespace launcher_detail
}  // namespace v0
}  // namespace backstage
