// Who is late, while an orderly stop waits: which apps still live, as the runtime's events tell.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "backstage/actor/events.hpp"

namespace backstage {
inline namespace v0 {
namespace launcher_detail {

/// Threads: any.
class Living {
 public:
  /// Of the apps below `top` ("/chronicle").
  explicit Living(std::string top) : top_(std::move(top) + "/") {}
  void hear(const Event& event);
  /// "still alive: api (stopping), store (running)"; empty when none is.
  [[nodiscard]] std::string text() const;

 private:
  [[nodiscard]] std::string_view app_of(std::string_view path) const;
  std::string top_;
  mutable std::mutex mutex_;
  std::map<std::string, Status, std::less<>> apps_;
};

}  // namespace launcher_detail
}  // namespace v0
}  // namespace backstage
