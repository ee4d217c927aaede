// JSON of plain structs, both ways, without a macro.
#include "backstage/wire/json.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
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

struct Patience {
  std::optional<int> tries = 5;
  bool operator==(const Patience&) const = default;
};
struct Perhaps {
  std::optional<Inner> inner = Inner{1, 2};
  bool operator==(const Perhaps&) const = default;
};
struct Sizes {
  float small = 0;
  double large = 0;
  bool operator==(const Sizes&) const = default;
};
struct Tree {
  std::vector<Tree> below;
  bool operator==(const Tree&) const = default;
};
struct Leaf;
struct Branch {
  std::map<std::string, Leaf> leaves;
};
struct Leaf {
  std::vector<Branch> branches;
  std::vector<Leaf> leaves;
  Inner inner;
};
using Nested = std::map<std::string, std::vector<int>>;

static_assert(field_names<Inner>() == std::array<std::string_view, 2>{"small", "large"});
static_assert(field_names<Whole>().size() == 7 && field_names<Whole>()[6] == "by_name");
static_assert(field_names<Perhaps>() == std::array<std::string_view, 1>{"inner"}, "clang, too");
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

TEST(Json, null_empties_an_optional_and_a_missing_one_keeps_its_default) {
  EXPECT_EQ(from_json<Patience>("{}").value().tries, 5);
  EXPECT_EQ(from_json<Patience>(R"({"tries":null})").value().tries, std::nullopt);
  EXPECT_EQ(from_json<Patience>(R"({"tries":6})").value().tries, 6);
  const Patience none{std::nullopt};
  EXPECT_EQ(from_json<Patience>(to_json(none)).value(), none);
  EXPECT_EQ(from_json<Perhaps>(to_json(Perhaps{std::nullopt})).value().inner, std::nullopt);
  EXPECT_EQ(from_json<Perhaps>("{}").value(), Perhaps());
  EXPECT_EQ(from_json<std::optional<int>>("null").value(), std::nullopt);
  std::optional<int> full = 5;
  EXPECT_TRUE(detail::read_json(detail::JsonText::read("null", "it").value().root(), full));
  EXPECT_EQ(full, std::nullopt);
}

TEST(Json, a_fraction_that_is_too_large_for_its_field_is_refused) {
  EXPECT_EQ(refused<Sizes>(R"({"small":1e300,"large":1e300})"),
            "invalid: it, field 'small': 1E300 is not a number that a float can hold");
  EXPECT_EQ(refused<Sizes>(R"({"small":-3.5e38,"large":0})"),
            "invalid: it, field 'small': -3.5E38 is not a number that a float can hold");
  EXPECT_EQ(refused<std::vector<float>>("[1e39]"),
            "invalid: it, field '[0]': 1E39 is not a number that a float can hold");
  EXPECT_NE(refused<Sizes>(R"({"small":1,"large":1e309})").find("is not a number that a double can hold"),
            std::string::npos);
  EXPECT_EQ(from_json<Sizes>(R"({"small":1e-300,"large":0})").value().small, 0.0F);
}

TEST(Json, the_largest_fractions_are_read_back) {
  for (const int sign : {1, -1}) {
    const Sizes most{static_cast<float>(sign) * std::numeric_limits<float>::max(),
                     sign * std::numeric_limits<double>::max()};
    EXPECT_EQ(from_json<Sizes>(to_json(most)).value(), most);
  }
  const Sizes least{std::numeric_limits<float>::denorm_min(), std::numeric_limits<double>::denorm_min()};
  EXPECT_EQ(from_json<Sizes>(to_json(least)).value(), least);
}

TEST(Json, a_place_names_keys_cut_to_sixty_bytes_and_elements_by_number) {
  EXPECT_EQ(refused<Nested>(R"({"a":[1],"b":[1,2,"x"]})").find("invalid: it, field 'b[2]': \"x\" is not"), 0U);
  EXPECT_EQ(refused<Nested>(R"({"":[true]})").find("invalid: it, field '''[0]': true is not"), 0U);
  EXPECT_EQ(refused<Nested>(R"({"[0]":[true]})").find("invalid: it, field '[0][0]': true is not"), 0U);
  EXPECT_EQ((refused<std::map<std::string, Nested>>(R"({"a":{"[0]":true}})")),
            "invalid: it, field 'a.[0]': true is not a list");
  const std::string key(1U << 20U, 'k');
  const std::string cut = std::string(60, 'k') + "...";
  EXPECT_EQ(refused<Nested>("{\"" + key + "\":[0,null]}").find("invalid: it, field '" + cut + "[1]': null is"), 0U);
  EXPECT_EQ(refused<Inner>("{\"" + key + "\":0}"),
            "not_found: it has no field '" + cut + "': its fields are [small, large]");
  EXPECT_EQ(refused<Nested>("{\"k\":\"" + key + "\"}"),
            "invalid: it, field 'k': \"" + std::string(59, 'k') + "... is not a list");
}

