#include "backstage/base/log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "backstage/base/log_sinks.hpp"

namespace backstage {
namespace {

constexpr WallTime moment{1'795'383'029'123'456'789};  // 2026-11-22T21:30:29.123456789Z

LogTime fixed_time() {
  return {&moment, [](const void* at) noexcept { return *static_cast<const WallTime*>(at); }};
}

std::string line_of(std::string_view text, std::initializer_list<Field> fields = {}, std::string_view where = "/a") {
  std::string out;
  append_line(out, LogRecord{moment, Level::info, where, text, {fields.begin(), fields.size()}});
  return out.substr(out.find(" INFO  ") + 7);
}

std::string json_of(std::string_view text, std::initializer_list<Field> fields = {}) {
  std::string out;
  append_json(out, LogRecord{moment, Level::warn, "/a", text, {fields.begin(), fields.size()}});
  return out;
}

TEST(Log, a_line_says_when_how_grave_where_what_and_with_which_values) {
  MemorySink sink;
  const Logger log(&sink, fixed_time(), Level::info, "/chronicle/store");
  const std::string path = "/x";
  log.info("opened", {{"path", path}, {"count", 3}});
  ASSERT_EQ(sink.entries().size(), 1U);
  EXPECT_EQ(sink.entries()[0].line, "2026-11-22T21:30:29.123456Z INFO  /chronicle/store  opened  path=/x count=3");
  EXPECT_EQ(sink.entries()[0].field("path"), "/x");
  EXPECT_EQ(sink.entries()[0].field("none"), "");
}

TEST(Log, a_json_record_keeps_the_types_of_its_fields) {
  EXPECT_EQ(json_of("opened", {{"path", "/x"},
                               {"count", -3},
                               {"size", std::numeric_limits<std::uint64_t>::max()},
                               {"share", 0.5},
                               {"ok", true},
                               {"odd", std::numeric_limits<double>::infinity()}}),
            R"({"time":"2026-11-22T21:30:29.123456Z","level":"warn","where":"/a","text":"opened","fields":)"
            R"({"path":"/x","count":-3,"size":18446744073709551615,"share":0.5,"ok":true,"odd":"inf"}})");
  EXPECT_EQ(json_of("bare"), R"({"time":"2026-11-22T21:30:29.123456Z","level":"warn","where":"/a","text":"bare"})");
}

TEST(Log, colours_appear_only_when_told) {
  const LogRecord record{moment, Level::error, "/a", "bad", {}};
  std::string plain;
  std::string coloured;
  append_line(plain, record);
  append_line(coloured, record, true);
  EXPECT_EQ(plain.find('\x1b'), std::string::npos);
  EXPECT_NE(coloured.find("\x1b[31mERROR\x1b[0m /a"), std::string::npos);
}

TEST(Log, below_the_level_neither_the_time_nor_the_sink_is_asked) {
  struct Refusing final : LogSink {
    void write(const LogRecord&) noexcept override { ADD_FAILURE() << "a record below the level was written"; }
  } sink;
  const LogTime time{nullptr, [](const void*) noexcept {
                       ADD_FAILURE() << "the time was read below the level";
                       return WallTime{};
                     }};
  const Logger log(&sink, time, Level::warn, "/a");
  log.trace("no");
  log.debug("no");
  log.info("no", {{"n", 1}});
  log.with(Level::off).error("no");
  log.with(Level::trace).log(Level::off, "no");
  EXPECT_FALSE(log.enabled(Level::info));
  EXPECT_TRUE(log.enabled(Level::error));
}

TEST(Log, a_logger_without_a_sink_is_off) {
  Logger().error("nobody hears");
  Logger(nullptr, fixed_time(), Level::trace, "/a").error("nobody hears");
  EXPECT_EQ(Logger().level(), Level::off);
}

TEST(Log, a_logger_may_speak_from_another_place) {
  MemorySink sink;
  Logger(&sink, fixed_time(), Level::info, "/a").at("/b").info("here");
  EXPECT_EQ(sink.entries()[0].where, "/b");
}

TEST(Log, no_string_can_end_a_line_move_the_terminal_or_turn_the_reading_direction) {
  const std::string evil = "a\nb\rc\td\x1b[2Je\x7f\xc2\x9b\xe2\x80\xae\xe2\x80\xa8" + std::string(1, '\0');
  const std::string escaped = R"("a\nb\rc\td\u001b[2Je\u007f\u009b\u202e\u2028\u0000")";
  EXPECT_EQ(line_of(evil, {{"k", evil}}), "/a  " + escaped + "  k=" + escaped);
  EXPECT_EQ(line_of("x", {{evil, 1}}, evil), escaped + "  x  " + escaped + "=1");
  EXPECT_NE(json_of(evil).find(R"("text":)" + escaped), std::string::npos);
}

TEST(Log, no_string_can_pass_for_a_field_or_a_column) {
  EXPECT_EQ(line_of("x  user=root"), R"(/a  "x  user=root")");
  EXPECT_EQ(line_of("a  b"), R"(/a  "a  b")");
  EXPECT_EQ(line_of("x", {{"k", "v admin=true"}}), R"(/a  x  k="v admin=true")");
  EXPECT_EQ(line_of("x", {{"k", R"(v" j="w)"}}), R"(/a  x  k="v\" j=\"w")");
  EXPECT_EQ(line_of("x", {{"k=1 j", "v"}, {"", ""}}), R"(/a  x  "k=1 j"=v ""="")");
  EXPECT_EQ(line_of("x", {}, "/a  forged"), R"("/a  forged"  x)");
  EXPECT_EQ(line_of("two words"), "/a  two words");
  EXPECT_EQ(line_of(R"(back\slash)"), R"(/a  "back\\slash")");
}

TEST(Log, good_utf8_passes_and_bad_utf8_is_shown_or_replaced) {
  const std::string good = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xad";
  EXPECT_EQ(line_of(good), "/a  " + good);
  EXPECT_NE(json_of(good).find('"' + good + '"'), std::string::npos);
  // A lone continuation, an overlong slash, a surrogate, beyond the last code point, cut off.
  for (const char* bad : {"\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xff"}) {
    const std::string line = line_of(bad);
    const std::string json = json_of(bad);
    EXPECT_NE(line.find("\\x"), std::string::npos) << line;
    EXPECT_NE(json.find("\\ufffd"), std::string::npos) << json;
    for (const char c : line + json) EXPECT_LT(static_cast<unsigned char>(c), 0x80U);
  }
}

TEST(Log, a_string_beyond_the_bound_is_cut_between_characters_and_says_by_how_much) {
  std::string longest(max_log_string - 1, 'x');
  longest += "\xe2\x82\xac" + std::string(10, 'y');  // the euro sign straddles the bound
  const std::string line = line_of(longest);
  EXPECT_LT(line.size(), max_log_string + 64);
  EXPECT_EQ(line.find("\\x"), std::string::npos);
  EXPECT_NE(line.find("x...[13 more bytes]\""), std::string::npos);
  EXPECT_EQ(line.find("yy"), std::string::npos);
}

TEST(Log, levels_are_read_from_text_and_a_bad_one_is_named_with_the_way_out) {
  for (const Level level : {Level::trace, Level::debug, Level::info, Level::warn, Level::error, Level::off}) {
    EXPECT_EQ(parse_level(to_string(level)).value(), level);
  }
  EXPECT_EQ(parse_level("WARN").value(), Level::warn);
  const auto bad = parse_level("verb\nose");
  ASSERT_FALSE(bad.has_value());
  EXPECT_TRUE(bad.error().is(Errc::invalid));
  EXPECT_EQ(bad.error().text(), R"(no log level 'verb\nose': it is one of trace, debug, info, warn, error, off)");
  EXPECT_FALSE(parse_level("").has_value());
  EXPECT_FALSE(parse_level("inf").has_value());
  EXPECT_FALSE(parse_level("\x09nfo").has_value());
}

struct Pipe {
  Pipe() {
    if (::pipe(ends.data()) != 0) throw std::runtime_error("no pipe");
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(std::size_t end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
  std::string read_some() const {
    std::string out(65'536, '\0');
    const ssize_t count = ::read(ends[0], out.data(), out.size());
    out.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return out;
  }
  std::array<int, 2> ends{-1, -1};
};

TEST(LogSinks, threads_writing_to_one_descriptor_keep_their_lines_whole) {
  Pipe pipe;
  DescriptorSink sink(pipe.ends[1], LogFormat::json);
  const Logger log(&sink, fixed_time(), Level::info, "/a");
  constexpr int each = 2000;
  const auto chatter = [&] {
    for (int i = 0; i < each; ++i) log.info("hello", {{"i", i}});
  };
  std::string all;
  std::thread reader([&] {
    for (std::string some = pipe.read_some(); !some.empty(); some = pipe.read_some()) all += some;
  });
  std::thread other(chatter);
  chatter();
  other.join();
  pipe.close_end(1);
  reader.join();
  int lines = 0;
  for (std::size_t begin = 0; begin < all.size(); ++lines) {
    const std::size_t end = all.find('\n', begin);
    ASSERT_NE(end, std::string::npos);
    ASSERT_EQ(all.compare(begin, 9, R"({"time":")"), 0);
    ASSERT_EQ(all.compare(end - 2, 2, "}}"), 0);
    ASSERT_EQ(all.find(R"("time")", begin + 9) < end, false);
    begin = end + 1;
  }
  EXPECT_EQ(lines, 2 * each);
  EXPECT_EQ(sink.lost(), 0U);
}

TEST(LogSinks, what_cannot_be_written_is_counted_and_never_thrown) {
  DescriptorSink sink(-1);
  const Logger log(&sink, fixed_time(), Level::info, "/a");
  log.info("lost");
  log.info("lost");
  EXPECT_EQ(sink.lost(), 2U);
}

TEST(LogSinks, after_a_torn_line_the_next_record_begins_on_a_line_of_its_own) {
  Pipe pipe;
  ASSERT_EQ(::fcntl(pipe.ends[1], F_SETFL, O_NONBLOCK), 0);
  DescriptorSink sink(pipe.ends[1]);
  const Logger log(&sink, fixed_time(), Level::info, "/a");
  // Records beyond PIPE_BUF may be taken in part by a pipe that is nearly full.
  const std::string large(6000, 'x');
  while (sink.lost() == 0) log.info(large);
  std::string all = pipe.read_some();
  const bool torn = all.back() != '\n';
  log.info("after");
  all += pipe.read_some();
  EXPECT_TRUE(torn);
  EXPECT_NE(all.find("\n2026-11-22T21:30:29.123456Z INFO  /a  after\n"), std::string::npos);
}

TEST(LogSinks, the_memory_sink_holds_the_last_ones_and_counts_the_rest) {
  MemorySink sink(3);
  const Logger log(&sink, fixed_time(), Level::info, "/a");
  for (int i = 0; i < 5; ++i) log.info(i % 2 == 0 ? "even" : "odd", {{"i", i}});
  ASSERT_EQ(sink.entries().size(), 3U);
  EXPECT_EQ(sink.entries().front().field("i"), "2");
  EXPECT_EQ(sink.count("even"), 2U);
  EXPECT_EQ(sink.lost(), 2U);
  sink.clear();
  EXPECT_TRUE(sink.entries().empty());
}

TEST(LogSinks, the_rate_limit_holds_back_the_excess_of_each_level_and_then_says_how_much) {
  MemorySink memory;
  RateLimitSink sink(memory, 2, std::chrono::seconds(1));
  const auto write = [&](std::int64_t ns, Level level) { sink.write(LogRecord{WallTime{ns}, level, "/a", "x", {}}); };
  for (int i = 0; i < 10; ++i) write(i, Level::warn);
  write(10, Level::error);
  EXPECT_EQ(memory.entries().size(), 3U);
  EXPECT_EQ(sink.held_back(), 8U);
  write(1'000'000'000, Level::warn);
  const auto entries = memory.entries();
  ASSERT_EQ(entries.size(), 5U);
  EXPECT_EQ(entries[3].text, "log records held back by the rate limit");
  EXPECT_EQ(entries[3].field("records"), "8");
  EXPECT_EQ(entries[4].text, "x");
}

}  // namespace
}  // namespace backstage
