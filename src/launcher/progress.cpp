#include "progress.hpp"

#include <variant>

namespace backstage {
inline namespace v0 {
namespace launcher_detail {

std::string_view Living::app_of(std::string_view path) const {
  if (!path.starts_with(top_)) return {};
  path.remove_prefix(top_.size());
  return path.find('/') == std::string_view::npos ? path : std::string_view();
}

void Living::hear(const Event& event) {
  if (const auto* changed = std::get_if<StatusChanged>(&event)) {
    const std::string_view app = app_of(changed->path);
    if (app.empty()) return;
    const std::lock_guard lock(mutex_);
    apps_.insert_or_assign(std::string(app), changed->to);
  } else if (const auto* ended = std::get_if<Ended>(&event)) {
    const std::string_view app = app_of(ended->path);
    const std::lock_guard lock(mutex_);
    if (const auto found = apps_.find(app); found != apps_.end()) apps_.erase(found);
  }
}

std::string Living::text() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const auto& [app, status] : apps_) {
    text += (text.empty() ? "still alive: " : ", ") + app + " (" + std::string(to_string(status)) + ")";
  }
  return text;
}

}  // namespace launcher_detail
}  // namespace v0
}  // namespace backstage