TEST(Json, the_place_of_an_element_costs_nothing_until_there_is_an_error) {
  // Places as text were a copy of the key for each element, here 1 GiB.
  std::string text = "{\"" + std::string(1U << 20U, 'k') + "\":[0";
  for (int i = 0; i < 1023; ++i) text += ",0";
  text += "]}";
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  EXPECT_EQ(from_json<Nested>(text).value().begin()->second.size(), 1024U);
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 256L << 10U) << "KiB";
}

TEST(Json, no_character_is_cut_in_two) {
  const auto is_valid = [](std::string_view text) { return detail::JsonText::read(text, "it").has_value(); };
  for (std::size_t before = 56; before < 64; ++before) {
    for (const std::string_view character : {"ö", "€", "😀"}) {
      std::string key(before, 'k');
      for (int i = 0; i < 8; ++i) key += character;
      for (const std::string& text : {refused<Inner>("{\"" + key + "\":0}"), refused<Nested>("{\"" + key + "\":0}"),
                                      refused<Nested>("\"" + key + "\""), refused<Nested>(key),
                                      refused<Patience>("{\"tries\":{\"" + key + "\":0}}")}) {
        EXPECT_NE(text.find("..."), std::string::npos) << text;
        std::string quoted = "\"";
        for (const char c : text) quoted += c == '"' ? '\'' : c;
        EXPECT_TRUE(is_valid(quoted + "\"")) << text;
      }
    }
  }
  EXPECT_EQ(detail::cut_for_message(std::string(58, 'k') + "€"), std::string(58, 'k') + "...");
  EXPECT_EQ(detail::cut_for_message(std::string(57, 'k') + "€"), std::string(57, 'k') + "€");
  EXPECT_EQ(detail::cut_for_message(std::string(100, '\x80')).size(), 63U) << "no UTF-8 at all";
}

TEST(Json, an_error_lists_at_most_thirty_two_names) {
  std::string text = "{\"a00\":0";
  for (int i = 1; i < 1000; ++i) text += ",\"" + std::to_string(i) + "\":0";
  const auto object = detail::JsonText::read(text + "}", "it").value();
  const std::string missing(object.root().missing("x", "a text").text());
  EXPECT_EQ(missing.find("it, field 'x': it is missing and has to be a text; there is [a00, 1, 2, "), 0U) << missing;
  EXPECT_NE(missing.find(", 31, and 968 more]"), std::string::npos) << missing;
}

TEST(Json, a_struct_that_contains_itself_is_named_in_its_schema_and_referred_to) {
  const std::string tree(detail::name_of_type<Tree>());
  EXPECT_EQ(json_schema<Tree>(), R"({"type":"object","named":")" + tree +
                                     R"(","fields":[{"name":"below","type":"array","of":{"type":"object","like":")" +
                                     tree + R"("}}]})");
  // By way of another, and twice; what does not contain itself is written in full, without a name.
  const std::string leaf(detail::name_of_type<Leaf>());
  const std::string like = R"({"type":"object","like":")" + leaf + R"("})";
  EXPECT_EQ(json_schema<Leaf>(),
            R"({"type":"object","named":")" + leaf +
                R"(","fields":[{"name":"branches","type":"array","of":{"type":"object","fields":[{"name":"leaves",)"
                R"("type":"map","of":)" +
                like + R"(}]}},{"name":"leaves","type":"array","of":)" + like + R"(},{"name":"inner",)" +
                json_schema<Inner>().substr(1) + "]}");
  EXPECT_EQ(json_schema<Inner>().find("named"), std::string::npos);
  EXPECT_EQ(json_schema<Patience>(),
            R"({"type":"object","fields":[{"name":"tries","optional":true,"type":"integer","least":-2147483648,)"
            R"("most":2147483647}]})");
}

TEST(Json, a_struct_that_contains_itself_is_read_to_the_depth_of_a_text) {
  const auto deep = [](int trees) {
    std::string text;
    for (int i = 1; i < trees; ++i) text += R"({"below":[)";
    text += R"({"below":[]})";
    for (int i = 1; i < trees; ++i) text += "]}";
    return text;
  };
  const Result<Tree> read = from_json<Tree>(deep(16));
  ASSERT_TRUE(read.has_value()) << read.error().text();
  EXPECT_EQ(to_json(*read), deep(16));
  EXPECT_NE(refused<Tree>(deep(17)).find("is no JSON: too deep"), std::string::npos) << refused<Tree>(deep(17));
  EXPECT_NE(refused<Tree>(deep(100'000)).find("is no JSON: too deep"), std::string::npos);
  EXPECT_EQ(refused<Tree>(R"({"below":[{"below":[]},{"below":[{"below":7}]}]})"),
            "invalid: it, field 'below[1].below[0].below': 7 is not a list");
}

}  // namespace
