#include "backstage/base/time.hpp"

#include <array>
#include <cstdio>

namespace backstage {
inline namespace v0 {

std::string to_string(Duration d) {
  struct Unit {
    std::int64_t ns;
    const char* name;
  };
  static constexpr std::array<Unit, 6> units{{{3'600'000'000'000, "h"},
                                              {60'000'000'000, "min"},
                                              {1'000'000'000, "s"},
                                              {1'000'000, "ms"},
                                              {1'000, "us"},
                                              {1, "ns"}}};
  if (d == Duration::zero()) return "0s";
  const std::int64_t count = d.count();
  const auto magnitude = count < 0 ? -static_cast<double>(count) : static_cast<double>(count);
  for (const Unit& unit : units) {
    if (magnitude < static_cast<double>(unit.ns)) continue;
    const double value = static_cast<double>(count) / static_cast<double>(unit.ns);
    std::array<char, 48> text{};
    // %g with enough digits for an exact integer, three otherwise.
    if (count % unit.ns == 0) {
      std::snprintf(text.data(), text.size(), "%lld%s", static_cast<long long>(count / unit.ns), unit.name);
    } else {
      std::snprintf(text.data(), text.size(), "%.3g%s", value, unit.name);
    }
    return text.data();
  }
  return "0s";
}

std::string to_string(WallTime at) {
  using namespace std::chrono;
  const sys_time<nanoseconds> point{nanoseconds(at.ns)};
  const auto day = floor<days>(point);
  const year_month_day date{day};
  const hh_mm_ss<microseconds> clock{floor<microseconds>(point - day)};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text.data();
}

}  // namespace v0
}  // namespace backstage
