#include "chronicle/settings.hpp"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "backstage/base/need.hpp"
#include "chronicle/memory_storage.hpp"
#include "chronicle/rocks_storage.hpp"

namespace chronicle {
namespace {

void make_private_folder(const std::filesystem::path& folder) {
  std::error_code failed;
  if (std::filesystem::is_directory(folder, failed)) return;
  std::filesystem::create_directories(folder, failed);
  if (!failed) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failed);
  if (failed) {
    throw backstage::Need::fail(
        Error(backstage::Errc::configuration, "cannot make the data folder " + folder.string() + ": " +
                                                  failed.message() + " (--data or CHRONICLE_DATA names another)"));
  }
}

}  // namespace

Result<std::string> default_data_folder() {
  // NOLINTBEGIN(concurrency-mt-unsafe): read once, before there are threads
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
    return std::string(state) + "/chronicle";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    return std::string(home) + "/.local/state/chronicle";
  }
  // NOLINTEND(concurrency-mt-unsafe)
  return Error(Errc::configuration,
               "no data folder: neither XDG_STATE_HOME nor HOME is set; say --data FOLDER or --memory");
}

Limits chronicle_limits() {
  Limits limits;
  limits.page_bytes = std::size_t{1} << 20U;  // many readers at once must not add up to much memory
  return limits;
}

std::unique_ptr<Storage> make_storage(const Settings& settings) {
  if (settings.memory) {
    MemoryOptions options;
    options.limits = chronicle_limits();
    return std::make_unique<MemoryStorage>(std::make_shared<MemoryDisk>(), options);
  }
  const std::filesystem::path data = settings.data.empty() ? default_data_folder().or_fail() : settings.data;
  make_private_folder(data);
  RocksOptions options;
  options.folder = data / "store";
  options.limits = chronicle_limits();
  return std::make_unique<RocksStorage>(options);
}

Result<FileToRead> parse_file(std::string_view text) {
  FileToRead file;
  const std::size_t equals = text.find('=');
  const bool names_stream = equals != std::string_view::npos && equals > 0 && text.find('/') != 0;
  file.path = names_stream ? text.substr(equals + 1) : text;
  if (file.path.empty()) return Error(Errc::invalid, "'" + std::string(text) + "' names no file");
  const Limits limits = chronicle_limits();
  if (names_stream) {
    file.stream = text.substr(0, equals);
    if (auto refused = fault_of_stream_name(file.stream, limits)) return refused->error;
    return file;
  }
  file.stream = "file";
  std::string segment;
  const auto end_segment = [&] {
    if (!segment.empty() && segment != "." && segment != "..") file.stream += "/" + segment;
    segment.clear();
  };
  for (const char c : file.path) {
    if (c == '/') {
      end_segment();
    } else {
      segment += c > ' ' && c < '\x7f' ? c : '_';
    }
  }
  end_segment();
  if (file.stream.size() > limits.stream_name) {
    return Error(Errc::invalid, "the path " + file.path + " is too long to name a stream: say STREAM=PATH");
  }
  return file;
}

}  // namespace chronicle
