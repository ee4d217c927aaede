// Figures of one owner: names and numbers are bounded, and what is wrong is named.
#include "backstage/metrics/instruments.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

namespace {

using namespace backstage;

TEST(Instruments, the_same_name_is_the_same_figure_and_it_outlives_its_set) {
  auto set = std::make_unique<detail::MetricSet>("/a");
  Counter counter = set->counter("stored").value();
  set->counter("stored").value().add(2);
  counter.add();
  EXPECT_EQ(set->read().front().count, 3U);
  set.reset();
  counter.add();
  EXPECT_EQ(counter.value(), 4U);
}

TEST(Instruments, a_histogram_counts_in_its_buckets) {
  detail::MetricSet set("/a");
  const std::array<double, 3> bounds{1, 10, 100};
  Histogram sizes = set.histogram("sizes", bounds).value();
  for (const double value : {0.5, 1.0, 1.5, 10.0, 1000.0, std::nan("")}) sizes.observe(value);
  const Metric seen = set.read().front();
  EXPECT_EQ(seen.buckets, (std::vector<std::uint64_t>{2, 2, 0, 2}));
  EXPECT_EQ(seen.count, 6U);
  EXPECT_EQ(seen.value, 1013.0);
  Gauge depth = set.gauge("depth").value();
  depth.set(1.5);
  depth.add(-2);
  EXPECT_EQ(depth.value(), -0.5);
}

TEST(Instruments, names_kinds_bounds_and_numbers_are_checked) {
  detail::MetricSet set("/a");
  for (const std::string name : {"", "Stored", "1st", "a b", "a-b"}) {
    EXPECT_TRUE(set.counter(name).error().is(Errc::invalid)) << name;
  }
  EXPECT_TRUE(set.counter(std::string(65, 'a')).error().is(Errc::invalid));
  EXPECT_TRUE(set.counter(std::string(64, 'a')));
  EXPECT_EQ(set.gauge(std::string(64, 'a')).error().code(), Errc::exists);
  const std::array<double, 2> falling{2, 1};
  EXPECT_NE(set.histogram("h", falling).error().text().find("each above the one before"), std::string_view::npos);
  const std::array<double, 1> endless{std::numeric_limits<double>::infinity()};
  EXPECT_TRUE(set.histogram("h", endless).error().is(Errc::invalid));
  for (std::size_t i = 1; i < detail::MetricSet::most; ++i) EXPECT_TRUE(set.counter("c" + std::to_string(i)));
  EXPECT_TRUE(set.counter("more").error().is(Errc::full));
  EXPECT_TRUE(set.counter("c1")) << "one that is there";
}

}  // namespace
