// What the runtime makes of the scheduler's news that a worker hogs (promise F3): a name, an event, a line in the log.
// On the watch's thread.
#include <algorithm>
#include <string>
#include <utility>

#include "core.hpp"
#include "inspecting.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::size_t most_lines = 16;

void log_hog(const Core& core, const Hog& hog) {
  std::string stack;
  const std::vector<std::string> lines =
      describe_stack(std::span(hog.stack).first(std::min(hog.stack.size(), most_lines)));
  for (const std::string& line : lines) stack += (stack.empty() ? "" : " < ") + line;
  core.logger(hog.path).warn("keeps its worker", {{"type", hog.actor},
                                                  {"message", hog.message},
                                                  {"for", to_string(hog.kept)},
                                                  {"worker", hog.worker},
                                                  {"stack", stack.empty() ? std::string_view("not taken") : stack}});
}

}  // namespace

void Core::hear_hog(const HogNews& news) noexcept {
  HogPlace& place = hog_places_[news.worker];
  const Instant now = scheduler->now();
  try {
    if (news.over) {
      Hog hog = std::exchange(place.open, {});
      hog.over = true;
      hog.kept = std::max(now - place.since, Duration::zero());
      hogs_open.fetch_sub(1, std::memory_order_relaxed);
      // relaxed: one writer, the watch; whoever reads wants a figure.
      if (hog.kept.count() > hogs_longest.load(std::memory_order_relaxed)) {
        hogs_longest.store(hog.kept.count(), std::memory_order_relaxed);
      }
      if (events.wanted()) events.emit(std::move(hog));
      return;
    }
    hogs_found.fetch_add(1, std::memory_order_relaxed);
    hogs_open.fetch_add(1, std::memory_order_relaxed);
    place.since = news.since;
    Hog& hog = place.open = {};
    hog.worker = news.worker;
    hog.kept = std::max(now - news.since, Duration::zero());
    hog.message = news.message != nullptr ? *static_cast<const std::string_view*>(news.message)
                                          : std::string_view("cannot be told");
    hog.path = "/";
    auto& cell = *static_cast<Cell*>(news.cell);
    {
      const Naming names(*this, cell, cell.generation());
      if (names.is_there() && cell.body != nullptr) {
        hog.path = cell.full_path();
        hog.actor = cell.ops().type;
      }
    }
    hog.stack = news.stack;
    if (events.wanted()) events.emit(hog);
    // Names of functions are slow to find when first asked for; the watch has others to look after.
    if (hog.stack.empty() || !blocking->submit([this, hog] { log_hog(*this, hog); })) {
      Hog bare = hog;
      bare.stack.clear();
      log_hog(*this, bare);
    }
  } catch (...) {
    // Out of memory: it is counted, and not told.
  }
}

}  // namespace detail

HogCounts Runtime::hogs() const noexcept {
  return {core_->hogs_found.load(std::memory_order_relaxed), core_->hogs_open.load(std::memory_order_relaxed),
          Duration(core_->hogs_longest.load(std::memory_order_relaxed))};
}

}  // namespace v0
}  // namespace backstage
