// What the tests of the storage share: drafts, temporary folders, and the two storages by name.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chronicle/memory_storage.hpp"
#ifndef CHRONICLE_WITHOUT_ROCKSDB
#include "chronicle/rocks_storage.hpp"
#endif

namespace chronicle::test {

/// A new folder under the system's temporary one; gone with this object.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "chronicle-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make the temporary folder " + name);
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// An event told apart by its source time; it arrives then, too.
inline Draft event(std::string_view stream, std::int64_t time, std::string_view payload) {
  Draft draft;
  draft.stream = stream;
  draft.payload = payload;
  draft.source_time = WallTime{time};
  draft.arrival = WallTime{time};
  return draft;
}

inline Draft content(std::string_view stream, std::int64_t arrival, std::string_view payload) {
  Draft draft;
  draft.stream = stream;
  draft.payload = payload;
  draft.identity = Identity::content;
  draft.arrival = WallTime{arrival};
  return draft;
}

inline std::vector<Outcome> append(Storage& storage, const std::vector<Draft>& drafts) {
  auto outcomes = storage.append(drafts);
  if (!outcomes) throw std::runtime_error(outcomes.error().describe());
  return *std::move(outcomes);
}

inline std::vector<Message> all_of(const Storage& storage, std::string_view stream, By by = By::arrival) {
  std::vector<Message> messages;
  Query query;
  query.stream = stream;
  query.by = by;
  query.limit = 7;  // odd and small: pages are crossed
  for (bool more = true; more;) {
    auto page = storage.query(query);
    if (!page) throw std::runtime_error(page.error().describe());
    messages.insert(messages.end(), page->messages.begin(), page->messages.end());
    query.cursor = page->cursor;
    more = page->more;
  }
  return messages;
}

/// Makes storages of one kind that all see the same disk.
class World {
 public:
  explicit World(std::string kind) : kind_(std::move(kind)) {}
  [[nodiscard]] std::unique_ptr<Storage> make(const Limits& limits = {}) const {
#ifndef CHRONICLE_WITHOUT_ROCKSDB
    if (kind_ == "rocks") {
      RocksOptions options;
      options.folder = folder_.path() / "deep" / "store";
      options.limits = limits;
      return std::make_unique<RocksStorage>(options);
    }
#endif
    MemoryOptions options;
    options.limits = limits;
    return std::make_unique<MemoryStorage>(disk_, options);
  }
  [[nodiscard]] static std::vector<std::string> kinds() {
#ifndef CHRONICLE_WITHOUT_ROCKSDB
    return {"memory", "rocks"};
#else
    return {"memory"};
#endif
  }

 private:
  std::string kind_;
  TempFolder folder_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
};

}  // namespace chronicle::test
