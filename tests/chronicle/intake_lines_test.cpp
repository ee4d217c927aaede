#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backstage/files/memory_files.hpp"
#include "chronicle/intake/line_follower.hpp"
#include "chronicle/intake/line_observation.hpp"
#include "chronicle/intake/text.hpp"

namespace {

using namespace chronicle;
using backstage::Errc;
using backstage::Error;
using Kind = LineFollower::Event::Kind;
using Mode = LineFollower::Mode;

const std::string log_path = "/log/app";

std::vector<std::string> texts(const LineFollower::Batch& batch) {
  std::vector<std::string> all;
  for (const auto& line : batch.lines) all.push_back(line.bytes);
  return all;
}
std::vector<Kind> kinds(const LineFollower::Batch& batch) {
  std::vector<Kind> all;
  for (const auto& event : batch.events) all.push_back(event.kind);
  return all;
}
using Texts = std::vector<std::string>;
using Kinds = std::vector<Kind>;

struct FollowLines : ::testing::Test {
  backstage::files::MemoryFiles files;
  LineFollower follow(std::optional<Checkpoint> at = {}) { return LineFollower(files, log_path, {}, at); }
  static LineFollower::Batch poll(LineFollower& log) { return log.poll(100, 1 << 20).value(); }
};

TEST_F(FollowLines, keeps_a_partial_last_line_until_it_is_complete) {
  files.append(log_path, "one\ntw");
  auto log = follow();
  EXPECT_EQ(texts(poll(log)), Texts{"one"});
  EXPECT_TRUE(poll(log).is_caught_up);
  files.append(log_path, "o\r\n");
  auto batch = poll(log);
  EXPECT_EQ(texts(batch), Texts{"two"});
  EXPECT_EQ(batch.lines[0].offset, 4U);
  EXPECT_EQ(batch.progress.offset, 9U);
  EXPECT_EQ(batch.progress.size, 9U);
}

TEST_F(FollowLines, read_once_gives_the_partial_line_at_the_end) {
  files.append(log_path, std::string("a\r\n\n\0b\xFF", 7));
  LineFollower log(files, log_path, {.mode = Mode::once});
  auto batch = poll(log);
  EXPECT_EQ(texts(batch), (Texts{"a", std::string("\0b\xFF", 3)}));
  EXPECT_TRUE(batch.end_of_input);
  EXPECT_TRUE(poll(log).end_of_input);
  EXPECT_TRUE(poll(log).lines.empty());
}

TEST_F(FollowLines, rotation_finishes_the_old_file_first_with_what_came_late) {
  files.append(log_path, "a\n");
  auto log = follow();
  poll(log);
  files.append(log_path, "b\nlast");
  files.rename(log_path, log_path + ".1");
  files.append(log_path, "c\n");
  auto old = poll(log);
  EXPECT_EQ(texts(old), (Texts{"b", "last"}));
  EXPECT_EQ(kinds(old), Kinds{Kind::rotated});
  EXPECT_FALSE(old.is_caught_up);
  auto fresh = poll(log);
  EXPECT_EQ(texts(fresh), Texts{"c"});
  EXPECT_EQ(fresh.lines[0].offset, 0U);
  EXPECT_NE(old.file_key, fresh.file_key);
}

TEST_F(FollowLines, what_is_written_between_the_last_read_and_the_renaming_is_not_lost) {
  files.append(log_path, "a\n");
  auto log = follow();
  int reads_at_end = 0;
  files.before_read([&, first = true](std::uint64_t offset) mutable {
    if (offset == 2 && ++reads_at_end == 2 && first) {
      first = false;
      files.append(log_path + ".1", "late\n");
    }
    if (offset == 2 && reads_at_end == 1) {
      files.rename(log_path, log_path + ".1");
      files.append(log_path, "new\n");
    }
  });
  EXPECT_EQ(texts(poll(log)), (Texts{"a", "late"}));
  EXPECT_EQ(texts(poll(log)), Texts{"new"});
}

TEST_F(FollowLines, the_old_file_is_followed_while_the_new_one_is_empty) {
  files.append(log_path, "a\n");
  auto log = follow();
  poll(log);
  files.rename(log_path, log_path + ".1");
  files.put(log_path, "");
  EXPECT_TRUE(poll(log).is_caught_up);
  files.append(log_path + ".1", "b\n");
  EXPECT_EQ(texts(poll(log)), Texts{"b"});
  files.append(log_path, "c\n");
  EXPECT_EQ(kinds(poll(log)), Kinds{Kind::rotated});
  EXPECT_EQ(texts(poll(log)), Texts{"c"});
}

TEST_F(FollowLines, a_shorter_file_is_read_from_the_start_and_said_so) {
  files.append(log_path, "one\ntwo\nthr");
  auto log = follow();
  const auto before = poll(log);
  files.put(log_path, "x\n");
  auto batch = poll(log);
  EXPECT_EQ(kinds(batch), Kinds{Kind::truncated});
  EXPECT_EQ(batch.events[0].bytes, 3U);
  EXPECT_EQ(texts(batch), Texts{"x"});
  EXPECT_NE(before.file_key, batch.file_key);
}

TEST_F(FollowLines, a_rewritten_file_that_is_longer_again_is_found_out) {
  files.append(log_path, "one\ntwo\n");
  auto log = follow();
  poll(log);
  files.put(log_path, "other\ncontent\nhere\n");
  auto batch = poll(log);
  EXPECT_EQ(kinds(batch), Kinds{Kind::truncated});
  EXPECT_EQ(texts(batch), (Texts{"other", "content", "here"}));
}

TEST_F(FollowLines, overlong_lines_are_cut_or_skipped_and_counted) {
  files.append(log_path, "12345678\nok\n1234\n");
  for (const auto overlong : {Overlong::cut, Overlong::skip}) {
    LineFollower log(files, log_path, {.lines = {.max_line = 4, .overlong = overlong}, .chunk = 3});
    auto batch = poll(log);
    EXPECT_EQ(texts(batch), overlong == Overlong::cut ? (Texts{"1234", "ok", "1234"}) : (Texts{"ok", "1234"}));
    EXPECT_EQ(kinds(batch), Kinds{Kind::skipped});
    EXPECT_EQ(batch.events[0].bytes, overlong == Overlong::cut ? 5U : 9U);
  }
}

TEST_F(FollowLines, batches_keep_to_their_limits_and_lose_nothing) {
  std::string content;
  for (int i = 0; i < 50; ++i) content += "line-" + std::to_string(i) + "\n";
  files.append(log_path, content);
  files.short_reads(7);
  LineFollower log(files, log_path, {.mode = Mode::once, .chunk = 16});
  std::string joined;
  for (;;) {
    auto batch = log.poll(3, 15).value();
    EXPECT_LE(batch.lines.size(), 3U);
    for (const auto& line : batch.lines) {
      EXPECT_EQ(line.offset, joined.size());
      joined += line.bytes + "\n";
    }
    if (batch.end_of_input) break;
  }
  EXPECT_EQ(joined, content);
}

TEST_F(FollowLines, an_absent_file_is_waited_for_and_told_once) {
  auto log = follow();
  EXPECT_EQ(kinds(poll(log)), Kinds{Kind::absent});
  EXPECT_TRUE(poll(log).events.empty());
  files.append(log_path, "a\n");
  EXPECT_EQ(texts(poll(log)), Texts{"a"});
  LineFollower once(files, "/none", {.mode = Mode::once});
  EXPECT_TRUE(once.poll(1, 1).error().is(Errc::not_found));
}

TEST_F(FollowLines, a_read_error_loses_no_line) {
  files.append(log_path, "a\nb\n");
  LineFollower log(files, log_path, {.chunk = 2});
  EXPECT_EQ(texts(log.poll(1, 1).value()), Texts{"a"});
  files.fail_reads(log_path, Error(Errc::unavailable, "broken disk"), 1);
  EXPECT_FALSE(log.poll(9, 9));
  EXPECT_EQ(texts(poll(log)), Texts{"b"});
}

TEST_F(FollowLines, a_checkpoint_goes_on_behind_the_last_line_given) {
  files.append(log_path, "a\nb\nc\npart");
  auto log = follow();
  auto first = log.poll(2, 100).value();
  const auto at = parse_checkpoint(to_string(first.checkpoint)).value();
  EXPECT_EQ(at, first.checkpoint);
  files.append(log_path, "ial\n");
  auto again = follow(at);
  auto batch = poll(again);
  EXPECT_EQ(texts(batch), (Texts{"c", "partial"}));
  EXPECT_EQ(batch.file_key, first.file_key);
}

TEST_F(FollowLines, a_checkpoint_finds_its_file_under_a_new_name) {
  files.append(log_path, "a\nb\n");
  auto log = follow();
  const auto at = log.poll(1, 100)->checkpoint;
  files.rename(log_path, log_path + ".1");
  files.append(log_path, "c\n");
  auto again = follow(at);
  EXPECT_EQ(texts(poll(again)), Texts{"b"});
  EXPECT_EQ(texts(poll(again)), Texts{"c"});
}

TEST_F(FollowLines, a_checkpoint_whose_file_is_gone_starts_over_and_says_so_also_when_its_inode_lives_on) {
  files.append(log_path, "a\nb\n");
  auto log = follow();
  const auto at = poll(log).checkpoint;
  const auto inode = files.info(log_path)->id.inode;
  ASSERT_TRUE(files.remove(log_path));
  files.reuse_inode(inode);
  files.append(log_path, "a\nb\nc\n");
  auto again = follow(at);
  auto batch = poll(again);
  EXPECT_EQ(kinds(batch), Kinds{Kind::lost});
  EXPECT_EQ(texts(batch), (Texts{"a", "b", "c"}));
}

TEST_F(FollowLines, a_checkpoint_sees_a_truncation_that_happened_meanwhile) {
  files.append(log_path, "a\nb\n");
  auto log = follow();
  const auto at = poll(log).checkpoint;
  files.put(log_path, "other\nlines\n");
  auto again = follow(at);
  auto batch = poll(again);
  EXPECT_EQ(kinds(batch), Kinds{Kind::truncated});
  EXPECT_EQ(texts(batch), (Texts{"other", "lines"}));
}

TEST_F(FollowLines, a_checkpoint_within_an_overlong_line_does_not_take_its_rest_for_a_line) {
  files.append(log_path, "123456789");
  LineFollower log(files, log_path, {.lines = {.max_line = 4}});
  const auto at = poll(log).checkpoint;
  EXPECT_TRUE(at.is_discarding);
  files.append(log_path, "xyz\nok\n");
  LineFollower again(files, log_path, {.lines = {.max_line = 4}}, at);
  EXPECT_EQ(texts(poll(again)), Texts{"ok"});
}

TEST(Checkpoints, what_is_none_is_refused_by_name) {
  for (const char* bad : {"", "v2 1 2 3 4 5 6 7 0", "v1 1 2", "v1 1 2 3 4 5 6 7 8", "v1 1 2 3 4 1 9 7 0", "v1 a"}) {
    EXPECT_TRUE(parse_checkpoint(bad).error().is(Errc::invalid)) << bad;
  }
}

TEST(Lines, source_time_comes_from_the_first_member_that_holds_one) {
  const auto ns = [](std::string_view line) { return time_of_json(line).value_or(backstage::WallTime{-1}).ns; };
  EXPECT_EQ(ns(R"({"time":"2001-09-09T01:46:40Z"})"), 1'000'000'000'000'000'000);
  EXPECT_EQ(ns(R"({"time":"soon","ts":1000000000})"), 1'000'000'000'000'000'000);
  EXPECT_EQ(ns(R"({"timestamp":1000000000123})"), 1'000'000'000'123'000'000);
  EXPECT_EQ(ns(R"({"ts":1000000000.5})"), 1'000'000'000'500'000'000);
  EXPECT_EQ(ns(R"({"ts":"1000000000123"})"), 1'000'000'000'123'000'000);
  EXPECT_EQ(ns("\xEF\xBB\xBF{\"ts\":1000000000}"), 1'000'000'000'000'000'000);
  for (const char* none : {R"({"ts":12.5})", R"({"ts":-1})", R"({"ts":1e300})", R"({"ts":null})", "[1]", "{", ""}) {
    EXPECT_EQ(ns(none), -1) << none;
  }
}

TEST(Lines, a_line_is_kept_byte_for_byte_whatever_it_is) {
  EXPECT_EQ(observe_line("s", R"({ "a": 1 })", "k").payload, R"({ "a": 1 })");
  EXPECT_EQ(observe_line("s", R"({"a":1})", "k").content_type, "application/json");
  EXPECT_EQ(observe_line("s", "{broken", "k").content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(observe_line("s", "\xFF", "k").content_type, "application/octet-stream");
  EXPECT_EQ(observe_line("s", "\xFF", "k").payload, "\xFF");
  EXPECT_EQ(observe_line("s", std::string(100'000, '['), "k").content_type, "text/plain; charset=utf-8");
}

TEST(Text, rfc3339) {
  const auto ns = [](std::string_view text) { return parse_rfc3339(text).value_or(backstage::WallTime{-1}).ns; };
  EXPECT_EQ(ns("1970-01-01T00:00:01Z"), 1'000'000'000);
  EXPECT_EQ(ns("1970-01-01T01:00:01.5+01:00"), 1'500'000'000);
  EXPECT_EQ(ns("1970-01-01 00:00:01.1234567899z"), 1'123'456'789);
  EXPECT_EQ(ns("2016-12-31T23:59:60Z"), ns("2017-01-01T00:00:00Z"));
  for (const char* bad :
       {"1970-01-01T00:00:01", "1970-02-30T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:00:01.Z",
        "1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "1970-01-01T00:00:00+1:00", "now", ""}) {
    EXPECT_EQ(ns(bad), -1) << bad;
  }
}

TEST(Text, clean_utf8_replaces_only_what_is_wrong) {
  EXPECT_EQ(clean_utf8("a\xC3\xA4\xFFz"), "a\xC3\xA4\xEF\xBF\xBDz");
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));
  EXPECT_FALSE(is_utf8("\xC0\x80"));
  EXPECT_TRUE(is_utf8("\xF0\x9F\x98\x80"));
}

}  // namespace
