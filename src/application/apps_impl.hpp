// The inside of Apps: the plan, and what is known of each app beside it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app_plan.hpp"
#include "backstage/application/application.hpp"

namespace backstage {
inline namespace v0 {

/// Its status says that it runs; how well is another matter. An app that states its status in init counts from there.
[[nodiscard]] constexpr bool says_running(Status status) noexcept {
  return status != Status::starting && status != Status::initializing && status != Status::stopping &&
         status != Status::stopped;
}

struct Apps::Impl {
  struct Slot {
    const App* app = nullptr;
    detail::Place place{};
    bool by_name = false;  // its start was asked for by name: if it fails, that is the answer
    Status status = Status::stopped;
    std::uint32_t incarnation = 0;
    std::vector<Reply<>> starts{};
    std::vector<Reply<>> stops{};
    std::vector<Reply<>> restarts{};
  };

  Result<> begin(Context& cx, Ref<Apps> me);
  /// Carries out what the plan says, and answers who waited for what is so now.
  void settle(Context& cx);
  void runs(std::size_t app, Context& cx);
  void ended(std::size_t app, const Result<>& result, Context& cx);
  void start_failed(std::size_t app, const Error& error, Context& cx);
  /// size(): no such app.
  [[nodiscard]] std::size_t find(std::string_view name) const;
  [[nodiscard]] std::size_t find(detail::Place place) const;
  [[nodiscard]] Error no_app(std::string_view name) const;
  [[nodiscard]] std::string state_of(std::size_t app) const;
  void tell_all(const AppStatusChanged& change, std::size_t but);
  void own_status(Status next);
  [[nodiscard]] Result<> pass(std::size_t app, const detail::ReadMessage& message) const;

  static void refuse(std::vector<Reply<>>& waiting, const Error& error);
  static void grant(std::vector<Reply<>>& waiting);

  std::shared_ptr<const std::vector<App>> apps;
  std::vector<Slot> slots{};
  std::unique_ptr<detail::AppPlan> plan{};
  Ref<Apps> me{};
  std::string name{};
  Status status = Status::starting;
  std::vector<Reply<>> ready{};
  std::vector<To<void(AppStatusChanged)>> watchers{};

 private:
  void act(const detail::AppAction& action, Context& cx);
  void answer_who_waits();
};

}  // namespace v0
}  // namespace backstage
