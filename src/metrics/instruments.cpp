#include "backstage/metrics/instruments.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "backstage/base/utf8.hpp"

namespace backstage {
inline namespace v0 {

namespace detail {

// All relaxed: each figure is a number of its own, nothing is read through it.
struct Instrument {
  MetricKind kind = MetricKind::counter;
  std::atomic<std::uint64_t> count{0};
  std::atomic<double> value{0};
  std::vector<double> bounds;
  std::vector<std::atomic<std::uint64_t>> buckets;
};

namespace {

constexpr std::size_t most_name_bytes = 64;
constexpr std::array<double, 28> usual_bounds{1,   2,   5,   1e1, 2e1, 5e1, 1e2, 2e2, 5e2, 1e3, 2e3, 5e3, 1e4, 2e4,
                                              5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8, 2e8, 5e8, 1e9};

[[nodiscard]] bool is_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > most_name_bytes || name.front() < 'a' || name.front() > 'z') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; });
}

[[nodiscard]] bool are_bounds(std::span<const double> bounds) noexcept {
  if (bounds.size() > MetricSet::most_bounds) return false;
  if (!std::all_of(bounds.begin(), bounds.end(), [](double b) { return std::isfinite(b); })) return false;
  return std::adjacent_find(bounds.begin(), bounds.end(), [](double a, double b) { return a >= b; }) == bounds.end();
}

}  // namespace

Result<std::shared_ptr<Instrument>> MetricSet::need(std::string_view name, MetricKind kind,
                                                    std::span<const double> bounds) {
  const std::lock_guard lock(mutex_);
  if (const auto found = all_.find(name); found != all_.end()) {
    if (found->second->kind == kind) return found->second;
    return Error(Errc::exists, "the metric '" + std::string(name) + "' of " + owner_ + " is a " +
                                   std::string(to_string(found->second->kind)) + ", not a " +
                                   std::string(to_string(kind)) + ": choose another name");
  }
  if (!is_name(name)) {
    return Error(Errc::invalid, "the metric '" + std::string(cut_utf8(name, most_name_bytes)) + "' of " + owner_ +
                                    ": a name has 1 to 64 of a-z, 0-9, _ and ., and begins with a letter");
  }
  if (!are_bounds(bounds)) {
    return Error(Errc::invalid, "the metric '" + std::string(name) + "' of " + owner_ +
                                    ": its bounds have to be at most 32 numbers, each above the one before");
  }
  if (all_.size() >= most) {
    return Error(Errc::full, "the metric '" + std::string(name) + "' of " + owner_ +
                                 " would be one too many: it has " + std::to_string(most) +
                                 " already, as many as an actor may have");
  }
  auto made = std::make_shared<Instrument>();
  made->kind = kind;
  if (kind == MetricKind::histogram) {
    if (bounds.empty()) bounds = usual_bounds;
    made->bounds.assign(bounds.begin(), bounds.end());
    made->buckets = std::vector<std::atomic<std::uint64_t>>(bounds.size() + 1);
  }
  all_.emplace(std::string(name), made);
  return made;
}

Result<Counter> MetricSet::counter(std::string_view name) {
  auto it = need(name, MetricKind::counter, {});
  if (!it) return it.error();
  return Counter(std::move(it).value());
}
Result<Gauge> MetricSet::gauge(std::string_view name) {
  auto it = need(name, MetricKind::gauge, {});
  if (!it) return it.error();
  return Gauge(std::move(it).value());
}
Result<Histogram> MetricSet::histogram(std::string_view name, std::span<const double> bounds) {
  auto it = need(name, MetricKind::histogram, bounds);
  if (!it) return it.error();
  return Histogram(std::move(it).value());
}

std::vector<Metric> MetricSet::read() const {
  const std::lock_guard lock(mutex_);
  std::vector<Metric> all;
  all.reserve(all_.size());
  for (const auto& [name, it] : all_) {
    Metric one{
        name,       it->kind, it->count.load(std::memory_order_relaxed), it->value.load(std::memory_order_relaxed),
        it->bounds, {}};
    for (const auto& bucket : it->buckets) one.buckets.push_back(bucket.load(std::memory_order_relaxed));
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace detail

std::string_view to_string(MetricKind kind) noexcept {
  switch (kind) {
    case MetricKind::counter: return "counter";
    case MetricKind::gauge: return "gauge";
    case MetricKind::histogram: return "histogram";
  }
  return "unknown";
}

void Counter::add(std::uint64_t n) noexcept { it_->count.fetch_add(n, std::memory_order_relaxed); }
std::uint64_t Counter::value() const noexcept { return it_->count.load(std::memory_order_relaxed); }
void Gauge::set(double value) noexcept { it_->value.store(value, std::memory_order_relaxed); }
void Gauge::add(double difference) noexcept { it_->value.fetch_add(difference, std::memory_order_relaxed); }
double Gauge::value() const noexcept { return it_->value.load(std::memory_order_relaxed); }

void Histogram::observe(double value) noexcept {
  const auto above = std::lower_bound(it_->bounds.begin(), it_->bounds.end(), value);
  const bool is_number = !std::isnan(value);
  const auto at = is_number ? static_cast<std::size_t>(above - it_->bounds.begin()) : it_->bounds.size();
  it_->buckets[at].fetch_add(1, std::memory_order_relaxed);
  it_->count.fetch_add(1, std::memory_order_relaxed);
  if (is_number) it_->value.fetch_add(value, std::memory_order_relaxed);
}
std::uint64_t Histogram::count() const noexcept { return it_->count.load(std::memory_order_relaxed); }

}  // namespace v0
}  // namespace backstage
