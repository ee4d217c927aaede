// The door of the process's environment variables: settings that whoever starts the program gives it.
//
//     const std::optional<std::string> folder = cx.environment().door<Variables>().get("CHRONICLE_DATA");
//
// The launcher opens it: the variables of the process as they were when it began, or those a test hands over
// (Launcher::variables). They do not change while the program runs.
// Threads: any. Stability: settling (v0).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace backstage {
inline namespace v0 {

class Variables {
 public:
  virtual ~Variables() = default;
  /// Nothing: it is not set. (Set to nothing is the empty string.)
  [[nodiscard]] virtual std::optional<std::string> get(std::string_view name) const = 0;
};

/// Variables of one's own: for tests, and for programs that embed others.
class GivenVariables final : public Variables {
 public:
  explicit GivenVariables(std::map<std::string, std::string, std::less<>> values) : values_(std::move(values)) {}
  [[nodiscard]] std::optional<std::string> get(std::string_view name) const override {
    const auto found = values_.find(name);
    return found != values_.end() ? std::optional(found->second) : std::nullopt;
  }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

/// A copy of those of this process. Before the first thread, as everything that reads them.
[[nodiscard]] std::shared_ptr<Variables> process_variables();

}  // namespace v0
}  // namespace backstage
