#include <gtest/gtest.h>

#include <string>

#include <boost/json.hpp>

#include "backstage/exec/environment.hpp"
#include "backstage/files/memory_commands.hpp"
#include "chronicle/intake/apt_index.hpp"

namespace {

using namespace chronicle;
using backstage::Errc;
namespace files = backstage::files;

std::string stanza(int number) {
  return "Package: p" + std::to_string(number) +
         "\nVersion: 1:2\nArchitecture: all\nDescription: d\n more\n .\n end\n\n";
}

struct Apt : ::testing::Test {
  const AptIndex::Options defaults;
  files::MemoryCommands commands;
  void targets(std::string output, files::Exit exit = {}) {
    commands.on(defaults.targets, {.output = std::move(output), .complaint = "E: broken", .exit = exit});
  }
  void index(const std::string& path, files::MemoryCommands::Script script) {
    auto argv = defaults.cat;
    argv.push_back(path);
    commands.on(argv, std::move(script));
  }
};

TEST_F(Apt, one_observation_per_package_with_its_key_and_fields) {
  targets("/a\n/b\n");
  index("/a", {.output = stanza(1) + "\n\n" + stanza(2), .chunk = 5});
  index("/b", {.output = "package: p3"});
  auto apt = AptIndex::find(commands).value();
  auto batch = apt.next(10);
  ASSERT_EQ(batch.packages.size(), 3U);
  EXPECT_TRUE(batch.problems.empty());
  EXPECT_TRUE(batch.end_of_input);
  EXPECT_EQ(batch.packages[0].stream, "debian/packages");
  EXPECT_EQ(batch.packages[0].idempotency_key, "p1/1:2/all");
  EXPECT_EQ(batch.packages[0].source_time, std::nullopt);
  const auto fields = boost::json::parse(batch.packages[0].payload);
  EXPECT_EQ(fields.at("Description"), "d\nmore\n\nend");
  EXPECT_EQ(batch.packages[2].idempotency_key, "p3//");
  EXPECT_EQ(batch.progress.index, 2U);
  EXPECT_EQ(batch.progress.indexes, 2U);
  EXPECT_EQ(commands.running(), 0);
}

TEST_F(Apt, nothing_is_read_ahead_of_demand) {
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += stanza(i);
  targets("/a\n");
  index("/a", {.output = many});
  auto apt = AptIndex::find(commands).value();
  const auto before = commands.bytes_read();
  EXPECT_EQ(apt.next(5).packages.size(), 5U);
  EXPECT_LE(commands.bytes_read() - before, 4096U);
  std::size_t all = 5;
  for (;;) {
    auto batch = apt.next(700);
    all += batch.packages.size();
    if (batch.end_of_input) break;
  }
  EXPECT_EQ(all, 10'000U);
}

TEST_F(Apt, absence_of_apt_or_of_an_index_is_a_plain_result) {
  EXPECT_TRUE(AptIndex::find(commands).error().is(Errc::not_found));
  targets("");
  EXPECT_TRUE(AptIndex::find(commands).error().is(Errc::not_found));
  targets("", {.code = 100});
  EXPECT_NE(AptIndex::find(commands).error().text().find("E: broken"), std::string_view::npos);
}

TEST_F(Apt, a_broken_index_is_a_problem_and_the_next_one_follows) {
  targets("/a\n/gone\n/hangs\n/b\n");
  index("/a", {.output = stanza(1) + "Package: half", .complaint = "E: lz4", .exit = {.code = 100}});
  index("/hangs", {.output = stanza(2), .hangs = true});
  index("/b", {.output = stanza(3)});
  auto apt = AptIndex::find(commands).value();
  std::string keys;
  std::size_t problems = 0;
  for (int i = 0; i < 20; ++i) {
    auto batch = apt.next(10);
    for (const auto& package : batch.packages) keys += package.idempotency_key + " ";
    problems += batch.problems.size();
    if (batch.end_of_input) break;
  }
  EXPECT_EQ(keys, "p1/1:2/all p2/1:2/all p3/1:2/all ");
  EXPECT_EQ(problems, 3U);
}

TEST_F(Apt, stanzas_over_the_limit_or_without_a_name_are_skipped_and_counted) {
  targets("/a\n");
  index("/a", {.output = "Package: big\nX: " + std::string(500, 'x') + "\n\nno colon\n\n" + stanza(1), .chunk = 50});
  auto options = defaults;
  options.max_stanza = 200;
  auto apt = AptIndex::find(commands, options).value();
  auto batch = apt.next(10);
  ASSERT_EQ(batch.packages.size(), 1U);
  EXPECT_EQ(batch.problems.size(), 2U);
}

TEST(Fields, a_name_of_blanks_alone_is_no_name) {
  EXPECT_EQ(fields_of("\r: x\n \t: y\nPackage : p\n"), (Fields{{"Package", "p"}}));
}

TEST(AptForReal, the_first_ten_packages_of_this_machine) {
  auto environment = backstage::real_environment();
  auto commands = files::posix_commands(environment->clock());
  auto apt = AptIndex::find(*commands);
  if (!apt) GTEST_SKIP() << apt.error().describe();
  auto batch = apt->next(10);
  ASSERT_EQ(batch.packages.size(), 10U) << (batch.problems.empty() ? "" : batch.problems[0].describe());
  for (const auto& package : batch.packages) {
    EXPECT_TRUE(boost::json::parse(package.payload).as_object().contains("Package"));
  }
}

}  // namespace
