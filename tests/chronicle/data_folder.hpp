// Where real data lies beside the project, if it does: $BACKSTAGE_DATA, or shared/data beside the source tree.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace chronicle::test {

/// The data folder. $BACKSTAGE_DATA is returned even if it is not there: who names a folder means it.
inline std::optional<std::filesystem::path> data_folder() {
  namespace fs = std::filesystem;
  if (const char* named = std::getenv("BACKSTAGE_DATA"); named != nullptr && *named != '\0') return fs::path(named);
  std::error_code ignored;
#ifdef BACKSTAGE_SOURCE_DIR
  const fs::path beside = fs::path(BACKSTAGE_SOURCE_DIR).parent_path() / "shared" / "data";
  if (fs::is_directory(beside, ignored)) return beside;
#endif
  // Tests run somewhere below the source tree or in it: look beside each folder upwards.
  for (fs::path at = fs::current_path(ignored); !at.empty(); at = at.parent_path()) {
    if (fs::is_directory(at / "shared" / "data", ignored)) return at / "shared" / "data";
    if (at == at.parent_path()) break;
  }
  return std::nullopt;
}

}  // namespace chronicle::test
