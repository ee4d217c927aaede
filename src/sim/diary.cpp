#include "diary.hpp"

#include <algorithm>

namespace backstage {
inline namespace v0 {
namespace sim {
namespace {

/// To the microsecond, so that the lines stand in columns: "12.000250".
std::string seconds(Instant at) {
  const std::int64_t us = at.ns / 1'000;
  std::string fraction = std::to_string(us % 1'000'000);
  fraction.insert(0, 6 - fraction.size(), '0');
  return std::to_string(us / 1'000'000) + '.' + fraction;
}

std::string in_words(const Entry& entry, const std::string& who) {
  using What = Entry::What;
  switch (entry.what) {
    case What::turn:
      return who + " is next of " + std::to_string(entry.a) +
             (entry.b != 0 ? ", for " + std::to_string(entry.b) + " messages at most" : "");
    case What::message: return "  " + who + " takes " + std::string(entry.text);
    case What::ended: return "  " + who + " is now " + std::string(entry.text) + ", life " + std::to_string(entry.a);
    case What::draw: return "  " + who + " drew " + std::to_string(entry.a);
    case What::time: return "time passes: " + to_string(Duration(static_cast<std::int64_t>(entry.a)));
    case What::wall: return "FAULT: the calendar jumps by " + to_string(Duration(static_cast<std::int64_t>(entry.a)));
    case What::late: return "FAULT: timers are late by " + to_string(Duration(static_cast<std::int64_t>(entry.a)));
    case What::fault: return "FAULT: " + who + " is " + std::string(entry.text);
    case What::point: return "FAULT: at " + std::string(entry.text) + " (" + who + ")";
    case What::memory: return "FAULT: " + who + " gets no memory";
    case What::heal: return "no more faults";
    case What::job:
      return "blocking job " + std::to_string(entry.a + 1) + " of " + std::to_string(entry.b) + " is run";
    case What::broken: return "BROKEN: " + std::string(entry.text);
  }
  return {};
}

}  // namespace

std::string Diary::text(const std::vector<std::string>& names) const {
  std::string out;
  const std::uint64_t size = lines_.size();
  const std::uint64_t first = count_ > size ? count_ - size : 0;
  if (first != 0) out += "... " + std::to_string(first) + " lines before\n";
  for (std::uint64_t i = first; i < count_; ++i) {
    const Entry& entry = lines_[i % size];
    out += seconds(entry.at) + "  " +
           in_words(entry, entry.who < names.size() ? names[entry.who] : std::string("?")) + '\n';
  }
  return out;
}

}  // namespace sim
}  // namespace v0
}  // namespace backstage
