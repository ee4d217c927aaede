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
/// Of itself: as deep as the text is.
struct Tree {
  std::map<std::string, Tree> below;
  std::vector<Tree> list;
  bool operator==(const Tree&) const = default;
};
struct Whole {
  bool yes = false;
  std::optional<double> ratio;
  std::string text;
  std::optional<Inner> inner;
  std::vector<Inner> list;
  std::map<std::string, std::int64_t> by_name;
  std::map<std::string, std::vector<int>> lists;
  std::optional<int> tries = 5;
  float short_ratio = 0;
  std::optional<Tree> tree;
};

/// Fractions are read to within a few of the last bits (json.hpp says so); all else exactly.
bool same(const Whole& a, const Whole& b) {
  if (a.ratio.has_value() != b.ratio.has_value()) return false;
  if (a.ratio && std::abs(*a.ratio - *b.ratio) > 1e-14 * std::abs(*a.ratio)) return false;
  // Bits that a float has not: it is the same one.
  if (a.short_ratio != b.short_ratio || a.lists != b.lists || a.tries != b.tries || a.tree != b.tree) return false;
  return a.yes == b.yes && a.text == b.text && a.inner == b.inner && a.list == b.list && a.by_name == b.by_name;
}

/// The first is whole, the second to be gone on with by the optional fields.
constexpr std::array<std::string_view, 35> phrases{
    R"({"yes":true,"text":"a","list":[],"by_name":{},"lists":{},"short_ratio":1})",
    R"({"yes":true,"text":"a","list":[],"by_name":{},"short_ratio":1,"lists":{"k":[1,-2]},)",
    R"({"yes":false,"text":)",
    R"(,"list":[)",
    R"(],"by_name":{)",
    R"(},"lists":{"k":[)",
    R"("short_ratio":)",
    "3.4028234663852886E38",
    "3.4028235677973366E38",
    "1e39",
    R"("tries":)",
    R"("tree":{"below":{"a":{"below":{},"list":[]}},"list":[{"below":{"":{"below":{},"list":[]}},"list":[]}]})",
    R"("tree":)",
    R"("tree":{"list":[],"below":{)",
    R"("a":{"list":[],"below":{)",
    R"("a":{"below":{},"list":[]})",
    R"("a":{"below":{},"list":[{"below":{},"list":[]}]})",
    R"("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\u00f6":)",
    "]",
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
    // At most 32 places of 63 bytes, 32 names as long, and words.
    require(read.error().text().size() < 6000);
    return 0;
  }
  const std::string written = backstage::to_json(*read);
  const auto again = backstage::from_json<Whole>(written, "it");
  require(again.has_value() && same(*again, *read));
  const boost::json::value independent = boost::json::parse(written);
  require(independent.as_object().size() == 10);
  require(independent.at("list").as_array().size() == read->list.size());
  require(independent.at("by_name").as_object().size() == read->by_name.size());
  require(independent.at("lists").as_object().size() == read->lists.size());
  require(independent.at("tries").is_null() == !read->tries.has_value());
  require(independent.at("tree").is_null() == !read->tree.has_value());
  return 0;
}
