#include "backstage/application/dependency_order.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace {

enum class Mark : unsigned char { unseen, on_path, done };

class Sorter {
 public:
  explicit Sorter(const std::vector<AppDependencies>& apps) : apps_(apps), marks_(apps.size(), Mark::unseen) {}

  Result<std::vector<std::size_t>> sort() {
    for (std::size_t i = 0; i < apps_.size(); ++i) {
      if (!index_.emplace(apps_[i].name, i).second) {
        return Error(Errc::exists, "two apps are named '" + apps_[i].name + "'");
      }
    }
    for (std::size_t i = 0; i < apps_.size(); ++i) {
      if (Result<> visited = visit(i); !visited) return visited.error();
    }
    return std::move(order_);
  }

 private:
  Result<> visit(std::size_t app) {
    if (marks_[app] == Mark::done) return {};
    if (marks_[app] == Mark::on_path) {
      std::string circle;
      const auto begin = std::find(path_.begin(), path_.end(), app);
      for (auto at = begin; at != path_.end(); ++at) circle += apps_[*at].name + " -> ";
      return Error(Errc::cycle, "apps depend on each other in a circle: " + circle + apps_[app].name);
    }
    marks_[app] = Mark::on_path;
    path_.push_back(app);
    for (const auto& [needed, follow] : apps_[app].depends_on) {
      const auto found = index_.find(needed);
      if (found == index_.end()) {
        std::string there;
        for (const AppDependencies& other : apps_) there += (there.empty() ? "" : ", ") + other.name;
        return Error(Errc::not_found,
                     "app '" + apps_[app].name + "' depends on '" + needed + "', which is not among [" + there + "]");
      }
      if (Result<> visited = visit(found->second); !visited) return visited;
    }
    path_.pop_back();
    marks_[app] = Mark::done;
    order_.push_back(app);
    return {};
  }

  const std::vector<AppDependencies>& apps_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::vector<Mark> marks_;
  std::vector<std::size_t> path_;
  std::vector<std::size_t> order_;
};

}  // namespace

Result<std::vector<std::size_t>> dependency_order(const std::vector<AppDependencies>& apps) {
  return Sorter(apps).sort();
}

}  // namespace v0
}  // namespace backstage
