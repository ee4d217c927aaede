// JSON of plain structs, both ways, without a macro.
#include "backstage/wire/json.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "backstage/wire/described.hpp"

namespace {

using namespace backstage;

struct Inner {
  std::int8_t small = 0;
  std::uint64_t large = 0;
  bool operator==(const Inner&) const = default;
};
struct Whole {
  bool yes = false;
  double ratio = 0;
  std::string text;
  std::optional<int> maybe;
  Inner inner;
  std::vector<Inner> list;
  std::map<std::string, int> by_name;
  bool operator==(const Whole&) const = default;
};
struct Empty {
  bool operator==(const Empty&) const = default;
};
class Point {
 public:
  Point() = default;
  Point(int a, int b) : x(a), y(b) {}
  int x = 0;
  int y = 0;
};
BOOST_DESCRIBE_STRUCT(Point, (), (x, y))

static_assert(field_names<Inner>() == std::array<std::string_view, 2>{"small", "large"});
static_assert(field_names<Whole>().size() == 7 && field_names<Whole>()[6] == "by_name");
static_assert(field_names<Point>() == std::array<std::string_view, 2>{"x", "y"});

template <class T>
std::string refused(std::string_view text) {
  const auto read = from_json<T>(text, "it");
  return read.has_value() ? "read" : read.error().describe();
}

TEST(Json, what_is_written_is_read_back) {
  const Whole whole{true, 0.1, "a\"b\\\n\x01ö", 7, {-128, 18446744073709551615U}, {{1, 2}, {3, 4}}, {{"k", -1}}};
  EXPECT_EQ(from_json<Whole>(to_json(whole)).value(), whole);
  EXPECT_EQ(from_json<Whole>(to_json(Whole())).value(), Whole());
  EXPECT_EQ(to_json(Inner{1, 2}), R"({"small":1,"large":2})");
  EXPECT_EQ(from_json<Empty>("{}").value(), Empty());
  EXPECT_EQ(to_json(Point(3, 4)), R"({"x":3,"y":4})");
  EXPECT_EQ(from_json<Point>(R"({"x":3,"y":4})").value().y, 4);
  EXPECT_EQ(to_json(std::vector<double>{1.5, std::numeric_limits<double>::infinity()}), "[1.5E0,null]");
}

TEST(Json, what_does_not_fit_is_refused_by_place_value_and_what_it_has_to_be) {
  EXPECT_EQ(refused<Inner>(R"({"small":128,"large":0})"),
            "invalid: it, field 'small': 128 is not a whole number from -128 to 127");
  EXPECT_EQ(refused<Inner>(R"({"small":1.5,"large":0})"),
            "invalid: it, field 'small': 1.5E0 is not a whole number from -128 to 127");
  EXPECT_EQ(refused<Inner>(R"({"small":0,"large":-1})"),
            "invalid: it, field 'large': -1 is not a whole number from 0 to 18446744073709551615");
  EXPECT_EQ(refused<Inner>("[]"), "invalid: it: [] is not an object with the fields [small, large]");
  const std::string most = R"({"yes":true,"ratio":1,"text":"","inner":{"small":0,"large":0},"by_name":{},)";
  EXPECT_EQ(refused<Whole>(most + R"("list":[{"small":0,"large":0},{"small":"x","large":0}]})"),
            "invalid: it, field 'list[1].small': \"x\" is not a whole number from -128 to 127");
  EXPECT_EQ(refused<Whole>(most + R"("list":{}})"), "invalid: it, field 'list': {} is not a list");
  EXPECT_EQ(refused<Whole>(most + R"("list":[],"more":1})"),
            "not_found: it has no field 'more': its fields are [yes, ratio, text, maybe, inner, list, by_name]");
  EXPECT_EQ(refused<Whole>(R"({"yes":1})").find("invalid: it, field 'yes': 1 is not true or false"), 0U);
  EXPECT_EQ(
      refused<Inner>(R"({"large":1})"),
      "invalid: it, field 'small': it is missing and has to be a whole number from -128 to 127; there is [large]");
}

TEST(Json, no_text_is_too_deep_or_too_long_to_be_refused) {
  EXPECT_NE(refused<Inner>(std::string(100'000, '[')).find("is no JSON"), std::string::npos);
  EXPECT_NE(refused<Inner>(std::string((16U << 20U) + 1, ' ')).find("more than the 16 MiB"), std::string::npos);
  EXPECT_NE(refused<Inner>("").find("is no JSON"), std::string::npos);
}

TEST(Json, an_optional_may_be_missing_or_null) {
  const std::string rest = R"("yes":true,"ratio":1,"text":"","inner":{"small":0,"large":0},"by_name":{},"list":[]})";
  EXPECT_FALSE(from_json<Whole>("{" + rest).value().maybe.has_value());
  EXPECT_FALSE(from_json<Whole>(R"({"maybe":null,)" + rest).value().maybe.has_value());
  EXPECT_EQ(from_json<Whole>(R"({"maybe":3,)" + rest).value().maybe, 3);
}

}  // namespace
