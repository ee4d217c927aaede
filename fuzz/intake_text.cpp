// The small readers of the intake: a time, a number, a checkpoint or a flag's file that is taken is taken as the same
// when it is written anew; text made valid is valid, and valid text is left alone.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "chronicle/intake/line_follower.hpp"
#include "chronicle/intake/line_observation.hpp"
#include "chronicle/intake/text.hpp"
#include "chronicle/settings.hpp"
#include "chronicle/wire.hpp"
#include "phrases.hpp"

namespace {

using namespace chronicle;

constexpr std::array<std::string_view, 20> phrases{"2026-11-22T21:30:29",
                                                   "1970-01-01T00:00:00",
                                                   "2261-12-31 23:59:60",
                                                   ".123456789",
                                                   ".5",
                                                   "Z",
                                                   "+01:00",
                                                   "-0530",
                                                   R"({"time":")",
                                                   R"({"@timestamp":)",
                                                   R"("ts":)",
                                                   R"("})",
                                                   "}",
                                                   "1764200000",
                                                   "9223372036854775807",
                                                   "v1 1 2 3 4 99 16 7 0",
                                                   "/var/log/",
                                                   "app=",
                                                   "..",
                                                   "\xc3\xa4"};

void require(bool holds) {
  if (!holds) std::abort();
}

void reads_times_back(std::string_view text) {
  for (const auto& time : {parse_rfc3339(text), time_of_json(text)}) {
    if (!time) continue;
    require(time->ns >= 0 && parse_rfc3339(time_text(*time)) == time);
  }
  const auto told = parse_time(text);
  if (told) {
    require(parse_time(time_text(*told)).value() == *told);
  } else {
    require(!told.error().text().empty() && is_utf8(told.error().text()));
  }
  if (const auto number = to_number(text)) {
    const auto digits = std::to_string(*number);
    require(text.ends_with(digits) && text.find_first_not_of('0') >= text.size() - digits.size());
    if (*number <= INT64_MAX) {
      const auto at = epoch_time(static_cast<std::int64_t>(*number));
      require(at.has_value() == told.has_value() && (!at || *at == *told));
    }
  }
}

void observes_lines(std::string_view text) {
  const Observation seen = observe_line("fuzz", std::string(text), "key");
  require(seen.payload == text && seen.source_time == time_of_json(text));
  require(seen.content_type != "text/plain; charset=utf-8" || is_utf8(text));
  require(seen.content_type != "application/octet-stream" || !is_utf8(text));
}

void cleans_text(std::string_view text) {
  const std::string clean = clean_utf8(text);
  require(is_utf8(clean) && (clean == text) == is_utf8(text));
  const boost::json::value back = boost::json::parse(json_string(text));
  require(back.as_string() == clean);
}

void takes_words(std::string_view text) {
  std::string words;
  for (std::string_view rest = text; !rest.empty();) words += take_word(rest);
  std::string without_blanks;
  for (const char c : text) {
    if (c != ' ' && c != '\t') without_blanks += c;
  }
  require(words == without_blanks);
}

void try_all(std::string_view text) {
  reads_times_back(text);
  observes_lines(text);
  cleans_text(text);
  takes_words(text);
  if (const auto at = parse_checkpoint(text)) require(parse_checkpoint(to_string(*at)).value() == *at);
  if (const auto file = parse_file(text)) {
    require(!fault_of_stream_name(file->stream, Limits()));
    const auto again = parse_file(file->stream + "=" + file->path);
    // A name that holds an equals sign can only have been made of a path.
    if (file->stream.find('=') != std::string::npos) return;
    require(again.has_value() && again->stream == file->stream && again->path == file->path);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try_all(text);
  try_all(backstage_fuzz::with_phrases(text, phrases));
  return 0;
}
