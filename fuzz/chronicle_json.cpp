// The HTTP API's JSON. Any text gives a draft or an error that says why. A draft holds what the text means: what an
// independent reader finds in it, in whatever order the members stand; and given out again as JSON it loses nothing.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "chronicle/base64.hpp"
#include "chronicle/intake/text.hpp"
#include "chronicle/wire.hpp"
#include "phrases.hpp"

namespace {

namespace json = boost::json;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::array<std::string_view, 26> phrases{R"({"stream":"a/b","payload":)",
                                                   "}",
                                                   ",",
                                                   R"("stream":)",
                                                   R"("payload":)",
                                                   R"("payload_base64":)",
                                                   R"("content_type":)",
                                                   R"("key":)",
                                                   R"("identity":)",
                                                   R"("source_time":)",
                                                   R"("event")",
                                                   R"("content")",
                                                   R"("text/plain")",
                                                   R"("application/json")",
                                                   R"("2026-11-22T21:30:29.5+01:00")",
                                                   "1764200000",
                                                   R"("QUJD")",
                                                   R"(")",
                                                   R"(\u0061)",
                                                   R"(\ud83d\ude00)",
                                                   "null",
                                                   "1e400",
                                                   "[1,{}]",
                                                   "\xc3\xa4",
                                                   "{",
                                                   ":"};

bool same(const chronicle::Draft& a, const chronicle::Draft& b) {
  return a.stream == b.stream && a.payload == b.payload && a.content_type == b.content_type &&
         a.source_time == b.source_time && a.key == b.key && a.identity == b.identity;
}

/// As another client would have written it.
std::string written(const chronicle::Draft& draft) {
  std::string out = R"({"payload_base64":")" + chronicle::to_base64(draft.payload) + R"(","content_type":)" +
                    chronicle::json_string(draft.content_type) + R"(,"stream":)" +
                    chronicle::json_string(draft.stream);
  if (draft.key) out += R"(,"key":)" + chronicle::json_string(*draft.key);
  if (draft.source_time) out += R"(,"source_time":")" + chronicle::time_text(*draft.source_time) + '"';
  if (draft.identity) out += R"(,"identity":")" + std::string(to_string(*draft.identity)) + '"';
  return out + "}";
}

/// The same object with its members in the other order.
std::string reversed(const json::object& object) {
  std::string out = "{";
  for (std::size_t i = object.size(); i > 0; --i) {
    const auto& member = object.begin()[i - 1];
    if (out.size() > 1) out += ',';
    out += json::serialize(json::string(member.key())) + ':' + json::serialize(member.value());
  }
  return out + "}";
}

/// The same but for the last digits of a number: this parser reads those of a long one by where it stands.
bool alike(const json::value& a, const json::value& b) {
  if (const auto* array = a.if_array()) {
    const auto* other = b.if_array();
    return other != nullptr && std::equal(array->begin(), array->end(), other->begin(), other->end(), alike);
  }
  if (const auto* object = a.if_object()) {
    const auto* other = b.if_object();
    return other != nullptr && std::equal(object->begin(), object->end(), other->begin(), other->end(),
                                          [](const auto& member, const auto& its) {
                                            return member.key() == its.key() && alike(member.value(), its.value());
                                          });
  }
  if (a.is_double() && b.is_double()) {
    const double x = a.get_double();
    const double y = b.get_double();
    return json::serialize(a) == json::serialize(b) || std::abs(x - y) <= std::abs(x) * 1e-14;
  }
  return json::serialize(a) == json::serialize(b);
}

void means_what_is_written(const chronicle::Draft& draft, std::string_view input) {
  const json::value value = json::parse(input);
  const json::object& object = value.as_object();
  require(object.at("stream").as_string() == draft.stream);
  if (const json::value* payload = object.if_contains("payload")) {
    if (const json::string* text = payload->if_string()) {
      require(*text == draft.payload);
    } else {
      require(alike(json::parse(draft.payload), *payload));
      require(input.find(draft.payload) != std::string_view::npos);
    }
  }
  const std::string turned = reversed(object);
  json::error_code failed;
  json::parse(turned, failed);
  if (failed) return;  // a number beyond a double's range: the parser writes it as no JSON
  const auto other = chronicle::parse_draft(turned);
  require(other.has_value());
  require(other->content_type == draft.content_type && other->source_time == draft.source_time);
}

void gives_out_what_came_in(const chronicle::Draft& draft) {
  chronicle::Message message;
  message.stream = draft.stream;
  message.sequence = 1;
  message.source_time = draft.source_time;
  message.content_type = draft.content_type;
  message.payload = draft.payload;
  const std::string text = chronicle::to_json(message);
  const json::value value = json::parse(text);
  const json::object& out = value.as_object();
  require(out.at("stream").as_string() == draft.stream);
  require(out.at("size").to_number<std::size_t>() == draft.payload.size());
  const json::string& encoding = out.at("encoding").as_string();
  if (encoding == "json") {
    require(text.find(R"("payload":)" + draft.payload + "}") != std::string::npos);
  } else if (encoding == "text") {
    require(out.at("payload").as_string() == draft.payload);
  } else {
    const auto bytes = chronicle::from_base64(out.at("payload").as_string());
    require(bytes.has_value() && *bytes == draft.payload);
  }
}

void try_draft(std::string_view input) {
  const auto draft = chronicle::parse_draft(input);
  if (!draft) {
    require(!draft.error().text().empty() && chronicle::is_utf8(draft.error().text()));
    return;
  }
  require(draft->payload.size() <= input.size());
  const auto again = chronicle::parse_draft(written(*draft));
  require(again.has_value() && same(*again, *draft));
  means_what_is_written(*draft, input);
  gives_out_what_came_in(*draft);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try_draft(input);
  try_draft(backstage_fuzz::with_phrases(input, phrases));
  return 0;
}
