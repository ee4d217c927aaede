// JSON of plain structs. Any text gives a struct or an error that says why; a struct that was read is written and read
// again without loss, and what was written is JSON to an independent reader, with the same members.
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "backstage/wire/json.hpp"
#include "phrases.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Inner {
  std::int8_t small = 0;
  std::uint64_t large = 0;
  bool operator==(const Inner&) const = default;
};
struct Whole {
  bool yes = false;
  std::optional<double> ratio;
  std::string text;
  std::optional<Inner> inner;
  std::vector<Inner> list;
  std::map<std::string, std::int64_t> by_name;
};

/// Fractions are read to within a few of the last bits (json.hpp says so); all else exactly.
bool same(const Whole& a, const Whole& b) {
  if (a.ratio.has_value() != b.ratio.has_value()) return false;
  if (a.ratio && std::abs(*a.ratio - *b.ratio) > 1e-14 * std::abs(*a.ratio)) return false;
  return a.yes == b.yes && a.text == b.text && a.inner == b.inner && a.list == b.list && a.by_name == b.by_name;
}

constexpr std::array<std::string_view, 20> phrases{R"({"yes":true,"text":"a","list":[],"by_name":{}})",
                                                   R"({"yes":false,"text":)",
                                                   R"(,"list":[)",
                                                   R"(],"by_name":{)",
                                                   "}}",
                                                   "},",
                                                   R"({"small":-128,"large":18446744073709551615})",
                                                   R"("ratio":)",
                                                   R"("inner":)",
                                                   "null",
                                                   "1e308",
                                                   "1e309",
                                                   "-0.0",
                                                   R"("\u0000\ud83d\ude00")",
                                                   R"("\ud800")",
                                                   "128",
                                                   "-129",
                                                   "1.0",
                                                   ",",
                                                   "[[[["};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = backstage_fuzz::with_phrases({reinterpret_cast<const char*>(data), size}, phrases);
  const auto read = backstage::from_json<Whole>(text, "it");
  if (!read.has_value()) {
    require(read.error().text().starts_with("it"));
    return 0;
  }
  const std::string written = backstage::to_json(*read);
  const auto again = backstage::from_json<Whole>(written, "it");
  require(again.has_value() && same(*again, *read));
  const boost::json::value independent = boost::json::parse(written);
  require(independent.as_object().size() == 6);
  require(independent.at("list").as_array().size() == read->list.size());
  require(independent.at("by_name").as_object().size() == read->by_name.size());
  return 0;
}
