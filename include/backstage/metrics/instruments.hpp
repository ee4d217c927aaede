// Figures that a part of a program keeps of itself: counters, gauges, histograms, by name.
//
//     Counter stored = cx.counter("stored");          // in an actor: they go with its place
//     stored.add();
//     for (const Metric& one : set.read()) ...        // whoever shows them
//
// A handle is cheap to copy and to use (one relaxed atomic operation), from any thread, and outlives the set.
// Names: 1 to 64 of a-z, 0-9, _ and ., the first a letter; at most 64 in one set.
// Errors: invalid (a bad name, bad bounds), exists (the name is another kind's), full.
// Stability: settling (v0).
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backstage/base/result.hpp"

namespace backstage {
inline namespace v0 {

enum class MetricKind : std::uint8_t { counter, gauge, histogram };
[[nodiscard]] std::string_view to_string(MetricKind kind) noexcept;

/// One figure as it stood when it was read.
struct Metric {
  std::string name;
  MetricKind kind = MetricKind::counter;
  std::uint64_t count = 0;             ///< of a counter: its value; of a histogram: how many were observed
  double value = 0;                    ///< of a gauge: its value; of a histogram: the sum
  std::vector<double> bounds;          ///< of a histogram: upper bounds, each included; the last bucket has none
  std::vector<std::uint64_t> buckets;  ///< how many in each; one more than there are bounds
};

namespace detail {
struct Instrument;
}

class Counter {
 public:
  explicit Counter(std::shared_ptr<detail::Instrument> it) noexcept : it_(std::move(it)) {}
  void add(std::uint64_t n = 1) noexcept;
  [[nodiscard]] std::uint64_t value() const noexcept;

 private:
  std::shared_ptr<detail::Instrument> it_;
};

class Gauge {
 public:
  explicit Gauge(std::shared_ptr<detail::Instrument> it) noexcept : it_(std::move(it)) {}
  void set(double value) noexcept;
  void add(double difference) noexcept;
  [[nodiscard]] double value() const noexcept;

 private:
  std::shared_ptr<detail::Instrument> it_;
};

class Histogram {
 public:
  explicit Histogram(std::shared_ptr<detail::Instrument> it) noexcept : it_(std::move(it)) {}
  /// A value that is no number counts in the last bucket, and not in the sum.
  void observe(double value) noexcept;
  [[nodiscard]] std::uint64_t count() const noexcept;

 private:
  std::shared_ptr<detail::Instrument> it_;
};

namespace detail {

/// The figures of one owner. Threads: any.
class MetricSet {
 public:
  static constexpr std::size_t most = 64;
  static constexpr std::size_t most_bounds = 32;
  explicit MetricSet(std::string owner) : owner_(std::move(owner)) {}

  /// The same name again is the same figure.
  [[nodiscard]] Result<Counter> counter(std::string_view name);
  [[nodiscard]] Result<Gauge> gauge(std::string_view name);
  /// Empty bounds: 1, 2, 5, 10 ... up to 1e9. Bounds of one that is there already are not looked at.
  [[nodiscard]] Result<Histogram> histogram(std::string_view name, std::span<const double> bounds = {});
  [[nodiscard]] std::vector<Metric> read() const;
  [[nodiscard]] const std::string& owner() const noexcept { return owner_; }

 private:
  [[nodiscard]] Result<std::shared_ptr<Instrument>> need(std::string_view name, MetricKind kind,
                                                         std::span<const double> bounds);
  const std::string owner_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Instrument>, std::less<>> all_;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
